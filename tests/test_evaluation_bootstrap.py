"""Intervals from resampled images equal re-evaluating the resampled data, and cover what they should."""

from pathlib import Path

import numpy as np
import pytest

from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.schema import EVERY_CATEGORY, Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation.average_precision import metrics, record
from evaluation.batch import Batch
from evaluation.bootstrap import interval, paired_difference, resampled_weights, resampler

CATEGORIES = ("car", "truck")
Labelled = list[tuple[Frame, Objects, Detections]]


def simulated(rng: np.random.Generator, frames: int, hit_rate: float = 0.6) -> Labelled:
    """Well separated objects, each found with `hit_rate`, and stray detections; every score is different."""
    data = []
    for row in range(frames):
        count = int(rng.integers(1, 6))
        left = 60.0 * np.arange(10)
        side = np.where(np.arange(10) % 2, 44, 28)  # medium and small by COCO's areas
        boxes = np.stack([left, left, left + side, left + side], axis=1)
        category = rng.integers(0, 2, count)
        ignore = rng.random(count) < 0.15
        found = rng.random(count) < hit_rate
        strays = int(rng.integers(0, 4))
        detected = np.concatenate([boxes[:count][found], boxes[count : count + strays] + 5])
        detections = Detections.of(
            np.concatenate([category[found], rng.integers(0, 2, strays)]),
            detected + rng.normal(0, 1.5, detected.shape),
            np.concatenate([rng.beta(4, 2, found.sum()), rng.beta(2, 4, strays)]),
        )
        category = np.where(ignore & (rng.random(count) < 0.5), EVERY_CATEGORY, category)
        frame = Frame(f"{row:06d}", f"{row:06d}.png", 640, 640, group="clip")
        data.append((frame, Objects.of(category, boxes[:count], ignore=ignore), detections))
    return data


def store(data: Labelled, folder: Path) -> tuple[Dataset, Path]:
    with DatasetWriter(folder / "store", CATEGORIES, "test") as writer:
        for frame, objects, _ in data:
            writer.add(frame, objects)
    return Dataset.open(folder / "store"), write_detections(data, folder / "detections.parquet")


def write_detections(data: Labelled, file: Path) -> Path:
    with DetectionsWriter(file, CATEGORIES) as writer:
        for frame, _, detections in data:
            writer.add(frame.frame_id, detections)
    return file


@pytest.mark.parametrize("metric", ["mAP", "AP50", "AP75", "APs", "APm", "AR100", "AP/car", "AP50/truck"])
def test_a_resample_scores_like_the_data_with_its_images_repeated(tmp_path: Path, metric: str):
    data = simulated(np.random.default_rng(1), 30)
    figure = resampler(*store(data, tmp_path), metric)
    for weight in resampled_weights(np.arange(30), samples=5, seed=3):
        repeated = [data[row] for row in np.repeat(np.arange(30), weight.astype(int))]
        whole = metrics(record([Batch.of(repeated)], 2), CATEGORIES).to_dict()
        assert figure(weight) == pytest.approx(whole[metric], abs=1e-12)


def test_the_interval_holds_the_value_and_narrows_with_more_images(tmp_path: Path):
    rng = np.random.default_rng(2)
    widths = []
    for frames in (50, 800):
        found = interval(*store(simulated(rng, frames), tmp_path / str(frames)), "AP50", samples=200)
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2  # 1 / sqrt(16) = 1/4, less chance


def test_an_interval_covers_the_figure_of_endless_data_about_as_often_as_its_level_says(tmp_path: Path):
    rng = np.random.default_rng(4)
    truth = metrics(record([Batch.of(simulated(rng, 20000))], 2), CATEGORIES).AP50
    runs = [interval(*store(simulated(rng, 60), tmp_path / str(i)), "AP50", samples=150, level=0.8) for i in range(60)]
    covered = np.mean([run.low <= truth <= run.high for run in runs])
    assert 0.65 <= covered <= 0.93  # 0.8 give or take 2.6 standard errors


def test_a_detector_does_not_differ_from_itself(tmp_path: Path):
    ds, file = store(simulated(np.random.default_rng(5), 40), tmp_path)
    found = paired_difference(ds, file, file, samples=50)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_pairing_by_image_sees_a_gain_that_separate_intervals_do_not(tmp_path: Path):
    data = simulated(np.random.default_rng(6), 60)
    ds, file = store(data, tmp_path)
    better = [
        (frame, objects, detections.where(detections.score > np.float32(0.25))) for frame, objects, detections in data
    ]
    improved = write_detections(better, tmp_path / "better.parquet")
    gain = paired_difference(ds, improved, file, "AR100", samples=300)
    before, after = (interval(ds, f, "AR100", samples=300) for f in (improved, file))
    assert gain.value == pytest.approx(after.value - before.value)
    assert gain.low <= gain.value <= gain.high
    assert gain.high - gain.low < (before.high - before.low) / 2


def test_frames_of_a_clip_are_drawn_together_on_request(tmp_path: Path):
    """Clips of ten equal frames: a tenth of the independent data, an interval about sqrt(10) as wide."""
    single = simulated(np.random.default_rng(7), 20)
    frames = [Frame(f"{row:06d}", f"{row:06d}.png", 640, 640, group=f"clip{row // 10:03d}") for row in range(200)]
    data = [(frame, *single[row // 10][1:]) for row, frame in enumerate(frames)]
    ds, file = store(data, tmp_path)
    by_image, by_group = (interval(ds, file, "AP50", samples=300, unit=unit) for unit in ("image", "group"))
    assert 2 < (by_group.high - by_group.low) / (by_image.high - by_image.low) < 5


def test_the_same_seed_gives_the_same_interval_and_unknown_metrics_are_refused(tmp_path: Path):
    ds, file = store(simulated(np.random.default_rng(8), 20), tmp_path)
    assert interval(ds, file, samples=20, seed=1) == interval(ds, file, samples=20, seed=1)
    assert interval(ds, file, samples=20, seed=1) != interval(ds, file, samples=20, seed=2)
    for metric in ("AP51", "AP50/tram"):
        with pytest.raises(InputError, match=metric):
            interval(ds, file, metric)
