"""What one picture tells of the camera that took it: six figures that hardly depend on where it was taken.

Each takes a picture (H, W, 3) uint8, sRGB, and returns one number. Scenes move them too, so that they mean something
only beside the same figures of renders: `response.py` looks for the settings at which the two are alike.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ROAD_FROM = 0.4  # of the height: below it lies the street, above it sky or whatever stands there
REBLUR_PX = 1.0
STRONGEST_EDGES = 0.02  # share of the pixels
SHARPEST_EDGES = 25  # percentile: the other edges are soft by themselves (shadows, rounded bodies)
BLOCK_PX = 8
FLATTEST_BLOCKS = 20  # percentile: the others have texture
LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
# The luminance table of the JPEG standard (ITU-T T.81, table K.1), which libjpeg's quality scales.
STANDARD_TABLE_SUM = 3688


def luma(picture: np.ndarray) -> np.ndarray:
    """(H, W) float32, 0-1."""
    return picture.astype(np.float32) @ LUMA / np.float32(255)


def brightness(picture: np.ndarray) -> float:
    """Mean luma of the lower picture, 0-1."""
    grey = luma(picture)
    return float(grey[int(ROAD_FROM * len(grey)) :].mean())


def contrast(picture: np.ndarray) -> float:
    """Standard deviation of the lower picture's luma, as a share of its mean: exposure hardly changes it."""
    grey = luma(picture)
    lower = grey[int(ROAD_FROM * len(grey)) :]
    return float(lower.std() / max(lower.mean(), 1e-3))


def colourfulness(picture: np.ndarray) -> float:
    """Mean length of the colour differences to grey, of full scale, once the picture's own cast is taken off."""
    color = picture.astype(np.float32) / 255
    difference = color - (color @ LUMA)[..., None]
    return float(np.linalg.norm(difference - difference.mean(axis=(0, 1)), axis=-1).mean())


def cast(picture: np.ndarray) -> float:
    """Red against blue over all that is neither black nor burnt out: log2 of the ratio of their means."""
    grey = luma(picture)
    color = picture[(grey > 0.08) & (grey < 0.92)].astype(float)
    if not len(color):
        return 0.0
    return float(np.log2((color[:, 0].mean() + 1) / (color[:, 2].mean() + 1)))


def softness_px(picture: np.ndarray) -> float:
    """Gaussian sigma of the sharpest of the strong edges.

    A step blurred with sigma has the gradient 1 / sigma; blurred again with r it has 1 / sqrt(sigma^2 + r^2): the
    ratio of the two tells sigma, whatever the step's height (Zhuo and Sim, Defocus map estimation from a single image,
    Pattern Recognition 44, 2011). Differences over two pixels blur by themselves: it reads too much below 1 px.
    """
    grey = luma(picture)
    slope = _slope(grey)
    reblurred = _slope(ndimage.gaussian_filter(grey, REBLUR_PX))
    # Only along an edge's ridge is the ratio that of a step's middle.
    ridge = slope >= ndimage.maximum_filter(slope, 3)
    ridge[[0, 1, -1, -2]] = ridge[:, [0, 1, -1, -2]] = False
    strong = ridge & (slope > np.quantile(slope, 1 - STRONGEST_EDGES))
    if not strong.any():
        return 0.0
    ratio = np.maximum(slope[strong] / np.maximum(reblurred[strong], 1e-6), 1.001)
    return float(np.percentile(REBLUR_PX / np.sqrt(ratio**2 - 1), SHARPEST_EDGES))


def _slope(grey: np.ndarray) -> np.ndarray:
    down, across = np.gradient(grey)
    return np.hypot(down, across)


def grain(picture: np.ndarray) -> float:
    """Sigma of the noise in flat blocks, of full scale (mask and factor: Immerkaer, Fast noise variance estimation,
    Computer Vision and Image Understanding 64, 1996)."""
    grey = luma(picture)
    height, width = (side // BLOCK_PX * BLOCK_PX for side in grey.shape)
    answer = np.abs(ndimage.convolve(grey, LAPLACIANS))[:height, :width]
    blocks = (height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
    sigma = np.sqrt(np.pi / 2) / 6 * answer.reshape(blocks).mean(axis=(1, 3))
    level = grey[:height, :width].reshape(blocks).mean(axis=(1, 3))
    told = sigma[(level > 0.1) & (level < 0.9)]
    return float(np.percentile(told, FLATTEST_BLOCKS)) if len(told) else 0.0


def jpeg_quality(image: Image.Image) -> int | None:
    """The quality that libjpeg was asked for, 1-100, from the file's table; None where the file is no JPEG."""
    tables = getattr(image, "quantization", None)
    if not tables:
        return None
    scale = 100 * sum(tables[0]) / STANDARD_TABLE_SUM
    quality = 100 - scale / 2 if scale <= 100 else 5000 / scale
    return int(np.clip(round(quality), 1, 100))
