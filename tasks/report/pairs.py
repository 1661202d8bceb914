"""What a cycle's refiner made of its renders: the gate's counts, and pictures side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from dataset.images import read_image
from dataset.store import Dataset
from models.refiners.gate_table import GateSummary
from tasks.comparison import REFINING, metrics_of
from tasks.layout import IMITATION, REFINED, Cycle
from tasks.refining import gate_summary
from tasks.report.drawing import draw

PICTURE_WIDTH_PX = 480
PAIRS_A_CYCLE = 6


@dataclass(frozen=True)
class Pair:
    """A render and what was made of it."""

    render: Image.Image
    refined: Image.Image | None  # None where the gate dropped it
    caption: str
    alt: str

    @property
    def pictures(self) -> list[Image.Image]:
        return [self.render] if self.refined is None else [self.render, self.refined]


@dataclass(frozen=True)
class RefiningOfCycle:
    """What the page tells of one cycle's refiner."""

    kind: str
    summary: GateSummary
    gains: dict[str, Any]  # of the refined arm over imitation: split -> metric -> interval
    pairs: Iterator[Pair]  # made while the page is written, so that one is in memory


def refining(cycles: list[Cycle]) -> dict[int, RefiningOfCycle]:
    """Cycle -> its refiner, of the cycles that had one when they were compared."""
    found = {}
    for cycle in cycles:
        record = metrics_of(cycle)
        if REFINING in record:
            kind = _lineage(cycle)[0]["refiner_kind"]
            found[cycle.number] = RefiningOfCycle(
                kind, gate_summary(cycle), record[REFINING], refined_pairs(cycle, PAIRS_A_CYCLE)
            )
    return found


def refined_pairs(cycle: Cycle, count: int) -> Iterator[Pair]:
    """At most `count` renders, evenly spread, each with its refined picture. Only these are read."""
    lineage = _lineage(cycle)
    renders, refined = Dataset.open(cycle.synthetic(IMITATION)), Dataset.open(cycle.synthetic(REFINED))
    row_of = {frame_id: row for row, frame_id in enumerate(refined.frame_ids().tolist())}
    for row in np.unique(np.linspace(0, len(lineage) - 1, min(count, len(lineage))).round().astype(int)).tolist():
        known = lineage[row]
        shown = row_of.get(known["frame_id"])
        yield Pair(
            _small(renders.image_path(row)),
            None if shown is None else _small(refined.image_path(shown)),
            _caption(known),
            f"Render {known['source_frame_id']} and what {known['refiner_kind']} made of it",
        )


def _lineage(cycle: Cycle) -> list[dict[str, Any]]:
    """One row a render, in the renders' order."""
    return pq.read_table(cycle.synthetic(REFINED) / "provenance.parquet").to_pylist()


def _caption(row: dict[str, Any]) -> str:
    if row["verdict"] == "drop":
        return "dropped: its labels no longer hold"
    return "kept" if row["verdict"] == "keep" else f"{row['alpha']:.0%} of the refined picture over the render"


def _small(path: str) -> Image.Image:
    image = read_image(path)
    return draw(image, [], (0, 0, image.shape[1], image.shape[0]), PICTURE_WIDTH_PX)
