"""Four images in one (Bochkovskiy et al., YOLOv4, 2020): smaller objects, other neighbours, more of them an image."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dataset.schema import Objects
from dataset.tables import joined

from .augment import cropped

CENTRE_SHARE = (0.3, 0.7)  # of the width and height, where the four images meet
TILES = 4


@dataclass(frozen=True)
class Mosaic:
    """One draw: where the images meet, and what part of each is shown. Tile 0 is top left, 1 top right, 2, 3 below."""

    tile_xyxy_px: np.ndarray  # (4, 4) int64, whole pixels that share no pixel and leave none out
    scale: np.ndarray  # (4,) of an image's pixels, at most 1
    shift_px: np.ndarray  # (4, 2) x, y: place in the mosaic = scale * place in the image + shift

    @staticmethod
    def draw(width_px: int, height_px: int, rng: np.random.Generator) -> "Mosaic":
        """Each image is shrunk at random, as far as its tile stays filled, and shows a random part of itself."""
        size = np.array([width_px, height_px])
        x, y = np.round(rng.uniform(*CENTRE_SHARE, 2) * size).astype(np.int64)
        tiles = np.array(
            [[0, 0, x, y], [x, 0, width_px, y], [0, y, x, height_px], [x, y, width_px, height_px]], np.int64
        )
        sides = tiles[:, 2:] - tiles[:, :2]
        scale = rng.uniform((sides / size).max(1), 1.0)
        spare = scale[:, None] * size - sides  # how far an image reaches beyond its tile
        return Mosaic(tiles, scale, tiles[:, :2] - rng.random((TILES, 2)) * spare)

    def image(self, images: list[np.ndarray]) -> np.ndarray:
        """Four (H, W, 3) uint8 -> one of that size."""
        out = np.empty_like(images[0])
        for image, (x0, y0, x1, y1), scale, shift in zip(
            images, self.tile_xyxy_px, self.scale, self.shift_px, strict=True
        ):
            seen = (np.array([[x0, y0], [x1, y1]]) - shift) / scale
            seen = np.clip(seen, 0, np.array(image.shape[1::-1])).ravel()  # against the last bit's rounding
            tile = Image.fromarray(image).resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=tuple(seen))
            out[y0:y1, x0:x1] = np.asarray(tile)
        return out

    def objects(self, objects: list[Objects], min_visible: float) -> Objects:
        """Those of four images, boxes moved with them and cut at their tiles' edges (see `cropped`)."""
        return joined(
            [
                cropped(of_image, of_image.box_xyxy_px * scale + np.tile(shift, 2), tile, min_visible)
                for of_image, tile, scale, shift in zip(
                    objects, self.tile_xyxy_px, self.scale, self.shift_px, strict=True
                )
            ]
        )
