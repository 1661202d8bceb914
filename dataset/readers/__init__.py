"""Public formats, read into a store."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from dataset.categories import CategoryMap
from dataset.errors import InputError
from dataset.readers.bdd100k import Bdd100kReader
from dataset.readers.cityscapes import CityscapesReader
from dataset.readers.coco import CocoReader
from dataset.readers.ingest import Excluded, Ingest
from dataset.readers.kitti import KittiReader
from dataset.readers.labelled_image import Reader
from dataset.readers.nuimages import NuImagesReader
from dataset.readers.voc import VocReader
from dataset.readers.waymo import WaymoReader
from dataset.readers.yolo import YoloReader
from dataset.schema import Camera, Source
from dataset.store import Dataset

__all__ = ["FORMATS", "Excluded", "open_source"]

FORMATS = (
    "kitti:DIR",
    "coco:FILE.json[?images=DIR]",
    "voc:DIR",
    "yolo:DIR[?split=train]",
    "bdd:FILE.json[?images=DIR]",
    "cityscapes:DIR[?labels=gtFine|gtBboxCityPersons&split=train]",
    "nuimages:DIR[?version=v1.0-mini]",
    "waymo:DIR[?cameras=FRONT,FRONT_LEFT&every=5]",
    "store:DIR",
)
# what may follow a '?' in each
OPTIONS = {
    "coco": ("images",),
    "yolo": ("split",),
    "bdd": ("images",),
    "cityscapes": ("labels", "split"),
    "nuimages": ("version",),
    "waymo": ("cameras", "every"),
}


def open_source(
    spec: str,
    folder: Path,
    *,
    categories: dict[str, str] | None = None,
    group_regex: str | None = None,
    camera: Camera | None = None,
    skip_bad: bool = False,
    source: Source = "real",
) -> tuple[Dataset, list[Excluded]]:
    """Read a data set in a public format into a store at `folder`; `store:DIR` opens a store as it is.

    spec: one of FORMATS, as in kitti:DIR. Images that lie inside other files (waymo) are written to folder/images.
    categories: see CategoryMap. group_regex: its first bracket (or all of its match) in an image's path inside the
    data set names the frame's group; without it each frame is a group of its own, right only where no two frames
    show the same street. camera: holds for all frames, over what the format says.
    Every image's header is read for its size, and boxes are clipped to it. Bad input raises InputError, or with
    skip_bad is left out, returned, and listed in folder/excluded.json. Assumptions made are in Dataset.notes.
    """
    kind, _, place = spec.partition(":")
    if kind == "store":
        if (categories, group_regex, camera) != (None, None, None):
            raise InputError(spec, "a store keeps its categories, groups and cameras", "give none, or import anew")
        return Dataset.open(Path(place)), []
    reader = reader_of(spec, camera, Path(folder))
    ingest = Ingest(CategoryMap(categories, reader.names), group_regex, camera, skip_bad, source)
    return ingest.run(reader, spec, Path(folder)), ingest.excluded


def reader_of(spec: str, camera: Camera | None, folder: Path) -> Reader:
    """The reader that a spec names; images that must be written go to folder/images. Raises InputError."""
    kind, _, place = spec.partition(":")
    path, _, query = place.partition("?")
    options = {name: values[-1] for name, values in parse_qs(query).items()} if kind in OPTIONS else {}
    readers: dict[str, Callable[[], Reader]] = {
        "kitti": lambda: KittiReader(Path(place), camera),
        "coco": lambda: CocoReader(Path(path), **options),
        "voc": lambda: VocReader(Path(place)),
        "yolo": lambda: YoloReader(Path(path), **options),
        "bdd": lambda: Bdd100kReader(Path(path), **options),
        "cityscapes": lambda: CityscapesReader(Path(path), **options),
        "nuimages": lambda: NuImagesReader(Path(path), **options),
        "waymo": lambda: WaymoReader(Path(path), Path(folder).absolute() / "images", **options),
    }
    if kind not in readers or not place:
        raise InputError(repr(spec), "is not a data set's address", f"use one of {', '.join(FORMATS)}")
    if unknown := set(options) - set(OPTIONS.get(kind, ())):
        known = ", ".join(OPTIONS[kind])
        raise InputError(repr(spec), f"{', '.join(sorted(unknown))} is no option of {kind}", f"known are {known}")
    return readers[kind]()
