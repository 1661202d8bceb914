"""COCO's figures and a table of errors in one go: each frame's overlaps and its matching are worked out once.

The table is what `mine` would count and price (failures.py), without the failures themselves: how many there are of a
kind, and the AP that mending them one at a time would give, added up. TIDE's question (Bolya et al., ECCV 2020), asked
of each failure instead of all of a kind together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.store import Dataset
from evaluation.average_precision import AREA_RANGES_PX2, IOU_THRESHOLDS, Metrics, Records, metrics
from evaluation.batch import Batch, batches
from evaluation.cost import Changes, changes, costs
from evaluation.curve import curves
from evaluation.failure import FAILURE_KINDS
from evaluation.failures import fitted_rules, typical_ranks_of
from evaluation.kinds import classify
from evaluation.matching import match
from evaluation.overlap import overlaps


@dataclass(frozen=True)
class ErrorTable:
    """By kind of failure, in the order of FAILURE_KINDS, at IoU 0.5."""

    counts: dict[str, int]
    cost_ap: dict[str, float]  # 0-1 of one category's AP: divide by the number of categories for mAP


def evaluate_with_errors(ds: Dataset, detections_file: Path, max_detections: int = 100) -> tuple[Metrics, ErrorTable]:
    """COCO's metrics (see average_precision.evaluate) and the table of errors with `mine`'s default limits.

    Unlike these it holds all of the data at once: some 350 bytes a detection. Raises InputError where the file does
    not fit the data set.
    """
    return explained(batches(ds, detections_file), ds.categories, max_detections)


def explained(
    found: Iterable[Batch], categories: Sequence[str], max_detections: int = 100
) -> tuple[Metrics, ErrorTable]:
    """The same of batches in memory."""
    judged = []
    for batch in [Batch.of([]), *found]:
        pairs = overlaps(batch)
        judged.append((batch, pairs, match(batch, pairs, IOU_THRESHOLDS, AREA_RANGES_PX2, max_detections)))
    records = Records.joined([Records.of(batch, matching, len(categories)) for batch, _, matching in judged])
    by_category, rank = curves(records)  # of all areas at IoU 0.5, which come first
    rules = fitted_rules(by_category)
    typical_ranks = typical_ranks_of(by_category, rules)

    priced, kinds, first_kept, failures = [Changes.none()], [np.zeros(0, np.int64)], 0, 0
    for batch, pairs, matching in judged:
        findings = classify(batch, pairs, matching, rules)
        batch_rank = np.full(len(batch.detections), -1, np.int32)
        batch_rank[matching.kept] = rank[first_kept : first_kept + len(matching.kept)]
        priced.append(changes(batch, findings, batch_rank, by_category, typical_ranks, failures))
        kinds.append(findings.kind)
        first_kept, failures = first_kept + len(matching.kept), failures + len(findings)
    kind = np.concatenate(kinds)
    cost = np.bincount(kind, costs(by_category, Changes.joined(priced), failures), len(FAILURE_KINDS))
    counts = np.bincount(kind, minlength=len(FAILURE_KINDS))
    return metrics(records, categories), ErrorTable(
        dict(zip(FAILURE_KINDS, counts.tolist(), strict=True)), dict(zip(FAILURE_KINDS, cost.tolist(), strict=True))
    )
