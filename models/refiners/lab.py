"""Colour transfer: means and deviations in Lab become those of the target (Reinhard et al. 2001, in CIE Lab)."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from tqdm import tqdm

from dataset.colour import lab_of, rgb_of

from .config import MethodConfig
from .pictures import Pictures
from .refiner import OnLog, OnSamples, Refiner, picture_rng, provenance
from .tensor_file import require_state

SAMPLED_PIXELS = 1 << 16  # of a picture, on a grid: enough for its mean and deviation
FLAT = 0.5  # a deviation below this is rounding, which no gain makes into contrast


class LabConfig(MethodConfig):
    """set: one map for all pictures, so that what is darker than others stays so. image: each picture takes the
    statistics of a target picture of its own, drawn by the seed."""

    reference: Literal["set", "image"] = Field(default="set", description="Whose statistics a picture takes.")
    pictures: int = Field(default=500, ge=1, description="Pictures of each set that are measured, evenly spread.")
    max_gain: float = Field(
        default=3.0, ge=1, description="Deviations grow by at most this: a grey render has noise for colours."
    )


class LabRefiner(Refiner):
    """source: (2, 3) mean and deviation in Lab over a set's pixels. targets: (n, 2, 3), one or one a picture."""

    kind: ClassVar[str] = "lab"
    config_type: ClassVar[type[MethodConfig]] = LabConfig
    config: LabConfig

    def __init__(self, config: LabConfig, provenance: dict[str, Any], source: np.ndarray, targets: np.ndarray):
        super().__init__(config, provenance)
        self.source, self.targets = source, targets

    @classmethod
    def fit(
        cls,
        source: Pictures,
        target: Pictures,
        out: Path,
        config: LabConfig,
        *,
        seed: int,
        weights: Path | str | None = None,
        detector: Path | None = None,
        on_log: OnLog | None = None,
        on_samples: OnSamples | None = None,
        progress: bool = True,
    ) -> "LabRefiner":
        """Measures both sets, in seconds; `weights`, `detector` and what is told while training do not concern it."""
        ours, theirs = (_measured(p.spread(config.pictures), progress) for p in (source, target))
        targets = theirs if config.reference == "image" else pooled(theirs)[None]
        refiner = cls(config, provenance(source, target, steps=0, seed=seed), pooled(ours), targets)
        refiner.save(Path(out) / "refiner.pt")
        return refiner

    def state(self) -> dict[str, Any]:
        return {"source": torch.from_numpy(self.source), "targets": torch.from_numpy(self.targets)}

    @classmethod
    def of_state(cls, config: LabConfig, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        require_state(state, {"source": (2, 3), "targets": (None, 2, 3)}, path)
        return cls(config, provenance, state["source"].numpy(), state["targets"].numpy())

    def apply(self, rgb: np.ndarray, semantic: np.ndarray | None, seed: int) -> np.ndarray:
        return np.stack([self._transferred(picture, seed) for picture in rgb])

    def _transferred(self, rgb: np.ndarray, seed: int) -> np.ndarray:
        lab, mine, wanted = lab_of(rgb), self.source, self.targets[0]
        if self.config.reference == "image":
            mine, wanted = moments(lab), self.targets[picture_rng(seed, rgb).integers(len(self.targets))]
        gain = np.where(mine[1] < FLAT, 1, np.minimum(wanted[1] / np.maximum(mine[1], FLAT), self.config.max_gain))
        return rgb_of((lab - mine[0]) * gain + wanted[0])


def moments(lab: np.ndarray) -> np.ndarray:
    """(..., 3) -> (2, 3) float64: mean and deviation of each channel."""
    values = lab.reshape(-1, 3).astype(np.float64)
    return np.stack([values.mean(0), values.std(0)])


def pooled(each: np.ndarray) -> np.ndarray:
    """(n, 2, 3) moments of pictures -> (2, 3) of all of them together, each picture counting alike."""
    mean = each[:, 0].mean(0)
    return np.stack([mean, np.sqrt((each[:, 1] ** 2 + (each[:, 0] - mean) ** 2).mean(0))])


def _measured(pictures: Pictures, progress: bool) -> np.ndarray:
    rows = tqdm(range(len(pictures)), desc="measure", unit="picture", disable=not progress)
    return np.stack([moments(lab_of(on_grid(pictures.rgb(i)))) for i in rows])


def on_grid(rgb: np.ndarray) -> np.ndarray:
    """Every n-th pixel of every n-th row, about SAMPLED_PIXELS of them: the colours stay as they are distributed."""
    stride = max(int(np.sqrt(rgb.shape[0] * rgb.shape[1] / SAMPLED_PIXELS)), 1)
    return rgb[::stride, ::stride]
