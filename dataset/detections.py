"""What a detector says of a data set: one Parquet file, one row a frame, so that a frame without detections is kept.

Columns: frame_id, and lists of equal length category, box_xyxy_px (four numbers a detection), score, occlusion.
The categories are in the schema's metadata under `hardcase.categories`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset.errors import InputError
from dataset.schema import Detections

ROW_GROUP_FRAMES = 1024
CATEGORIES_KEY = b"hardcase.categories"
VALUE_TYPES = {"category": pa.int16(), "box_xyxy_px": pa.float64(), "score": pa.float32(), "occlusion": pa.float32()}
SCHEMA = pa.schema(
    [
        pa.field("frame_id", pa.string(), nullable=False),
        *(pa.field(name, pa.list_(value), nullable=False) for name, value in VALUE_TYPES.items()),
    ]
)


class DetectionsWriter:
    """`with DetectionsWriter(file, categories) as writer: writer.add(frame_id, detections)`, in the data set's order.

    Written aside and renamed when the block ends without an error; memory holds one row group.
    """

    def __init__(self, file: Path | str, categories: Sequence[str]):
        self._file, self._categories = Path(file), tuple(categories)
        self._partial = self._file.with_name(f"{self._file.name}.partial")
        self._pending: list[tuple[str, Detections]] = []

    def __enter__(self) -> "DetectionsWriter":
        self._file.parent.mkdir(parents=True, exist_ok=True)
        schema = SCHEMA.with_metadata({CATEGORIES_KEY: json.dumps(self._categories).encode()})
        self._writer = pq.ParquetWriter(self._partial, schema, compression="zstd")
        return self

    def add(self, frame_id: str, detections: Detections) -> None:
        """Add one frame. Raises InputError on a box or score that is no number, or an unknown category."""
        known = (detections.category >= 0) & (detections.category < len(self._categories))
        wrong = ~(np.isfinite(detections.box_xyxy_px).all(axis=1) & np.isfinite(detections.score) & known)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise InputError(
                f"{self._file}, frame {frame_id}",
                f"detection {i} has box {detections.box_xyxy_px[i].tolist()}, score {detections.score[i]}, "
                f"category {detections.category[i]} of {len(self._categories)}",
                "check the detector's outputs",
            )
        self._pending.append((frame_id, detections))
        if len(self._pending) == ROW_GROUP_FRAMES:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        offsets = np.concatenate([[0], np.cumsum([len(found) for _, found in self._pending])])
        columns: list[pa.Array] = [pa.array([frame_id for frame_id, _ in self._pending], pa.string())]
        for name, value_type in VALUE_TYPES.items():
            values = np.concatenate([getattr(found, name).reshape(-1) for _, found in self._pending])
            scale = 4 if name == "box_xyxy_px" else 1
            ends = pa.array((offsets * scale).astype(np.int32))
            columns.append(pa.ListArray.from_arrays(ends, pa.array(values, value_type, from_pandas=False)))
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._writer.schema), len(self._pending))
        self._pending = []

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._flush()
            self._writer.close()
            if error is None:
                self._partial.replace(self._file)
        finally:
            self._partial.unlink(missing_ok=True)


def read_categories(file: Path | str) -> tuple[str, ...]:
    """The categories that the detections' category numbers count."""
    with _opened(file) as parquet:
        return tuple(json.loads(parquet.schema_arrow.metadata[CATEGORIES_KEY]))


def read_detections(file: Path | str, batch_frames: int = 1024) -> Iterator[list[tuple[str, Detections]]]:
    """Frames in the order they were written, at most `batch_frames` at a time; memory holds one batch."""
    with _opened(file) as parquet:
        for batch in parquet.iter_batches(batch_size=batch_frames):
            values = {name: np.array(batch.column(name).flatten().to_numpy()) for name in VALUE_TYPES}
            values["box_xyxy_px"] = values["box_xyxy_px"].reshape(-1, 4)
            lengths = batch.column("category").value_lengths().to_numpy()
            ends = np.cumsum(lengths)
            yield [
                (frame_id, Detections(**{name: array[start:end] for name, array in values.items()}))
                for frame_id, start, end in zip(
                    batch.column("frame_id").to_pylist(), (ends - lengths).tolist(), ends.tolist(), strict=True
                )
            ]


def _opened(file: Path | str) -> pq.ParquetFile:
    try:
        parquet = pq.ParquetFile(file)
    except (OSError, ValueError) as error:
        raise InputError(file, f"no detections can be read ({error})", "run the detector again") from None
    if CATEGORIES_KEY not in (parquet.schema_arrow.metadata or {}):
        raise InputError(file, "a Parquet file, but not of detections", "give one that `predict` wrote")
    return parquet
