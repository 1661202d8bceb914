"""One view for all images that are compared: the same shape, size and file format, so that only what they show differs.

A classifier tells two cameras apart by the aspect ratio, the sharpness that resizing leaves, or the blocks of a JPEG,
long before it looks at the street. Sizes are reduced with anti-aliasing: without, FID moves by several points
(Parmar et al., On Aliased Resizing, 2022).
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from dataset.errors import InputError


@dataclass(frozen=True)
class View:
    """The largest central part of an image that has this shape, at this size.

    jpeg_quality: every image is compressed so and decoded again, for sets of different file formats; None: not.
    """

    width_px: int = 512
    height_px: int = 256
    jpeg_quality: int | None = None

    def __post_init__(self) -> None:
        if min(self.width_px, self.height_px) < 32:
            raise InputError("view", f"{self.width_px}x{self.height_px} px", "use at least 32 px a side")
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise InputError("view.jpeg_quality", f"{self.jpeg_quality} lies outside 1 to 100", "use 75 to 95")

    def of(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (height_px, width_px, 3) uint8."""
        height, width = rgb.shape[:2]
        if min(height, width) < 1:
            raise InputError("image", f"{width}x{height} px", "leave the image out")
        scale = min(width / self.width_px, height / self.height_px)
        kept_width, kept_height = scale * self.width_px, scale * self.height_px
        left, top = (width - kept_width) / 2, (height - kept_height) / 2
        box = (left, top, left + kept_width, top + kept_height)
        image = Image.fromarray(rgb)
        if box != (0, 0, self.width_px, self.height_px):
            image = image.resize((self.width_px, self.height_px), Image.Resampling.BICUBIC, box)
        if self.jpeg_quality is not None:
            file = BytesIO()
            image.save(file, "JPEG", quality=self.jpeg_quality)
            image = Image.open(file)
        return np.asarray(image)
