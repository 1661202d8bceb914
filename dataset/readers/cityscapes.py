"""Cityscapes: gtFine polygons and gtBboxCityPersons (github.com/mcordts/cityscapesScripts).

leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png
gtFine/SPLIT/CITY/NAME_gtFine_polygons.json
gtBboxCityPersons/SPLIT/CITY/NAME_gtBboxCityPersons.json
camera/SPLIT/CITY/NAME_camera.json                          used where it is there
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from dataset.errors import InputError
from dataset.readers.labelled_image import NAN, Label, LabelledImage
from dataset.readers.text import read_text
from dataset.schema import Camera

INSTANCES = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
NOT_JUDGED = ("caravan", "trailer")  # have instances, and are ignored by the benchmark
GROUP = "group"  # several objects under one outline: "cargroup"
PEOPLE = ("pedestrian", "rider", "sitting person", "person (other)")
PERSON_GROUP, IGNORE = "person group", "ignore"
SPLITS = ("train", "val")  # the labels of test are not public: its files hold none
REMEDY = "mend the file, or leave the frame out with --skip-bad"

Box = tuple[float, float, float, float]


class LabelKind(NamedTuple):
    """One of the data set's label folders."""

    folder: str
    suffix: str
    names: tuple[str, ...]


KINDS = {
    "gtFine": LabelKind("gtFine", "_gtFine_polygons.json", INSTANCES),
    "gtBboxCityPersons": LabelKind("gtBboxCityPersons", "_gtBboxCityPersons.json", PEOPLE),
}


class CityscapesReader:
    """`folder` holds leftImg8bit and one of the label folders; of both, `labels` says which. The group is the city.

    gtFine: outlines are given from back to front, so an object's box is that of what later outlines leave of it, the
    very box of instanceIds.png. Groups (cargroup) are ignore regions of their category; caravans and trailers are
    ignore regions of every category. How much is hidden is not known: outlines end about where objects are hidden.

    gtBboxCityPersons: bboxVis is the box, and 1 - bboxVis / bbox its occlusion. A person group is an ignore region of
    pedestrians, `ignore` (posters, statues, reflections) of every category.
    """

    notes = ()

    def __init__(self, folder: Path, labels: str | None = None, split: str | None = None):
        given = [name for name in KINDS if (folder / name).is_dir()]
        kind = labels or next(iter(given), None)
        if kind is None or kind not in given:
            problem = f"has no folder {kind or ' or '.join(KINDS)}"
            raise InputError(folder, problem, "give the folder that holds leftImg8bit and gtFine")
        if not (folder / "leftImg8bit").is_dir():
            raise InputError(folder / "leftImg8bit", "folder is missing", "add the images")
        self._folder, self._kind = folder, KINDS[kind]
        self.names = self._kind.names
        self._splits = [split] if split else [name for name in SPLITS if (folder / kind / name).is_dir()]
        for name in self._splits:
            if not (folder / kind / name).is_dir():
                raise InputError(folder / kind / name, "folder is missing", f"take a split that is there, as {SPLITS}")

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        for split in self._splits:
            for city in sorted(path for path in (self._folder / self._kind.folder / split).iterdir() if path.is_dir()):
                names = [path.name for path in city.iterdir() if path.name.endswith(self._kind.suffix)]
                for name in sorted(names):
                    yield partial(self._read, split, city / name)

    def _read(self, split: str, file: Path) -> LabelledImage:
        name, city = file.name.removesuffix(self._kind.suffix), file.parent.name
        image_name = f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png"
        content = parse(file)
        try:
            size = int(content["imgWidth"]), int(content["imgHeight"])
            entries = [entry for entry in content["objects"] if not entry.get("deleted")]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(file, "has no imgWidth, imgHeight and list of objects", REMEDY) from None
        read = instances if self._kind.folder == "gtFine" else people
        return LabelledImage(
            where=str(file),
            frame_id=f"{split}/{city}/{name}",
            image_path=str(self._folder / image_name),
            image_name=image_name,
            labels=read(str(file), entries, size),
            declared_size_px=size,
            camera=camera_of(self._folder / "camera" / split / city / f"{name}_camera.json"),
            group=city,
        )


def instances(where: str, entries: Sequence[dict[str, Any]], size: tuple[int, int]) -> list[Label]:
    """The objects of a gtFine file. Raises InputError where an outline is not a list of points."""
    outlines = [outline(f"{where}, object {i}", entry) for i, entry in enumerate(entries)]
    bounds = [pixel_bounds(points) for points in outlines]
    labels = []
    for i, entry in enumerate(entries):
        name = str(entry.get("label"))
        single = name.removesuffix(GROUP)
        if single not in INSTANCES + NOT_JUDGED:
            continue
        box = visible_box(i, outlines, bounds, size)
        if box is not None:
            labels.append(
                Label(
                    where=f"{where}, object {i}",
                    name=None if single in NOT_JUDGED else single,
                    box_xyxy_px=box,
                    ignore=single != name or single in NOT_JUDGED,
                )
            )
    return labels


