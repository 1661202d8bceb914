"""The verb `evaluate` beyond COCO's table: KITTI's rules, bins, and another detector's detections."""

import json
from pathlib import Path

import numpy as np
import pytest

from dataset.detections import DetectionsWriter, read_detections
from dataset.errors import InputError
from dataset.scaling import ScoreScaling
from dataset.schema import Detections
from flows import evaluate
from flows.settings import resolve
from models.detector.architecture import Finder
from models.detector.config import DetectorConfig
from models.detector.predict import Detector
from tasks.config import CampaignConfig
from tasks.data import import_source
from tests.test_dataset_readers import CAR, DONT_CARE, kitti

KNOWN = ("car", "truck", "pedestrian", "cyclist")
VAN = CAR.replace("Car", "Van").replace("10.00 20.00 60.00 50.00", "62.00 20.00 99.00 50.00")
ON_CAR, ON_VAN = [10.0, 20.0, 60.0, 50.0], [62.0, 20.0, 99.0, 50.0]


@pytest.fixture
def config(tmp_path: Path) -> CampaignConfig:
    spec = kitti(tmp_path / "kitti", {f"{i:06d}": f"{CAR}\n{VAN}\n{DONT_CARE}\n" for i in range(3)})
    return resolve(flags={"data.train": spec, "loop.bootstrap_samples": 20})


def detections(file: Path, config: CampaignConfig, folder: Path, boxes: np.ndarray | list, scores: list):
    """The data as the verb reads them, and the same boxes found in each frame."""
    dataset = import_source(config.data.train, folder / "data", config.data, known=KNOWN)
    with DetectionsWriter(file, KNOWN) as writer:
        for frame_id in dataset.frame_ids().tolist():
            writer.add(frame_id, Detections.of([0] * len(boxes), np.array(boxes), scores))
    return dataset, file


def evaluated(monkeypatch, config, folder: Path, boxes, scores, **options) -> tuple[str, dict]:
    folder.mkdir(exist_ok=True)
    found = detections(folder / "detections.parquet", config, folder, boxes, scores)
    monkeypatch.setattr(evaluate, "detect", lambda *_: found)
    shown = evaluate.evaluate_once(config, Path("detector.pt"), folder, **options)
    return shown, json.loads((folder / "metrics.json").read_text())


def test_by_kittis_rules_a_van_excuses_one_detection_where_an_ignore_region_excuses_all(monkeypatch, config, tmp_path):
    boxes, scores = [ON_CAR, ON_VAN, ON_VAN], [0.5, 0.8, 0.7]
    shown, record = evaluated(monkeypatch, config, tmp_path / "out", boxes, scores, rules="kitti")
    assert record["kitti"]["objects/car/moderate"] == 3
    assert record["kitti"]["R11/car/moderate"] == pytest.approx(0.5 / 11)  # one false positive a car, one threshold
    assert "moderate" in shown and "act as DontCare" not in shown
    _, record = evaluated(monkeypatch, config, tmp_path / "out", boxes, scores)
    assert record["metrics"]["AP50/car"] == pytest.approx(1)


def test_labels_whose_vans_were_made_ignore_regions_are_told(monkeypatch, config, tmp_path):
    stored = import_source(config.data.train, tmp_path / "stored", config.data, known=KNOWN)
    config = resolve(flags={"data.train": f"store:{stored.folder}", "loop.bootstrap_samples": 20})
    shown, record = evaluated(
        monkeypatch, config, tmp_path / "out", [ON_CAR, ON_VAN, ON_VAN], [0.5, 0.8, 0.7], rules="kitti"
    )
    assert record["kitti"]["R11/car/moderate"] == pytest.approx(1 / 11)
    assert "act as DontCare" in " ".join(shown.split())


