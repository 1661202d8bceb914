"""The images that a refiner reads, decoded when asked for: memory does not grow with the set."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, UnidentifiedImageError

from dataset.errors import InputError
from dataset.images import SEMANTIC_SUFFIX, read_image, semantic_path
from dataset.store import Dataset

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}
MAP_SUFFIXES = {".png", ".bmp", ".tif", ".tiff"}  # a JPEG would change the label ids
# How data sets end the names of an image and its label map (IDD Lite, Cityscapes); cut off before names are matched.
IMAGE_ENDINGS = ("_image", "_leftImg8bit")
# Cityscapes' _gtFine_labelTrainIds are left out: read as its label ids, a car (13) would be a fence.
MAP_ENDINGS = ("_label", "_gtFine_labelIds", ".semantic")


class _Source(Protocol):
    """Where images come from: their number, identity, and the files of row i."""

    digest: str

    def __len__(self) -> int: ...
    def name(self, i: int) -> str: ...
    def files(self, i: int) -> tuple[str, str | None]: ...


class Pictures:
    """Images of a source by row, with their label maps where there are any. Cheap to pickle and to cut into subsets.

    `digest` (sha256) covers names and sizes of the files, not their pixels; moved data stays the same data. That of a
    data set is the store's own, which does not know of label maps.
    """

    def __init__(self, source: _Source, rows: np.ndarray | None = None):
        self._source = source
        self._rows = rows  # None: all
        self.digest = source.digest
        if rows is not None:
            self.digest = hashlib.sha256(source.digest.encode() + rows.tobytes()).hexdigest()

    @staticmethod
    def of_store(dataset: Dataset) -> "Pictures":
        """The images of a data set; label maps where whoever made an image saved one beside it (`semantic_path`)."""
        return Pictures(_Store(dataset))

    @staticmethod
    def of_folder(images: Path | str, semantic: Path | str | None = None) -> "Pictures":
        """All images below a folder, sorted by path; label maps from the folder `semantic`, of the same relative name.

        What data sets append to names is left out when they are matched: x/1_image.jpg and x/1_label.png belong
        together. Without `semantic`, maps are those beside the images (`semantic_path`).
        Raises InputError when the folder holds no images, or an image has no map or several.
        """
        return Pictures(_folder(Path(images), None if semantic is None else Path(semantic)))

    def subset(self, rows: Sequence[int] | np.ndarray) -> "Pictures":
        """The pictures of these rows, in that order."""
        rows = np.asarray(rows, np.int64).reshape(-1)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows {rows.min()}..{rows.max()} of {len(self)} pictures")
        return Pictures(self._source, rows if self._rows is None else self._rows[rows])

    def spread(self, at_most: int) -> "Pictures":
        """At most so many of the pictures, evenly spread over the set."""
        if len(self) <= at_most:
            return self
        return self.subset(np.linspace(0, len(self) - 1, at_most).round())

    def __len__(self) -> int:
        return len(self._source) if self._rows is None else len(self._rows)

    def name(self, i: int) -> str:
        """What tells the picture of row i from the others: a frame id, or a path below the folder."""
        return self._source.name(self._row(i))

    def rgb(self, i: int) -> np.ndarray:
        """(H, W, 3) uint8. Raises InputError like `read_image`."""
        return read_image(self._source.files(self._row(i))[0])

    def semantic(self, i: int) -> np.ndarray | None:
        """(H, W) uint8 label ids, None where the picture has no map. Raises InputError when the map is no label map."""
        path = self._source.files(self._row(i))[1]
        return None if path is None else read_label_map(path)

    def _row(self, i: int) -> int:
        if not 0 <= i < len(self):
            raise IndexError(f"row {i} of {len(self)} pictures")
        return i if self._rows is None else int(self._rows[i])


def read_label_map(path: str) -> np.ndarray:
    """(H, W) uint8 label ids of a local file: 8-bit grey or palette indices; deeper maps whose ids fit into 8 bits.

    Raises InputError when the file is missing, does not decode, is a colour picture, or holds larger ids.
    """
    remedy = "give a single-channel PNG that holds a label id of 0-255 in each pixel"
    try:
        with Image.open(path) as image:
            mode, ids = image.mode, np.asarray(image)
    except FileNotFoundError:
        raise InputError(path, "label map not found", remedy) from None
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
        raise InputError(path, f"the label map does not decode ({error})", remedy) from None
    if ids.ndim != 2 or mode == "F":
        raise InputError(path, f"a picture of mode {mode}, where a map of label ids is expected", remedy)
    if ids.size and (ids.min() < 0 or ids.max() > 255):
        raise InputError(path, f"label ids from {ids.min()} to {ids.max()}, at most 255 expected", remedy)
    return ids.astype(np.uint8)


def require_known_ids(semantic: np.ndarray, known: Iterable[int], where: str) -> None:
    """InputError naming the label ids of a map (any shape) that are not among `known`."""
    known = set(known)
    unknown = sorted(set(np.unique(semantic).tolist()) - known)
    if unknown:
        raise InputError(
            where,
            f"label ids {', '.join(map(str, unknown))} are unknown; known are {', '.join(map(str, sorted(known)))}",
            "map them to known ids, or use a refiner fitted on maps of this kind",
        )


class _Store:
    def __init__(self, dataset: Dataset):
        self._dataset, self.digest = dataset, dataset.digest

    def __len__(self) -> int:
        return len(self._dataset)

    def name(self, i: int) -> str:
        return self._dataset.frame(i).frame_id

    def files(self, i: int) -> tuple[str, str | None]:
        image = self._dataset.image_path(i)
        beside = semantic_path(image)
        return image, beside if "://" not in beside and Path(beside).is_file() else None


class _Files:
    def __init__(self, folder: Path, names: list[str], maps: list[str] | None):
        self._folder, self._names, self._maps = folder, names, maps
        content = hashlib.sha256()
        for i, name in enumerate(names):
            sizes = [Path(path).stat().st_size for path in self.files(i) if path is not None]
            content.update(f"{name}\0{sizes}\n".encode())
        self.digest = content.hexdigest()

    def __len__(self) -> int:
        return len(self._names)

    def name(self, i: int) -> str:
        return self._names[i]

    def files(self, i: int) -> tuple[str, str | None]:
        image = str(self._folder / self._names[i])
        if self._maps is not None:
            return image, self._maps[i]
        beside = semantic_path(image)
        return image, beside if Path(beside).is_file() else None


def _folder(images: Path, semantic: Path | None) -> _Files:
    if not images.is_dir():
        raise InputError(images, "there is no such folder", "give a folder of images")
    names = _names(images, lambda p: p.suffix.lower() in IMAGE_SUFFIXES and not p.name.endswith(SEMANTIC_SUFFIX))
    if not names:
        raise InputError(images, "no images below this folder", f"give a folder of {', '.join(sorted(IMAGE_SUFFIXES))}")
    if semantic is None:
        return _Files(images, names, None)
    if not semantic.is_dir():
        raise InputError(semantic, "there is no such folder", "give the folder of the label maps")
    found: dict[str, str] = {}
    for name in _names(semantic, lambda p: p.suffix.lower() in MAP_SUFFIXES):
        key = _matched(name, MAP_ENDINGS)
        if key in found:
            problem = f"{name} and {found[key]} are both the label map of {key}"
            raise InputError(semantic, problem, "leave one kind of map in this folder")
        found[key] = name
    without = [name for name in names if _matched(name, IMAGE_ENDINGS) not in found]
    if without:
        told = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
        raise InputError(
            semantic,
            f"no label map for {len(without)} of {len(names)} images ({told})",
            "name each map like its image, or leave these images out",
        )
    return _Files(images, names, [str(semantic / found[_matched(name, IMAGE_ENDINGS)]) for name in names])


def _names(folder: Path, wanted: Callable[[Path], bool]) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if wanted(p) and p.is_file())


def _matched(name: str, endings: tuple[str, ...]) -> str:
    """The name without its suffix and what data sets append to it."""
    stem = name.rpartition(".")[0]
    for ending in endings:
        stem = stem.removesuffix(ending)
    return stem
