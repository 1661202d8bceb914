"""Average precision by distance, occlusion, truncation and height: worked cases, and agreement with the whole."""

from pathlib import Path

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.schema import Detections, Objects
from evaluation.average_precision import evaluate
from evaluation.by_attribute import ap_by
from tests.test_evaluation_average_precision import case, random_case, store

NEAR, FAR, STRAY = [10.0, 10.0, 60.0, 60.0], [200.0, 10.0, 250.0, 60.0], [400.0, 10.0, 450.0, 60.0]


def street(scores: tuple[float, float], stray_score: float | None = None):
    """A near and a far car, both of 50 px, each found with its score, and perhaps a stray detection."""
    boxes = [NEAR, FAR] if stray_score is None else [NEAR, FAR, STRAY]
    objects = Objects.of([0, 0], [NEAR, FAR], location_xyz_m=[[0, 1.6, 8], [3, 1.6, 50]], occlusion=[0, np.nan])
    detected = [*scores] if stray_score is None else [*scores, stray_score]
    return case((objects, Detections.of([0] * len(boxes), boxes, detected)))


def test_an_object_of_another_bin_is_neither_missed_nor_is_finding_it_a_mistake(tmp_path: Path):
    figures = {row.bin: row for row in ap_by(*store(street((0.5, 0.9)), tmp_path), "distance")}
    assert set(figures) == {"0-10 m", "40-80 m"}
    assert all(row.objects == 1 and row.mAP == pytest.approx(1) for row in figures.values())


def test_a_stray_counts_in_every_bin_of_distance(tmp_path: Path):
    """It stands above the near car (.5) and below the far one (.9): precision 1/2 and 1."""
    figures = {row.bin: row.AP50 for row in ap_by(*store(street((0.5, 0.9), 0.7), tmp_path), "distance")}
    assert figures["0-10 m"] == pytest.approx(0.5) and figures["40-80 m"] == pytest.approx(1)


def test_a_stray_counts_only_in_its_own_bin_of_height(tmp_path: Path):
    small = [300.0, 10.0, 320.0, 30.0]
    objects = Objects.of([0, 0], [NEAR, small])
    guesses = Detections.of([0, 0, 0], [NEAR, small, [400.0, 10.0, 420.0, 30.0]], [0.5, 0.5, 0.7])
    figures = {row.bin: row.AP50 for row in ap_by(*store(case((objects, guesses)), tmp_path), "height")}
    assert figures == {"0-25 px": pytest.approx(0.5), "40-80 px": pytest.approx(1)}


def test_what_is_not_known_has_a_bin_of_its_own(tmp_path: Path):
    assert [row.bin for row in ap_by(*store(street((0.5, 0.9)), tmp_path), "occlusion")] == ["0-0.1", "unknown"]
    assert [row.bin for row in ap_by(*store(street((0.5, 0.9)), tmp_path), "truncation")] == ["unknown"]


def test_where_all_objects_are_in_one_bin_its_figures_are_those_of_the_whole(tmp_path: Path):
    ds, file = store(random_case(3), tmp_path)
    (row,), whole = ap_by(ds, file, "distance"), evaluate(ds, file)
    assert (row.bin, row.mAP, row.AP50, row.AR100) == ("unknown", whole.mAP, whole.AP50, whole.AR100)
    assert row.AP50_per_category["truck"] == whole.per_category["truck"]["AP50"]


def test_another_attribute_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="'colour' is no attribute"):
        ap_by(*store(random_case(3, frames=1), tmp_path), "colour")