def test_bins_and_another_detector_are_shown_beside_cocos_figures(monkeypatch, config, tmp_path):
    _, worse = detections(tmp_path / "worse.parquet", config, tmp_path / "worse", [ON_CAR], [0.2])
    with DetectionsWriter(worse, KNOWN) as writer:  # nothing found
        for i in range(3):
            writer.add(f"{i:06d}", Detections.none())
    by = ["distance", "height"]
    shown, record = evaluated(monkeypatch, config, tmp_path / "out", [ON_CAR], [0.9], by=by, against=worse)
    assert [row["bin"] for row in record["by"]["height"]] == ["25-40 px"]
    gain = record["against"]["differences"]["AP/car"]
    assert (gain["value"], gain["low"]) == (pytest.approx(1), pytest.approx(1))
    assert "better" in shown and "20-40 m" in shown


def test_figures_are_kept_when_no_calibration_can_be_fitted_to_what_was_found(monkeypatch, config, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="nothing to fit"):
        evaluated(monkeypatch, config, out, np.zeros((0, 4)), [], by=["height"], fit=True)
    record = json.loads((out / "metrics.json").read_text())
    assert record["metrics"]["AP50/car"] == 0 and record["by"]["height"]


class Surely(Finder):
    """Finds the same boxes of falling score in every image."""

    config = DetectorConfig(input_width_px=96, input_height_px=64)
    scores = np.array([0.7, 0.3, 0.05, 0.01, 0.0099, 0.001], np.float32)

    def find(self, images):
        left = np.arange(len(self.scores))[:, None] * 10.0
        return [Detections.of([0] * 6, left + [0.0, 5.0, 9.0, 20.0], self.scores) for _ in images]


@pytest.mark.parametrize("scaling", [ScoreScaling(0.4, -1.0), ScoreScaling(3.0, 2.0)])
def test_scaled_scores_are_judged_by_the_detections_that_unscaled_ones_are(monkeypatch, config, tmp_path, scaling):
    detector = tmp_path / "last.pt"
    detector.write_bytes(b"weights")
    scaling.save(detector)
    load = staticmethod(
        lambda _, *__, calibrated=False: Detector(Surely(), KNOWN, "cpu", scaling if calibrated else None)
    )
    monkeypatch.setattr(Detector, "load", load)
    shown = {}
    for calibrated in (False, True):
        _, file = evaluate.detect(config, detector, tmp_path / str(calibrated), calibrated)
        shown[calibrated] = [found for part in read_detections(file) for _, found in part]
    for raw, scaled in zip(shown[False], shown[True], strict=True):
        assert raw.score.tolist() == Surely.scores[:4].tolist()
        assert scaled.score == pytest.approx(scaling(raw.score)) and len(scaled) == 4


def test_a_wrong_request_is_refused_before_the_detector_runs(config, tmp_path):
    detector = Path("missing.pt")
    with pytest.raises(InputError, match="'voc' is none of coco, kitti"):
        evaluate.evaluate_once(config, detector, tmp_path, "voc")
    with pytest.raises(InputError, match="'colour' is none of distance"):
        evaluate.evaluate_once(config, detector, tmp_path, by=["colour"])
    with pytest.raises(InputError, match=r"none\.parquet is no file"):
        evaluate.evaluate_once(config, detector, tmp_path, against=tmp_path / "none.parquet")


def test_errors_are_counted_and_cost_what_mending_them_would_give(config, tmp_path, monkeypatch):
    """The one car of each of three frames is missed: each that were found would give a third of the car's AP."""
    found = detections(tmp_path / "found.parquet", config, tmp_path, np.zeros((0, 4)), [])
    monkeypatch.setattr(evaluate, "detect", lambda *_: found)
    told = evaluate.evaluate_once(config, tmp_path / "d.pt", tmp_path, errors=True)
    errors = json.loads((tmp_path / "metrics.json").read_text())["errors"]
    assert "mAP at IoU 0.5 they cost" in told
    assert {kind: row["count"] for kind, row in errors.items() if row["count"]} == {"missed": 3}
    assert errors["missed"]["cost_map"] == pytest.approx(1 / len(KNOWN), rel=0.05)
