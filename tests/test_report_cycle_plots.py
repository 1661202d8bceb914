"""What a cycle's plots are made of: training curves, all categories' precision and recall, the worst images."""

import json

import numpy as np
import pytest
from PIL import Image

from dataset.store import Dataset
from evaluation.curve import Curve
from evaluation.failures import mine
from models.detector import checkpoint
from tasks import curves
from tasks.publish import _calibration
from tasks.report.learning import learning_curves
from tasks.report.page import write_report
from tasks.report.plots import COLOURS, _together, precision_recall
from tasks.report.published import SHOWN, plots_folder, plots_of
from tasks.report.worst import save_worst_images, worst_images
from tests.report_run import build_run, detect, streets


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return build_run(tmp_path_factory.mktemp("finished"), cycles=1, test=False)


def test_a_resumed_training_leaves_each_step_once_and_a_cut_line_harms_no_other(tmp_path):
    for step, loss in ((20, 3.0), (40, 2.0)):
        curves.note(tmp_path, step, {"loss": loss})
    with (tmp_path / curves.FILE).open("a") as file:
        file.write('\n{"step": 60, "lo')  # killed while it wrote
    curves.note(tmp_path, 40, {"loss": 2.1, "learning_rate": 1e-3})  # and resumed at 20
    found = curves.curves_of(tmp_path)
    assert [values.tolist() for values in found["loss"]] == [[20, 40], [3.0, 2.1]]
    assert [values.tolist() for values in found["learning_rate"]] == [[40], [1e-3]]
    curves.note(tmp_path, 20, {"loss": 9.0})  # started afresh
    assert [values.tolist() for values in curves.curves_of(tmp_path)["loss"]] == [[20], [9.0]]
    assert curves.curves_of(tmp_path / "none") == {}


def test_a_training_that_begins_leaves_no_point_of_the_one_before_it(tmp_path):
    for step in (20, 40, 60):
        curves.note(tmp_path, step, {"loss": 9.0})
    checkpoint.save(tmp_path / "last.pt", {"step": 30})
    curves.begin(tmp_path)
    curves.note(tmp_path, 50, {"loss": 5.0})  # resumed at 30, and told less often
    assert [values.tolist() for values in curves.curves_of(tmp_path)["loss"]] == [[20, 50], [9.0, 5.0]]
    (tmp_path / "last.pt").unlink()
    curves.begin(tmp_path)
    assert curves.curves_of(tmp_path) == {}
    curves.note(tmp_path, 50, {"loss": 4.0})  # afresh
    assert [values.tolist() for values in curves.curves_of(tmp_path)["loss"]] == [[50], [4.0]]


def test_learning_curves_have_a_panel_a_term_the_whole_first_and_the_rate_last(tmp_path):
    curves.note(tmp_path, 1, {"loss_box": 1.0, "learning_rate": 0.1, "loss": 2.0, "images_per_s": 5.0})
    figure = learning_curves({"imitation": curves.curves_of(tmp_path), "real": {}}, COLOURS)
    assert [axis.get_title() for axis in figure.axes] == ["loss", "loss box", "learning rate"]


def test_all_categories_together_are_ranked_by_score_alone():
    car = Curve(np.array([0.9, 0.3], np.float32), np.array([True, False]), positives=3)
    person = Curve(np.array([0.8, 0.2], np.float32), np.array([False, True]), positives=1)
    both = _together([car, person])
    assert both.score.tolist() == pytest.approx([0.9, 0.8, 0.3, 0.2])
    assert (both.true.tolist(), both.positives) == ([True, False, False, True], 4)


def test_precision_and_recall_are_drawn_for_all_and_for_each_category(finished):
    campaign, data = finished
    figure = precision_recall(campaign.cycle(1), Dataset.open(data.val), 0.5)
    titles = [axis.get_title().partition(" (")[0] for axis in figure.axes]
    assert titles == ["all", "car", "pedestrian", "tram"]
    recall = figure.axes[0].get_lines()[0].get_xdata()
    assert 0.5 < np.max(np.asarray(recall)) <= 1


def test_the_worst_images_are_those_whose_failures_cost_most(tmp_path):
    dataset = streets(tmp_path / "val", 12, "val", 3, "real")
    detect(dataset, tmp_path / "found.parquet", 0.4, 1)
    table = mine(dataset, tmp_path / "found.parquet", tmp_path / "failures.parquet")
    cost: dict[str, float] = {}
    for failure in table.iterate():
        if failure.kind not in ("on-ignore", "likely-label-error"):
            cost[failure.frame_id] = cost.get(failure.frame_id, 0) + failure.cost_ap / 3
    worst = worst_images(table, categories=3, count=4)
    assert [image.lost_ap for image in worst] == pytest.approx(sorted(cost.values(), reverse=True)[:4])
    assert all(image.lost_ap == pytest.approx(cost[image.frame_id]) and image.failures for image in worst)
    kinds = {failure.kind for failure in worst[0].failures}
    assert all(f"1 {kind}" in worst[0].caption or f"2 {kind}" in worst[0].caption for kind in kinds)

    save_worst_images(dataset, tmp_path / "found.parquet", table, 3, tmp_path / "worst.jpg")
    with Image.open(tmp_path / "worst.jpg") as sheet:
        assert sheet.width > 2 * 500 and sheet.height > 2 * 150  # two rows of two


def test_a_detector_without_failures_has_no_worst_image(tmp_path):
    dataset = streets(tmp_path / "val", 2, "val", 3, "real")
    detect(dataset, tmp_path / "found.parquet", 1.0, 1)
    rules = mine(dataset, tmp_path / "found.parquet", tmp_path / "failures.parquet", score_threshold=0.5)
    assert worst_images(rules, categories=3, count=4) == []
    save_worst_images(dataset, tmp_path / "found.parquet", rules, 4, tmp_path / "worst.jpg")
    assert (tmp_path / "worst.jpg").is_file()


def test_the_page_holds_the_plots_that_were_published_and_tells_where_there_are_none(finished):
    campaign, data = finished
    assert list(plots_of(campaign.cycle(1))) == []
    folder = plots_folder(campaign.cycle(1))
    folder.mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(folder / "confusion.png")
    Image.new("RGB", (4, 4)).save(folder / "worst_images.jpg")
    page = write_report(campaign, data, None).read_text()
    assert page.count('alt="Confusion"') == page.count('alt="Worst images"') == 1
    assert "the plots of this cycle have not been drawn" in page  # of the baseline
    assert [plot.title for plot in plots_of(campaign.cycle(1))] == ["Confusion", "Worst images"]
    assert set(SHOWN) > {"learning_curves.png", "precision_recall.png", "calibration.png"}


def test_calibration_errors_of_every_arm_are_logged(finished):
    campaign, data = finished
    values = _calibration(campaign.cycle(1), data)
    assert {name.split("/")[0] for name in values} == {"imitation", "random", "real"}
    assert 0 < values["imitation/val/seed-0/ECE"] < 1
    assert json.dumps(values["real/val/seed-0/MCE"])
