"""Average precision equals pycocotools' own COCOeval, on random and on awkward data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.coco_peer import coco_evaluation, coco_json
from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.schema import EVERY_CATEGORY, Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation.average_precision import evaluate, metrics, record, tables
from evaluation.batch import Batch

CATEGORIES = ("car", "truck", "pedestrian")
Labelled = list[tuple[Frame, Objects, Detections]]


def frame(row: int) -> Frame:
    return Frame(f"{row:06d}", f"{row:06d}.png", 640, 480, group="clip")


def case(*found: tuple[Objects, Detections]) -> Labelled:
    return [(frame(row), objects, detections) for row, (objects, detections) in enumerate(found)]


def assert_equals_pycocotools(data: Labelled, batch_frames: int = 1000) -> None:
    theirs: Any = coco_evaluation(*coco_json(data, CATEGORIES))
    parts = [Batch.of(data[i : i + batch_frames], i) for i in range(0, len(data), batch_frames)]
    records = record(parts, len(CATEGORIES))
    ours = metrics(records, CATEGORIES)
    stats = [ours.mAP, ours.AP50, ours.AP75, ours.APs, ours.APm, ours.APl]
    np.testing.assert_allclose(np.nan_to_num(stats, nan=-1), theirs.stats[:6], rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.nan_to_num(ours.AR100, nan=-1), theirs.stats[8], rtol=0, atol=1e-9)
    precision = theirs.eval["precision"][..., -1].transpose(3, 0, 2, 1).mean(-1)  # (T, R, C, A) -> (A, T, C)
    np.testing.assert_allclose(np.nan_to_num(tables(records).precision, nan=-1), precision, rtol=0, atol=1e-9)
    recall = theirs.eval["recall"][..., -1].transpose(2, 0, 1)
    np.testing.assert_allclose(np.nan_to_num(tables(records).recall, nan=-1), recall, rtol=0, atol=1e-9)


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    size = np.exp(rng.uniform(np.log(8), np.log(200), (count, 2)))
    origin = rng.uniform(0, 300, (count, 2))
    return np.concatenate([origin, origin + size], axis=1)


def random_case(seed: int, frames: int = 12) -> Labelled:
    """Objects, detections that jitter about them, and strays; coarse scores, so that many are equal."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(frames):
        boxes = random_boxes(rng, int(rng.integers(0, 7)))
        category = rng.integers(0, 3, len(boxes))
        ignore = rng.random(len(boxes)) < 0.2
        category[ignore & (rng.random(len(boxes)) < 0.5)] = EVERY_CATEGORY
        copies = np.repeat(np.arange(len(boxes)), rng.integers(0, 4, len(boxes)))
        near = boxes[copies] + rng.normal(0, 5, (len(copies), 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2])
        guessed = np.where(rng.random(len(copies)) < 0.8, category[copies], rng.integers(0, 3, len(copies)))
        stray = random_boxes(rng, int(rng.integers(0, 4)))
        guesses = np.concatenate([np.maximum(guessed, 0), rng.integers(0, 3, len(stray))])
        found.append(
            (
                Objects.of(category, boxes, ignore=ignore),
                Detections.of(guesses, np.concatenate([near, stray]), rng.integers(0, 11, len(guesses)) / 10),
            )
        )
    return case(*found)


@pytest.mark.parametrize("seed", range(12))
def test_random_frames_score_as_pycocotools_scores_them(seed: int):
    assert_equals_pycocotools(random_case(seed))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_boxes_on_a_coarse_grid_with_ties_everywhere_score_as_pycocotools_scores_them(data):
    """Few positions and few scores: equal overlaps, equal scores, identical and zero-area boxes, exact thresholds."""
    corner = st.integers(0, 6).map(lambda cells: cells * 16.0)
    side = st.integers(0, 7).map(lambda cells: cells * 16.0)
    box = st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
    labelled = st.lists(st.tuples(st.integers(-1, 1), box, st.booleans()), max_size=5)
    guessed = st.lists(st.tuples(st.integers(0, 2), box, st.sampled_from([0.25, 0.5, 0.75])), max_size=8)
    found = data.draw(st.lists(st.tuples(labelled, guessed), min_size=1, max_size=3))
    frames = []
    for objects, guesses in found:
        ignore = [category == EVERY_CATEGORY or crowd for category, _, crowd in objects]
        frames.append(
            (
                Objects.of([o[0] for o in objects], [o[1] for o in objects], ignore=ignore),
                Detections.of([d[0] for d in guesses], [d[1] for d in guesses], [d[2] for d in guesses]),
            )
        )
    assert_equals_pycocotools(case(*frames))


