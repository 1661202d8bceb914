"""FDA: the amplitudes of the lowest frequencies become a target picture's, all phases stay (Yang & Soatto, CVPR 2020).

The phases hold where things are, the lowest amplitudes how the light and the camera colour them.
"""

import math
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from tqdm import tqdm

from .colour_space import Space, channels_of, picture_of
from .config import MethodConfig, Preset
from .pictures import Pictures
from .refiner import OnLog, OnSamples, Refiner, picture_rng, provenance
from .tensor_file import require_state

LARGEST_SIDE_PX = 2160  # pictures up to this shorter side find all the amplitudes that beta asks for
SILENT = 1e-3  # mean amplitude, in a channel's units, below which a frequency has no phase to speak of


class FdaConfig(MethodConfig):
    """The paper trains with beta 0.01, 0.05 and 0.09; above 0.01 the new amplitudes show as clouds."""

    beta: float = Field(
        default=0.01, ge=0, le=0.25, description="Frequencies below this share of the shorter side are swapped."
    )
    space: Space = Field(
        default="lab",
        description="rgb: as published; the channels' phases part, and greys get coloured clouds. lab: lightness and "
        "chroma.",
    )
    max_gain: float | None = Field(
        default=2.0,
        ge=1,
        description="Amplitudes grow by at most this, the mean apart: what a render lacks, its phases do not place. "
        "None: as published.",
    )
    references: int = Field(default=64, ge=1, description="Target pictures kept, evenly spread over the target.")

    @classmethod
    def preset(cls, name: Preset) -> "FdaConfig":
        """small: limited, in Lab. paper: as published."""
        return cls(space="rgb", max_gain=None) if name == "paper" else cls()


class FdaRefiner(Refiner):
    """amplitudes: n arrays (3, 2K + 1, K + 1) float32, the lowest frequencies of a target picture each (`lowest`)."""

    kind: ClassVar[str] = "fda"
    config_type: ClassVar[type[MethodConfig]] = FdaConfig
    config: FdaConfig

    def __init__(self, config: FdaConfig, provenance: dict[str, Any], amplitudes: list[np.ndarray]):
        super().__init__(config, provenance)
        self.amplitudes = amplitudes

    @classmethod
    def fit(
        cls,
        source: Pictures,
        target: Pictures,
        out: Path,
        config: FdaConfig,
        *,
        seed: int,
        weights: Path | str | None = None,
        detector: Path | None = None,
        on_log: OnLog | None = None,
        on_samples: OnSamples | None = None,
        progress: bool = True,
    ) -> "FdaRefiner":
        """Keeps the target's amplitudes; the rest of what other methods learn from does not concern it."""
        kept, cycles = target.spread(config.references), math.ceil(config.beta * LARGEST_SIDE_PX)
        rows = tqdm(range(len(kept)), desc="spectra", unit="picture", disable=not progress)
        amplitudes = [lowest(channels_of(kept.rgb(i), config.space), cycles) for i in rows]
        refiner = cls(config, provenance(source, target, steps=0, seed=seed), amplitudes)
        refiner.save(Path(out) / "refiner.pt")
        return refiner

    def state(self) -> dict[str, Any]:
        return {f"amplitude_{i:04d}": torch.from_numpy(values) for i, values in enumerate(self.amplitudes)}

    @classmethod
    def of_state(cls, config: FdaConfig, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        names = [f"amplitude_{i:04d}" for i in range(max(len(state), 1))]
        require_state(state, dict.fromkeys(names, (3, None, None)), path)
        return cls(config, provenance, [state[name].numpy() for name in names])

    def apply(self, rgb: np.ndarray, semantic: np.ndarray | None, seed: int) -> np.ndarray:
        return np.stack([self._swapped(picture, seed) for picture in rgb])

    def _swapped(self, rgb: np.ndarray, seed: int) -> np.ndarray:
        wanted = self.amplitudes[picture_rng(seed, rgb).integers(len(self.amplitudes))]
        channels = channels_of(rgb, self.config.space)
        return picture_of(swapped(channels, wanted, self.config.beta, self.config.max_gain), self.config.space)


def lowest(channels: np.ndarray, cycles: int) -> np.ndarray:
    """(H, W, 3) -> (3, 2K + 1, K + 1) float32: amplitudes of -K..K cycles a height by 0..K cycles a width.

    Divided by the number of pixels, so that pictures of all sizes compare: counted in cycles a picture, resizing
    leaves them as they are. No cycle, in [:, K, 0], is the mean with its sign. K is `cycles`, or less where the
    picture has no more.
    """
    height, width = channels.shape[:2]
    kept = max(min(cycles, (height - 1) // 2, (width - 1) // 2), 0)
    spectrum = np.abs(np.fft.rfft2(channels, axes=(0, 1))) / (height * width)
    spectrum[0, 0] = channels.mean((0, 1), np.float64)
    rows = np.arange(-kept, kept + 1)
    return np.ascontiguousarray(np.moveaxis(spectrum[rows, : kept + 1], -1, 0), np.float32)


def swapped(channels: np.ndarray, amplitudes: np.ndarray, beta: float, max_gain: float | None = None) -> np.ndarray:
    """(H, W, 3) with `lowest` amplitudes of another picture -> (H, W, 3) float32.

    Frequencies of fewer than beta * min(H, W) cycles a side are swapped: none at beta 0, with the mean above.
    The paper's window is this one, but for a beta whose product is a whole number.
    """
    height, width = channels.shape[:2]
    most = min(math.ceil(beta * min(height, width)) - 1, amplitudes.shape[2] - 1, (height - 1) // 2, (width - 1) // 2)
    if most < 0:
        return channels
    spectrum = np.fft.rfft2(channels, axes=(0, 1))
    middle = amplitudes.shape[1] // 2
    wanted = np.moveaxis(amplitudes[:, middle - most : middle + most + 1, : most + 1], 0, -1)
    rows = np.arange(-most, most + 1)
    window = spectrum[rows, : most + 1]
    mine = np.abs(window) / (height * width)
    gain = np.minimum(wanted / np.maximum(mine, SILENT), np.inf if max_gain is None else max_gain)
    spectrum[rows, : most + 1] = window * np.where(mine < SILENT, 1, gain)
    spectrum[0, 0] = wanted[most, 0] * height * width
    return np.fft.irfft2(spectrum, s=(height, width), axes=(0, 1)).astype(np.float32)
