"""What the gate said of every image: one row each in a Parquet file, and the sums that a report shows."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset.errors import InputError

from .gate import Judged
from .preservation import Preserved

ROWS_AT_ONCE = 1024
CATEGORIES_KEY = b"hardcase.categories"
_MEASURES = [
    ("objects", pa.int32()),
    ("found_before", pa.int32()),
    ("lost", pa.int32()),
    ("iou_drop", pa.float32()),
    ("new_detections", pa.int32()),
    ("edge_f1", pa.float32()),
    ("worst_edge_f1", pa.float32()),  # of the objects
    ("worst_change", pa.float32()),
    ("background_change", pa.float32()),
]
# refined_...: the image as the refiner made it. used_...: the one kept or blended, null where it was dropped.
SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("outcome", pa.string()),
        ("share", pa.float32()),
        ("faults", pa.list_(pa.string())),
        ("category", pa.list_(pa.int16())),
        ("iou_before", pa.list_(pa.float32())),  # of each object, 0 where it was not found
        ("iou_refined", pa.list_(pa.float32())),
        ("iou_used", pa.list_(pa.float32())),
        *((f"{side}_{name}", kind) for side in ("refined", "used") for name, kind in _MEASURES),
    ]
)


def row(image: str, judged: Judged) -> dict[str, Any]:
    """The table's row of one image."""
    used = judged.used
    return {
        "image": image,
        "outcome": judged.outcome,
        "share": judged.share,
        "faults": list(judged.faults),
        "category": judged.refined.category.tolist(),
        "iou_before": judged.refined.before.iou.tolist(),
        "iou_refined": judged.refined.after.iou.tolist(),
        "iou_used": None if used is None else used.after.iou.tolist(),
        **{f"refined_{name}": value for name, value in _measures(judged.refined).items()},
        **({} if used is None else {f"used_{name}": value for name, value in _measures(used).items()}),
    }


def _measures(now: Preserved) -> dict[str, float]:
    return {
        "objects": len(now.category),
        "found_before": now.found_before,
        "lost": now.lost,
        "iou_drop": now.iou_drop,
        "new_detections": now.after.spurious - now.before.spurious,
        "edge_f1": now.edge_f1,
        "worst_edge_f1": now.worst_edge_f1,
        "worst_change": now.worst_change,
        "background_change": now.background_change,
    }


def schema_of(categories: Sequence[str]) -> pa.Schema:
    """SCHEMA with the names of the categories."""
    return SCHEMA.with_metadata({CATEGORIES_KEY: json.dumps(list(categories)).encode()})


class RowWriter:
    """Rows to a Parquet file, written aside and renamed when all are there; memory holds ROWS_AT_ONCE of them."""

    def __init__(self, file: Path, schema: pa.Schema):
        self._file, self._schema, self._pending = file, schema, []
        self._partial = file.with_name(f"{file.name}.partial")

    def __enter__(self) -> Self:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._partial, self._schema, compression="zstd")
        return self

    def add(self, row: dict[str, Any]) -> None:
        self._pending.append(row)
        if len(self._pending) == ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_pylist(self._pending, self._schema))
            self._pending = []

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            if failed is None:
                self._flush()
            self._writer.close()
            if failed is None:
                self._partial.replace(self._file)
        finally:
            self._partial.unlink(missing_ok=True)


def read_rows(file: Path) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The rows and the names of the categories. InputError where the file is no gate table."""
    try:
        table = pq.read_table(file)
    except (OSError, ValueError) as error:
        raise InputError(file, f"no gate table can be read ({error})", "run the refining again") from None
    if CATEGORIES_KEY not in (table.schema.metadata or {}) or table.schema.names != SCHEMA.names:
        raise InputError(file, "a Parquet file, but not of the gate", "give one that refining wrote")
    return table.to_pylist(), tuple(json.loads(table.schema.metadata[CATEGORIES_KEY]))


@dataclass(frozen=True)
class CategoryRecall:
    """The detector's recall on one category's objects, of the images that are used."""

    category: str
    objects: int
    before: float  # 0-1, on the sources of the images used
    after: float


@dataclass(frozen=True)
class GateSummary:
    """What became of a refined set. Recall: of the detector, on the labelled objects; NaN where there is none."""

    outcomes: dict[str, int]  # keep, blend, drop
    faults: dict[str, int]  # how many refined images have each, most frequent first
    recall_before: float  # of all sources
    recall_refined: float  # of all refined images as they came
    matched_iou_before: float  # of the objects found
    matched_iou_refined: float
    used: tuple[CategoryRecall, ...]  # the category that lost most recall first
    # Images with objects of which the detector found none in the source: edges and changes alone judged them.
    silent_images: int

    @property
    def worst(self) -> CategoryRecall | None:
        """The category whose recall fell most among the images used; None where none fell."""
        return self.used[0] if self.used and self.used[0].after < self.used[0].before else None

    @staticmethod
    def of(rows: Iterable[dict[str, Any]], categories: Sequence[str]) -> "GateSummary":
        rows = list(rows)
        counts = Counter(row["outcome"] for row in rows)
        before, refined = (_all(rows, name) for name in ("iou_before", "iou_refined"))
        used = [row for row in rows if row["iou_used"] is not None]
        category, used_before, used_after = (_all(used, name) for name in ("category", "iou_before", "iou_used"))
        recalls = [
            CategoryRecall(name, int(mine.sum()), _recall(used_before[mine]), _recall(used_after[mine]))
            for i, name in enumerate(categories)
            if (mine := category == i).any()
        ]
        return GateSummary(
            outcomes={name: counts[name] for name in ("keep", "blend", "drop")},
            faults=dict(Counter(fault for row in rows for fault in row["faults"]).most_common()),
            recall_before=_recall(before),
            recall_refined=_recall(refined),
            matched_iou_before=_mean(before[before > 0]),
            matched_iou_refined=_mean(refined[refined > 0]),
            used=tuple(sorted(recalls, key=lambda recall: recall.after - recall.before)),
            silent_images=sum(row["refined_objects"] > 0 and row["refined_found_before"] == 0 for row in rows),
        )


def _all(rows: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([value for row in rows for value in row[name]], np.float64)


def _recall(iou: np.ndarray) -> float:
    return _mean((iou > 0).astype(np.float64))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
