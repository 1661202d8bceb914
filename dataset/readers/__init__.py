"""Public formats, read into a store."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from dataset.categories import CategoryMap
from dataset.errors import InputError
from dataset.readers.coco import CocoReader
from dataset.readers.ingest import Excluded, Ingest
from dataset.readers.kitti import KittiReader
from dataset.readers.labelled_image import Reader
from dataset.readers.voc import VocReader
from dataset.schema import Camera, Source
from dataset.store import Dataset

__all__ = ["Excluded", "open_source"]

FORMATS = ("kitti:DIR", "coco:FILE.json[?images=DIR]", "voc:DIR", "store:DIR")


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

    spec: kitti:DIR | coco:FILE.json[?images=DIR] | voc:DIR | store:DIR
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
    reader = reader_of(spec, camera)
    ingest = Ingest(CategoryMap(categories, reader.names), group_regex, camera, skip_bad, source)
    return ingest.run(reader, spec, Path(folder)), ingest.excluded


def reader_of(spec: str, camera: Camera | None) -> Reader:
    """The reader that a spec names. Raises InputError on an unknown one."""
    kind, _, place = spec.partition(":")
    path, _, query = place.partition("?")
    readers: dict[str, Callable[[], Reader]] = {
        "kitti": lambda: KittiReader(Path(place), camera),
        "coco": lambda: CocoReader(Path(path), parse_qs(query).get("images", [None])[0]),
        "voc": lambda: VocReader(Path(place)),
    }
    if kind not in readers or not place:
        raise InputError(repr(spec), "is not a data set's address", f"use one of {', '.join(FORMATS)}")
    return readers[kind]()
