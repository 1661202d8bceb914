"""The squares that a generator learns from: the middle of each picture, decoded once."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models.refiners.crops import resized
from models.refiners.pictures import Pictures
from models.reserved_file import reserve

MAX_CACHE_GIB = 8.0  # above it, pictures are decoded anew whenever they are shown


class Squares:
    """`with Squares(pictures, size_px, folder) as squares:` the largest square in the middle of each picture, resized.

    Always the middle, so that a generated picture can be compared with the training pictures one by one. What was
    decoded is kept in a file in `folder` until the end of the block; memory does not grow with the set. A disk without
    room for it means a warning, and pictures decoded anew whenever they are shown.
    """

    def __init__(self, pictures: Pictures, size_px: int, folder: Path):
        self.pictures, self.size_px = pictures, size_px
        self._file = folder / "squares.cache"
        self._kept: np.ndarray | None = None
        self._known = np.zeros(len(pictures), bool)

    def __enter__(self) -> "Squares":
        shape = (len(self.pictures), self.size_px, self.size_px, 3)
        size_bytes = int(np.prod(shape, dtype=np.int64))
        if 0 < size_bytes <= MAX_CACHE_GIB * 2**30 and reserve(self._file, size_bytes, "free space"):
            self._kept = np.memmap(self._file, np.uint8, "r+", shape=shape)
        return self

    def __exit__(self, *_) -> None:
        self._kept = None
        self._file.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self.pictures)

    def square(self, row: int) -> np.ndarray:
        """(S, S, 3) uint8. Raises InputError when the picture cannot be read."""
        if self._kept is None:
            return middle(self.pictures.rgb(row), self.size_px)
        if not self._known[row]:
            self._kept[row] = middle(self.pictures.rgb(row), self.size_px)
            self._known[row] = True
        return np.asarray(self._kept[row])

    def stack(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """(B, S, S, 3) uint8 of these rows."""
        return np.stack([self.square(int(row)) for row in rows])

    def each(self, rows: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
        return (self.square(int(row)) for row in rows)


def middle(rgb: np.ndarray, size_px: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (size, size, 3): the largest square in the middle, filtered when it shrinks."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    x, y = (width - side) / 2, (height - side) / 2
    return resized(rgb, size_px, size_px, (x, y, x + side, y + side))
