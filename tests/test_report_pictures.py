"""The report's pictures: right place, right verdict, bounded work."""

import json

import numpy as np
import pytest
from PIL import Image

from dataset.detections import DetectionsWriter
from dataset.images import read_image
from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation.failure import RECREATED_KINDS
from evaluation.failures import mine
from evaluation.fix_rate import fix_rate
from tasks.layout import BASELINE, IMITATION
from tasks.mining import failures_of
from tasks.report import case, gallery
from tasks.report.answer import Judge
from tasks.report.charts import by_cycle, ticks
from tasks.report.confusion import confusion
from tasks.report.drawing import DETECTION, TRUTH, Mark, draw, region_around
from tasks.report.gallery import cases, contact_sheet, costliest_of_each_kind
from tasks.report.plots import write_cycle_plots
from tests.report_run import build_run, detect, streets


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return build_run(tmp_path_factory.mktemp("finished"), cycles=1, test=False)


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_a_region_stays_in_the_image_and_holds_the_box_with_its_surroundings():
    for box in [(0, 0, 20, 20), (460, 140, 480, 160), (100, 50, 110, 90), (0, 0, 480, 160)]:
        left, top, right, bottom = region_around(box, 480, 160)
        assert 0 <= left <= box[0] and 0 <= top <= box[1]
        assert box[2] <= right <= 480 and box[3] <= bottom <= 160


def test_a_box_is_drawn_where_it_lies_in_the_crop():
    image = np.zeros((100, 200, 3), np.uint8)
    picture = np.asarray(draw(image, [Mark((100, 40, 140, 60), TRUTH)], (80, 20, 180, 80), 200))
    assert picture.shape == (120, 200, 3)
    rows, columns = np.nonzero((picture == rgb(TRUTH)).all(axis=2))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (40, 40, 120, 80)


def test_a_box_outside_the_crop_is_not_drawn():
    image = np.zeros((100, 200, 3), np.uint8)
    picture = np.asarray(draw(image, [Mark((0, 0, 20, 20), DETECTION, "car 0.9")], (80, 20, 180, 80), 200))
    assert not picture.any()


def test_the_verdict_on_each_failure_is_the_fix_rates(tmp_path):
    dataset = streets(tmp_path / "pool", 30, "pool", 3, "real")
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    detect(dataset, before, 0.4, 1)
    detect(dataset, after, 0.6, 2)
    failures = mine(dataset, before, tmp_path / "failures.parquet")
    told = fix_rate(dataset, failures, before, after).to_pydict()
    judge = Judge.of_detector(failures.rules, dataset, after)
    now = gallery.detections_on(after, set(dataset.frame_ids().tolist()))
    row_of = {name: row for row, name in enumerate(dataset.frame_ids().tolist())}
    fixed = dict.fromkeys(told["bin"], 0)
    for failure in failures.iterate():
        if failure.kind in RECREATED_KINDS:
            row = row_of[failure.frame_id]
            answer = judge.answer(failure, dataset.frame(row), dataset.objects(row), now[failure.frame_id])
            fixed[failure.kind] += answer.fixed
    assert fixed == dict(zip(told["bin"], told["fixed"], strict=True))
    assert 0 < sum(fixed.values()) < sum(told["failures"])


def test_the_gallery_shows_each_kind_before_a_second_of_any(finished):
    campaign, _ = finished
    table = failures_of(campaign.cycle(1))
    every = {failure.failure_id for failure in table.iterate()}
    kinds = {failure.kind for failure in table.iterate()} & set(RECREATED_KINDS)
    chosen = costliest_of_each_kind(table, every, len(kinds))
    assert {failure.kind for failure in chosen} == kinds
    for failure in chosen:
        assert failure.cost_ap == max(other.cost_ap for other in table.iterate() if other.kind == failure.kind)
    assert len(costliest_of_each_kind(table, every, 2)) == 2


def test_only_the_frames_shown_are_read(finished, monkeypatch):
    campaign, data = finished
    read = []
    monkeypatch.setattr(case, "read_image", lambda path: read.append(path) or read_image(path))
    shown = list(cases(campaign.cycle(1), data, 3))
    assert len(shown) == 3
    assert len(read) == sum(1 + len(one.scenes) for one in shown)


