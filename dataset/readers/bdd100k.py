"""BDD100K detection: labels/det_20/det_{train,val}.json, images/100k/{train,val}/NAME.jpg (doc.bdd100k.com/format)."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dataset.errors import InputError
from dataset.readers.json_stream import entries
from dataset.readers.labelled_image import NAN, Label, LabelledImage

# The ten categories that are judged, the older release's names for them, and what the toolkit ignores as one of them.
CATEGORIES = (
    "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "traffic light", "traffic sign",
)  # fmt: skip
OLD_NAMES = {"person": "pedestrian", "motor": "motorcycle", "bike": "bicycle", "van": "car", "caravan": "car"}
IGNORED_AS = {"other person": "pedestrian", "other vehicle": "car", "trailer": "truck"}
SIZE_PX = (1280, 720)  # of every image of the set
REMEDY = "mend the file, or leave the frame out with --skip-bad"


class Bdd100kReader:
    """One JSON list of frames, read entry by entry; `images` is their folder, by default found in BDD100K's own layout.

    - `labels: null` is a frame without objects; labels without box2d (lanes, drivable area) are passed over.
    - `other person`, `other vehicle`, `trailer` and crowds are ignore regions, as in the toolkit's to_coco.
    - A box includes its last pixel, so (x1, y1, x2, y2) becomes (x1, y1, x2 + 1, y2 + 1), as there.
    - That something is occluded or truncated is said, not how much: false is 0, true is unknown.
    - Clips of one ride share the first half of their names, which is the group; weather and timeofday are kept.
    """

    names = CATEGORIES
    notes = ()

    def __init__(self, file: Path, images: str | None = None):
        if not file.is_file():
            raise InputError(file, "file not found", "give a file such as labels/det_20/det_train.json")
        self._file = file
        self._images = Path(images) if images else self._images_beside()
        if not self._images.is_dir():
            raise InputError(self._images, "folder is missing", "name the images: bdd:FILE.json?images=DIR")

    def _images_beside(self) -> Path:
        """ROOT/images/100k/SPLIT for ROOT/labels/det_20/det_SPLIT.json, or for a file anywhere below ROOT."""
        split = self._file.stem.rpartition("_")[2]
        for root in self._file.absolute().parents[:4]:
            for found in (root / "images" / "100k" / split, root / "images" / "10k" / split):
                if found.is_dir():
                    return found
        remedy = "name the images: bdd:FILE.json?images=DIR"
        raise InputError(self._file, f"no images/100k/{split} is found beside it", remedy)

    def images(self) -> Iterator[Callable[[], LabelledImage]]:
        for number, frame in enumerate(entries(self._file, "frames")):
            yield partial(self._read, number, frame)

    def _read(self, number: int, frame: dict[str, Any]) -> LabelledImage:
        where = f"{self._file}, frame {number}"
        name = frame.get("name")
        if not isinstance(name, str) or not name:
            raise InputError(where, f"its name is {name!r}", REMEDY)
        where = f"{where} ({name})"
        labels = [label for label in frame.get("labels") or () if label.get("box2d")]
        attributes = frame.get("attributes") or {}
        clip = frame.get("videoName") or Path(name).stem
        return LabelledImage(
            where=where,
            frame_id=str(Path(name).with_suffix("")),
            image_path=str(self._images / name),
            image_name=name,
            labels=[label_of(f"{where}, label {label.get('id', i)}", label) for i, label in enumerate(labels)],
            group=clip.partition("-")[0],
            time_of_day=known(attributes.get("timeofday")),
            weather=known(attributes.get("weather")),
        )


def label_of(where: str, label: dict[str, Any]) -> Label:
    """One label with box2d. Raises InputError where its category or a coordinate is missing."""
    name, box, attributes = label.get("category"), label["box2d"], label.get("attributes") or {}
    if not isinstance(name, str):
        raise InputError(where, f"category {name!r} is no name", REMEDY)
    try:
        x1, y1, x2, y2 = (float(box[edge]) for edge in ("x1", "y1", "x2", "y2"))
    except (KeyError, TypeError, ValueError):
        raise InputError(where, f"box2d {box} is not four numbers x1, y1, x2, y2", REMEDY) from None
    return Label(
        where=where,
        name=IGNORED_AS.get(name, OLD_NAMES.get(name, name)),
        box_xyxy_px=(x1, y1, min(x2 + 1, SIZE_PX[0]), min(y2 + 1, SIZE_PX[1])),
        occlusion=share(attributes.get("occluded")),
        truncation=share(attributes.get("truncated")),
        ignore=name in IGNORED_AS or attributes.get("crowd") is True,
    )


def share(flag: Any) -> float:
    return 0.0 if flag is False else NAN


def known(value: str | None) -> str | None:
    return None if value in (None, "undefined") else value
