"""What a user names to look at: images, folders of images and videos, read one after another in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath

import numpy as np

from dataset.errors import InputError
from dataset.images import SEMANTIC_SUFFIX, read_image
from dataset.video import Video

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".jp2", ".avif")
)
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp", ".264")
)
DECODERS = 4  # threads that read images; Pillow decodes outside Python's lock


@dataclass(frozen=True)
class Footage:
    """An image or a video.

    `place` is its path below the folder that was named, that folder's name included, and no other's: where what is
    made of it can be put.
    """

    path: str
    place: PurePosixPath
    video: Video | None


@dataclass(frozen=True)
class Shot:
    """One picture of the footage. An image's id is its path; of a video's frame, the path and the frame's number."""

    frame_id: str
    footage: Footage
    image: np.ndarray  # (H, W, 3) uint8 RGB
    index: int | None = None  # of a video: number of the frame, from 0
    time_s: float | None = None  # of a video: since its start

    @property
    def rate(self) -> Fraction | None:
        """Of a video: frames a second."""
        return self.footage.video and self.footage.video.rate


def find_footage(inputs: Sequence[str], skip: Callable[[InputError], None] | None = None) -> list[Footage]:
    """Images and videos in the order named, those of a folder and its subfolders by name; none of them twice.

    An image may be a URL. Hidden files, label maps beside images, and what is neither image nor video are passed over
    in folders. Raises InputError on a path that does not exist, is neither, or is a folder without either; on a video
    that cannot be opened, unless `skip` takes the error.
    """
    found: dict[str, Footage] = {}
    places: set[PurePosixPath] = set()
    for named in inputs:
        for path, place in _below(named):
            key = path if "://" in path else str(Path(path).resolve())
            if key in found:
                continue
            try:
                video = Video(path) if Path(path).suffix.lower() in VIDEO_SUFFIXES else None
            except InputError as error:
                if skip is None:
                    raise
                skip(error)
                continue
            found[key] = Footage(path, _unused(place, places), video)
    return list(found.values())


def _below(named: str) -> Iterator[tuple[str, PurePosixPath]]:
    """Path and place of what one name stands for."""
    path = Path(named)
    if "://" in named or (path.is_file() and _is_picture(path)):
        yield named, PurePosixPath(PurePosixPath(named).name)
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and _is_picture(file))
        shown = [file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts)]
        if not shown:
            raise InputError(path, "the folder holds no image and no video", "name one that does")
        for file in shown:
            yield str(file), PurePosixPath(path.resolve().name, file.relative_to(path).as_posix())
    elif path.exists():
        known = " ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
        raise InputError(path, "is no image and no video, by its name", f"give a folder, or one of {known}")
    else:
        raise InputError(path, "there is no such file or folder", "check the path")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES and not path.name.endswith(SEMANTIC_SUFFIX)


def _unused(place: PurePosixPath, places: set[PurePosixPath]) -> PurePosixPath:
    """The place, or with a number where another has it; noted as used."""
    number, free = 1, place
    while free in places:
        number += 1
        free = place.with_name(f"{place.stem}-{number}{place.suffix}")
    places.add(free)
    return free


def shots(
    footage: Sequence[Footage], *, every: int = 1, ahead: int = 8, skip: Callable[[InputError], None] | None = None
) -> Iterator[Shot]:
    """All pictures in order; of a video every n-th frame. At most `ahead` images are decoded ahead.

    Raises InputError on what does not decode; where `skip` is given, it takes the error, and the next is read.
    """
    remaining = iter(footage)
    pending: deque[tuple[Footage, Future[np.ndarray] | None]] = deque()
    with ThreadPoolExecutor(DECODERS) as pool:

        def fill() -> None:
            while len(pending) < ahead and (item := next(remaining, None)) is not None:
                pending.append((item, None if item.video else pool.submit(read_image, item.path)))

        fill()
        while pending:
            item, image = pending.popleft()
            fill()
            try:
                yield from _of_video(item, every) if image is None else [Shot(item.path, item, image.result())]
            except InputError as error:
                if skip is None:
                    raise
                skip(error)


def _of_video(item: Footage, every: int) -> Iterator[Shot]:
    assert item.video is not None
    for index, time_s, image in item.video.frames(every):
        yield Shot(f"{item.path}#{index:06d}", item, image, index, time_s)
