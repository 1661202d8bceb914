"""KITTI's rules: worked cases by hand, and parity with a literal re-statement of the devkit on random frames."""

from pathlib import Path

import numpy as np
import pytest

from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.readers.kitti import OCCLUSION, occlusion_levels
from dataset.schema import EVERY_CATEGORY, Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation.batch import Batch
from evaluation.kitti import JUDGED, KittiAP, evaluate_kitti, kitti_ap, score_thresholds, to_dict
from tests.kitti_devkit import precision_curve, thresholds_of

LABELS = ("Car", "Van", "Pedestrian", "Person_sitting", "Cyclist", "Truck")
DETECTED = ("car", "pedestrian", "cyclist")
CAR = (100.0, 100.0, 200.0, 200.0)
DONT_CARE = "DontCare"


def label(box=CAR, kind="Car", truncated=0.0, occluded=0):
    return kind, truncated, occluded, box


def detection(box=CAR, score=0.9, kind="car"):
    return kind, box, score


def moved(box, dx=0.0, dy=0.0):
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


def records(frames) -> list[tuple[Frame, Objects, Detections]]:
    found = []
    for row, (labels, detections) in enumerate(frames):
        region = [kind == DONT_CARE for kind, _, _, _ in labels]
        objects = Objects.of(
            [EVERY_CATEGORY if kind == DONT_CARE else LABELS.index(kind) for kind, _, _, _ in labels],
            [box for _, _, _, box in labels],
            occlusion=[OCCLUSION[occluded] for _, _, occluded, _ in labels],
            truncation=[truncated if truncated >= 0 else np.nan for _, truncated, _, _ in labels],
            ignore=region,
        )
        guesses = Detections.of(
            [DETECTED.index(kind) for kind, _, _ in detections],
            [box for _, box, _ in detections],
            [score for _, _, score in detections],
        )
        found.append((Frame(f"{row:06d}", f"{row:06d}.png", 1242, 375, group="clip"), objects, guesses))
    return found


def score(frames, batch_frames: int = 1000) -> dict[tuple[str, str], KittiAP]:
    data = records(frames)
    batches = [Batch.of(data[i : i + batch_frames], i) for i in range(0, len(data), batch_frames)]
    numbers = [{name.lower(): index for index, name in enumerate(names)} for names in (LABELS, DETECTED)]
    return {(found.category, found.difficulty): found for found in kitti_ap(batches, list(JUDGED), *numbers)}


def car_precision(labels, detections, difficulty="moderate") -> np.ndarray:
    """Precision where it was sampled. Frames of one car that is found have one score threshold."""
    found = score([(labels, detections)])["car", difficulty]
    return found.precision[: max(found.objects, 1)]


# Worked cases ---------------------------------------------------------------------------------------------------------


def test_one_car_found_has_precision_one_at_recall_zero_which_only_r11_counts():
    """One true score gives one threshold, at recall 0: R11 = 1/11, R40 skips that position and is 0."""
    found = score([([label()], [detection()])])["car", "easy"]
    assert (found.objects, found.precision[0], found.precision[1:].sum()) == (1, 1.0, 0.0)
    assert found.r11 == pytest.approx(1 / 11) and found.r40 == 0


def test_forty_cars_of_which_all_are_found_and_one_stray_of_the_lowest_score():
    """40 thresholds, at each of which precision is 1; the 41st position, recall 1, has no score: R40 = 39/40."""
    frames = [([label()], [detection(score=0.9 - i / 100)]) for i in range(40)]
    frames[3][1].append(detection(moved(CAR, 500), 0.1))
    found = score(frames)["car", "easy"]
    assert found.precision.tolist() == [1.0] * 40 + [0.0]
    assert found.r40 == pytest.approx(39 / 40) and found.r11 == pytest.approx(10 / 11)


def test_the_second_of_two_cars_at_half_precision():
    """Scores: hit .9, stray .8, hit .7. At .9 precision 1; at .7 two of three."""
    far = moved(CAR, 400)
    precision = car_precision(
        [label(), label(far)], [detection(), detection(moved(CAR, 800), 0.8), detection(far, 0.7)]
    )
    assert precision.tolist() == [1.0, pytest.approx(2 / 3)]


def test_the_overlap_must_exceed_the_limit_not_reach_it():
    """7 of 10 columns: intersection 70, union 100, so IoU is .7 exactly for the car; a pedestrian needs .5."""
    for kind, detected, columns, objects in (("Car", "car", 70, 0), ("Pedestrian", "pedestrian", 51, 1)):
        box = (100.0, 100.0, 100.0 + columns, 200.0)
        found = score([([label(kind=kind)], [detection(box, kind=detected)])])[detected, "easy"]
        assert found.objects == 1 and found.precision[0] == objects


