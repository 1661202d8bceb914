"""Every kind of failure is told apart, counted once, described, and priced as mending it in the data would show."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.schema import EVERY_CATEGORY, Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation import failure_table, failures
from evaluation.average_precision import record
from evaluation.batch import Batch, batches
from evaluation.curve import Area, curves
from evaluation.failure import FAILURE_KINDS, Failure
from evaluation.failures import FailureTable, mine

CATEGORIES = ("car", "truck", "pedestrian")
CAR, TRUCK = 0, 1
Labelled = list[tuple[Frame, Objects, Detections]]
BOX = (100.0, 100.0, 200.0, 200.0)
FAR = (400.0, 100.0, 500.0, 200.0)


def shifted(box: Sequence[float], share: float) -> tuple[float, float, float, float]:
    """The box moved right so that `share` of it still lies on the original: IoU = share / (2 - share)."""
    by = (1 - share) * (box[2] - box[0])
    return (box[0] + by, box[1], box[2] + by, box[3])


def store(data: Labelled, folder: Path) -> tuple[Dataset, Path]:
    with DatasetWriter(folder / "store", CATEGORIES, "test") as writer:
        for frame, objects, _ in data:
            writer.add(frame, objects)
    with DetectionsWriter(folder / "detections.parquet", CATEGORIES) as writer:
        for frame, _, detections in data:
            writer.add(frame.frame_id, detections)
    return Dataset.open(folder / "store"), folder / "detections.parquet"


def frame(row: int = 0, **known) -> Frame:
    return Frame(f"{row:06d}", f"{row:06d}.png", 4000, 1000, group="clip", **known)


def mined(folder: Path, objects: Objects, detections: Detections, score_threshold: float | None = 0.5) -> list[Failure]:
    ds, file = store([(frame(), objects, detections)], folder)
    return list(mine(ds, file, folder / "failures.parquet", score_threshold=score_threshold).iterate())


def test_a_detector_without_mistakes_has_no_failures(tmp_path: Path):
    assert mined(tmp_path, Objects.of([CAR], [BOX]), Detections.of([CAR], [BOX], [0.9])) == []


def test_an_object_that_nothing_found_is_missed(tmp_path: Path):
    [failure] = mined(tmp_path, Objects.of([CAR, TRUCK], [BOX, FAR]), Detections.of([TRUCK], [FAR], [0.9]))
    assert (failure.kind, failure.category, failure.object_index) == ("missed", "car", 0)
    assert failure.box_xyxy_px == BOX
    assert failure.detection_box_xyxy_px is None and failure.detected_category is None and np.isnan(failure.score)
    assert failure.cost_ap == pytest.approx(1)  # the only car


def test_an_object_found_below_the_threshold_is_missed_and_shows_what_found_it(tmp_path: Path):
    weak = Detections.of([CAR], [shifted(BOX, 0.9)], [0.3])
    [failure] = mined(tmp_path, Objects.of([CAR], [BOX]), weak)
    assert failure.kind == "missed"
    assert failure.score == pytest.approx(0.3)
    assert failure.best_iou == pytest.approx(0.9 / 1.1)
    assert failure.cost_ap == 0  # alone on its curve, it could not stand better


def test_a_second_detection_of_a_found_object_is_a_duplicate(tmp_path: Path):
    detections = Detections.of([CAR, CAR], [BOX, shifted(BOX, 0.9)], [0.9, 0.8])
    [failure] = mined(tmp_path, Objects.of([CAR], [BOX]), detections)
    assert (failure.kind, failure.object_index, failure.partner_index) == ("duplicate", 0, 0)
    assert failure.score == pytest.approx(0.8)
    assert failure.cost_ap == 0  # every object is found before it


@pytest.mark.parametrize(
    ("kind", "category", "share"),
    [("localisation", CAR, 0.5), ("class", TRUCK, 0.9), ("both", TRUCK, 0.5)],
)
def test_a_detection_that_nearly_finds_an_object_stands_for_it_once(
    tmp_path: Path, kind: str, category: int, share: float
):
    detections = Detections.of([category] * 2, [shifted(BOX, share)] * 2, [0.9, 0.8])
    failures = mined(tmp_path, Objects.of([CAR], [BOX]), detections)
    assert [failure.kind for failure in failures] == [kind, kind]  # and no missed object
    for failure in failures:
        assert (failure.category, failure.object_index, failure.partner_index) == ("car", 0, 0)
        assert failure.detected_category == CATEGORIES[category]
        assert failure.best_iou == pytest.approx(share / (2 - share))
        assert failure.box_xyxy_px == BOX
        assert failure.detection_box_xyxy_px == pytest.approx(shifted(BOX, share))
    assert [round(failure.cost_ap, 9) for failure in failures] == [1, 0]  # the better one finds the object


def test_a_detection_near_its_own_category_is_a_localisation_failure_even_if_it_lies_on_another(tmp_path: Path):
    objects = Objects.of([CAR, TRUCK], [BOX, shifted(BOX, 0.6)])
    detections = Detections.of([CAR, TRUCK], [shifted(BOX, 0.6)] * 2, [0.9, 0.8])
    [failure] = mined(tmp_path, objects, detections)
    assert (failure.kind, failure.object_index) == ("localisation", 0)


def test_a_detection_on_nothing_is_background_and_of_a_very_high_score_a_likely_label_error(tmp_path: Path):
    objects = Objects.of([CAR], [BOX])
    found = mined(tmp_path, objects, Detections.of([CAR, TRUCK], [BOX, FAR], [0.95, 0.85]))
    assert [(f.kind, f.category, f.object_index, f.box_xyxy_px) for f in found] == [("background", "truck", -1, FAR)]
    [failure] = mined(tmp_path / "sure", objects, Detections.of([CAR, TRUCK], [BOX, FAR], [0.95, 0.95]))
    assert failure.kind == "likely-label-error"


def test_no_label_is_doubted_by_a_detection_less_sure_than_most_hits(tmp_path: Path):
    objects, detections = Objects.of([CAR], [BOX]), Detections.of([CAR, CAR], [BOX, FAR], [0.99, 0.92])
    [failure] = mined(tmp_path, objects, detections)
    assert failure.kind == "background"


def test_a_label_too_thin_to_be_seen_is_a_likely_label_error_not_a_missed_object(tmp_path: Path):
    [failure] = mined(tmp_path, Objects.of([CAR], [(100, 100, 103, 180)]), Detections.none())
    assert (failure.kind, failure.object_index) == ("likely-label-error", 0)


def test_detections_on_ignored_objects_are_reported_apart_and_cost_nothing(tmp_path: Path):
    objects = Objects.of([EVERY_CATEGORY, CAR], [BOX, FAR], ignore=[True, True])
    on_both = Detections.of([CAR, TRUCK], [(120, 120, 150, 150), FAR], [0.9, 0.8])
    region, other_category = sorted(mined(tmp_path, objects, on_both), key=lambda failure: -failure.score)
    assert region.kind == other_category.kind == "on-ignore"  # the truck lies on a car that is ignored
    assert (region.partner_index, region.best_iou) == (0, 1)
    assert (other_category.partner_index, other_category.object_index) == (1, -1)
    assert region.cost_ap == 0


def test_an_ignored_object_is_never_missed_and_explains_no_class_failure(tmp_path: Path):
    objects = Objects.of([TRUCK], [BOX], ignore=[True])
    detections = Detections.of([CAR], [(0, 0, 1000, 1000)], [0.8])
    [failure] = mined(tmp_path, objects, detections)  # the region covers a hundredth of the detection
    assert failure.kind == "background"


def test_a_failure_knows_where_the_object_stood_and_when(tmp_path: Path):
    objects = Objects.of(
        [TRUCK, CAR],
        [FAR, BOX],
        occlusion=[0, 0.4],
        truncation=[0, 0.1],
        location_xyz_m=[(0, 1.6, 9), (3, 1.6, 4)],
        yaw_rad=[0, -1.5],
        dimensions_hwl_m=[(1, 1, 1)] * 2,
    )
    data = [(frame(time_of_day="night", weather="rain"), objects, Detections.of([TRUCK], [FAR], [0.9]))]
    ds, file = store(data, tmp_path)
    [failure] = mine(ds, file, tmp_path / "failures.parquet", score_threshold=0.5).iterate()
    assert failure.distance_m == pytest.approx(5)
    assert failure.bearing_deg == pytest.approx(np.degrees(np.arctan(3 / 4)))  # to the right
    assert failure.yaw_rad == pytest.approx(-1.5)
    assert (failure.height_px, failure.object_index) == (100, 1)
    assert (failure.occlusion, failure.truncation) == (pytest.approx(0.4), pytest.approx(0.1))
    assert (failure.time_of_day, failure.weather) == ("night", "rain")


def test_attributes_that_the_data_lacks_are_unknown(tmp_path: Path):
    [failure] = mined(tmp_path, Objects.of([CAR], [BOX]), Detections.none())
    assert np.isnan([failure.distance_m, failure.bearing_deg, failure.occlusion, failure.score]).all()
    assert failure.time_of_day is None


def random_street(rng: np.random.Generator, row: int) -> tuple[Frame, Objects, Detections]:
    """Objects far apart, each found well, weakly, beside, as another category, twice, or not; and strays."""
    count, cells = int(rng.integers(2, 8)), 30
    left, top = 120.0 * np.arange(cells), rng.uniform(0, 500, cells)
    boxes = np.stack([left, top, left + rng.uniform(30, 60, cells), top + rng.uniform(30, 60, cells)], axis=1)
    category = rng.integers(0, 3, count)
    ignore = rng.random(count) < 0.1
    detected, guessed, score = [], [], []
    for box, own, how in zip(boxes, category, rng.integers(0, 6, count), strict=False):
        if how in (1, 2, 3):
            detected.append(shifted(box, rng.uniform(0.75, 1)))
            guessed.append(own)
            score.append(rng.beta(3, 2))
        if how in (3, 4, 5):
            detected.append(shifted(box, rng.uniform(0.3, 0.95)))
            guessed.append(rng.integers(0, 3))
            score.append(rng.random())
        if how == 5:
            detected.append(shifted(box, rng.uniform(0.3, 0.95)))
            guessed.append(own)
            score.append(rng.beta(2, 3))
    strays = boxes[count : count + int(rng.integers(0, 4))]
    detected = np.concatenate([np.array(detected).reshape(-1, 4), strays])
    guessed = np.concatenate([np.array(guessed, int), rng.integers(0, 3, len(strays))])
    found = Detections.of(guessed, detected, np.concatenate([score, rng.beta(2, 4, len(strays))]))
    return frame(row), Objects.of(category, boxes[:count], ignore=ignore), found


def random_streets(seed: int, frames: int) -> Labelled:
    rng = np.random.default_rng(seed)
    return [random_street(rng, row) for row in range(frames)]


def total_area(data: Labelled) -> float:
    found, _ = curves(record([Batch.of(data)], 3, [0.5], ((0, 1e10),)))
    return sum(Area(curve).area for curve in found)


def mend(data: Labelled, failure: Failure, thresholds: dict[str, float], typical: dict[str, float]) -> Labelled:
    """The data as if the detector had not made this one failure; written against cost.py's text, not its code."""
    row = int(failure.frame_id)
    shot, objects, found = data[row]
    box = found.box_xyxy_px
    wrong = np.flatnonzero((box == failure.detection_box_xyxy_px).all(axis=1)) if failure.detection_box_xyxy_px else []
    index = failure.object_index
    limits = np.array([thresholds[name] for name in CATEGORIES], np.float32)
    is_found, weak = False, -1
    if index >= 0:
        own = found.category == objects.category[index]
        covers = own & (np.array([iou(b, objects.box_xyxy_px[index]) for b in box]) >= 0.5)
        is_found = bool((covers & (found.score >= limits[found.category])).any())
        weak = int(np.flatnonzero(covers)[np.argmax(found.score[covers])]) if covers.any() else -1
    gone = []
    score: float | None = None  # at which the object is found now
    if failure.kind in ("missed", "likely-label-error") and index >= 0:
        score = typical[failure.category]
    else:
        gone += list(wrong)
        better = weak < 0 or found.score[weak] <= found.score[wrong[0]]
        if failure.kind in ("localisation", "class", "both") and not is_found and better:
            score = float(found.score[wrong[0]])
    added = Detections.none()
    if score is not None:
        gone += [weak] if weak >= 0 else []
        added = Detections.of([objects.category[index]], [objects.box_xyxy_px[index]], [score])
    keep = ~np.isin(np.arange(len(found)), gone)
    parts = found.where(keep), added
    mended = Detections(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(found)})
    return [*data[:row], (shot, objects, mended), *data[row + 1 :]]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    common = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common))


