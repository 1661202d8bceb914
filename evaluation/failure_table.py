"""The failure table: a Parquet file, one row a failure, the costliest first."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset.errors import InputError
from evaluation.failure import FAILURE_KINDS, Failure

BOX = pa.list_(pa.float64())  # four numbers; Parquet cannot leave out a list of fixed size
SCHEMA = pa.schema(
    [
        pa.field("failure_id", pa.string(), nullable=False),
        pa.field("frame_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("box_xyxy_px", BOX, nullable=False),
        pa.field("object_index", pa.int32(), nullable=False),
        pa.field("detection_box_xyxy_px", BOX),
        pa.field("detected_category", pa.string()),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("best_iou", pa.float64(), nullable=False),
        pa.field("partner_index", pa.int32(), nullable=False),
        pa.field("cost_ap", pa.float64(), nullable=False),
        pa.field("distance_m", pa.float32(), nullable=False),
        pa.field("bearing_deg", pa.float32(), nullable=False),
        pa.field("yaw_rad", pa.float32(), nullable=False),
        pa.field("height_px", pa.float32(), nullable=False),
        pa.field("occlusion", pa.float32(), nullable=False),
        pa.field("truncation", pa.float32(), nullable=False),
        pa.field("time_of_day", pa.string()),
        pa.field("weather", pa.string()),
    ]
)  # fmt: skip
RULES_KEY = b"hardcase.mining_rules"
SORTED_ROWS = 131_072  # sorted in memory at a time, about 40 MB
GROUP_ROWS = 16_384


@dataclass(frozen=True)
class MiningRules:
    """What a failure table was mined by. `fitted`: the score thresholds are those of the best F1 on this data."""

    score_thresholds: dict[str, float]
    fitted: bool
    iou_threshold: float
    background_iou: float
    label_error_score: float
    min_side_px: float
    max_detections: int
    dataset_digest: str


class FailureTable:
    """Failures on disk, in order of cost, largest first; of equal cost in order of frames."""

    def __init__(self, path: Path, rules: MiningRules, rows: int):
        self.path, self.rules, self._rows = path, rules, rows

    @staticmethod
    def open(path: Path | str) -> "FailureTable":
        """Raises InputError where there is no such table."""
        path = Path(path)
        try:
            with pq.ParquetFile(path) as file:
                metadata, rows = file.schema_arrow.metadata or {}, file.metadata.num_rows
        except (OSError, ValueError) as error:
            raise InputError(path, f"no failures can be read ({error})", "mine them again") from None
        if RULES_KEY not in metadata:
            raise InputError(path, "a Parquet file, but not of failures", "give one that `mine` wrote")
        return FailureTable(path, MiningRules(**json.loads(metadata[RULES_KEY])), rows)

    def __len__(self) -> int:
        return self._rows

    def iterate(self) -> Iterator[Failure]:
        """Costliest first; memory holds one row group."""
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=GROUP_ROWS):
                for row in batch.to_pylist():
                    row["box_xyxy_px"] = tuple(row["box_xyxy_px"])
                    if row["detection_box_xyxy_px"] is not None:
                        row["detection_box_xyxy_px"] = tuple(row["detection_box_xyxy_px"])
                    yield Failure(**row)

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """All rows, of all columns or those named."""
        return pq.read_table(self.path, columns=columns)

    def counts(self) -> dict[str, int]:
        """Failures of each kind, in the order of FAILURE_KINDS."""
        kinds = self.table(["kind"]).column("kind")
        found = {item["values"]: item["counts"] for item in kinds.value_counts().to_pylist()}
        return {kind: found.get(kind, 0) for kind in FAILURE_KINDS}


class FailureTableWriter:
    """`with FailureTableWriter(path) as writer: writer.add(table); ...; writer.finish(costs, rules)`.

    Rows arrive in order of frames and without their cost, which is known only after the last. They are spooled to disk;
    finish() then sorts SORTED_ROWS at a time. Memory holds that and about 12 bytes a failure.
    """

    def __init__(self, path: Path | str):
        self._path = Path(path)
        self._spool = self._path.with_name(f"{self._path.name}.spool.partial")
        self._partial = self._path.with_name(f"{self._path.name}.partial")
        self._schema = SCHEMA.remove(SCHEMA.get_field_index("cost_ap"))
        self.rows = 0

    def __enter__(self) -> "FailureTableWriter":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._spool, self._schema, compression="zstd")
        return self

    def add(self, columns: dict[str, pa.Array | np.ndarray | list]) -> None:
        """Rows of all columns but `cost_ap`."""
        table = pa.table({field.name: columns[field.name] for field in self._schema}, schema=self._schema)
        if len(table):
            self._writer.write_table(table)
        self.rows += len(table)

    def finish(self, cost_ap: np.ndarray, rules: MiningRules) -> FailureTable:
        """Write the table, sorted. `cost_ap`: (rows,) float64, in the order the rows were added."""
        self._writer.close()
        order = np.argsort(-cost_ap, kind="stable")
        schema = SCHEMA.with_metadata({RULES_KEY: json.dumps(asdict(rules)).encode()})
        with pq.ParquetWriter(self._partial, schema, compression="zstd") as out:
            for start in range(0, self.rows, SORTED_ROWS):
                rows = order[start : start + SORTED_ROWS]
                table = self._spooled(np.sort(rows))
                table = table.take(pa.array(np.argsort(np.argsort(rows, kind="stable"), kind="stable")))
                table = table.append_column(SCHEMA.field("cost_ap"), pa.array(cost_ap[rows]))
                out.write_table(table.select(SCHEMA.names).cast(schema), GROUP_ROWS)
        self._partial.replace(self._path)
        return FailureTable(self._path, rules, self.rows)

    def _spooled(self, rows: np.ndarray) -> pa.Table:
        """The rows of these numbers, which rise."""
        parts, first = [self._schema.empty_table()], 0
        with pq.ParquetFile(self._spool) as spool:
            for group in range(spool.num_row_groups):
                count = spool.metadata.row_group(group).num_rows
                chosen = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + count)]
                if len(chosen):
                    parts.append(spool.read_row_group(group).take(pa.array(chosen - first)))
                first += count
        return pa.concat_tables(parts)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.close()
        for file in (self._spool, self._partial):
            file.unlink(missing_ok=True)
