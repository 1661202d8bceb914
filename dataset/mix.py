"""Real and synthetic frames in one training set, the synthetic ones held under a cap.

Beyond an even share of synthetic images the detector overfits to the simulator (Kishore et al., ICCV Workshops
2021), so the cap is on the share of the mix: synthetic / (real + synthetic).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset, concatenate


@dataclass(frozen=True)
class Mix:
    """The training set; the share of it that is synthetic; how many synthetic frames the cap kept out."""

    dataset: Dataset
    synthetic_share: float
    dropped: int


def mix(
    real: Dataset,
    synthetic: Dataset | None,
    *,
    max_synthetic_share: float,
    weights: np.ndarray | None = None,
    seed: int,
    folder: Path,
) -> Mix:
    """All of `real`, then as much of `synthetic` as the cap allows, in a new store at `folder`.

    When the cap binds, frames are drawn without replacement; `weights` (synthetic frames,), not negative, say how
    much each is wanted (None: equally), and a frame of weight 0 is never drawn. Raises InputError.
    """
    if not 0 <= max_synthetic_share < 1:
        raise InputError("max_synthetic_share", f"{max_synthetic_share} lies outside [0, 1)", "use 0.5, or less")
    if not len(real):
        raise InputError(real.folder, "no real frames to mix with", "import real data first")
    offered = 0 if synthetic is None else len(synthetic)
    weights = np.ones(offered) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (offered,) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise InputError(
            "weights",
            f"shape {weights.shape}, least {weights.min(initial=0)}; expected ({offered},) finite numbers from 0",
            "give one weight for each synthetic frame",
        )
    room = most_synthetic(len(real), max_synthetic_share)
    drawn = np.arange(offered) if offered <= room else draw(weights, room, np.random.default_rng(seed))
    parts = [real] if synthetic is None else [real, synthetic]
    mixed = concatenate(parts, folder, rows=[np.arange(len(real)), drawn][: len(parts)])
    return Mix(mixed, len(drawn) / len(mixed), offered - len(drawn))


def most_synthetic(real: int, max_share: float) -> int:
    """The largest s with s / (real + s) <= max_share."""
    s = int(max_share / (1 - max_share) * real) + 1  # one more than the quotient, which rounding may have put too low
    while s / (real + s) > max_share:
        s -= 1
    return s


def draw(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most `count` indices, ascending, drawn one after the other in proportion to the weights left.

    The largest of log(w) + Gumbel noise win: Efraimidis and Spirakis's keys log(u) / w (Information Processing
    Letters 97, 2006) on a scale where no weight overflows.
    """
    candidates = np.flatnonzero(weights)
    keys = (np.log(weights, where=weights > 0, out=np.zeros(len(weights))) + rng.gumbel(size=len(weights)))[candidates]
    return np.sort(candidates[np.argsort(-keys, kind="stable")[:count]])
