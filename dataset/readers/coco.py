"""COCO detection JSON (cocodataset.org/#format-data): images, annotations, categories."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from dataset.errors import InputError
from dataset.readers.labelled_image import Label, LabelledImage
from dataset.readers.text import read_text
from dataset.schema import Camera

OWN_KEY = "hardcase"  # what COCO has no field for, in files that writers/coco.py wrote
REMEDY = "mend the file, or leave the frame out with --skip-bad"


class CocoReader:
    """One JSON file; `file_name` counts from the file's folder, or from `images` (a folder or a URL).

    iscrowd becomes an ignore region of its category; a missing iscrowd is 0. Images without annotations are frames
    without objects. Annotations stay in the JSON's own objects while it is read: memory grows with the file.
    """

    notes = ()

    def __init__(self, file: Path, images: str | None = None):
        self._file, self._base = file, images or str(file.parent)
        content = parse(file)
        self._category_names = {entry["id"]: entry["name"] for entry in content["categories"]}
        self.names = tuple(self._category_names.values())
        self._first_category = next(iter(self._category_names), None)
        self._images = content["images"]
        self._annotations: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            self._annotations[annotation.get("image_id")].append(annotation)

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        known = {image.get("id") for image in self._images}
        for image in self._images:
            yield partial(self._read, image)
        for image_id in self._annotations:
            if image_id not in known:
                yield partial(self._orphans, image_id)

    def _orphans(self, image_id: Any) -> LabelledImage:
        count, first = len(self._annotations[image_id]), self._annotations[image_id][0].get("id")
        problem = f"image id {image_id} ({count} annotations) is not among the images"
        raise InputError(f"{self._file}, annotation {first}", problem, REMEDY)

    def _read(self, image: dict[str, Any]) -> LabelledImage:
        where = f"{self._file}, image {image.get('id')}"
        try:
            file_name = str(image["file_name"])
            labels = [self._label(annotation) for annotation in self._annotations.get(image["id"], ())]
        except KeyError as missing:
            raise InputError(where, f"has no {missing}", REMEDY) from None
        own = image.get(OWN_KEY, {})
        return LabelledImage(
            where=where,
            frame_id=own.get("frame_id", str(PurePosixPath(file_name).with_suffix(""))),
            image_path=self._path(file_name),
            image_name=file_name,
            labels=[label for label in labels if label is not None],
            declared_size_px=declared_size(where, image),
            camera=Camera(**own["camera"]) if "camera" in own else None,
            group=own.get("group"),
        )

    def _path(self, file_name: str) -> str:
        if "://" in file_name:
            return file_name
        if "://" in self._base:
            return f"{self._base.rstrip('/')}/{file_name}"
        return str(Path(self._base) / file_name)

    def _label(self, annotation: dict[str, Any]) -> Label | None:
        where = f"{self._file}, annotation {annotation.get('id')}"
        category = annotation.get("category_id")
        if category not in self._category_names:
            raise InputError(where, f"category id {category} is not among the categories {self.names}", REMEDY)
        try:
            x, y, width, height = map(float, annotation["bbox"])
        except (KeyError, TypeError, ValueError):
            raise InputError(where, f"bbox {annotation.get('bbox')} is not four numbers", REMEDY) from None
        own = dict(annotation.get(OWN_KEY, {}))
        every_category = own.pop("every_category", False)
        if every_category and category != self._first_category:
            return None  # the writer repeats such a region for each category; one of them says it all
        return Label(
            where=where,
            name=None if every_category else self._category_names[category],
            box_xyxy_px=(x, y, x + width, y + height),
            ignore=bool(annotation.get("iscrowd", 0)),
            **own,
        )


def declared_size(where: str, image: dict[str, Any]) -> tuple[int, int] | None:
    """(width, height) px, None where the file does not say. Raises InputError on what is no number."""
    size = image.get("width"), image.get("height")
    if size[0] is None or size[1] is None:
        return None
    try:
        return int(size[0]), int(size[1])
    except (TypeError, ValueError):
        raise InputError(where, f"size {size} is not two numbers", REMEDY) from None


def parse(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The file's content. Raises InputError where it is missing, no JSON, or lacks one of the three lists."""
    text = read_text(file)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}", f"not JSON ({error.msg})", "mend the file") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise InputError(file, f"has no list {key!r}", "give a COCO detection file, with boxes as ground truth")
        if not all(isinstance(entry, dict) for entry in content[key]):
            raise InputError(file, f"an entry of {key!r} is no object", "mend the file")
    for entry in content["categories"]:
        if not {"id", "name"} <= entry.keys():
            raise InputError(file, f"category {entry} lacks id or name", "mend the file")
    return content