@pytest.mark.parametrize("seed", range(4))
def test_a_failure_costs_what_mending_it_in_the_data_gains(tmp_path: Path, seed: int):
    data = random_streets(seed, frames=25)
    ds, file = store(data, tmp_path)
    table = mine(ds, file, tmp_path / "failures.parquet")
    found, _ = curves(record([Batch.of(data)], 3, [0.5], ((0, 1e10),)))
    typical = {}
    for name, curve in zip(CATEGORIES, found, strict=True):
        hits = curve.score[curve.true & (curve.score >= np.float32(table.rules.score_thresholds[name]))]
        typical[name] = float(np.nextafter(hits[(len(hits) + 1) // 2 - 1], np.float32(0)))
    before, kinds = total_area(data), set()
    stood_for: set[tuple[str, int]] = set()
    failures = sorted(table.iterate(), key=lambda f: -np.nan_to_num(f.score))
    for failure in failures:
        key = (failure.frame_id, failure.object_index)
        again = failure.kind in ("localisation", "class", "both") and key in stood_for
        if failure.object_index >= 0 and failure.kind != "duplicate":
            stood_for.add(key)
        if again:
            continue  # only the best detection is held to find the object: covered by a test above
        gain = total_area(mend(data, failure, table.rules.score_thresholds, typical)) - before
        assert failure.cost_ap == pytest.approx(gain, abs=1e-9), failure
        kinds.add(failure.kind)
    assert kinds >= {"missed", "localisation", "class", "both", "duplicate", "background", "on-ignore"}


def test_a_wrong_detection_does_not_move_an_object_found_at_a_higher_score_in_its_own_category(tmp_path: Path):
    """A car found at 0.5, below what cars must reach here, has a truck seen on it at 0.4, which trucks may score."""
    places = [(x, 100.0, x + 100, 200.0) for x in np.arange(20) * 150.0]
    objects = Objects.of([CAR] * 4 + [TRUCK] * 2, places[:6])
    detections = Detections.of(
        [CAR] * 9 + [TRUCK] * 3,
        [*places[:4], *places[10:15], places[4], places[5], places[3]],
        [0.9, 0.9, 0.9, 0.5, *[0.6] * 5, 0.9, 0.3, 0.4],
    )
    found = mined(tmp_path, objects, detections, score_threshold=None)
    assert [(f.kind, f.object_index, f.detected_category) for f in found] == [("class", 3, "truck")]
    assert found[0].cost_ap == pytest.approx(1 - (1 + 2 / 3) / 2)  # what trucks gain; cars have it better already


def test_failures_come_in_order_of_cost_and_their_ids_are_all_different(tmp_path: Path, monkeypatch):
    ds, file = store(random_streets(9, frames=60), tmp_path)
    whole = mine(ds, file, tmp_path / "whole.parquet")
    rows = list(whole.iterate())
    cost = [failure.cost_ap for failure in rows]
    assert cost == sorted(cost, reverse=True) and cost[0] > 0
    assert len({failure.failure_id for failure in rows}) == len(rows) == len(whole)
    monkeypatch.setattr(failure_table, "SORTED_ROWS", 7)  # sorting in pieces changes nothing,
    monkeypatch.setattr(failures, "batches", partial(batches, batch_frames=7))  # nor does reading in pieces
    in_pieces = mine(ds, file, tmp_path / "pieces.parquet")
    assert repr(list(in_pieces.iterate())) == repr(rows)  # as text: NaN is no equal of NaN
    assert sum(whole.counts().values()) == len(whole) and tuple(whole.counts()) == FAILURE_KINDS
    assert sorted(file.name for file in tmp_path.glob("*.partial")) == []


def test_ids_stay_when_the_detector_is_run_again_or_other_frames_come_before(tmp_path: Path):
    data = random_streets(11, frames=10)
    _, failures = run(data, tmp_path / "once")
    _, again = run(data, tmp_path / "again")
    assert [f.failure_id for f in again] == [f.failure_id for f in failures]
    _, later = run([(replace(frame(), frame_id="new"), Objects.none(), Detections.none()), *data], tmp_path / "later")
    assert {f.failure_id for f in later} == {f.failure_id for f in failures}


def run(data: Labelled, folder: Path) -> tuple[FailureTable, list[Failure]]:
    ds, file = store(data, folder)
    table = mine(ds, file, folder / "failures.parquet", score_threshold=0.4)
    return table, list(table.iterate())


def test_equal_failures_of_one_frame_have_ids_of_their_own(tmp_path: Path):
    first, second = mined(tmp_path, Objects.none(), Detections.of([CAR, CAR], [BOX, BOX], [0.7, 0.7]))
    assert first.failure_id != second.failure_id


def test_every_object_is_either_found_or_has_a_failure_that_stands_for_it(tmp_path: Path):
    data = random_streets(12, frames=40)
    _, failures = run(data, tmp_path)
    objects = sum(int((~objects.ignore).sum()) for _, objects, _ in data)
    failed = {(f.frame_id, f.object_index) for f in failures if f.kind not in ("duplicate",) and f.object_index >= 0}
    records = record([Batch.of(data)], 3, [0.5], ((0, 1e10),))
    found = int(((records.verdict[0, 0] == 1) & (records.score >= np.float32(0.4))).sum())
    # A found object can still have a poor second detection, so that some failures stand for no lost object.
    assert found + len(failed) >= objects
    missed = sum(f.kind == "missed" for f in failures)
    assert missed <= objects - found


def test_the_table_remembers_the_rules_it_was_mined_by(tmp_path: Path):
    ds, file = store(random_streets(13, frames=20), tmp_path)
    rules = mine(ds, file, tmp_path / "failures.parquet").rules
    assert FailureTable.open(tmp_path / "failures.parquet").rules == rules
    assert rules.fitted and set(rules.score_thresholds) == set(CATEGORIES)
    assert (rules.iou_threshold, rules.dataset_digest) == (0.5, ds.digest)


def test_bad_limits_and_files_that_are_no_failures_are_refused(tmp_path: Path):
    ds, file = store(random_streets(14, frames=3), tmp_path)
    with pytest.raises(InputError, match="background_iou"):
        mine(ds, file, tmp_path / "out.parquet", background_iou=0.6)
    with pytest.raises(InputError, match=r"score_threshold 1\.5"):
        mine(ds, file, tmp_path / "out.parquet", score_threshold=1.5)
    with pytest.raises(InputError, match="not of failures"):
        FailureTable.open(file)
    assert not (tmp_path / "out.parquet").exists()


def test_frames_without_objects_and_detections_are_mined(tmp_path: Path):
    assert mined(tmp_path, Objects.none(), Detections.none(), score_threshold=None) == []