def outline(where: str, entry: dict[str, Any]) -> list[tuple[float, float]]:
    try:
        points = [(float(x), float(y)) for x, y in entry["polygon"]]
    except (KeyError, TypeError, ValueError):
        raise InputError(where, "its polygon is no list of points", REMEDY) from None
    if not all(math.isfinite(value) for point in points for value in point):
        raise InputError(where, "its polygon has a point that is no number", REMEDY)
    return points


def pixel_bounds(points: list[tuple[float, float]]) -> tuple[int, int, int, int]:
    """Edges of the pixels that an outline touches, which include its last ones; empty for fewer than two points."""
    if len(points) < 2:
        return 0, 0, 0, 0
    xs, ys = zip(*points, strict=True)
    return math.floor(min(xs)), math.floor(min(ys)), math.floor(max(xs)) + 1, math.floor(max(ys)) + 1


def visible_box(
    i: int, outlines: list, bounds: list, size: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """The box of the pixels that outline i keeps when all later ones are drawn over it; None where it keeps none."""
    x1, y1 = max(bounds[i][0], 0), max(bounds[i][1], 0)
    x2, y2 = min(bounds[i][2], size[0]), min(bounds[i][3], size[1])
    if x2 <= x1 or y2 <= y1:
        return None
    later = [
        j
        for j in range(i + 1, len(outlines))
        if bounds[j][0] < x2 and bounds[j][2] > x1 and bounds[j][1] < y2 and bounds[j][3] > y1
    ]
    mask = Image.new("1", (x2 - x1, y2 - y1))
    draw = ImageDraw.Draw(mask)
    for j in [i, *later]:
        draw.polygon([(x - x1, y - y1) for x, y in outlines[j]], fill=int(j == i))
    found = mask.getbbox()
    return None if found is None else (x1 + found[0], y1 + found[1], x1 + found[2], y1 + found[3])


def people(where: str, entries: Sequence[dict[str, Any]], size: tuple[int, int]) -> list[Label]:
    """The objects of a CityPersons file. Raises InputError on a box that is not four numbers."""
    labels = []
    for i, entry in enumerate(entries):
        here, name = f"{where}, object {i}", str(entry.get("label"))
        whole = corners(here, entry, "bbox")
        visible = corners(here, entry, "bboxVis") if entry.get("bboxVis") else whole
        judged = name in PEOPLE
        if not judged and name not in (PERSON_GROUP, IGNORE):
            raise InputError(here, f"label {name!r} is none of {PEOPLE} or {PERSON_GROUP!r}, {IGNORE!r}", REMEDY)
        labels.append(
            Label(
                where=here,
                name=name if judged else None if name == IGNORE else PEOPLE[0],
                box_xyxy_px=visible if judged else whole,
                occlusion=min(max(1 - area_px2(visible) / area_px2(whole), 0.0), 1.0) if judged else NAN,
                ignore=not judged,
            )
        )
    return labels


def corners(where: str, entry: dict[str, Any], key: str) -> Box:
    """xywh as xyxy. Raises InputError where it is not four numbers with area."""
    try:
        x, y, width, height = map(float, entry[key])
    except (KeyError, TypeError, ValueError):
        raise InputError(where, f"{key} {entry.get(key)} is not four numbers", REMEDY) from None
    if not (width > 0 and height > 0):
        raise InputError(where, f"{key} {entry[key]} has no area", REMEDY)
    return x, y, x + width, y + height


def area_px2(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def camera_of(file: Path) -> Camera | None:
    """The pinhole of a camera file; its pitch is about the axis to the left, so positive looks down, as ours."""
    if not file.is_file():
        return None
    content = parse(file)
    try:
        inner, outer = content["intrinsic"], content["extrinsic"]
        numbers = [float(inner[name]) for name in ("fx", "fy", "u0", "v0")]
        return Camera(*numbers, height_m=float(outer["z"]), pitch_deg=math.degrees(float(outer["pitch"])))
    except (KeyError, TypeError, ValueError):
        raise InputError(file, "lacks fx, fy, u0, v0 of intrinsic, or z, pitch of extrinsic", REMEDY) from None


def parse(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}", f"not JSON ({error.msg})", REMEDY) from None
    if not isinstance(content, dict):
        raise InputError(file, "is no JSON object", REMEDY)
    return content
