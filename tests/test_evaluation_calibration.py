"""Do scores mean what they say: the errors, the fitted scaling, and what stands beside the detector."""

import json
from pathlib import Path

import numpy as np
import pytest

from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.scaling import ScoreScaling, logit
from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation.average_precision import evaluate
from evaluation.calibration import Calibration, Claims, calibration, fit_scaling, reliability
from flows import evaluate as flow
from flows.settings import resolve
from tasks.report.reliability import reliability_diagram

CATEGORIES = ("car", "person")
SQUARE = np.array([0.0, 0.0, 20.0, 20.0])


def claims(said, came) -> Claims:
    return Claims(np.array(said, float), np.array(came, float), np.zeros(len(said), np.int64))


def data(folder: Path, frames: list[tuple[Objects, Detections]]) -> tuple[Dataset, Path]:
    with (
        DatasetWriter(folder / "store", CATEGORIES, "drawn") as writer,
        DetectionsWriter(folder / "detections.parquet", CATEGORIES) as found,
    ):
        for i, (objects, detections) in enumerate(frames):
            writer.add(Frame(f"{i}", f"{i}.png", 200, 100, group=f"{i}"), objects)
            found.add(f"{i}", detections)
    return Dataset.open(folder / "store"), folder / "detections.parquet"


def test_the_expected_error_is_the_gaps_mean_weighted_by_the_bins_counts():
    found = reliability(claims([0.1, 0.3, 0.9, 0.9, 0.9, 0.9], [0, 1, 1, 0, 1, 0]), bins=2)
    assert found.count.tolist() == [2, 4]
    assert (found.said.tolist(), found.came.tolist()) == (pytest.approx([0.2, 0.9]), [0.5, 0.5])
    assert found.expected_error == pytest.approx((0.3 * 2 + 0.4 * 4) / 6)
    assert found.largest_error == pytest.approx(0.4)


def test_said_of_one_belongs_to_the_last_bin_and_an_edge_to_the_bin_above():
    assert reliability(claims([0.5, 1.0, 0.49], [1, 1, 0]), bins=2).count.tolist() == [1, 2]


def test_adaptive_bins_hold_equally_many_and_keep_equal_claims_together():
    rng = np.random.default_rng(0)
    low = rng.beta(1, 30, 3000)
    assert reliability(claims(low, low), bins=10, adaptive=True).count.tolist() == [300] * 10
    tied = reliability(claims([0.2] * 50 + [0.7] * 10, [0] * 60), bins=5, adaptive=True)
    assert (tied.said.tolist(), tied.count.tolist()) == (pytest.approx([0.2, 0.7]), [50, 10])


def test_who_says_the_truth_has_no_error_and_who_brags_has_the_gap():
    rng = np.random.default_rng(1)
    said = rng.uniform(0, 1, 100_000)
    honest = claims(said, rng.random(len(said)) < said)
    bragging = claims(said, rng.random(len(said)) < said / 2)
    for adaptive in (False, True):
        assert reliability(honest, adaptive=adaptive).expected_error < 0.01
        assert reliability(bragging, adaptive=adaptive).expected_error == pytest.approx(0.25, abs=0.01)


def test_without_claims_the_error_is_unknown_and_nothing_can_be_fitted():
    nothing = claims([], [])
    assert np.isnan(reliability(nothing).expected_error) and np.isnan(reliability(nothing, adaptive=True).largest_error)
    with pytest.raises(InputError, match="nothing to fit"):
        fit_scaling(nothing)


def test_duplicates_are_false_ignore_regions_make_no_claim_and_weak_detections_are_left_out(tmp_path):
    objects = Objects.of([0, 0], [SQUARE, SQUARE + 50], occlusion=[0.4, 0.0], ignore=[False, True])
    boxes = [SQUARE, SQUARE, SQUARE + 50, SQUARE + [100, 0, 100, 0], SQUARE]
    detections = Detections.of([0, 0, 0, 1, 0], boxes, [0.9, 0.8, 0.7, 0.6, 0.04], occlusion=[0.25, 0.9, 0, 0, 0])
    found = calibration(*data(tmp_path, [(objects, detections), (Objects.none(), Detections.none())]))
    assert sorted(zip(found.scores.said.round(2), found.scores.came, found.scores.category, strict=True)) == [
        (0.6, 0, 1), (0.8, 0, 0), (0.9, 1, 0)
    ]  # fmt: skip
    assert (found.occlusion.said.tolist(), found.occlusion.came.tolist()) == ([0.25], pytest.approx([0.4]))
    figures = found.figures()
    assert figures["ECE"] == pytest.approx((0.6 + 0.8 + 0.1) / 3) and figures["MCE"] == pytest.approx(0.8)
    assert figures["ECE_occlusion"] == figures["MAE_occlusion"] == pytest.approx(0.15)
    assert found.per_category(CATEGORIES) == {"car": pytest.approx(0.45), "person": pytest.approx(0.6)}


def test_a_hidden_share_that_nobody_knows_is_no_claim(tmp_path):
    objects = Objects.of([0, 0], [SQUARE, SQUARE + 50], occlusion=[np.nan, 0.2])
    detections = Detections.of([0, 0], [SQUARE, SQUARE + 50], [0.9, 0.9], occlusion=[0.3, np.nan])
    found = calibration(*data(tmp_path, [(objects, detections)]))
    assert len(found.scores) == 2 and len(found.occlusion) == 0
    assert np.isnan(found.figures()["ECE_occlusion"])


