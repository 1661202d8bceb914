"""From the labels of any format to a store: map, clip, check."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from dataset.categories import CategoryMap
from dataset.errors import InputError
from dataset.images import image_size
from dataset.readers.labelled_image import Label, LabelledImage, Reader
from dataset.schema import EVERY_CATEGORY, Camera, Frame, Objects, Source
from dataset.store import Dataset, DatasetWriter


@dataclass(frozen=True)
class Excluded:
    """Something that skip_bad left out: a whole frame, or one object of which nothing is visible."""

    where: str
    problem: str


class Ingest:
    """Turns what a reader hands over into frames and objects, keeping the list of what was left out.

    A frame whose labels cannot be trusted (malformed, unmapped category, image missing or broken) is left out whole:
    keeping it would teach the detector that the unread object is background. A box without any area inside the
    image shows nothing, so only it is left out. Without skip_bad either raises InputError.
    """

    def __init__(
        self,
        categories: CategoryMap,
        group_regex: str | None,
        camera: Camera | None,
        skip_bad: bool,
        source: Source,
    ):
        try:
            self._group_regex = re.compile(group_regex) if group_regex else None
        except re.error as error:
            raise InputError("group_regex", f"{group_regex!r} is no regular expression ({error})", "mend it") from None
        self._categories, self._camera, self._skip_bad = categories, camera, skip_bad
        self._source: Source = source
        self.excluded: list[Excluded] = []

    def run(self, reader: Reader, name: str, folder: Path) -> Dataset:
        """Write the store. Raises InputError on bad input, also when no frame is left."""
        frames = 0
        with DatasetWriter(folder, self._categories.categories, name, reader.notes) as writer:
            for read in reader.images():
                try:
                    image = read()
                    frame = self._frame(image)
                    objects = self._objects(in_pixels(image, frame), frame)
                except InputError as error:
                    self._exclude(error)
                    continue
                writer.add(frame, objects)
                frames += 1
            if not frames:
                problem = f"no frames left, {len(self.excluded)} were left out" if self.excluded else "no frames found"
                first = f"; first {self.excluded[0].where}: {self.excluded[0].problem}" if self.excluded else ""
                raise InputError(name, problem + first, "check the path and the format")
        partial = Path(folder) / "excluded.json.partial"
        partial.write_text(json.dumps([asdict(entry) for entry in self.excluded], indent=2) + "\n")
        partial.replace(Path(folder) / "excluded.json")
        return Dataset.open(folder)

    def _exclude(self, error: InputError) -> None:
        if not self._skip_bad:
            raise error
        self.excluded.append(Excluded(error.where, error.problem))

    def _frame(self, image: LabelledImage) -> Frame:
        if "://" not in image.image_path and not Path(image.image_path).exists():
            raise InputError(
                image.where, f"its image {image.image_path} is missing", "add the image or leave out with --skip-bad"
            )
        width_px, height_px = image_size(image.image_path)
        if image.declared_size_px not in (None, (width_px, height_px)):
            raise InputError(
                image.where,
                f"states {image.declared_size_px} px for {image.image_path}, which has {(width_px, height_px)}",
                "label and image do not belong together: mend either, or leave out with --skip-bad",
            )
        return Frame(
            frame_id=image.frame_id,
            image_path=image.image_path,
            width_px=width_px,
            height_px=height_px,
            group=self._group(image),
            source=self._source,
            camera=self._camera or image.camera,
            time_of_day=image.time_of_day,
            weather=image.weather,
        )

    def _group(self, image: LabelledImage) -> str:
        if self._group_regex is None:
            return image.group or image.frame_id
        found = self._group_regex.search(image.image_name)
        if not found:
            raise InputError(
                image.where,
                f"group_regex {self._group_regex.pattern!r} finds no group in {image.image_name!r}",
                "mend it",
            )
        return found.group(1 if self._group_regex.groups else 0)

    def _objects(self, labels: Iterable[Label], frame: Frame) -> Objects:
        kept: list[Label] = []
        categories: list[int] = []
        boxes: list[np.ndarray] = []
        truncation: list[float] = []
        for label in labels:
            category = EVERY_CATEGORY if label.name is None else self._categories.index(label.name, label.where)
            if category is None:
                continue
            try:
                box, outside = clipped(label, frame)
            except InputError as error:
                self._exclude(error)
                continue
            kept.append(label)
            categories.append(category)
            boxes.append(box)
            truncation.append(float(np.fmax(label.truncation, outside)) if outside else label.truncation)
        return Objects.of(
            categories,
            boxes,
            occlusion=[label.occlusion for label in kept],
            truncation=truncation,
            ignore=[label.ignore or c == EVERY_CATEGORY for label, c in zip(kept, categories, strict=True)],
            dimensions_hwl_m=[label.dimensions_hwl_m for label in kept],
            location_xyz_m=[label.location_xyz_m for label in kept],
            yaw_rad=[label.yaw_rad for label in kept],
        )


def in_pixels(image: LabelledImage, frame: Frame) -> Sequence[Label]:
    """The image's labels with boxes in pixels."""
    if not image.boxes_are_shares:
        return image.labels
    size = np.array([frame.width_px, frame.height_px] * 2)
    return [replace(label, box_xyxy_px=tuple(size * label.box_xyxy_px)) for label in image.labels]


def clipped(label: Label, frame: Frame) -> tuple[np.ndarray, float]:
    """-> (4,) box inside the image, and the share of the box that lay outside it. Raises InputError on no area."""
    x1, y1, x2, y2 = label.box_xyxy_px
    remedy = "mend the box, or leave it out with --skip-bad"
    if not (np.isfinite(label.box_xyxy_px).all() and x2 > x1 and y2 > y1):
        raise InputError(label.where, f"box {list(label.box_xyxy_px)} has no area", remedy)
    width, height = frame.width_px, frame.height_px
    box = np.clip(label.box_xyxy_px, 0, [width, height, width, height])
    inside = np.prod(np.maximum(box[2:] - box[:2], 0)) / ((x2 - x1) * (y2 - y1))
    if not inside:
        raise InputError(label.where, f"box {list(label.box_xyxy_px)} lies outside the {width}x{height} image", remedy)
    return box, 0.0 if (box == label.box_xyxy_px).all() else float(1 - inside)
