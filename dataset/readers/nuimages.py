"""nuImages: v1.0-{train,val,mini}/*.json tables, samples/CAMERA/NAME.jpg (nuscenes-devkit, schema_nuimages.md)."""

import hashlib
import math
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dataset.errors import InputError
from dataset.readers.json_stream import entries
from dataset.readers.labelled_image import Label, LabelledImage
from dataset.schema import Camera

WHOLE, MINI = ("v1.0-train", "v1.0-val"), ("v1.0-mini",)
AMODAL = "nuImages' boxes are amodal: they include what is hidden"
REMEDY = "mend the table, or leave the frame out with --skip-bad"


class NuImagesReader:
    """`folder` holds samples and the tables of `version`, by default train and val, else mini (test has no labels).

    Frames are the key frames, of which each sample has one; the group is the drive (log). Categories keep their names
    (vehicle.car), of which data.categories makes others; nothing is ignored or said of occlusion, and boxes are
    amodal. The camera comes from calibrated_sensor: height above the road, and pitch from its rotation.

    Tables are read entry by entry. Held are about 30 bytes an object and 20 a frame, in arrays, as annotations come in
    any order; the tables' masks and the frames between key frames are passed over.
    """

    notes = (AMODAL,)

    def __init__(self, folder: Path, version: str | None = None):
        present = [name for name in WHOLE + MINI if (folder / name).is_dir()]
        versions = [version] if version else [name for name in present if name in WHOLE] or present
        if not versions:
            raise InputError(folder, f"has no folder {' or '.join(WHOLE + MINI)}", "give the folder that holds them")
        for name in versions:
            if not (folder / name).is_dir():
                raise InputError(folder / name, "folder is missing", "name a version that is there")
        self._folder, self._tables = folder, [folder / name for name in versions]
        self._categories = {entry["token"]: str(entry["name"]) for entry in self._all("category", "token", "name")}
        self.names = tuple(dict.fromkeys(self._categories.values()))

    def _all(self, table: str, *fields: str) -> Iterator[dict[str, Any]]:
        for tables in self._tables:
            yield from checked(tables / f"{table}.json", *fields)

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        for tables in self._tables:
            yield from _Version(self._folder, tables, self._categories).images()


class _Version:
    """The tables of one version, joined."""

    def __init__(self, folder: Path, tables: Path, categories: dict[str, str]):
        self._folder, self._tables = folder, tables
        drive = {log["token"]: str(log["logfile"]) for log in checked(tables / "log.json", "token", "logfile")}
        self._drives = list(dict.fromkeys(drive.values()))
        numbers = {token: self._drives.index(name) for token, name in drive.items()}
        self._cameras = dict(cameras(tables / "calibrated_sensor.json"))
        sample, of_sample = array("Q"), array("i")
        for entry in checked(tables / "sample.json", "token", "log_token"):
            sample.append(key_of(entry["token"]))
            of_sample.append(numbers.get(entry["log_token"], -1))
        order = np.argsort(sample)
        self._samples, self._drive_of_sample = np.array(sample)[order], np.array(of_sample)[order]
        self._objects = _Annotations(tables / "object_ann.json", categories)

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        file = self._tables / "sample_data.json"
        needed = ("token", "sample_token", "calibrated_sensor_token", "filename", "is_key_frame")
        for entry in checked(file, *needed):
            if entry["is_key_frame"]:
                yield partial(self._read, file, entry)
        yield from self._objects.orphans()

    def _read(self, file: Path, entry: dict[str, Any]) -> LabelledImage:
        where, name = f"{file}, {entry['token']}", str(entry["filename"])
        place = np.searchsorted(self._samples, key := np.uint64(key_of(entry["sample_token"])))
        if place == len(self._samples) or self._samples[place] != key:
            raise InputError(where, f"sample {entry['sample_token']} is not in sample.json", REMEDY)
        drive = self._drive_of_sample[place]
        if drive < 0:
            raise InputError(where, f"the log of sample {entry['sample_token']} is not in log.json", REMEDY)
        if entry["calibrated_sensor_token"] not in self._cameras:
            token = entry["calibrated_sensor_token"]
            raise InputError(where, f"calibrated sensor {token} is not in calibrated_sensor.json", REMEDY)
        width, height = entry.get("width"), entry.get("height")
        return LabelledImage(
            where=where,
            frame_id=name.removesuffix(Path(name).suffix),
            image_path=str(self._folder / name),
            image_name=name,
            labels=self._objects.of(entry["token"]),
            declared_size_px=(int(width), int(height)) if width and height else None,
            camera=self._cameras[entry["calibrated_sensor_token"]],
            group=self._drives[drive],
        )


