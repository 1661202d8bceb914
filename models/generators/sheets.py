"""Sheets of small pictures to look at."""

import numpy as np

GAP_PX = 2
WHITE = 255


def sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """(N, S, S, 3) uint8 side by side, row below row, on white -> (H, W, 3) uint8."""
    count, size_px = pictures.shape[:2]
    step_px, rows = size_px + GAP_PX, -(-count // columns)
    shape = (max(rows * step_px - GAP_PX, 1), max(columns * step_px - GAP_PX, 1), 3)
    canvas = np.full(shape, WHITE, np.uint8)
    for place, picture in enumerate(pictures):
        y, x = (place // columns) * step_px, (place % columns) * step_px
        canvas[y : y + size_px, x : x + size_px] = picture
    return canvas


def great_circle(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """(latent,) and (latent,) -> (count, latent): even steps from one to the other along a great circle.

    Normal random numbers of many dimensions lie near a sphere; the straight line between two of them runs through
    the inside, where a generator was never trained (White 2016, Sampling generative networks).
    """
    length_first, length_last = np.linalg.norm(first), np.linalg.norm(last)
    cosine = np.clip(first @ last / max(length_first * length_last, 1e-12), -1, 1)
    angle, share = np.arccos(cosine), np.linspace(0, 1, count)[:, None]
    if np.sin(angle) < 1e-6:
        return (1 - share) * first + share * last
    return (np.sin((1 - share) * angle) * first + np.sin(share * angle) * last) / np.sin(angle)
