"""Falling rain: streaks that each drop draws while the shutter is open."""

import numpy as np

MOST_STREAKS_PER_PX = 0.0065  # in the heaviest rain
EXPOSURE_S = 1 / 120  # where the camera's is not told
FALL_M_S = 8.0
DROP_WIDTH_M = 0.004  # as seen: drops are smaller, but out of focus near the lens


def with_streaks(
    radiance: np.ndarray, depth_m: np.ndarray, rain: float, focal_px: float, seed: int, exposure_s: float = 0.0
) -> np.ndarray:
    """radiance (H, W, 3) with streaks in front of everything further than the drop.

    A drop at distance z falls FALL_M_S * exposure_s / z * focal pixels while the shutter is open; it shows the light
    of the sky behind and above the camera, thinned by how little of each pixel's time it covers: the longer the
    exposure, the longer and fainter are the streaks.
    """
    open_s = exposure_s if exposure_s > 0 else EXPOSURE_S
    height, width = depth_m.shape
    rng = np.random.default_rng([seed, 3])
    count = int(rain * MOST_STREAKS_PER_PX * height * width)
    distance = 1.2 + 14 * rng.random(count) ** 1.5
    column = rng.uniform(-0.05, 1.05, count) * width
    row = rng.uniform(-0.1, 1.1, count) * height
    length = FALL_M_S * open_s * focal_px / distance
    wind = rng.normal(0.08, 0.03)
    cover = np.clip(DROP_WIDTH_M * focal_px / distance, 0.12, 1.0) * rng.uniform(0.25, 0.75, count)
    steps = np.arange(int(np.ceil(min(length.max(initial=1.0), 1.1 * height + 1))))  # no further than the picture
    along = steps[None, :] + 0.5  # (count, steps) pixels down the streak
    shown = along < length[:, None]
    fade = np.sin(np.pi * np.clip(along / length[:, None], 0, 1))
    y = row[:, None] + along
    x = column[:, None] + wind * along
    alpha = np.zeros((height, width), np.float32)
    left = np.floor(x).astype(int)
    for offset in (0, 1):
        share = np.where(offset == 0, 1 - (x - left), x - left) * cover[:, None] * fade
        i, j = np.floor(y).astype(int), left + offset
        valid = shown & (i >= 0) & (i < height) & (j >= 0) & (j < width)
        i, j, share, z = i[valid], j[valid], share[valid], np.broadcast_to(distance[:, None], valid.shape)[valid]
        np.maximum.at(alpha, (i, j), np.where(z < depth_m[i, j], share, 0).astype(np.float32))
    # what a drop mirrors: the brighter part of the picture, mostly sky
    bright = np.percentile(radiance.reshape(-1, 3), 85, axis=0).astype(np.float32)
    alpha = np.clip(alpha * ((0.3 + 0.25 * rain) * (EXPOSURE_S / open_s)), 0, 0.6)[..., None]
    return radiance * (1 - alpha) + bright * alpha
