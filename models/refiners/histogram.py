"""Histogram matching: each channel's distribution becomes that of the target (Gonzalez & Woods, section 3.3)."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from tqdm import tqdm

from .colour_space import RANGES, Space, channels_of, picture_of
from .config import MethodConfig, Preset
from .lab import on_grid
from .pictures import Pictures
from .refiner import OnLog, OnSamples, Refiner, picture_rng, provenance
from .tensor_file import require_state

BINS = 256


class HistogramConfig(MethodConfig):
    """set: one curve a channel for all pictures, so that what is darker than others stays so. image: each picture
    takes the histogram of a target picture of its own, drawn by the seed."""

    reference: Literal["set", "image"] = Field(default="set", description="Whose histogram a picture takes.")
    space: Space = Field(
        default="lab",
        description="rgb: the textbook's, whose three curves part and paint greys. lab: lightness and chroma.",
    )
    max_gain: float | None = Field(
        default=3.0,
        ge=1,
        description="Steepest curve: a sky of few values is otherwise torn into bands. None: no limit.",
    )
    pictures: int = Field(default=500, ge=1, description="Pictures of each set that are counted, evenly spread.")

    @classmethod
    def preset(cls, name: Preset) -> "HistogramConfig":
        """small: limited, in Lab. paper: the textbook's."""
        return cls(space="rgb", max_gain=None) if name == "paper" else cls()


class HistogramRefiner(Refiner):
    """source: (3, BINS) share of each value in a set. targets: (n, 3, BINS), one or one a picture."""

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
        ours, theirs = (_counted(p.spread(config.pictures), config.space, progress) for p in (source, target))
        targets = theirs if config.reference == "image" else theirs.mean(0, keepdims=True)
        refiner = cls(config, provenance(source, target, steps=0, seed=seed), ours.mean(0), targets)
        refiner.save(Path(out) / "refiner.pt")
        return refiner

    def state(self) -> dict[str, Any]:
        return {"source": torch.from_numpy(self.source), "targets": torch.from_numpy(self.targets)}

    @classmethod
    def of_state(cls, config: HistogramConfig, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        require_state(state, {"source": (3, BINS), "targets": (None, 3, BINS)}, path)
        return cls(config, provenance, state["source"].numpy(), state["targets"].numpy())

    def apply(self, rgb: np.ndarray, semantic: np.ndarray | None, seed: int) -> np.ndarray:
        return np.stack([self._matched(picture, seed) for picture in rgb])

    def _matched(self, rgb: np.ndarray, seed: int) -> np.ndarray:
        space, gain = self.config.space, self.config.max_gain
        channels, mine, wanted = channels_of(rgb, space), self.source, self.targets[0]
        if self.config.reference == "image":
            mine, wanted = shares(channels, space), self.targets[picture_rng(seed, rgb).integers(len(self.targets))]
        for c, (low, high) in enumerate(RANGES[space]):
            values = np.linspace(low, high, BINS)
            channels[..., c] = np.interp(channels[..., c], values, curve(mine[c], wanted[c], values, gain))
        return picture_of(channels, space)


def shares(channels: np.ndarray, space: Space) -> np.ndarray:
    """(H, W, 3) -> (3, BINS) float64: share of the pixels nearest to each of BINS even steps of the channel's range."""
    low, high = RANGES[space].T
    steps = np.rint((channels.reshape(-1, 3) - low) / (high - low) * (BINS - 1)).astype(np.int64)
    counts = [np.bincount(steps[:, c].clip(0, BINS - 1), minlength=BINS) for c in range(3)]
    return np.stack(counts) / len(steps)


def curve(mine: np.ndarray, wanted: np.ndarray, values: np.ndarray, max_gain: float | None = None) -> np.ndarray:
    """Two (n,) histograms of sum 1 over the (n,) even values -> (n,): where each value goes, never falling.

    It goes to the value at its own quantile, a value standing at the middle of its share, so that equal histograms
    leave each value that occurs as it is. max_gain limits the slope; the mean stays that of the unlimited curve.
    """
    quantile, wanted_quantile = (np.cumsum(h) - h / 2 for h in (mine, wanted))
    found = wanted > 0
    whole = np.interp(quantile, wanted_quantile[found], values[found])
    if max_gain is None:
        return whole
    rises = np.minimum(np.diff(whole), max_gain * np.diff(values))
    limited = np.concatenate([[0.0], np.cumsum(rises)])
    return limited + mine @ (whole - limited)


def _counted(pictures: Pictures, space: Space, progress: bool) -> np.ndarray:
    rows = tqdm(range(len(pictures)), desc="count", unit="picture", disable=not progress)
    return np.stack([shares(channels_of(on_grid(pictures.rgb(i)), space), space) for i in rows])
