"""Boxes drawn on parts of images, small enough to travel inside a page."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Box = tuple[float, float, float, float]

# Cyan and orange stay apart for colour-blind readers, and from asphalt, sky and vegetation.
TRUTH, DETECTION, REQUEST = "#22d3ee", "#ff9f1c", "#ffffff"
CONTEXT = 3.0  # a crop's sides, in sides of the box that it shows
MIN_CROP_HEIGHT_PX = 96.0
JPEG_QUALITY = 80


@dataclass(frozen=True)
class Mark:
    """A box to draw. `strong` ones are what the picture is about; dashed ones are not there, only asked for.

    `margin_px` sets it off outwards, so that a label and a detection on the same place are both seen.
    """

    box_xyxy_px: Sequence[float] | np.ndarray
    colour: str
    text: str = ""
    strong: bool = False
    dashed: bool = False
    margin_px: int = 0  # of the picture, not of the image


def region_around(box_xyxy_px: Sequence[float], width_px: int, height_px: int, aspect: float = 1.5) -> Box:
    """The part of an image that shows a box in its surroundings: `aspect` wide to 1 high, inside the image.

    An image too small for that shape gives as much as it has.
    """
    x1, y1, x2, y2 = (float(value) for value in box_xyxy_px)
    height = max(CONTEXT * (y2 - y1), CONTEXT * (x2 - x1) / aspect, MIN_CROP_HEIGHT_PX)
    width, height = min(height * aspect, width_px), min(height, height_px)
    left = min(max((x1 + x2 - width) / 2, 0), width_px - width)
    top = min(max((y1 + y2 - height) / 2, 0), height_px - height)
    return left, top, left + width, top + height


def draw(image: np.ndarray, marks: Iterable[Mark], region_xyxy_px: Sequence[float], width_px: int) -> Image.Image:
    """The region of an image (H, W, 3) with the marks on it, `width_px` wide; lines are equally thick at any scale."""
    left, top, right, bottom = region_xyxy_px
    scale = width_px / (right - left)
    size = (width_px, max(1, round((bottom - top) * scale)))
    picture = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, box=(left, top, right, bottom))
    canvas = ImageDraw.Draw(picture)
    for mark in sorted(marks, key=lambda mark: mark.strong):
        corners = (np.asarray(mark.box_xyxy_px, float).reshape(2, 2) - (left, top)) * scale
        corners += [[-mark.margin_px], [mark.margin_px]]
        if (corners[1] > 0).all() and (corners[0] < size).all():
            _outline(canvas, corners, mark)
            if mark.text:
                _tag(canvas, corners[0], mark, size)
    return picture


def _outline(canvas: ImageDraw.ImageDraw, corners: np.ndarray, mark: Mark) -> None:
    (x1, y1), (x2, y2) = corners.round().tolist()
    width = 3 if mark.strong else 1
    if not mark.dashed:
        # A dark rim keeps the line visible on any background.
        canvas.rectangle((x1 - 1, y1 - 1, max(x2, x1) + 1, max(y2, y1) + 1), outline="#000000", width=width + 2)
        canvas.rectangle((x1, y1, max(x2, x1), max(y2, y1)), outline=mark.colour, width=width)
        return
    for y in (y1, y2):
        for x in np.arange(x1, x2, 8).tolist():
            canvas.line((x, y, min(x + 4, x2), y), fill=mark.colour, width=width)
    for x in (x1, x2):
        for y in np.arange(y1, y2, 8).tolist():
            canvas.line((x, y, x, min(y + 4, y2)), fill=mark.colour, width=width)


def _tag(canvas: ImageDraw.ImageDraw, corner: np.ndarray, mark: Mark, size: tuple[int, int]) -> None:
    font = ImageFont.load_default(size=11)
    left, top, right, bottom = canvas.textbbox((0, 0), mark.text, font=font)
    width, height = right - left + 6, bottom - top + 4
    x = min(max(corner[0], 0), size[0] - width)
    y = corner[1] - height - 2 if corner[1] - height - 2 >= 0 else max(corner[1], 0) + 3
    canvas.rectangle((x, y, x + width, y + height), fill=mark.colour)
    canvas.text((x + 3 - left, y + 2 - top), mark.text, fill="#000000", font=font)


def data_uri(picture: Image.Image) -> str:
    """The picture as a JPEG inside an address, for an <img> that needs no other file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
