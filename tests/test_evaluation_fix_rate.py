"""What a new detector mends and breaks is counted per bin, each object and failure once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation.attributes import COLUMN_OF, bins_of
from evaluation.failures import mine
from evaluation.fix_rate import fix_rate, wilson

CATEGORIES = ("car", "truck")
CAR, TRUCK = 0, 1
BOX = (100.0, 100.0, 200.0, 200.0)
BESIDE = (150.0, 100.0, 250.0, 200.0)  # IoU 1/3 with BOX
FAR = (400.0, 100.0, 500.0, 200.0)
HIT, NOTHING = Detections.of([CAR], [BOX], [0.9]), Detections.none()


def store(folder: Path, objects: list[Objects], **known) -> Dataset:
    with DatasetWriter(folder / "store", CATEGORIES, "test") as writer:
        for row, labelled in enumerate(objects):
            writer.add(Frame(f"{row:06d}", f"{row:06d}.png", 4000, 1000, group="clip", **known), labelled)
    return Dataset.open(folder / "store")


def detections(file: Path, found: list[Detections]) -> Path:
    with DetectionsWriter(file, CATEGORIES) as writer:
        for row, answer in enumerate(found):
            writer.add(f"{row:06d}", answer)
    return file


def rates(
    folder: Path,
    objects: list[Objects],
    before: list[Detections],
    after: list[Detections],
    by: str = "kind",
    score_threshold: float | None = 0.5,
) -> dict[str, dict[str, float]]:
    ds = store(folder, objects, weather="rain")
    old, new = detections(folder / "before.parquet", before), detections(folder / "after.parquet", after)
    failures = mine(ds, old, folder / "failures.parquet", score_threshold=score_threshold)
    table = fix_rate(ds, failures, old, new, by)
    assert isinstance(table, pa.Table)
    return {row.pop("bin"): row for row in table.to_pylist()}


def one_car() -> Objects:
    return Objects.of([CAR], [BOX], location_xyz_m=[(3, 1.6, 15)], dimensions_hwl_m=[(1, 1, 1)], yaw_rad=[0])


def test_a_missed_object_that_is_found_now_is_fixed_and_a_found_one_that_is_missed_now_a_regression(tmp_path: Path):
    found = rates(tmp_path, [one_car()] * 4, [NOTHING, NOTHING, HIT, HIT], [HIT, NOTHING, HIT, NOTHING])["missed"]
    assert (found["failures"], found["fixed"], found["fix_rate"]) == (2, 1, 0.5)
    assert (found["found_before"], found["regressions"], found["regression_rate"]) == (2, 1, 0.5)
    assert 0 < found["low"] < 0.5 < found["high"] < 1


@pytest.mark.parametrize(
    ("kind", "before", "not_fixed"),
    [
        ("background", Detections.of([CAR, TRUCK], [BOX, FAR], [0.9, 0.8]), None),
        ("duplicate", Detections.of([CAR, CAR], [BOX, BOX], [0.9, 0.8]), None),
        ("localisation", Detections.of([CAR], [BESIDE], [0.8]), Detections.of([CAR, CAR], [BOX, BESIDE], [0.9, 0.8])),
        ("class", Detections.of([TRUCK], [BOX], [0.8]), Detections.of([CAR, TRUCK], [BOX, BOX], [0.9, 0.8])),
        ("both", Detections.of([TRUCK], [BESIDE], [0.8]), Detections.of([CAR, TRUCK], [BOX, BESIDE], [0.9, 0.8])),
    ],
)
def test_a_wrong_detection_is_fixed_only_when_it_is_gone_and_its_object_found(
    tmp_path: Path, kind: str, before: Detections, not_fixed: Detections | None
):
    answers = {"fixed": HIT, "still": not_fixed or before}
    for name, after in answers.items():
        found = rates(tmp_path / name, [one_car()], [before], [after])[kind]
        assert (found["failures"], found["fixed"]) == (1, int(name == "fixed"))
    if kind in ("localisation", "class", "both"):
        assert rates(tmp_path / "silent", [one_car()], [before], [NOTHING])[kind]["fixed"] == 0


def test_a_false_positive_of_another_category_or_another_place_does_not_keep_a_failure_alive(tmp_path: Path):
    before = Detections.of([TRUCK], [FAR], [0.8])
    for name, after in {
        "category": Detections.of([CAR], [FAR], [0.8]),
        "place": Detections.of([TRUCK], [(460, 100, 560, 200)], [0.8]),
        "weak": Detections.of([TRUCK], [FAR], [0.4]),
    }.items():
        assert rates(tmp_path / name, [Objects.none()], [before], [after])["background"]["fixed"] == 1


def test_a_regression_counts_as_what_it_has_become(tmp_path: Path):
    after = [Detections.of([CAR], [BESIDE], [0.8]), Detections.of([TRUCK], [BOX], [0.8]), HIT]
    found = rates(tmp_path, [one_car()] * 3, [HIT] * 3, after)
    assert {kind: row["regressions"] for kind, row in found.items()} == {"localisation": 1, "class": 1}
    assert all(row["found_before"] == 3 and np.isnan(row["fix_rate"]) for row in found.values())


def test_the_same_detections_fix_and_break_nothing(tmp_path: Path):
    rng = np.random.default_rng(0)
    objects, found = [], []
    for _ in range(30):
        left = 120.0 * np.arange(8)
        boxes = np.stack([left, left * 0 + 100, left + 60, left * 0 + 160], axis=1)
        objects.append(Objects.of(rng.integers(0, 2, 6), boxes[:6]))
        jitter = boxes + rng.uniform(-20, 20, (8, 1))
        found.append(Detections.of(rng.integers(0, 2, 8), jitter, rng.random(8)).where(rng.random(8) < 0.8))
    for by in COLUMN_OF:
        rows = rates(tmp_path / by, objects, found, found, by, score_threshold=None)
        assert sum(row["failures"] for row in rows.values()) > 30
        assert all(row["fixed"] == row["regressions"] == 0 for row in rows.values())


@pytest.mark.parametrize(
    ("by", "bin_"), [("category", "car"), ("distance", "10-20 m"), ("height", "80-160 px"), ("weather", "rain"),
                     ("occlusion", "unknown"), ("truncation", "unknown"), ("time_of_day", "unknown")],
)  # fmt: skip
def test_failures_and_objects_fall_into_the_same_bins(tmp_path: Path, by: str, bin_: str):
    found = rates(tmp_path, [one_car()] * 2, [NOTHING, HIT], [HIT, NOTHING], by)
    assert set(found) == {bin_}
    assert (found[bin_]["fixed"], found[bin_]["regressions"]) == (1, 1)


def test_each_detector_is_judged_at_its_own_threshold_when_thresholds_are_fitted(tmp_path: Path):
    """The new detector finds all cars at scores at which the old one was wrong."""
    before = [Detections.of([CAR, CAR], [BOX, FAR], [0.9, 0.3])] * 3 + [NOTHING]
    after = [Detections.of([CAR], [BOX], [0.2])] * 4
    found = rates(tmp_path, [one_car()] * 4, before, after, score_threshold=None)
    assert found["missed"]["fixed"] == 1 and found["missed"]["regressions"] == 0


def test_failures_of_other_data_and_unknown_attributes_are_refused(tmp_path: Path):
    ds = store(tmp_path, [one_car()])
    file = detections(tmp_path / "found.parquet", [HIT])
    failures = mine(ds, file, tmp_path / "failures.parquet")
    with pytest.raises(InputError, match="colour"):
        fix_rate(ds, failures, file, file, by="colour")
    other = store(tmp_path / "other", [one_car()] * 2)
    with pytest.raises(InputError, match="digest"):
        fix_rate(other, failures, file, file)


def test_wilsons_limits_are_those_of_the_literature_and_lie_within_0_and_1():
    rate, low, high = wilson(np.array([81, 0, 5, 0]), np.array([263, 10, 5, 0]))
    assert (rate[0], low[0], high[0]) == pytest.approx((0.3080, 0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert low[1] == pytest.approx(0, abs=1e-12) and high[2] == pytest.approx(1)
    assert np.isnan(rate[3]) and np.isnan(low[3])


def test_a_value_on_an_edge_belongs_to_the_bin_above():
    metres = np.array([9.99, 10, 80, 1000, np.nan], np.float32)
    assert bins_of("distance", metres).tolist() == ["0-10 m", "10-20 m", "80 m and more", "80 m and more", "unknown"]
