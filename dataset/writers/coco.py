"""A store as one COCO detection JSON, streamed: only one frame is held at a time."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from dataset.errors import InputError
from dataset.readers.coco import OWN_KEY
from dataset.schema import EVERY_CATEGORY, Frame, Objects
from dataset.store import Dataset

KNOWN_ONLY = ("occlusion", "truncation", "yaw_rad", "dimensions_hwl_m", "location_xyz_m")


def write_coco(ds: Dataset, file: Path | str) -> Path:
    """Write `file`; images stay where they are and are named from the file's folder when below it, else absolutely.

    An ignore region becomes iscrowd. One that holds for every category is written once for each, as COCO knows no
    other way. What COCO has no field for (frame id, group, camera, occlusion, 3D) stands under the key "hardcase",
    which other tools pass over and our reader reads back.
    """
    if not ds.categories:
        raise InputError(ds.folder, "has no categories, without which COCO can hold no object", "import it with some")
    file = Path(file).absolute()
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(ds.categories)]
    try:
        with partial.open("w", encoding="utf-8") as out:
            out.write('{"categories": ' + json.dumps(categories))
            out.write(', "images": ')
            write_list(out, (image_entry(i + 1, frame, file.parent) for i, (frame, _) in enumerate(ds.stream())))
            out.write(', "annotations": ')
            write_list(out, annotation_entries(ds))
            out.write("}\n")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def write_list(out: TextIO, entries: Iterator[dict[str, Any]]) -> None:
    out.write("[")
    for i, entry in enumerate(entries):
        out.write((",\n" if i else "\n") + json.dumps(entry, allow_nan=False))
    out.write("]")


def image_entry(image_id: int, frame: Frame, base: Path) -> dict[str, Any]:
    path = frame.image_path
    if "://" not in path and Path(path).is_relative_to(base):
        path = Path(path).relative_to(base).as_posix()
    own: dict[str, Any] = {"frame_id": frame.frame_id, "group": frame.group}
    if frame.camera is not None:
        own["camera"] = asdict(frame.camera)
    return {"id": image_id, "file_name": path, "width": frame.width_px, "height": frame.height_px, OWN_KEY: own}


def annotation_entries(ds: Dataset) -> Iterator[dict[str, Any]]:
    annotation_id = 0
    for image_index, (_, objects) in enumerate(ds.stream()):
        for i in range(len(objects)):
            own = extras(objects, i)
            every_category = objects.category[i] == EVERY_CATEGORY
            for category in range(len(ds.categories)) if every_category else [int(objects.category[i])]:
                annotation_id += 1
                x1, y1, x2, y2 = objects.box_xyxy_px[i].tolist()
                yield {
                    "id": annotation_id,
                    "image_id": image_index + 1,
                    "category_id": category + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(objects.ignore[i]),
                } | ({OWN_KEY: own} if own else {})


def extras(objects: Objects, i: int) -> dict[str, Any]:
    """What is known of object i and has no field in COCO."""
    own: dict[str, Any] = {"every_category": True} if objects.category[i] == EVERY_CATEGORY else {}
    for name in KNOWN_ONLY:
        value = getattr(objects, name)[i]
        if not np.isnan(value).any():
            own[name] = value.tolist()
    return own