def test_only_the_hundred_best_detections_of_an_image_and_category_count():
    """A hit after 99 strays counts, after 100 it does not; another category's detections take no places."""
    box = [[300.0, 300.0, 400.0, 400.0]]
    for strays, hits in ((99, 1), (100, 0)):
        boxes = np.concatenate([random_boxes(np.random.default_rng(3), strays) / 4, box, np.zeros((50, 4))])
        category = np.repeat([0, 0, 1], [strays, 1, 50])
        score = np.repeat([0.9, 0.5, 0.95], [strays, 1, 50])
        data = case((Objects.of([0], box), Detections.of(category, boxes, score)))
        assert_equals_pycocotools(data)
        assert tables(record([Batch.of(data)], 3)).recall[0, 0, 0] == hits


def test_of_two_objects_overlapped_equally_a_detection_takes_the_later():
    left, right, between = ([x, 10.0, x + 50, 60.0] for x in (10.0, 20.0, 15.0))
    for second, score in ((left, 1), (right, 0.5)):
        data = case((Objects.of([0, 0], [left, right]), Detections.of([0, 0], [between, second], [0.9, 0.8])))
        assert_equals_pycocotools(data)
        assert tables(record([Batch.of(data)], 3)).recall[0, 5, 0] == score  # at IoU 0.75, which only `second` reaches


def test_an_object_to_be_found_is_preferred_to_an_ignore_region_that_covers_more():
    car, region = [10.0, 10.0, 60.0, 60.0], [0.0, 0.0, 300.0, 300.0]
    objects = Objects.of([0, EVERY_CATEGORY], [car, region], ignore=[False, True])
    data = case((objects, Detections.of([0], [[10.0, 10.0, 50.0, 60.0]], [0.9])))
    assert_equals_pycocotools(data)
    assert tables(record([Batch.of(data)], 3)).recall[0, 0, 0] == 1


def test_a_threshold_of_one_is_reached_by_boxes_equal_but_for_rounding():
    box = np.array([[10.0, 10.0, 60.0, 60.0]])
    data = case((Objects.of([0], box), Detections.of([0], box + [[0, 0, 0, 1e-10]], [0.9])))
    assert tables(record([Batch.of(data)], 3, [1.0])).recall[0, 0, 0] == 1


@pytest.mark.parametrize("side", [32.0, 96.0])
def test_an_object_exactly_on_an_area_limit_belongs_to_both_ranges(side: float):
    box = [[10.0, 10.0, 10.0 + side, 10.0 + side]]
    data = case((Objects.of([0], box), Detections.of([0], box, [0.9])))
    assert_equals_pycocotools(data)
    counts = tables(record([Batch.of(data)], 3)).objects[:, 0]
    assert counts.tolist() == ([1, 1, 1, 0] if side == 32 else [1, 0, 1, 1])


def test_images_without_objects_or_detections_and_categories_without_objects():
    box = [[10.0, 10.0, 60.0, 60.0]]
    data = case(
        (Objects.none(), Detections.none()),
        (Objects.none(), Detections.of([1], box, [0.9])),
        (Objects.of([0], box), Detections.none()),
        (Objects.of([0], box), Detections.of([0, 1], box * 2, [0.8, 0.8])),
    )
    assert_equals_pycocotools(data)
    assert_equals_pycocotools(data, batch_frames=1)


