"""The channels in which colours are changed: as stored, or lightness and chroma apart."""

from typing import Literal

import numpy as np

from dataset.colour import lab_of, rgb_of

Space = Literal["rgb", "lab"]
# Lowest and highest value of each channel. Between Lab's lie all colours of sRGB.
RANGES: dict[Space, np.ndarray] = {
    "rgb": np.array([[0, 255]] * 3, np.float64),
    "lab": np.array([[0, 100], [-110, 110], [-110, 110]], np.float64),
}


def channels_of(rgb: np.ndarray, space: Space) -> np.ndarray:
    """(..., 3) uint8 -> (..., 3) float32."""
    return lab_of(rgb) if space == "lab" else rgb.astype(np.float32)


def picture_of(channels: np.ndarray, space: Space) -> np.ndarray:
    """(..., 3) -> (..., 3) uint8, rounded and clipped."""
    return rgb_of(channels) if space == "lab" else np.rint(np.clip(channels, 0, 255)).astype(np.uint8)