def test_a_case_leads_from_the_failure_to_its_own_scenes(finished):
    campaign, data = finished
    cycle = campaign.cycle(1)
    chosen = json.loads((cycle.scenes / "chosen.json").read_text())
    answered = set(chosen[::2])  # as report_run makes them
    failures = costliest_of_each_kind(failures_of(cycle), set(chosen), 6)
    for failure, shown in zip(failures, cases(cycle, data, 6), strict=True):
        assert failure.frame_id in shown.facts
        assert len(shown.scenes) == (2 if failure.failure_id in answered else 0)


def test_a_case_shows_the_label_before_and_what_finds_it_now(finished):
    campaign, data = finished

    def has(picture: case.Picture, colour: str) -> bool:
        return bool((np.asarray(picture.image) == rgb(colour)).all(axis=2).any())

    shown = [one for one in cases(campaign.cycle(1), data, 8) if "found, score" in one.now.caption]
    assert shown
    for one in shown:
        assert has(one.before, TRUTH) and has(one.now, TRUTH) and has(one.now, DETECTION)


def test_a_confusion_matrix_accounts_for_every_label_and_believed_detection(tmp_path):
    with DatasetWriter(tmp_path / "data", ("car", "person"), "data") as writer:
        boxes = [(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), (60, 0, 90, 30)]
        objects = Objects.of([0, 0, 1, 0], boxes, ignore=[False, False, False, True])
        writer.add(Frame("a", "a.png", 100, 50, "a"), objects)
    found = Detections.of(
        [0, 1, 0, 0, 0, 1],
        [(0, 0, 10, 10), (20, 0, 30, 10), (0, 1, 10, 11), (70, 5, 80, 15), (40, 0, 50, 10), (0, 30, 10, 40)],
        [0.9, 0.8, 0.7, 0.9, 0.1, 0.6],
    )
    with DetectionsWriter(tmp_path / "found.parquet", ("car", "person")) as writer:
        writer.add("a", found)
    counts = confusion(Dataset.open(tmp_path / "data"), tmp_path / "found.parquet", np.array([0.5, 0.5]), 0.5)
    # The first car is found, and once more; the second is taken for a person; the person is missed, as the detection
    # on it is not believed; one person is made up; the detection on the ignored car says nothing.
    assert counts.tolist() == [[1, 1, 0], [0, 0, 1], [1, 1, 0]]


def test_a_cycles_plots_are_pictures_with_something_on_them(finished, tmp_path):
    campaign, data = finished
    write_cycle_plots(campaign, campaign.cycle(0), data, tmp_path / "0")
    write_cycle_plots(campaign, campaign.cycle(1), data, tmp_path / "1")
    always = {"precision_recall.png", "confusion.png", "calibration.png", "worst_images.jpg"}
    assert {file.name for file in (tmp_path / "0").iterdir()} == always
    files = sorted((tmp_path / "1").iterdir())
    assert {file.name for file in files} == always | {"failures_by_kind.png", "gallery.png"}
    for file in files:
        with Image.open(file) as picture:
            assert picture.format == ("JPEG" if file.suffix == ".jpg" else "PNG")
            assert len(np.unique(np.asarray(picture.convert("L")))) > 10


def test_a_contact_sheet_spreads_over_the_data_set(finished, tmp_path):
    _, data = finished
    sheet = contact_sheet(Dataset.open(data.pool), tmp_path / "sheet.jpg")
    with Image.open(sheet) as picture:
        assert picture.width > 4 * 300 and picture.height > 6 * 100


def test_ticks_are_round_and_cover_the_range():
    assert ticks(0.31, 0.58) == [0.3, 0.4, 0.5, 0.6]
    assert ticks(0.4, 0.4)[0] <= 0.4 <= ticks(0.4, 0.4)[-1]
    assert ticks(0, 0) == [0, 0.002]


def test_a_chart_leaves_out_what_is_unknown_and_says_so_when_nothing_is_known():
    nothing = {"value": np.nan, "low": np.nan, "high": np.nan}
    known = {"value": 0.4, "low": np.nan, "high": np.nan}
    assert "unknown" in by_cycle({IMITATION: {1: nothing}}, "mAP on val")
    chart = by_cycle({BASELINE: {0: known}, IMITATION: {1: nothing}}, "mAP on val")
    assert "nan" not in chart
