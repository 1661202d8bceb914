"""sRGB and CIE Lab (D65, 2 degrees), as IEC 61966-2-1 and CIE 15 define them.

Lab separates lightness (0-100) from two chroma axes (about -110 to 110), and its distances are near those seen.
"""

import numpy as np

XYZ_OF_LINEAR = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
LINEAR_OF_XYZ = np.linalg.inv(XYZ_OF_LINEAR)
WHITE = XYZ_OF_LINEAR.sum(axis=1)  # sRGB's own white, so that greys have no chroma
KNEE = 6 / 29  # below it the cube root goes on as a straight line
LAB_OF_ROOTS = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]], np.float64)
_VALUES = np.arange(256) / 255
LINEAR_OF_BYTE = np.where(_VALUES <= 0.04045, _VALUES / 12.92, ((_VALUES + 0.055) / 1.055) ** 2.4)


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 sRGB -> (..., 3) float32 L, a, b."""
    linear = LINEAR_OF_BYTE.astype(np.float32)[rgb]
    share = linear @ (XYZ_OF_LINEAR / WHITE[:, None]).T.astype(np.float32)
    roots = np.where(share > KNEE**3, np.cbrt(share), share / (3 * KNEE**2) + 4 / 29)
    return (roots @ LAB_OF_ROOTS.T - [16, 0, 0]).astype(np.float32)


def rgb_of(lab: np.ndarray) -> np.ndarray:
    """(..., 3) L, a, b -> (..., 3) uint8 sRGB, rounded; colours that sRGB lacks are clipped channel by channel."""
    y = (lab[..., 0] + 16) / 116
    roots = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1).astype(np.float32)
    share = np.where(roots > KNEE, roots**3, 3 * KNEE**2 * (roots - 4 / 29)).astype(np.float32)
    linear = np.clip(share @ (LINEAR_OF_XYZ * WHITE).T.astype(np.float32), 0, 1)
    values = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** np.float32(1 / 2.4) - 0.055)
    return np.rint(values * 255).astype(np.uint8)