@pytest.mark.parametrize(
    ("kind", "detected", "neighbour"), [("Car", "car", "Van"), ("Pedestrian", "pedestrian", "Person_sitting")]
)
def test_the_neighbouring_category_is_neither_missed_nor_a_false_positive(kind, detected, neighbour):
    near = moved(CAR, 300)
    found = score(
        [([label(kind=kind), label(near, neighbour)], [detection(kind=detected), detection(near, 0.95, detected)])]
    )
    assert found[detected, "easy"].objects == 1 and found[detected, "easy"].precision[0] == 1
    for other in set(LABELS) - {kind, neighbour}:
        found = score(
            [([label(kind=kind), label(near, other)], [detection(kind=detected), detection(near, 0.95, detected)])]
        )
        assert found[detected, "easy"].precision[0] == 0.5, other


def test_a_neighbour_excuses_one_detection_and_dont_care_excuses_any_number():
    near = moved(CAR, 300)
    strays = [detection(near, 0.95), detection(near, 0.94)]
    assert car_precision([label(), label(near, "Van")], [detection(), *strays]).tolist() == [0.5]
    assert car_precision([label(), label(near, DONT_CARE, -1, -1)], [detection(), *strays]).tolist() == [1.0]


def test_dont_care_is_by_intersection_over_the_detections_area():
    region = label((300.0, 0.0, 900.0, 370.0), DONT_CARE, -1, -1)
    inside = (280.0, 100.0, 350.0, 200.0)  # 50 of 70 columns inside: .71 of the detection, .02 of the region
    out = (279.0, 100.0, 349.0, 200.0)  # 49 of 70: .7, not above the limit
    assert car_precision([label(), region], [detection(), detection(inside, 0.95)]).tolist() == [1.0]
    assert car_precision([label(), region], [detection(), detection(out, 0.95)]).tolist() == [0.5]


def test_dont_care_does_not_take_a_detection_away_from_its_car():
    assert car_precision([label(moved(CAR), DONT_CARE, -1, -1), label()], [detection()]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("height", "truncated", "occluded", "judged"),
    [
        (40, 0.15, 0, (1, 1, 1)),
        (39.99, 0.15, 0, (0, 1, 1)),
        (25, 0.30, 1, (0, 1, 1)),
        (24.99, 0.0, 0, (0, 0, 0)),
        (60, 0.16, 0, (0, 1, 1)),
        (60, 0.31, 0, (0, 0, 1)),
        (60, 0.50, 2, (0, 0, 1)),
        (60, 0.51, 0, (0, 0, 0)),
        (60, 0.0, 3, (0, 0, 0)),
        (60, -1, 0, (1, 1, 1)),
    ],
)
def test_limits_of_easy_moderate_and_hard(height, truncated, occluded, judged):
    box = (100.0, 100.0, 200.0, 100.0 + height)
    found = score([([label(box, "Car", truncated, occluded), label(kind="Truck")], [])])
    assert tuple(found["car", name].objects for name in ("easy", "moderate", "hard")) == judged


def test_a_detection_lower_than_asked_for_is_no_false_positive():
    stray = (500.0, 100.0, 600.0, 125.0)
    assert car_precision([label()], [detection(), detection(stray, 0.95)]).tolist() == [0.5]
    low = (500.0, 100.0, 600.0, 124.9)
    assert car_precision([label()], [detection(), detection(low, 0.95)]).tolist() == [1.0]
    assert car_precision([label()], [detection(), detection(stray, 0.95)], "easy").tolist() == [1.0]


def test_a_low_detection_of_another_category_takes_a_car_in_the_first_pass():
    """The devkit's own peculiarity: lowness is asked before category, so a pedestrian's score hides the car's."""
    car = (100.0, 100.0, 200.0, 125.0)
    low = (100.0, 100.0, 200.0, 124.5)
    found = score([([label(car)], [detection(car, 0.5), detection(low, 0.9, "pedestrian")])])["car", "moderate"]
    assert found.objects == 1 and found.precision.sum() == 0
    assert (
        score([([label(car)], [detection(car, 0.9), detection(low, 0.5, "pedestrian")])])[
            "car", "moderate"
        ].precision.tolist()
        == [1.0] + [0.0] * 40
    )


def test_the_first_pass_prefers_score_and_the_count_prefers_overlap():
    """The worse box has the higher score: it sets the threshold .9, where the better box (.6) is not there yet."""
    worse = moved(CAR, 10)
    precision = car_precision([label()], [detection(score=0.6), detection(worse, 0.9)])
    assert precision.tolist() == [1.0]
    far = moved(CAR, 400)  # a second car found at .5: there both boxes are in, and one of them is a duplicate
    precision = car_precision([label(), label(far)], [detection(score=0.6), detection(worse, 0.9), detection(far, 0.5)])
    assert precision.tolist() == [1.0, pytest.approx(2 / 3)]


