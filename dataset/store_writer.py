"""Writes the store of a data set in one pass, in memory that a row group bounds."""

import hashlib
import json
import shutil
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset.errors import InputError
from dataset.random_access import RowsWriter
from dataset.schema import EVERY_CATEGORY, Frame, Objects
from dataset.tables import FRAMES, OBJECTS, frame_record, frames_table, joined, object_rows, objects_table

FORMAT = 1
ROW_GROUP_FRAMES = 1024
BOX_TOLERANCE_PX = 1e-3  # rounding that a resized or reprojected box may stick out of its image


class DatasetWriter:
    """`with DatasetWriter(folder, categories, name) as writer: writer.add(frame, objects)`; then Dataset.open(folder).

    The store appears when the block ends; after an error in it the folder is as it was. A store that was there before
    is replaced. `categories` is read when the block ends, and may grow while frames are added.

    The digest covers, in row order, every field of each frame and its objects, and the categories. Of an image it
    covers the file's name and its size in bytes: not its folder, so that moved data stays the same data, and not its
    pixels, so an image edited to exactly the same size goes unseen. An image that is a URL, or is not there yet,
    counts by its name alone.
    """

    def __init__(self, folder: Path | str, categories: Sequence[str], name: str, notes: Sequence[str] = ()):
        self._folder, self._categories, self._name = Path(folder).absolute(), categories, name
        self._notes = list(notes)
        self._digest = hashlib.sha256()
        self._id_hashes = array("Q")  # 8 bytes a frame, to find a repeated id at the end
        self._records: list[dict[str, Any]] = []
        self._objects: list[Objects] = []
        self._frame_count = self._object_count = 0

    def __enter__(self) -> "DatasetWriter":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._frames_file = self._table("frames", FRAMES)
        self._objects_file = self._table("objects", OBJECTS)
        self._rows = RowsWriter(self._folder)
        return self

    def _table(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        return pq.ParquetWriter(self._aside(f"{name}.parquet"), schema, compression="zstd")

    def _aside(self, name: str) -> Path:
        return self._folder / f"{name}.partial"

    def note(self, text: str) -> None:
        """Keep something a reader of the data must know, such as an assumption made."""
        if text not in self._notes:
            self._notes.append(text)

    def add(self, frame: Frame, objects: Objects) -> None:
        """Add one frame. A relative image path is taken from the working directory. Raises InputError."""
        check_objects(frame, objects, len(self._categories))
        path, size_bytes = stored_image_path(frame.image_path, self._folder), image_bytes(frame.image_path)
        record = frame_record(frame) | {"image_path": path}
        rows = object_rows(objects)
        self._rows.add(row_bytes(record), rows)
        identity = record | {"image_path": path.rsplit("/", 1)[-1], "image_bytes": size_bytes, "objects": len(rows)}
        self._digest.update(row_bytes(identity))
        self._digest.update(rows.tobytes())
        self._id_hashes.append(id_hash(frame.frame_id))
        self._records.append(record)
        self._objects.append(objects)
        if len(self._records) == ROW_GROUP_FRAMES:
            self._flush()

    def _flush(self) -> None:
        if not self._records:
            return
        counts = [len(objects) for objects in self._objects]
        frame_row = np.repeat(np.arange(self._frame_count, self._frame_count + len(counts)), counts)
        self._frames_file.write_table(frames_table(self._records), row_group_size=len(counts))
        self._objects_file.write_table(
            objects_table(joined(self._objects), frame_row), row_group_size=max(1, len(frame_row))
        )
        self._frame_count += len(counts)
        self._object_count += len(frame_row)
        self._records, self._objects = [], []

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._rows:
            try:
                if error is None:
                    self._flush()
                self._frames_file.close()
                self._objects_file.close()
                if error is None:
                    self._commit()
            finally:
                for name in ("frames.parquet", "objects.parquet", "meta.json"):
                    self._aside(name).unlink(missing_ok=True)

    def _commit(self) -> None:
        self._check_ids()
        categories = list(self._categories)
        self._digest.update(row_bytes({"categories": categories}))
        meta = {
            "format": FORMAT,
            "name": self._name,
            "categories": categories,
            "frames": self._frame_count,
            "objects": self._object_count,
            "digest": self._digest.hexdigest(),
            "notes": self._notes,
        }
        self._aside("meta.json").write_text(json.dumps(meta, indent=2) + "\n")
        (self._folder / "meta.json").unlink(missing_ok=True)  # between two stores the folder is none
        for old in self._folder.glob("rows-*"):
            if old.suffix != ".partial":  # that one is ours, to be put in place next
                shutil.rmtree(old)
        self._rows.commit(self._folder / f"rows-{meta['digest'][:16]}")
        for name in ("frames.parquet", "objects.parquet", "meta.json"):
            self._aside(name).replace(self._folder / name)

    def _check_ids(self) -> None:
        """Raises InputError naming a frame id that came twice."""
        hashes, counts = np.unique(np.frombuffer(self._id_hashes, np.uint64), return_counts=True)
        suspects = set(hashes[counts > 1].tolist())
        seen: dict[str, int] = {}
        row = 0
        with pq.ParquetFile(self._aside("frames.parquet")) as file:
            for batch in file.iter_batches(columns=["frame_id"]) if suspects else ():
                for frame_id in batch.column(0).to_pylist():
                    if id_hash(frame_id) in suspects and seen.setdefault(frame_id, row) != row:
                        raise InputError(
                            self._folder, f"frame id {frame_id!r} in rows {seen[frame_id]} and {row}", "make ids unique"
                        )
                    row += 1


def row_bytes(record: dict[str, Any]) -> bytes:
    """One record as JSON, without line breaks."""
    return json.dumps(record, separators=(",", ":")).encode()


def id_hash(frame_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(frame_id.encode(), digest_size=8).digest(), "little")


def stored_image_path(path: str, folder: Path) -> str:
    """The path as the store in `folder` keeps it: relative to it when below it, else absolute; URLs unchanged."""
    if "://" in path:
        return path
    absolute = Path(path).absolute()
    return str(absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute)


def image_bytes(path: str) -> int | None:
    try:
        return None if "://" in path else Path(path).stat().st_size
    except FileNotFoundError:
        return None


def check_objects(frame: Frame, objects: Objects, categories: int) -> None:
    """Raises InputError where a box, category or ignore flag breaks the contract of schema.py."""

    def bad(wrong: Any, problem: str) -> None:
        if wrong.any():
            i = int(np.argmax(wrong))
            found = f"object {i}: box {objects.box_xyxy_px[i].tolist()}, category {int(objects.category[i])}"
            raise InputError(f"frame {frame.frame_id}", f"{found}: {problem}", "mend the labels")

    low, high = objects.box_xyxy_px[:, :2], objects.box_xyxy_px[:, 2:]
    limit = np.array([frame.width_px, frame.height_px]) + BOX_TOLERANCE_PX
    bad(~(high > low).all(axis=1), "the box has no area or is not a number")
    bad(((low < -BOX_TOLERANCE_PX) | (high > limit)).any(axis=1), f"outside {frame.width_px}x{frame.height_px} px")
    bad((objects.category < EVERY_CATEGORY) | (objects.category >= categories), f"only {categories} categories")
    bad((objects.category == EVERY_CATEGORY) & ~objects.ignore, "EVERY_CATEGORY is for ignore regions only")
