"""Figures and errors in one go are those of `evaluate` and `mine`."""

import numpy as np
import pytest

from benchmarks.evaluate import CATEGORIES, synthetic_frame
from dataset.detections import DetectionsWriter
from dataset.store import Dataset, DatasetWriter
from evaluation.average_precision import evaluate
from evaluation.batch import batches
from evaluation.error_table import evaluate_with_errors, explained
from evaluation.failure import FAILURE_KINDS
from evaluation.failures import mine


def test_figures_and_errors_in_one_go_equal_those_of_evaluate_and_mine(tmp_path):
    rng = np.random.default_rng(3)
    with (
        DatasetWriter(tmp_path / "store", CATEGORIES, "test") as store,
        DetectionsWriter(tmp_path / "detections.parquet", CATEGORIES) as writer,
    ):
        for row in range(90):
            frame, objects, found = synthetic_frame(rng, row, 5.0, 6)
            store.add(frame, objects)
            writer.add(frame.frame_id, found)
    ds, file = Dataset.open(tmp_path / "store"), tmp_path / "detections.parquet"
    figures, errors = evaluate_with_errors(ds, file)
    assert figures == evaluate(ds, file)
    failures = mine(ds, file, tmp_path / "failures.parquet")
    assert errors.counts == failures.counts() and errors.counts["class"] > 0
    table = failures.table(["kind", "cost_ap"])
    cost, kind = table["cost_ap"].to_numpy(), np.array(table["kind"].to_pylist())
    assert errors.cost_ap == pytest.approx({name: cost[kind == name].sum() for name in FAILURE_KINDS})
    assert explained(batches(ds, file, batch_frames=7), CATEGORIES)[1].cost_ap == pytest.approx(errors.cost_ap)


def test_nothing_at_all_has_no_figures_and_no_errors():
    figures, errors = explained([], CATEGORIES)
    assert np.isnan(figures.mAP) and not any(errors.counts.values())
