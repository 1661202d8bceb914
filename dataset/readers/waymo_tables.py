"""Waymo's Parquet tables: read whole or in batches, and looked up by their keys."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset.errors import InputError

SEGMENT, TIME, CAMERA = "key.segment_context_name", "key.frame_timestamp_micros", "key.camera_name"
ROWS_AT_ONCE = 32
REMEDY = "fetch the file again, or leave the segment out with --skip-bad"


class Rows:
    """A table whose rows are found by one or more of its columns."""

    def __init__(self, table: pa.Table, *keys: str):
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        order = np.lexsort([columns[key] for key in reversed(keys)])
        self._columns = {name: values[order] for name, values in columns.items()}
        ordered = [self._columns[key] for key in keys]
        changes = np.array([values[1:] != values[:-1] for values in ordered], bool).any(axis=0)
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1]) if len(order) else np.zeros(0, np.int64)
        ends = np.append(starts[1:], len(order))
        names = zip(*(values[starts].tolist() for values in ordered), strict=True)
        self._slices = {name: slice(*span) for name, span in zip(names, zip(starts, ends, strict=False), strict=True)}

    def of(self, *key) -> dict[str, np.ndarray]:
        """The columns of the rows with these values of the keys; of no length where there are none."""
        rows = self._slices.get(key, slice(0, 0))
        return {name: values[rows] for name, values in self._columns.items()}


def read(file: Path, names: Sequence[str]) -> pa.Table:
    """Columns of a component file. Raises InputError where it is missing, broken or lacks one."""
    try:
        with pq.ParquetFile(file) as parquet:
            check_columns(file, parquet, names)
            return parquet.read(columns=list(names))
    except FileNotFoundError:
        raise InputError(file, "file not found", "fetch this component of the segment too") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(file, f"cannot be read as Parquet ({error})", REMEDY) from None


def read_where_present(file: Path, names: Sequence[str]) -> pa.Table | None:
    return read(file, names) if file.is_file() else None


def batches(file: Path, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The same, some rows at a time."""
    try:
        with pq.ParquetFile(file) as parquet:
            check_columns(file, parquet, names)
            yield from parquet.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(names))
    except (OSError, pa.ArrowException) as error:
        raise InputError(file, f"cannot be read as Parquet ({error})", REMEDY) from None


def check_columns(file: Path, parquet: pq.ParquetFile, names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in parquet.schema_arrow.names]:
        raise InputError(file, f"has no column {missing[0]!r}", "give Waymo Open v2 (Parquet), not v1 (tfrecord)")
