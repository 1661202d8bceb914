"""Features of an image without any trained weights: its colours, edges, sharpness and noise.

They see how a picture was made, not what it shows: what tells a render from a photograph at first glance.
"""

import numpy as np
from scipy.ndimage import median_filter, sobel
from scipy.stats import kurtosis

from dataset.colour import lab_of

# Edges of the histograms. Lightness is 0-100; a and b of streets rarely leave -40 to 40.
LIGHTNESS = np.linspace(0, 100, 17)
COLOUR = np.concatenate([[-128], np.linspace(-40, 40, 15), [128]])
GRADIENT = np.concatenate([[0], np.geomspace(0.25, 64, 11), [1e4]])  # lightness a pixel
ORIENTATIONS = 8  # of half a turn
BANDS = 8  # of the spatial frequencies, by octave thirds below half a cycle a pixel
FLAT_RESIDUAL = 1e-3  # a residual of less deviation has no shape: an image of one colour
DIMS = 16 + 2 * 16 + 12 + ORIENTATIONS + BANDS + 1 + 3 * 4


def hand_features(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (DIMS,) float64. Histograms are given as roots of shares, so that rare bins count, too."""
    lab = lab_of(rgb).astype(np.float64)
    lightness = lab[..., 0]
    colours = [_shares(lab[..., i], edges) for i, edges in enumerate((LIGHTNESS, COLOUR, COLOUR))]
    return np.concatenate([*colours, *_gradients(lightness), _spectrum(lightness), _residual(lab)])


def _shares(values: np.ndarray, edges: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    inside = np.clip(values, edges[0], edges[-1]).ravel()
    count = np.histogram(inside, edges, weights=None if weight is None else weight.ravel())[0]
    return np.sqrt(count / max(count.sum(), 1e-12))


def _gradients(lightness: np.ndarray) -> list[np.ndarray]:
    """Shares of gradient sizes, (12,), and of directions of edges, weighted by size, (ORIENTATIONS,)."""
    across, down = (sobel(lightness, axis) / 8 for axis in (1, 0))
    size = np.hypot(across, down)
    direction = np.arctan2(down, across) % np.pi
    edges = np.linspace(0, np.pi, ORIENTATIONS + 1)
    return [_shares(size, GRADIENT), _shares(direction, edges, size)]


def _spectrum(lightness: np.ndarray) -> np.ndarray:
    """Log power of BANDS rings of frequencies and the slope over them, (BANDS + 1,). Photographs fall by about -2."""
    height, width = lightness.shape
    taper = np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.rfft2((lightness - lightness.mean()) * taper)) ** 2 / taper.sum() ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    edges = 0.5 * 2.0 ** (np.arange(-BANDS, 1) / 1.5)
    ring = np.digitize(frequency, edges).ravel() - 1
    held = (ring >= 0) & (ring < BANDS)
    total, count = (np.bincount(ring[held], values, BANDS) for values in (power.ravel()[held], None))
    log_power = np.log10(total / np.maximum(count, 1) + 1e-9)
    slope = np.polyfit(np.log10(edges[:-1]), log_power, 1)[0]
    return np.append(log_power, slope)


def _residual(lab: np.ndarray) -> np.ndarray:
    """What a median filter takes away, of each channel: log deviation, kurtosis, likeness to its neighbours, (12,)."""
    found = []
    for i in range(3):
        residual = lab[..., i] - median_filter(lab[..., i], 3)
        residual = residual - residual.mean()
        variance = float(residual.var())
        if variance < FLAT_RESIDUAL**2:
            found.append([np.log10(FLAT_RESIDUAL), 0.0, 0.0, 0.0])
            continue
        beside = float((residual[:, 1:] * residual[:, :-1]).mean()) / variance
        below = float((residual[1:] * residual[:-1]).mean()) / variance
        found.append([np.log10(variance) / 2, np.log1p(float(kurtosis(residual.ravel(), fisher=False))), beside, below])
    return np.concatenate(found)
