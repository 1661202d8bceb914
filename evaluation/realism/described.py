"""A set of images as the realism scores see it: one row of features an image, and the scene each image belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from dataset.errors import InputError
from evaluation.bootstrap import Unit

# Only features of these networks make the published scores; all others give scores of their own name.
INCEPTION = "inception"


@dataclass(frozen=True)
class Described:
    """N images. `image` is each one's name, `group` that of the scene (clip, town) which it shares with others.

    A refined image bears the names of the render it was made from: both are then resampled together, so that the
    difference between them is not blurred by which scenes were drawn.
    """

    features: np.ndarray  # (N, d) float
    image: np.ndarray  # (N,) str
    group: np.ndarray  # (N,) str

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or not len(self.features) == len(self.image) == len(self.group):
            problem = f"features of shape {self.features.shape} for {len(self.image)} names, {len(self.group)} groups"
            raise InputError("features", problem, "give one row, one name and one group an image")
        bad = ~np.isfinite(self.features).all(axis=1)
        if bad.any():
            problem = f"{int(bad.sum())} images have features that are no numbers, the first in row {int(bad.argmax())}"
            raise InputError("features", problem, "look at that image, and at the weights of the features")

    def __len__(self) -> int:
        return len(self.features)

    @property
    def dims(self) -> int:
        return self.features.shape[1]

    def rows(self, keep: np.ndarray) -> "Described":
        return Described(self.features[keep], self.image[keep], self.group[keep])

    def at_most(self, images: int, seed: int) -> "Described":
        """At most so many images, drawn without order; sets of equal length lose the same rows."""
        if len(self) <= images:
            return self
        return self.rows(np.sort(np.random.default_rng(seed).permutation(len(self))[:images]))

    def units(self, unit: Unit) -> np.ndarray:
        """(N,) str: what is resampled as one."""
        return self.image if unit == "image" else self.group


def score_name(kind: Literal["kernel", "frechet"], features: str) -> str:
    """'KID (inception)' and 'FID (inception)' for Inception's features; for others a name that claims no more."""
    published = {"kernel": "KID", "frechet": "FID"}
    own = {"kernel": "kernel distance", "frechet": "Frechet distance"}
    return f"{(published if features == INCEPTION else own)[kind]} ({features})"


def standardised(real: Described, source: Described, others: Sequence[Described]) -> list[Described]:
    """All sets with each feature at mean 0 and variance 1 over real and source, each counting half: real, source, rest.

    For features without a natural scale, as the kernel is not blind to it. Refined sets have no say in the scale, so
    the score of one does not depend on which others are looked at. A feature that is constant is only centred.
    """
    means = [part.features.mean(axis=0, dtype=np.float64) for part in (real, source)]
    variances = [part.features.var(axis=0, dtype=np.float64) for part in (real, source)]
    centre = (means[0] + means[1]) / 2
    spread = np.sqrt((variances[0] + variances[1]) / 2 + ((means[0] - means[1]) / 2) ** 2)
    scale = np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1.0)
    return [replace(part, features=(part.features - centre) / scale) for part in (real, source, *others)]


def check_dims(real: Described, others: dict[str, Described]) -> None:
    """InputError where a set is too small to compare, or of other features than the real one."""
    for name, part in {"real": real, **others}.items():
        if len(part) < 2:
            raise InputError(f"{name} images", f"{len(part)}, at least 2 needed", "give more images")
        if part.dims != real.dims:
            problem = f"{part.dims} features an image, the real images have {real.dims}"
            raise InputError(f"{name} images", problem, "describe all sets with the same features")
