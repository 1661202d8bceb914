"""Which class (a kind of scene, an edge case) each picture shows: from its folder, from a file, or from a data set."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dataset.errors import InputError
from dataset.schema import Frame

UNKNOWN = -1
FRAME_FIELDS = ("time_of_day", "weather")


@dataclass(frozen=True)
class Classes:
    """names of the classes, in alphabetical order; of_row (N,) int64: the class of each picture, UNKNOWN for none."""

    names: tuple[str, ...]
    of_row: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        return {name: int((self.of_row == index).sum()) for index, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        if name not in self.names:
            raise InputError("--class", f"{name!r} is not one of them", f"use one of {', '.join(self.names)}")
        return self.names.index(name)


def by_folder(names: Sequence[str]) -> Classes:
    """The first folder of each picture's name: night/rain/0001.jpg is of class night. Pictures in no folder have none.

    names: pictures relative to the folder that was given, with /.
    """
    folders = [parts[0] if len(parts := PurePosixPath(name).parts) > 1 else None for name in names]
    return _classes(folders, "--classes folder", "put the pictures of each class into a folder of its own")


def by_file(names: Sequence[str], file: Path) -> Classes:
    """What a file says: CSV lines `image,class` (a first line `image,class` is the head), or a JSON object.

    An image is named by its path below the folder of the images, with or without the ending, or by the path's last part
    where that fits one picture only. Pictures that are not named have no class. InputError for a name that fits none
    or several, and for a picture that is named twice.
    """
    named = _named(file)
    rows_of: dict[str, set[int]] = defaultdict(set)
    for row, name in enumerate(names):
        path = PurePosixPath(name)
        for key in {str(path), str(path.with_suffix("")), path.name, path.stem}:
            rows_of[key].add(row)
    kinds: list[str | None] = [None] * len(names)
    for where, image, kind in named:
        rows = rows_of.get(image, set())
        if len(rows) != 1:
            found = "no picture" if not rows else f"{len(rows)} pictures"
            raise InputError(where, f"{image!r} fits {found}", "name it by its path below the folder of the images")
        (row,) = rows
        if kinds[row] is not None:
            problem = f"{image!r} is {names[row]}, which was named before"
            raise InputError(where, problem, "name each picture once")
        kinds[row] = kind
    return _classes(kinds, file, "name pictures of at least two classes")


def by_frame(frames: Iterable[Frame], field: str) -> Classes:
    """The time of day or the weather that a data set's frames tell; frames that do not have none."""
    if field not in FRAME_FIELDS:
        raise InputError("--classes", f"a data set knows no {field!r}", f"use {' or '.join(FRAME_FIELDS)}, or a file")
    return _classes([getattr(frame, field) for frame in frames], f"--classes {field}", "import data that tells it")


def _classes(kinds: Sequence[str | None], where: object, remedy: str) -> Classes:
    names = tuple(sorted({kind for kind in kinds if kind}))
    if len(names) < 2:
        found = f"one class only ({names[0]})" if names else "no picture has a class"
        raise InputError(where, found, f"{remedy}; or leave --classes out")
    index = {name: place for place, name in enumerate(names)}
    return Classes(names, np.array([index[kind] if kind else UNKNOWN for kind in kinds], np.int64))


def _named(file: Path) -> list[tuple[str, str, str]]:
    """(where it stands, image, class) of each entry."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(file, f"cannot be read ({error})", "give a CSV or JSON file that names classes") from None
    if file.suffix.lower() == ".json":
        try:
            content = json.loads(text, object_pairs_hook=tuple)  # a dictionary would hide names given twice
        except json.JSONDecodeError as error:
            raise InputError(file, f"not JSON ({error})", 'write it as {"image.jpg": "class", ...}') from None
        if not isinstance(content, tuple) or not all(isinstance(kind, str) and kind for _, kind in content):
            raise InputError(file, "no object of images and classes", 'write it as {"image.jpg": "class", ...}')
        return [(str(file), image, kind) for image, kind in content]
    entries = []
    for number, line in enumerate(csv.reader(text.splitlines()), start=1):
        if not line or (number == 1 and [part.strip().lower() for part in line] == ["image", "class"]):
            continue
        if len(line) != 2 or not all(part.strip() for part in line):
            raise InputError(f"{file}:{number}", f"{len(line)} fields", "write two: image,class")
        entries.append((f"{file}:{number}", line[0].strip(), line[1].strip()))
    return entries
