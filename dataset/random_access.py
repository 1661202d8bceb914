"""Frames and objects by row number, as a loader asks for them, in memory that does not grow with the data set.

Parquet is made for streaming: one row costs the decoding of its row group. This folder beside the tables holds the
same rows laid out for access, and only that; it is derived from the tables and may be deleted at any time.

    frames.jsonl   one frame a line
    objects.bin    tables.OBJECT_ROW, one after the other
    starts.bin     (frames + 1, 2) int64: where a frame's line begins, and the number of its first object

All three are memory-mapped: the operating system keeps the pages that are in use, and worker processes share them.
"""

import json
import mmap
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from dataset.schema import Objects
from dataset.tables import OBJECT_ROW, objects_from_rows


class RowsWriter:
    """Writes the three files aside, in `parent`; leaving the block without `commit` removes them."""

    def __init__(self, parent: Path):
        self._partial = Path(tempfile.mkdtemp(prefix="rows-", suffix=".partial", dir=parent))
        self._frames = (self._partial / "frames.jsonl").open("wb")
        self._objects = (self._partial / "objects.bin").open("wb")
        self._starts = (self._partial / "starts.bin").open("wb")
        self._first_byte = self._first_object = 0
        self._mark()

    def _mark(self) -> None:
        self._starts.write(np.array([self._first_byte, self._first_object], "<i8").tobytes())

    def add(self, frame_json: bytes, rows: np.ndarray) -> None:
        """frame_json: a frame's record without line breaks; rows: (N,) of OBJECT_ROW."""
        self._frames.write(frame_json + b"\n")
        self._objects.write(rows.tobytes())
        self._first_byte += len(frame_json) + 1
        self._first_object += len(rows)
        self._mark()

    def commit(self, folder: Path) -> None:
        """Put the finished folder in place, unless another process built the same rows meanwhile."""
        self._close()
        self._partial.chmod(0o755)  # mkdtemp made it private; it is as public as the tables beside it
        try:
            self._partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise

    def _close(self) -> None:
        for file in (self._frames, self._objects, self._starts):
            file.close()

    def __enter__(self) -> "RowsWriter":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()
        shutil.rmtree(self._partial, ignore_errors=True)


class Rows:
    """The folder opened for reading."""

    def __init__(self, folder: Path):
        self._starts = _mapped(folder / "starts.bin", np.dtype("<i8")).reshape(-1, 2)
        self._frames = _mapped(folder / "frames.jsonl", np.dtype(np.uint8))
        self._objects = _mapped(folder / "objects.bin", OBJECT_ROW)

    def frame_record(self, row: int) -> dict[str, Any]:
        (start, _), (end, _) = self._starts[row : row + 2]
        return json.loads(self._frames[start:end].tobytes())

    def objects(self, row: int) -> Objects:
        (_, start), (_, end) = self._starts[row : row + 2]
        return objects_from_rows(self._objects[start:end])


def _mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    """A file as a read-only array that lives on disk; an empty file cannot be mapped, and is an empty array."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return np.zeros(0, dtype)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype)
