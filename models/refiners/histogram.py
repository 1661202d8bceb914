"""Histogram matching: each channel's distribution becomes that of the target (Gonzalez & Woods, section 3.3)."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from tqdm import tqdm

from .config import MethodConfig
from .pictures import Pictures
from .refiner import OnLog, OnSamples, Refiner, picture_rng, provenance
from .tensor_file import require_state


class HistogramConfig(MethodConfig):
    """set: one curve a channel for all pictures, so that what is darker than others stays so. image: each picture
    takes the histogram of a target picture of its own, drawn by the seed."""

    reference: Literal["set", "image"] = Field(default="set", description="Whose histogram a picture takes.")
    pictures: int = Field(default=500, ge=1, description="Pictures of each set that are counted, evenly spread.")


class HistogramRefiner(Refiner):
    """source: (3, 256) share of each value in a set. targets: (n, 3, 256), one or one a picture."""

    kind: ClassVar[str] = "histogram"
    config_type: ClassVar[type[MethodConfig]] = HistogramConfig
    config: HistogramConfig

    def __init__(self, config: HistogramConfig, provenance: dict[str, Any], source: np.ndarray, targets: np.ndarray):
        super().__init__(config, provenance)
        self.source, self.targets = source, targets

    @classmethod
    def fit(
        cls,
        source: Pictures,
        target: Pictures,
        out: Path,
        config: HistogramConfig,
        *,
        seed: int,
        weights: Path | str | None = None,
        detector: Path | None = None,
        on_log: OnLog | None = None,
        on_samples: OnSamples | None = None,
        progress: bool = True,
    ) -> "HistogramRefiner":
        """Counts both sets, in seconds; `weights`, `detector` and what is told while training do not concern it."""
        ours, theirs = (_counted(p.spread(config.pictures), progress) for p in (source, target))
        targets = theirs if config.reference == "image" else theirs.mean(0, keepdims=True)
        refiner = cls(config, provenance(source, target, steps=0, seed=seed), ours.mean(0), targets)
        refiner.save(Path(out) / "refiner.pt")
        return refiner

    def state(self) -> dict[str, Any]:
        return {"source": torch.from_numpy(self.source), "targets": torch.from_numpy(self.targets)}

    @classmethod
    def of_state(cls, config: HistogramConfig, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        require_state(state, {"source": (3, 256), "targets": (None, 3, 256)}, path)
        return cls(config, provenance, state["source"].numpy(), state["targets"].numpy())

    def apply(self, rgb: np.ndarray, semantic: np.ndarray | None, seed: int) -> np.ndarray:
        return np.stack([self._matched(picture, seed) for picture in rgb])

    def _matched(self, rgb: np.ndarray, seed: int) -> np.ndarray:
        mine, wanted = self.source, self.targets[0]
        if self.config.reference == "image":
            mine, wanted = shares(rgb), self.targets[picture_rng(seed, rgb).integers(len(self.targets))]
        return np.stack([curve(mine[c], wanted[c])[rgb[..., c]] for c in range(3)], axis=-1)


def shares(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (3, 256) float64: share of the pixels that have each value."""
    counts = [np.bincount(rgb[..., c].ravel(), minlength=256) for c in range(3)]
    return np.stack(counts) / (rgb.shape[0] * rgb.shape[1])


def curve(mine: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Two (256,) histograms of sum 1 -> (256,) uint8 that rises: the value at the same quantile for each value.

    A value stands at the middle of its own share, so that equal histograms give back each value that occurs.
    """
    quantile, wanted_quantile = (np.cumsum(h) - h / 2 for h in (mine, wanted))
    found = np.flatnonzero(wanted > 0)
    return np.rint(np.interp(quantile, wanted_quantile[found], found)).astype(np.uint8)


def _counted(pictures: Pictures, progress: bool) -> np.ndarray:
    rows = tqdm(range(len(pictures)), desc="count", unit="picture", disable=not progress)
    return np.stack([shares(pictures.rgb(i)) for i in rows])
