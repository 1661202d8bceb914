"""Counts over whole tables: failures by kind and attribute, what was fixed, which scenes fitted their failure."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.attributes import ordered
from evaluation.failure import FAILURE_KINDS
from evaluation.fix_rate import wilson
from tasks.comparison import BINS, metrics_of
from tasks.layout import Cycle
from tasks.mining import failures_of
from tasks.report.charts import Interval


@dataclass(frozen=True)
class Counts:
    """Failures in each bin (rows) and cycle (columns) of one attribute."""

    cycles: list[int]
    rows: dict[str, list[int]]

    @property
    def most(self) -> int:
        return max((count for row in self.rows.values() for count in row), default=1) or 1


def counts_by_cycle(cycles: list[Cycle]) -> dict[str, Counts]:
    """Attribute -> failures by bin and cycle. By kind all failures count, by the others those that can be fixed."""
    numbers = [cycle.number for cycle in cycles]
    kinds = [failures_of(cycle).counts() for cycle in cycles]
    occurring = [kind for kind in FAILURE_KINDS if any(of[kind] for of in kinds)]
    counts = {"kind": Counts(numbers, {kind: [of[kind] for of in kinds] for kind in occurring})}
    for by in BINS:
        if by != "kind":
            columns = [{row.bin: row.failures for row in _bins(cycle, by)} for cycle in cycles]
            bins = dict.fromkeys(bin for column in columns for bin in column)
            counts[by] = Counts(numbers, {bin: [column.get(bin, 0) for column in columns] for bin in bins})
    return counts


@dataclass(frozen=True)
class BinRow:
    """One bin of failures and what each arm made of it. An interval's value is NaN where the bin is empty."""

    bin: str
    failures: int
    fixed: dict[str, Interval]  # arm -> share of the failures that it no longer makes
    regressions: dict[str, Interval]  # arm -> share of what was right before that it gets wrong


def fix_rates(cycle: Cycle) -> dict[str, list[BinRow]]:
    """Attribute -> its bins, from the tables that the comparison wrote."""
    return {by: _bins(cycle, by) for by in BINS}


def _bins(cycle: Cycle, by: str) -> list[BinRow]:
    tables = {arm: {row["bin"]: row for row in _fix_rate(cycle, arm, by)} for arm in metrics_of(cycle)["arms"]}
    rows = []
    for bin in ordered(by, {bin for table in tables.values() for bin in table}):
        of_arm = {arm: table.get(bin) or _untouched(table) for arm, table in tables.items()}
        rows.append(
            BinRow(
                bin,
                max(row["failures"] for row in of_arm.values()),
                {arm: _interval(row, "fix_rate", "low", "high") for arm, row in of_arm.items()},
                {
                    arm: _interval(row, "regression_rate", "regression_low", "regression_high")
                    for arm, row in of_arm.items()
                },
            )
        )
    return rows


def _fix_rate(cycle: Cycle, arm: str, by: str) -> list[dict[str, Any]]:
    return pq.read_table(cycle.comparison / f"fix_rate_{arm}_by_{by}.parquet").to_pylist()


def _untouched(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The row of a kind that an arm's table leaves out: no such failure before, and nothing broken in that way."""
    found_before = np.array([max((row["found_before"] for row in table.values()), default=0)])
    rate, low, high = (float(value[0]) for value in wilson(np.zeros(1), found_before))
    broken = {"regression_rate": rate, "regression_low": low, "regression_high": high}
    return {"failures": 0, "fix_rate": math.nan, "low": math.nan, "high": math.nan} | broken


def _interval(row: dict[str, Any], value: str, low: str, high: str) -> Interval:
    return {"value": row[value], "low": row[low], "high": row[high]}


def fixed_share(cycle: Cycle, arm: str) -> Interval:
    """Of all failures mined for a cycle and worth a scene, the share that the arm fixed, with Wilson's interval."""
    rows = _fix_rate(cycle, arm, "kind")
    value, low, high = wilson(*(np.array([sum(row[name] for row in rows)]) for name in ("fixed", "failures")))
    return {"value": float(value[0]), "low": float(low[0]), "high": float(high[0])}


@dataclass(frozen=True)
class Reconstruction:
    """How the re-created scenes did against the pictures they were asked for. Errors are of the scenes that fitted."""

    wanted: int  # scenes asked for
    fitted: int
    tries: int
    median_iou: float
    mean_occlusion_error: float  # mean of absolute values
    mean_truncation_error: float
    misses: list[tuple[str, int]]  # what was wrong with the tries that did not fit, most frequent first


def reconstruction(cycle: Cycle, arm: str) -> Reconstruction | None:
    """Summary of synthetic/ARM/reconstruction.parquet; None where nothing was re-created."""
    file = cycle.synthetic(arm) / "reconstruction.parquet"
    if not file.exists():
        return None
    table = pq.read_table(file, columns=["job", "passed", "iou", "occlusion_error", "truncation_error", "reason"])
    passed = np.array(table["passed"].to_pylist(), bool)
    jobs, fitted = table["job"].to_numpy(), table.filter(pa.array(passed))
    misses: Counter[str] = Counter()
    for reason in table.filter(pa.array(~passed))["reason"].to_pylist():
        misses.update({_without_figures(part) for part in (reason or "no reason given").split(";")})
    return Reconstruction(
        wanted=len(np.unique(jobs)),
        fitted=len(np.unique(jobs[passed])),
        tries=len(table),
        median_iou=_of_known(np.median, fitted["iou"].to_numpy()),
        mean_occlusion_error=_of_known(np.mean, np.abs(fitted["occlusion_error"].to_numpy())),
        mean_truncation_error=_of_known(np.mean, np.abs(fitted["truncation_error"].to_numpy())),
        misses=misses.most_common(8),
    )


def _of_known(figure, values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(figure(known)) if len(known) else math.nan


def _without_figures(reason: str) -> str:
    """'IoU 0.42 < 0.70' and 'IoU 0.61 < 0.70' are one reason: 'IoU'; 'occlusion off by +0.31' is 'occlusion'."""
    return re.sub(r"(\s+off by)?\s*[<>]?\s*[+-]?\d+(\.\d+)?", "", reason).strip()