def test_no_objects_is_no_figure_and_no_detections_is_zero():
    assert np.isnan(score([([], [detection()])])["car", "easy"].r40)
    assert score([([label()], [])])["car", "easy"].r40 == 0


# Parity ---------------------------------------------------------------------------------------------------------------


def random_frames(seed: int, count: int = 25):
    """Crowded frames: overlapping boxes, heights about the limits, equal scores, every category and DontCare."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        labels, detections = [], []
        for _ in range(int(rng.integers(0, 7))):
            x, y = rng.uniform(0, 600), rng.uniform(0, 250)
            height = float(rng.choice([24.5, 25, 30, 39.5, 40, 60, 100]))
            box = (x, y, x + height * rng.uniform(0.5, 2), y + height)
            kind = str(rng.choice([*LABELS, "Car", "Car", "Pedestrian", DONT_CARE]))
            for _ in range(1 + (rng.random() < 0.4)):  # some stand behind another of nearly the same box
                box = tuple(v + rng.uniform(-2, 2) for v in box)
                truncated = float(rng.choice([0, 0, 0, 0.15, 0.16, 0.3, 0.31, 0.5, 0.7]))
                occluded = int(rng.choice([0, 0, 0, 1, 2, 3]))
                labels.append((kind, -1, -1, box) if kind == DONT_CARE else (kind, truncated, occluded, box))
                for _ in range(int(rng.integers(0, 4))):
                    jittered = tuple(v + rng.normal(0, height / 25) for v in box)
                    guess = {"Van": "car", "Person_sitting": "pedestrian"}.get(kind, kind.lower())
                    guess = guess if guess in DETECTED and rng.random() < 0.85 else str(rng.choice(DETECTED))
                    detections.append((guess, jittered, float(np.float32(rng.integers(0, 21) / 20))))
        order = rng.permutation(len(detections))
        frames.append((labels, [detections[i] for i in order]))
    return frames


@pytest.mark.parametrize("objects", [1, 20, 40, 100, 137, 1000])
def test_score_thresholds_are_those_of_the_devkit(objects: int):
    rng = np.random.default_rng(objects)
    for found in {0, 1, objects // 3, objects // 2 + 1, objects}:
        scores = rng.random(found).astype(np.float32)
        assert score_thresholds(scores, objects).tolist() == thresholds_of(scores.tolist(), objects)


@pytest.mark.parametrize("seed", range(20))
def test_random_frames_score_as_the_devkit_scores_them(seed: int):
    frames = random_frames(seed)
    for batch_frames in (1000, 4):
        found = score(frames, batch_frames)
        for category in JUDGED:
            for difficulty, name in enumerate(("easy", "moderate", "hard")):
                objects, precision = precision_curve(category, frames, difficulty)
                ours = found[category, name]
                assert ours.objects == objects
                np.testing.assert_allclose(ours.precision, precision, rtol=0, atol=1e-12)
                if objects:
                    assert ours.r40 == pytest.approx(sum(precision[1:]) / 40, abs=1e-12)
                    assert ours.r11 == pytest.approx(sum(precision[::4]) / 11, abs=1e-12)


# From files -----------------------------------------------------------------------------------------------------------


def store(frames, folder: Path, detected=DETECTED) -> tuple[Dataset, Path]:
    with DatasetWriter(folder / "store", LABELS, "test") as writer:
        for frame, objects, _ in records(frames):
            writer.add(frame, objects)
    with DetectionsWriter(folder / "detections.parquet", detected) as writer:
        for frame, _, detections in records(frames):
            writer.add(frame.frame_id, detections)
    return Dataset.open(folder / "store"), folder / "detections.parquet"


def test_categories_are_joined_by_name_from_files_that_count_them_differently(tmp_path: Path):
    frames = [([label()], [detection()]), ([label(kind="Cyclist")], [detection(kind="cyclist")])]
    figures = to_dict(evaluate_kitti(*store(frames, tmp_path)))
    assert figures["objects/car/easy"] == figures["objects/cyclist/easy"] == 1
    assert figures["R11/car/easy"] == figures["R11/cyclist/hard"] == pytest.approx(1 / 11)
    assert np.isnan(figures["R40/pedestrian/easy"])


def test_categories_that_kitti_does_not_judge_and_unknown_occlusion_are_refused(tmp_path: Path):
    frames = [([label(occluded=3)], [detection()])]
    with pytest.raises(InputError, match="of 1 objects no occlusion is known"):
        evaluate_kitti(*store(frames, tmp_path / "a"))
    with pytest.raises(InputError, match="share none of car, pedestrian, cyclist"):
        evaluate_kitti(*store(frames, tmp_path / "b", ("bus", "tram", "bike")))


def test_levels_come_back_from_the_shares_that_the_reader_gives_them():
    levels = [0, 1, 2, 3]
    assert occlusion_levels(np.array([OCCLUSION[level] for level in levels], np.float32)).tolist() == levels
