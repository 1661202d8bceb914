"""sRGB and CIE Lab (D65, 2 degrees), as IEC 61966-2-1 and CIE 15 define them.

Lab separates lightness (0-100) from two chroma axes (about -110 to 110), and its distances are near those seen.
"""

import numpy as np

XYZ_OF_LINEAR = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = XYZ_OF_LINEAR.sum(axis=1)  # sRGB's own white, so that greys have no chroma
SHARE_OF_LINEAR = (XYZ_OF_LINEAR / WHITE[:, None]).astype(np.float32)  # X, Y, Z as shares of the white's
LINEAR_OF_SHARE = np.linalg.inv(XYZ_OF_LINEAR / WHITE[:, None]).astype(np.float32)
KNEE = np.float32(6 / 29)  # below it the cube root goes on as a straight line
SLOPE, START = 3 * KNEE**2, np.float32(4 / 29)
_VALUES = np.arange(256) / 255
LINEAR_OF_BYTE = np.where(_VALUES <= 0.04045, _VALUES / 12.92, ((_VALUES + 0.055) / 1.055) ** 2.4).astype(np.float32)
_STEPS = np.arange(1 << 14, dtype=np.float64) / ((1 << 14) - 1)
# sRGB of linear light by its square root, whose even steps are fine where the dark is: at most 0.02 of a byte off.
BYTE_OF_ROOT = (255 * np.where(_STEPS**2 <= 0.0031308, 12.92 * _STEPS**2, 1.055 * _STEPS ** (2 / 2.4) - 0.055)).astype(
    np.float32
)


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 sRGB -> (..., 3) float32 L, a, b."""
    share = np.moveaxis(LINEAR_OF_BYTE[rgb] @ SHARE_OF_LINEAR.T, -1, 0)
    x, y, z = np.where(share > KNEE**3, np.cbrt(share), share / SLOPE + START)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def rgb_of(lab: np.ndarray) -> np.ndarray:
    """(..., 3) L, a, b -> (..., 3) uint8 sRGB, rounded; colours that sRGB lacks are clipped channel by channel."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float32), -1, 0)
    y = (lightness + 16) / 116
    roots = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    share = np.where(roots > KNEE, roots * roots * roots, SLOPE * (roots - START))
    linear = np.clip(share @ LINEAR_OF_SHARE.T, 0, 1)
    place = np.rint(np.sqrt(linear) * np.float32(len(BYTE_OF_ROOT) - 1)).astype(np.int32)
    return np.rint(BYTE_OF_ROOT[place]).astype(np.uint8)
