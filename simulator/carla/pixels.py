"""What the bytes of CARLA's images mean: (H, W, 4) uint8 as blue, green, red, alpha."""

from typing import NamedTuple

import numpy as np

SKY_TAG = 11
FAR_M = 1000.0  # the depth camera's last value: nothing is there


class Ids(NamedTuple):
    """An instance image: of each pixel the lower 16 bits of its object's id (an actor's, else Unreal's) and a tag."""

    low16: np.ndarray  # (H, W) uint16
    tag: np.ndarray  # (H, W) uint8


def ids_of(bgra: np.ndarray) -> Ids:
    return Ids(bgra[..., 0].astype(np.uint16) << 8 | bgra[..., 1], bgra[..., 2])


def tags_of(bgra: np.ndarray) -> np.ndarray:
    return bgra[..., 2]


def rgb_of(bgra: np.ndarray) -> np.ndarray:
    return bgra[..., 2::-1]


def depth_m_of(bgra: np.ndarray, tag: np.ndarray) -> np.ndarray:
    """(H, W) float32 along the optical axis, inf where there is sky."""
    blue, green, red = (bgra[..., channel].astype(np.float64) for channel in range(3))
    depth = FAR_M * (red + 256 * green + 65536 * blue) / (2**24 - 1)
    return np.where((tag == SKY_TAG) | (depth >= 0.9999 * FAR_M), np.inf, depth).astype(np.float32)
