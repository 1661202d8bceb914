"""The records of the comparisons (metrics.json of each cycle), turned over into what charts and tables want."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tasks.report.charts import Interval, by_cycle, forest
from tasks.report.findings import OPPONENTS, mean_of_seeds

Record = dict[str, Any]


def splits_of(records: list[Record]) -> list[str]:
    """val, and test where there is one."""
    found = {split: None for record in records for splits in record["arms"].values() for split in splits}
    return list(found)


def score_charts(records: list[Record], metric: str) -> dict[str, Markup]:
    """Split -> the metric against the cycle, a line an arm."""
    return {split: by_cycle(_lines(records, split, metric), f"{metric} on {split}") for split in splits_of(records)}


def _lines(records: list[Record], split: str, metric: str) -> dict[str, dict[int, Interval]]:
    lines: dict[str, dict[int, Interval]] = {}
    for record in records:
        for arm, splits in record["arms"].items():
            if split in splits:
                lines.setdefault(arm, {})[record["cycle"]] = splits[split]["intervals"][metric]
    return lines


def gain_charts(records: list[Record], metric: str) -> dict[str, Markup]:
    """Split -> the gains of every cycle over every opponent. Empty when no imitation cycle is finished."""
    charts = {}
    for split in splits_of(records):
        rows = [
            (f"cycle {record['cycle']} against {OPPONENTS[opponent]}", splits[split][metric])
            for record in records
            for opponent, splits in record["gains"].items()
            if split in splits
        ]
        if rows:
            charts[split] = forest(rows, f"gain in {metric} on {split}")
    return charts


@dataclass(frozen=True)
class CategoryTable:
    """AP of each category in one cycle. rows: category -> split -> (objects, one AP an arm)."""

    cycle: int
    arms: list[str]
    splits: list[str]
    rows: dict[str, dict[str, tuple[float, list[float]]]]


def category_table(record: Record) -> CategoryTable:
    """Means over the training seeds."""
    arms = list(record["arms"])
    first = record["arms"][arms[0]]
    names = [name.removeprefix("AP/") for name in next(iter(first.values()))["seeds"][0] if name.startswith("AP/")]
    rows = {
        name: {
            split: (
                mean_of_seeds(first[split]["seeds"], f"objects/{name}"),
                [mean_of_seeds(record["arms"][arm][split]["seeds"], f"AP/{name}") for arm in arms],
            )
            for split in first
        }
        for name in names
    }
    return CategoryTable(record["cycle"], arms, list(first), rows)