def test_no_detections_at_all_scores_zero_and_no_objects_scores_nothing():
    box = [[10.0, 10.0, 60.0, 60.0]]
    assert_equals_pycocotools(case((Objects.of([0], box), Detections.none())))
    nothing = metrics(record([Batch.of(case((Objects.none(), Detections.none())))], 3), CATEGORIES)
    assert np.isnan(nothing.mAP) and np.isnan(nothing.AR100)


def test_identical_detections_of_one_object_are_one_hit_and_the_rest_duplicates():
    box = [[10.0, 10.0, 60.0, 60.0]]
    data = case((Objects.of([0, 0], [*box, [200.0, 10.0, 260.0, 60.0]]), Detections.of([0] * 3, box * 3, [0.9] * 3)))
    assert_equals_pycocotools(data)


def test_two_overlapping_objects_are_found_by_identical_detections():
    boxes = [[10.0, 10.0, 60.0, 60.0], [12.0, 10.0, 62.0, 60.0], [11.0, 10.0, 61.0, 60.0]]
    detections = Detections.of([0] * 4, [[11.0, 10.0, 61.0, 60.0]] * 4, [0.5] * 4)
    assert_equals_pycocotools(case((Objects.of([0] * 3, boxes), detections)))


def test_detections_inside_an_ignore_region_of_every_category_are_neither_right_nor_wrong():
    region, car = [0.0, 0.0, 200.0, 200.0], [300.0, 0.0, 360.0, 60.0]
    objects = Objects.of([EVERY_CATEGORY, 0], [region, car], ignore=[True, False])
    inside = [[10.0, 10.0, 40.0, 40.0], [20.0, 10.0, 50.0, 40.0]]
    data = case((objects, Detections.of([0, 0, 0], [*inside, car], [0.9, 0.8, 0.3])))
    assert_equals_pycocotools(data)
    ap50 = metrics(record([Batch.of(data)], 3), CATEGORIES).AP50
    assert ap50 == pytest.approx(1)


def test_metrics_do_not_depend_on_how_the_frames_are_batched():
    data = random_case(5, frames=9)
    whole = metrics(record([Batch.of(data)], 3), CATEGORIES).to_dict()
    parts = metrics(record([Batch.of(data[i : i + 2], i) for i in range(0, 9, 2)], 3), CATEGORIES).to_dict()
    np.testing.assert_equal(parts, whole)
    assert set(whole) >= {"mAP", "AP50", "AP75", "APs", "APm", "APl", "AR100", "AP/car", "AP50/truck"}


def store(data: Labelled, folder: Path, categories: tuple[str, ...] = CATEGORIES) -> tuple[Dataset, Path]:
    with DatasetWriter(folder / "store", categories, "test") as writer:
        for labelled, objects, _ in data:
            writer.add(labelled, objects)
    with DetectionsWriter(folder / "detections.parquet", categories) as writer:
        for labelled, _, detections in data:
            writer.add(labelled.frame_id, detections)
    return Dataset.open(folder / "store"), folder / "detections.parquet"


def test_a_data_set_is_scored_from_its_files(tmp_path: Path):
    data = random_case(7)
    ds, file = store(data, tmp_path)
    whole = metrics(record([Batch.of(data)], 3), CATEGORIES).to_dict()
    np.testing.assert_equal(evaluate(ds, file).to_dict(), whole)


def test_detections_of_other_frames_are_refused(tmp_path: Path):
    data = random_case(8, frames=4)
    ds, _ = store(data, tmp_path / "whole")
    _, short = store(data[:3], tmp_path / "short")
    with pytest.raises(InputError, match="000003"):
        evaluate(ds, short)
    _, swapped = store([data[1], data[0], *data[2:]], tmp_path / "swapped")
    with pytest.raises(InputError, match="row 0 is 000001"):
        evaluate(ds, swapped)


def test_detections_of_other_categories_are_refused(tmp_path: Path):
    data = random_case(8, frames=4)
    ds, _ = store(data, tmp_path / "ours")
    _, reordered = store(data, tmp_path / "theirs", categories=("truck", "car", "pedestrian"))
    with pytest.raises(InputError, match="truck"):
        evaluate(ds, reordered)