class _Annotations:
    """The table object_ann as arrays, ordered by the frame they belong to."""

    def __init__(self, file: Path, categories: dict[str, str]):
        self._file, self._names = file, list(dict.fromkeys(categories.values()))
        numbers = {token: self._names.index(name) for token, name in categories.items()}
        frame, category, boxes = array("Q"), array("h"), array("f")  # boxes are whole pixels, which float32 holds
        self._bad: dict[int, str] = {}  # entry -> what is wrong with it
        for i, entry in enumerate(checked(file, "sample_data_token", "category_token")):
            frame.append(key_of(entry["sample_data_token"]))
            category.append(numbers.get(entry["category_token"], -1))
            if category[-1] < 0:
                self._bad[i] = f"category {entry['category_token']} is not in category.json"
            try:
                x1, y1, x2, y2 = map(float, entry["bbox"])
                boxes.extend((x1, y1, x2, y2))
            except (KeyError, TypeError, ValueError):
                self._bad[i] = f"bbox {entry.get('bbox')} is not four numbers"
                boxes.extend((0, 0, 0, 0))
        self._entry = np.argsort(np.array(frame), kind="stable").astype(np.int32)
        self._frame = np.array(frame)[self._entry]
        self._category, self._boxes = np.array(category), np.array(boxes, np.float32).reshape(-1, 4)
        self._asked = np.zeros(len(self._frame), bool)

    def of(self, token: str) -> list[Label]:
        """Raises InputError where one of the frame's entries is bad."""
        key = np.uint64(key_of(token))
        rows = slice(np.searchsorted(self._frame, key), np.searchsorted(self._frame, key, side="right"))
        self._asked[rows] = True
        labels = []
        for i in self._entry[rows].tolist():
            where = f"{self._file}, entry {i}"
            if i in self._bad:
                raise InputError(where, self._bad[i], REMEDY)
            x1, y1, x2, y2 = self._boxes[i].tolist()
            labels.append(Label(where=where, name=self._names[self._category[i]], box_xyxy_px=(x1, y1, x2, y2)))
        return labels

    def orphans(self) -> Iterator[Callable[[], LabelledImage]]:
        """After all key frames: a call that raises, where objects belong to none of them."""
        left = np.sort(self._entry[~self._asked])
        if len(left):
            yield partial(self._raise_orphans, len(left), int(left[0]))

    def _raise_orphans(self, count: int, first: int) -> LabelledImage:
        problem = f"belongs to no key frame of sample_data.json, as do {count - 1} others"
        raise InputError(f"{self._file}, entry {first}", problem, REMEDY)


def checked(file: Path, *fields: str) -> Iterator[dict[str, Any]]:
    """The table's entries. Raises InputError where one lacks a field."""
    for i, entry in enumerate(entries(file)):
        for field in fields:
            if field not in entry:
                raise InputError(f"{file}, entry {i}", f"has no {field!r}", "give a table of nuImages v1.0")
        yield entry


def key_of(token: str) -> int:
    """64 bits of a token, to hold a million of them in an array."""
    return int.from_bytes(hashlib.blake2b(str(token).encode(), digest_size=8).digest(), "little")


def cameras(file: Path) -> Iterator[tuple[str, Camera | None]]:
    """Each calibrated sensor's camera; None for a sensor without an intrinsic matrix.

    translation and rotation (w, x, y, z) lead from the camera (z forward) to the car (z up, origin on the road).
    """
    for i, entry in enumerate(checked(file, "token", "translation", "rotation", "camera_intrinsic")):
        if not entry["camera_intrinsic"]:
            yield entry["token"], None
            continue
        try:
            (fx, _, cx), (_, fy, cy), _ = entry["camera_intrinsic"]
            _, x, y, _ = map(float, entry["rotation"])
            up = 1 - 2 * (x * x + y * y)  # of the camera's forward axis
            pitch_deg = -math.degrees(math.asin(max(-1.0, min(1.0, up))))
            camera = Camera(float(fx), float(fy), float(cx), float(cy), float(entry["translation"][2]), pitch_deg)
        except (TypeError, ValueError, IndexError):
            problem = f"camera_intrinsic, rotation or translation is malformed: {entry}"
            raise InputError(f"{file}, entry {i}", problem, REMEDY) from None
        yield entry["token"], camera
