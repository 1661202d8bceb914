"""Structural similarity of an image with the very image it was made from.

Only there does it mean anything: between unrelated road scenes it is about 0.16 whatever they look like, so it is no
measure of realism. Wang et al., Image Quality Assessment (2004), with its 11-pixel Gaussian window.
"""

import numpy as np
from scipy.ndimage import correlate1d

from dataset.errors import InputError

WINDOW_SIGMA_PX, WINDOW_RADIUS_PX = 1.5, 5
# (K L)^2 with L = 255, the range of 8-bit values. With L = 1, figures on 8-bit images come out near 0.
STABILISERS = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
LUMA = np.array([0.299, 0.587, 0.114])


def structural_similarity(source: np.ndarray, refined: np.ndarray) -> float:
    """Mean SSIM of the luma. (H, W, 3) uint8 each, of one size, both sides at least 11 px -> -1 to 1; 1 where equal."""
    if source.shape != refined.shape:
        problem = f"its shape {refined.shape} differs from {source.shape} of its source"
        raise InputError("refined image", problem, "compare a refined image with the one it was made from")
    if source.dtype != np.uint8 or refined.dtype != np.uint8:
        raise InputError("image", f"values of type {source.dtype} and {refined.dtype}", "give 8-bit images")
    if min(source.shape[:2]) < 2 * WINDOW_RADIUS_PX + 1:
        raise InputError("image", f"{source.shape[1]}x{source.shape[0]} px", "give images of at least 11 px a side")
    x, y = source @ LUMA, refined @ LUMA
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    c1, c2 = STABILISERS
    similar = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((similar / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))).mean())


def _blurred(image: np.ndarray) -> np.ndarray:
    """Where the window fits whole: (H, W) -> (H - 10, W - 10)."""
    place = np.arange(-WINDOW_RADIUS_PX, WINDOW_RADIUS_PX + 1)
    window = np.exp(-(place**2) / (2 * WINDOW_SIGMA_PX**2))
    window /= window.sum()
    inside = slice(WINDOW_RADIUS_PX, -WINDOW_RADIUS_PX)
    return correlate1d(correlate1d(image, window, axis=0), window, axis=1)[inside, inside]
