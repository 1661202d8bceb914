"""Pictures from files and URLs, as 8-bit RGB the right way up."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

import fsspec
import numpy as np
from PIL import Image, ImageOps

from dataset.errors import InputError

Result = TypeVar("Result")

EXIF_ORIENTATION = 0x0112
# How a complete file ends. JPEG and PNG are by far the most, and the ones that half-finished downloads cut.
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
TAIL_BYTES = 64
SEMANTIC_SUFFIX = ".semantic.png"
PNG_METADATA = {b"eXIf", b"iTXt", b"tEXt", b"zTXt"}  # chunks that may tell the orientation
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def read_image(path: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a local path or URL, turned as its EXIF orientation says.

    Grey, palette and CMYK pictures become RGB, transparency is dropped, 16 bits are scaled to 8.
    Raises InputError when the file is missing, cut short, or no picture.
    """
    return _with_image(path, lambda _, image: np.asarray(_rgb(path, image)))


def semantic_path(image_path: str) -> str:
    """Where the label map of an image lies when whoever made the image saved one: beside it, as an 8-bit grey PNG."""
    folder, slash, name = image_path.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}{SEMANTIC_SUFFIX}"


def image_size(path: str) -> tuple[int, int]:
    """(width, height) px of the picture that `read_image` gives, from the header.

    A JPEG or PNG whose end mark is missing is decoded whole, to tell a file that was cut short from one with bytes
    appended. Damage in the middle shows only in `read_image`. Raises InputError like `read_image`.
    """

    def size(file: BinaryIO, image: Image.Image) -> tuple[int, int]:
        width, height = image.size
        if _exif(file, image).get(EXIF_ORIENTATION, 1) in (5, 6, 7, 8):  # turned by a quarter
            width, height = height, width
        if image.format in END_MARKS:
            here = file.tell()
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            whole = END_MARKS[image.format] in file.read()
            file.seek(here)
            if not whole:
                image.load()
        return width, height

    return _with_image(path, size)


def _exif(file: BinaryIO, image: Image.Image) -> Image.Exif:
    """EXIF of an opened image. A PNG is decoded for it only where metadata follow the pixels."""
    if image.format == "PNG" and not _metadata_after_pixels(file):
        return Image.Image.getexif(image)  # PngImageFile's own would decode the pixels to look behind them
    return image.getexif()


def _metadata_after_pixels(file: BinaryIO) -> bool:
    here, pixels, found = file.tell(), False, False
    file.seek(8)
    while len(head := file.read(8)) == 8 and not found:
        length, kind = struct.unpack(">I4s", head)
        pixels |= kind == b"IDAT"
        found = pixels and kind in PNG_METADATA
        file.seek(length + 4, 1)  # the chunk and its checksum
    file.seek(here)
    return found


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if "://" not in path:
        with Path(path).open("rb") as file:
            yield file
    else:
        with fsspec.open(path, "rb") as file:
            yield cast(BinaryIO, file)


def _with_image(path: str, use: Callable[[BinaryIO, Image.Image], Result]) -> Result:
    try:
        with _opened(path) as file, Image.open(file) as image:
            return use(file, image)
    except FileNotFoundError:
        raise InputError(path, "image not found", "check the path, or leave the frame out with --skip-bad") from None
    except ImportError as error:  # fsspec has no client for this kind of URL
        raise InputError(path, f"the URL cannot be read ({error})", "install the package named") from None
    except UNDECODABLE as error:
        raise InputError(
            path, f"the image does not decode ({error})", "replace the file, or leave the frame out with --skip-bad"
        ) from None


def _rgb(path: str, image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise InputError(path, "the pixels are floats of unknown range", "convert the image to 8 bits a channel")
    if image.mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion would clip at 255
        grey = np.asarray(image).astype(np.int64) // 256
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "P":
        image = image.convert("RGBA")  # straight to RGB, Pillow warns of transparency in palettes
    return image.convert("RGB")
