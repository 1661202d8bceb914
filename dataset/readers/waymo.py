"""Waymo Open v2: ROOT/COMPONENT/SEGMENT.parquet (waymo_open_dataset/v2/perception), joined with pyarrow alone.

Read are camera_image and camera_box; and, where they are there, camera_calibration, stats, lidar_box,
camera_to_lidar_box_association and projected_lidar_box.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dataset.errors import InputError
from dataset.readers.labelled_image import Label, LabelledImage
from dataset.readers.waymo_lidar import (
    ASSOCIATION_COLUMNS,
    CALIBRATION_COLUMNS,
    LIDAR_COLUMNS,
    PROJECTED_COLUMNS,
    Calibration,
    LidarBoxes,
)
from dataset.readers.waymo_tables import CAMERA, REMEDY, SEGMENT, TIME, Rows, batches, read, read_where_present

IMAGE = "[CameraImageComponent].image"
BOX = "[CameraBoxComponent].box."
STATS_COLUMNS = (TIME, "[StatsComponent].time_of_day", "[StatsComponent].weather")
TYPES = {1: "vehicle", 2: "pedestrian", 3: "sign", 4: "cyclist"}
CAMERAS = {1: "FRONT", 2: "FRONT_LEFT", 3: "FRONT_RIGHT", 4: "SIDE_LEFT", 5: "SIDE_RIGHT"}
NEEDED = ("camera_image", "camera_box")
IMAGES_AT_ONCE = 32
PINHOLE = "Waymo's lens distortion is left out of the cameras"


class WaymoReader:
    """`folder` holds the components; `images` is where their JPEGs are written to, once, a folder a segment.

    All else reads images from files or URLs, so the bytes inside the Parquet files are copied out while the data are
    read: the store has its own images and can be moved, at the price of their size (about 300 KB an image).
    `cameras`: names separated by commas, by default all five; `every`: only each n-th time of a segment (10 a second).

    The group is the segment. Boxes hold what is visible; how much is hidden is not said. Location, size and yaw come
    from lidar_box: through the association that the set gives (pedestrians only), else from the object whose projected
    box overlaps best; objects beyond 75 m have no lidar box. Memory holds one segment's boxes and 32 images.
    """

    names = tuple(TYPES.values())
    notes = (PINHOLE,)

    def __init__(self, folder: Path, images: Path, cameras: str | None = None, every: str | None = None):
        for component in NEEDED:
            if not (folder / component).is_dir():
                raise InputError(folder / component, "folder is missing", f"give the folder that holds {NEEDED}")
        self._folder, self._images = folder, images
        wanted = cameras.split(",") if cameras else list(CAMERAS.values())
        if unknown := set(wanted) - set(CAMERAS.values()):
            raise InputError(
                "cameras", f"{sorted(unknown)} are none of {', '.join(CAMERAS.values())}", "choose of these"
            )
        self._cameras = [number for number, name in CAMERAS.items() if name in wanted]
        if every is not None and not (every.isdigit() and int(every) > 0):
            raise InputError("every", f"{every!r} is no whole number from 1", "take each n-th time, as in every=5")
        self._every = int(every or 1)

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        for file in sorted((self._folder / "camera_image").glob("*.parquet")):
            try:
                yield from self._segment(file)
            except InputError as error:  # of a whole segment: it is told as one frame that cannot be read
                yield partial(raised, error)

    def _segment(self, file: Path) -> Iterator[Callable[[], LabelledImage]]:
        segment = _Segment(self._folder, file.name)
        times = read(file, [TIME]).column(0).to_numpy()
        kept = set(np.unique(times)[:: self._every].tolist())
        for batch in batches(file, [SEGMENT, TIME, CAMERA, IMAGE]):
            for row in batch.to_pylist():
                if row[TIME] in kept and row[CAMERA] in self._cameras:
                    yield partial(self._read, segment, row)

    def _read(self, segment: "_Segment", row: dict[str, Any]) -> LabelledImage:
        name, time, camera = str(row[SEGMENT]), int(row[TIME]), int(row[CAMERA])
        where = f"{segment.where}, {time} {CAMERAS[camera]}"
        if not row[IMAGE]:
            raise InputError(where, "has no image", REMEDY)
        image = self._images / name / f"{time}_{CAMERAS[camera]}.jpg"
        write_once(image, row[IMAGE])
        calibration = segment.calibration.get(camera)
        time_of_day, weather = segment.conditions.get(time, (None, None))
        return LabelledImage(
            where=where,
            frame_id=f"{name}/{image.stem}",
            image_path=str(image),
            image_name=f"{name}/{image.name}",
            labels=segment.labels(where, time, camera, calibration),
            camera=None if calibration is None else calibration.camera,
            group=name,
            time_of_day=time_of_day,
            weather=weather,
        )


class _Segment:
    """Everything but the images of one segment."""

    def __init__(self, folder: Path, name: str):
        self.where = str(folder / "camera_box" / name)
        fields = ["center.x", "center.y", "size.x", "size.y"]
        names = [TIME, CAMERA, "key.camera_object_id", "[CameraBoxComponent].type", *(BOX + field for field in fields)]
        self._boxes = Rows(read(folder / "camera_box" / name, names), TIME, CAMERA)
        calibration = read_where_present(folder / "camera_calibration" / name, CALIBRATION_COLUMNS)
        self.calibration = Calibration.of_cameras(calibration)
        stats = read_where_present(folder / "stats" / name, STATS_COLUMNS)
        rows = [] if stats is None else zip(*(stats.column(i).to_pylist() for i in range(3)), strict=True)
        self.conditions = {time: (time_of_day or None, weather or None) for time, time_of_day, weather in rows}
        self._lidar = LidarBoxes(
            read_where_present(folder / "lidar_box" / name, LIDAR_COLUMNS),
            read_where_present(folder / "camera_to_lidar_box_association" / name, ASSOCIATION_COLUMNS),
            read_where_present(folder / "projected_lidar_box" / name, PROJECTED_COLUMNS),
        )

    def labels(self, where: str, time: int, camera: int, calibration: Calibration | None) -> list[Label]:
        rows = self._boxes.of(time, camera)
        kinds = rows["[CameraBoxComponent].type"]
        x, y, width, height = (rows[BOX + name] for name in ("center.x", "center.y", "size.x", "size.y"))
        boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1).astype(np.float64)
        ids = rows["key.camera_object_id"].tolist()
        solids = self._lidar.solids(time, camera, ids, kinds, boxes, calibration)
        labels = []
        for i, (object_id, kind) in enumerate(zip(ids, kinds.tolist(), strict=True)):
            here = f"{where}, object {object_id}"
            if kind not in TYPES:
                raise InputError(here, f"type {kind} is none of {TYPES}", REMEDY)
            x1, y1, x2, y2 = boxes[i].tolist()
            labels.append(Label(where=here, name=TYPES[kind], box_xyxy_px=(x1, y1, x2, y2), **solids.get(i, {})))
        return labels


def raised(error: InputError) -> LabelledImage:
    raise error


def write_once(image: Path, content: bytes) -> None:
    """Aside, then renamed; a file of the same size is the same image, written by an earlier run."""
    if image.is_file() and image.stat().st_size == len(content):
        return
    image.parent.mkdir(parents=True, exist_ok=True)
    partial_file = image.with_name(f"{image.name}.partial")
    partial_file.write_bytes(content)
    partial_file.replace(image)