@pytest.mark.parametrize(("temperature", "bias"), [(0.4, 1.0), (1.0, 0.0), (2.5, -0.7)])
def test_the_fit_recovers_how_scores_were_bent_and_mends_another_sample(temperature, bias):
    bent, rng = ScoreScaling(temperature, bias), np.random.default_rng(2)

    def sample() -> Claims:
        said = rng.uniform(0.02, 0.98, 40_000)
        return claims(said, rng.random(len(said)) < bent(said))

    scaling, unseen = fit_scaling(sample()), sample()
    assert scaling.temperature == pytest.approx(temperature, rel=0.06) and scaling.bias == pytest.approx(bias, abs=0.06)
    assert reliability(unseen.scaled(scaling)).expected_error < 0.012


def test_scaling_keeps_the_order_of_scores_and_can_be_undone():
    scaling, score = ScoreScaling(0.3, -2.0), np.linspace(0, 1, 101)
    assert (np.diff(scaling(score)) > 0).all() and (scaling(score) >= 0).all() and (scaling(score) <= 1).all()
    assert scaling.undone()(scaling(score))[5:80] == pytest.approx(score[5:80])
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


def test_a_fit_to_claims_that_all_came_true_stays_finite_and_rising():
    scaling = fit_scaling(claims([0.6, 0.7, 0.9], [1, 1, 1]))
    assert np.isfinite([scaling.temperature, scaling.bias]).all() and scaling.temperature > 0
    assert (scaling(np.array([0.6, 0.9])) > 0.9).all()


def test_a_scaling_holds_for_the_very_file_it_was_fitted_for(tmp_path):
    detector = tmp_path / "last.pt"
    detector.write_bytes(b"weights")
    with pytest.raises(InputError, match="no calibration of this detector"):
        ScoreScaling.load(detector)
    file = ScoreScaling(0.5, 0.25).save(detector)
    assert ScoreScaling.load(detector) == ScoreScaling(0.5, 0.25)
    detector.write_bytes(b"trained further")
    with pytest.raises(InputError, match="fitted to another detector"):
        ScoreScaling.load(detector)
    for content, problem in (("[]", "no calibration in the format"), ("{", "is no JSON")):
        file.write_text(content)
        with pytest.raises(InputError, match=problem):
            ScoreScaling.load(detector)


def overconfident(folder: Path, scaling: ScoreScaling | None = None, seed: int = 3) -> tuple[Dataset, Path]:
    """Frames of one car each; a detection is on it half as often as its score says, else beside it."""
    rng, frames = np.random.default_rng(seed), []
    for _ in range(400):
        score = rng.uniform(0.1, 0.95, 3)
        hit = rng.random(3) < score / 2
        boxes = np.where(hit[:, None], SQUARE, SQUARE + [100, 0, 100, 0])
        shown = score if scaling is None else scaling(score)
        frames.append((Objects.of([0], [SQUARE]), Detections.of([0] * 3, boxes, shown)))
    return data(folder, frames)


def test_evaluate_fits_on_one_split_and_shows_on_another_that_it_helped_while_ap_stays(tmp_path, monkeypatch):
    config = resolve(flags={"loop.bootstrap_samples": 10})
    detector = tmp_path / "last.pt"
    detector.write_bytes(b"weights")

    def evaluated(found: tuple[Dataset, Path], **options) -> tuple[str, dict]:
        monkeypatch.setattr(flow, "detect", lambda *_: found)
        shown = flow.evaluate_once(config, detector, found[1].parent, **options)
        return shown, json.loads((found[1].parent / "metrics.json").read_text())

    shown, record = evaluated(overconfident(tmp_path / "val"), fit=True)
    scaling = ScoreScaling.load(detector)
    assert "fitted to these detections" in shown and record["scaling"]["temperature"] == scaling.temperature
    raw, (scaled, scaled_file) = (overconfident(tmp_path / "raw", seed=4), overconfident(tmp_path / "test", scaling, 4))
    shown, record = evaluated((scaled, scaled_file), calibrated=True)
    before, after = record["calibration"]["unscaled"], record["calibration"]["scaled"]
    assert before["ECE"] > 0.2 > 0.06 > after["ECE"]
    assert before["ECE"] == pytest.approx(calibration(*raw).figures()["ECE"], abs=1e-3)
    assert record["metrics"]["AP50"] == pytest.approx(evaluate(*raw).AP50, abs=1e-9)
    assert (tmp_path / "test" / "calibration.png").stat().st_size > 10_000
    with pytest.raises(InputError, match="calibrated already"):
        flow.evaluate_once(config, detector, tmp_path, calibrated=True, fit=True)


def test_the_diagram_tells_where_nothing_is_known():
    found = Calibration(claims([0.9, 0.8], [1, 0]), claims([], []))
    figure = reliability_diagram({"baseline": found}, {"baseline": "#000000"}, "val")
    told = [line.get_label() for axis in figure.axes for line in axis.get_lines()]
    assert any("ECE" in str(text) for text in told) and "baseline: unknown" in told
