"""The store of a data set: two Parquet tables, a description, and rows for random access, in one folder.

    frames.parquet, objects.parquet    see tables.py; row groups of both in step
    meta.json                          name, categories, counts, digest, notes; written last, so it marks a whole store
    rows-<digest>/                     see random_access.py; derived, rebuilt when missing

Images stay files. A path is kept relative to the folder when the image lies below it (so the folder can be moved),
else absolute; URLs (anything with ://, read through fsspec) stay as they are.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from dataset.errors import InputError
from dataset.random_access import Rows, RowsWriter
from dataset.schema import Frame, Objects
from dataset.store_writer import FORMAT, DatasetWriter, row_bytes, stored_image_path
from dataset.tables import frame_from_record, frame_record, frames_from_table, object_rows, objects_from_table

__all__ = ["Dataset", "DatasetWriter", "concatenate"]


class Dataset:
    """A store opened for reading. Cheap to open, to pickle and to fork: tables and rows open when first used."""

    def __init__(self, folder: Path, meta: dict[str, Any]):
        self.folder, self._meta = folder, meta
        self._rows: Rows | None = None

    @staticmethod
    def open(folder: Path | str) -> "Dataset":
        """Open the store in `folder`. Raises InputError where there is none, or not a whole one."""
        folder = Path(folder).absolute()
        try:
            meta = json.loads((folder / "meta.json").read_text())
        except FileNotFoundError:
            raise InputError(folder, "no data set here (meta.json is missing)", "import one first") from None
        except json.JSONDecodeError as error:
            raise InputError(folder / "meta.json", f"not JSON ({error})", "import the data set again") from None
        if meta.get("format") != FORMAT:
            raise InputError(
                folder / "meta.json", f"format {meta.get('format')}, {FORMAT} expected", "import the data set again"
            )
        dataset = Dataset(folder, meta)
        for table, count in (("frames", meta["frames"]), ("objects", meta["objects"])):
            dataset._check_rows(table, count)
        return dataset

    def _check_rows(self, table: str, count: int) -> None:
        path = self.folder / f"{table}.parquet"
        try:
            found = pq.read_metadata(path).num_rows
        except (OSError, ValueError) as error:
            raise InputError(path, f"cannot be read ({error})", "import the data set again") from None
        if found != count:
            raise InputError(path, f"{found} rows, meta.json says {count}", "import the data set again")

    @property
    def name(self) -> str:
        return self._meta["name"]

    @property
    def categories(self) -> tuple[str, ...]:
        """What `Objects.category` counts."""
        return tuple(self._meta["categories"])

    @property
    def digest(self) -> str:
        """SHA-256 of the contents; DatasetWriter says what it covers."""
        return self._meta["digest"]

    @property
    def notes(self) -> tuple[str, ...]:
        """Assumptions made when the data were read."""
        return tuple(self._meta["notes"])

    def __len__(self) -> int:
        return self._meta["frames"]

    def __repr__(self) -> str:
        return f"Dataset({self.name}: {len(self)} frames, {self._meta['objects']} objects, {self.folder})"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_rows": None}

    def iterate(self, batch_frames: int = 1024) -> Iterator[list[tuple[Frame, Objects]]]:
        """All frames in order, `batch_frames` at a time; memory holds one batch and one row group."""
        batch: list[tuple[Frame, Objects]] = []
        for pair in self.stream():
            batch.append(pair)
            if len(batch) == batch_frames:
                yield batch
                batch = []
        if batch:
            yield batch

    def stream(self) -> Iterator[tuple[Frame, Objects]]:
        """All frames in order, one at a time; memory holds one row group."""
        first = 0
        with (
            pq.ParquetFile(self.folder / "frames.parquet") as frames_file,
            pq.ParquetFile(self.folder / "objects.parquet") as objects_file,
        ):
            for group in range(frames_file.num_row_groups):
                frames = frames_from_table(frames_file.read_row_group(group), self._absolute)
                objects, frame_row = objects_from_table(objects_file.read_row_group(group))
                starts = np.searchsorted(frame_row, np.arange(first, first + len(frames) + 1))
                for frame, start, end in zip(frames, starts[:-1], starts[1:], strict=True):
                    yield frame, objects.where(slice(start, end))
                first += len(frames)

    def frame(self, i: int) -> Frame:
        """Frame of row i, its image path absolute or a URL. Raises IndexError outside 0..len - 1."""
        record = self._row_access(i).frame_record(i)
        return frame_from_record(record, self._absolute(record["image_path"]))

    def objects(self, i: int) -> Objects:
        """Objects of row i. Raises IndexError outside 0..len - 1."""
        return self._row_access(i).objects(i)

    def pick(self, indices: np.ndarray) -> Iterator[tuple[Frame, Objects]]:
        """Frames and objects of the rows `indices` (M,), in that order."""
        for i in np.asarray(indices, np.int64).tolist():
            yield self.frame(i), self.objects(i)

    def image_path(self, i: int) -> str:
        return self.frame(i).image_path

    def _row_access(self, i: int) -> Rows:
        if not 0 <= i < len(self):
            raise IndexError(f"row {i} of a data set of {len(self)} frames")
        if self._rows is None:
            folder = self.folder / f"rows-{self.digest[:16]}"
            if not folder.is_dir():
                self._build_rows(folder)
            self._rows = Rows(folder)
        return self._rows

    def _build_rows(self, folder: Path) -> None:
        try:
            with RowsWriter(self.folder) as rows:
                for frame, objects in self.stream():
                    record = frame_record(frame) | {"image_path": stored_image_path(frame.image_path, self.folder)}
                    rows.add(row_bytes(record), object_rows(objects))
                rows.commit(folder)
        except PermissionError as error:
            raise InputError(
                folder, f"the rows for random access are missing and cannot be built ({error})", "make it writable once"
            ) from None

    def _absolute(self, stored: str) -> str:
        return stored if "://" in stored else str(self.folder / stored)

    def _column(self, name: str) -> np.ndarray:
        with pq.ParquetFile(self.folder / "frames.parquet") as file:
            groups = [file.read_row_group(g, columns=[name]).column(0) for g in range(file.num_row_groups)]
        return np.concatenate([np.array([], "U1"), *(np.array(group.to_pylist(), dtype=np.str_) for group in groups)])

    def frame_ids(self) -> np.ndarray:
        """(frames,) str, in row order."""
        return self._column("frame_id")

    def groups(self) -> np.ndarray:
        """(frames,) str: the group (clip, city, town) of each frame, which a split never cuts."""
        return self._column("group")

    def sources(self) -> np.ndarray:
        """(frames,) str: real, synthetic, refined or stand-in."""
        return self._column("source")

    def counts(self) -> dict[str, int]:
        """Objects per category that are not to be ignored, in the order of `categories`."""
        found: Counter[int] = Counter()
        with pq.ParquetFile(self.folder / "objects.parquet") as file:
            for batch in file.iter_batches(columns=["category", "ignore"]):
                kept = batch.column("category").to_numpy()[~batch.column("ignore").to_numpy(zero_copy_only=False)]
                found.update(dict(enumerate(np.bincount(kept, minlength=len(self.categories)).tolist())))
        return {name: found[index] for index, name in enumerate(self.categories)}

    def object_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Row of the frame (N,) int64 and category (N,) int16 of the N objects that are not to be ignored, in order."""
        with pq.ParquetFile(self.folder / "objects.parquet") as file:
            table = file.read(columns=["frame_row", "category", "ignore"])
        kept = ~table.column("ignore").to_numpy()
        return table.column("frame_row").to_numpy()[kept], table.column("category").to_numpy()[kept]

    def subset(self, indices: np.ndarray, folder: Path) -> "Dataset":
        """A new store of the rows `indices` (M,), in that order; images stay where they are."""
        return concatenate([self], folder, rows=[indices])


def concatenate(datasets: Sequence[Dataset], folder: Path, rows: Sequence[np.ndarray] | None = None) -> Dataset:
    """One new store of all frames, in order; with `rows`, of those rows of each data set.

    Raises InputError on unequal categories or a frame id that comes twice.
    """
    if not datasets:
        raise InputError(folder, "no data sets to join", "give at least one")
    first = datasets[0]
    for other in datasets[1:]:
        if other.categories != first.categories:
            raise InputError(
                other.folder,
                f"categories {other.categories} differ from {first.categories} of {first.folder}",
                "import both with the same category map",
            )
    name = "+".join(dict.fromkeys(dataset.name for dataset in datasets))
    notes = tuple(dict.fromkeys(note for dataset in datasets for note in dataset.notes))
    with DatasetWriter(folder, first.categories, name, notes) as writer:
        for index, dataset in enumerate(datasets):
            for frame, objects in dataset.stream() if rows is None else dataset.pick(rows[index]):
                writer.add(frame, objects)
    return Dataset.open(folder)
