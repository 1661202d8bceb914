"""Falling snow: flakes near the camera as blurred discs. The many further away are the haze (sky.py)."""

import numpy as np

MOST_FLAKES_PER_PX = 0.02  # in the heaviest snowfall
FLAKE_RADIUS_M = 0.005
NEAREST_M, FURTHEST_M = 1.0, 10.0
LENS_BLUR_PX_M = 1.2e-3  # times the focal length, over the distance: what is near is out of focus


def with_flakes(radiance: np.ndarray, depth_m: np.ndarray, snow: float, focal_px: float, seed: int) -> np.ndarray:
    """radiance (H, W, 3) with flakes in front of everything further than they are.

    A flake scatters the light of the whole sky, so it shows the brighter part of the picture; one smaller than a
    pixel, or out of focus, covers a part of it only.
    """
    height, width = depth_m.shape
    rng = np.random.default_rng([seed, 4])
    count = int(snow * MOST_FLAKES_PER_PX * height * width)
    # evenly spread in the space that is seen, whose cross-section grows with the square of the distance
    distance = np.cbrt(rng.uniform(NEAREST_M**3, FURTHEST_M**3, count))
    x, y = rng.uniform(0, width, count), rng.uniform(0, height, count)
    sharp = FLAKE_RADIUS_M * rng.uniform(0.5, 1.5, count) * focal_px / distance
    radius = np.maximum(np.hypot(sharp, LENS_BLUR_PX_M * focal_px / distance), 0.6)
    cover = np.minimum((sharp / radius) ** 2, 1.0) * rng.uniform(0.6, 1.0, count)
    shown = distance < depth_m[y.astype(int), x.astype(int)]
    alpha = np.zeros((height, width), np.float32)
    reach = int(np.ceil(radius.max(initial=1.0)))
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            row, column = np.floor(y).astype(int) + down, np.floor(x).astype(int) + right
            gap = np.hypot(row + 0.5 - y, column + 0.5 - x)
            share = cover * np.clip(radius + 0.5 - gap, 0, 1)
            valid = shown & (share > 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
            np.maximum.at(alpha, (row[valid], column[valid]), share[valid].astype(np.float32))
    bright = np.percentile(radiance.reshape(-1, 3), 85, axis=0).astype(np.float32)
    return radiance + (1.1 * bright - radiance) * (0.85 * alpha[..., None])
