"""YOLO folders: data.yaml, images/**/NAME.jpg, labels/**/NAME.txt (docs.ultralytics.com/datasets/detect)."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from dataset.errors import InputError
from dataset.readers.labelled_image import Label, LabelledImage
from dataset.readers.text import read_text

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
SPLITS = ("train", "val", "test")
REMEDY = "mend the line, or leave the frame out with --skip-bad"
TOLERANCE = 1e-3  # rounding that a box may stick out of its image
ROBOFLOW = ".rf."  # Roboflow names augmented copies of one picture NAME.rf.HASH


class YoloReader:
    """`folder` holds data.yaml, whose `names` are the categories and whose train, val and test are read, or `split`.

    An image without a label file is a frame without objects, as the format says; a missing labels folder is an error.
    A line of more than five numbers is an outline, of which the bounds are taken. The format knows no ignore regions,
    nothing of occlusion, and no clips: the copies that Roboflow makes of a picture are one group, all others need
    group_regex. Paths that data.yaml gives are tried from itself, from its `path`, and with leading '..' left out.
    """

    notes = ()

    def __init__(self, folder: Path, split: str | None = None):
        self._folder, self._file = folder, folder / "data.yaml"
        self._content = parse(self._file)
        self.names = category_names(self._file, self._content)
        splits = [split] if split else [name for name in SPLITS if self._content.get(name)]
        self._places = [place for name in splits for place in self._places_of(name)]
        if not self._places:
            raise InputError(self._file, "names none of train, val and test", "add them")
        for place in self._places:
            if place.is_dir() and not labels_folder(place).is_dir():
                raise InputError(labels_folder(place), "folder is missing", f"add the labels of {place}")

    def _places_of(self, split: str) -> list[Path]:
        given = self._content.get(split) or []
        places = []
        for text in [given] if isinstance(given, str) else given:
            base = str(self._content.get("path") or "")
            inside = Path(*[part for part in Path(text).parts if part != ".."])
            tried = [self._folder / base / text, self._folder / text, self._folder / inside]
            found = next((place for place in tried if place.is_dir() or is_list(place)), None)
            if found is None:
                raise InputError(self._file, f"{split}: {text!r} is no folder of images, nor a list", "mend the path")
            places.append(found)
        if not places:
            raise InputError(self._file, f"has no {split!r}", f"take one of {', '.join(SPLITS)} that it has")
        return places

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        for place in self._places:
            for image in listed(place) if is_list(place) else found_below(place):
                yield partial(self._read, image)

    def _read(self, image: Path) -> LabelledImage:
        labels = labels_folder(image.parent) / f"{image.stem}.txt"
        lines = enumerate(read_text(labels).splitlines() if labels.is_file() else (), start=1)
        name = Path(os.path.relpath(image, self._folder)).as_posix()
        frame_id = name.removesuffix(image.suffix)
        return LabelledImage(
            where=str(labels),
            frame_id=frame_id,
            image_path=str(image),
            image_name=name,
            labels=[label_of(f"{labels}:{number}", line, self.names) for number, line in lines if line.strip()],
            group=frame_id.partition(ROBOFLOW)[0],
            boxes_are_shares=True,
        )


def is_list(place: Path) -> bool:
    return place.suffix == ".txt" and place.is_file()


def listed(file: Path) -> Iterator[Path]:
    """The images that a text file names, one a line, from its own folder on."""
    for line in read_text(file).splitlines():
        if line.strip():
            yield file.parent / line.strip()


def found_below(place: Path) -> Iterator[Path]:
    """The images of a folder and those below it, by name."""
    for folder, subfolders, names in os.walk(place, followlinks=True):
        subfolders.sort()
        for name in sorted(names):
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                yield Path(folder) / name


def labels_folder(images: Path) -> Path:
    """The last folder named images becomes labels; a folder without such a part has labels beside it."""
    parts = list(images.parts)
    for i in range(len(parts) - 1, -1, -1):
        if parts[i] == "images":
            return Path(*parts[:i], "labels", *parts[i + 1 :])
    return images.parent / "labels"


def parse(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise InputError(file, f"not YAML ({str(error).splitlines()[0]})", "mend the file") from None
    if not isinstance(content, dict):
        raise InputError(file, "is no mapping", "give a data.yaml with names and train")
    return content


def category_names(file: Path, content: dict[str, Any]) -> Sequence[str]:
    """`names` as a list, or as a mapping from 0 on. Raises InputError where they do not count from 0 or fit nc."""
    names = content.get("names")
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list) or not names:
        raise InputError(file, f"names {names!r} are no list, and no mapping that counts from 0", "mend the file")
    if content.get("nc", len(names)) != len(names):
        raise InputError(file, f"nc is {content['nc']} and there are {len(names)} names", "mend the file")
    return [str(name) for name in names]


def label_of(where: str, line: str, names: Sequence[str]) -> Label:
    """`class cx cy w h` or `class x y x y ...`, in shares of the image. Raises InputError."""
    try:
        number, *values = map(float, line.split())
    except ValueError:
        raise InputError(where, f"not all fields are numbers: {line.strip()[:60]!r}", REMEDY) from None
    if not (number.is_integer() and 0 <= number < len(names)):
        raise InputError(where, f"class {number:g} is none of 0 to {len(names) - 1}", REMEDY)
    outline = len(values) >= 6 and len(values) % 2 == 0
    if len(values) != 4 and not outline:
        raise InputError(where, f"{len(values) + 1} fields, 5 expected, or an outline of 3 or more points", REMEDY)
    if outline:
        box = min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
    else:
        x, y, width, height = values
        box = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if not all(-TOLERANCE <= value <= 1 + TOLERANCE for value in values):
        remedy = f"give shares of the image's width and height, not pixels; {REMEDY}"
        raise InputError(where, f"{values[:4]} are not all from 0 to 1", remedy)
    x1, y1, x2, y2 = map(without_rounding, box)
    return Label(where=where, name=names[int(number)], box_xyxy_px=(x1, y1, x2, y2))


def without_rounding(edge: float) -> float:
    """An edge that sticks out by no more than rounding lies on the border: the object is not truncated for it."""
    return min(max(edge, 0.0), 1.0) if -TOLERANCE <= edge <= 1 + TOLERANCE else edge
