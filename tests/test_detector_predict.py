import numpy as np
import pytest

from dataset.detections import read_detections
from dataset.errors import InputError
from models.detector.config import AugmentConfig, TrainConfig
from models.detector.predict import Detector, predict
from models.detector.train import train
from tests.detector_shapes import DETECTOR, HEIGHT_PX, WIDTH_PX, shapes_data

MILD = AugmentConfig(zoom=0.1, shift=0.05, hue_deg=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    config = TrainConfig(steps=60, batch_size=6, learning_rate=2e-3, augment=MILD, accelerator="cpu")
    return train(shapes_data(folder / "train", frames=64), folder, DETECTOR, config, progress=False)


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    return shapes_data(tmp_path_factory.mktemp("unseen"), frames=21, seed=9)


def test_a_short_training_finds_most_shapes_it_has_not_seen(trained, unseen, tmp_path):
    file = predict(trained, unseen, tmp_path / "found.parquet", batch_size=4, progress=False)
    found = [pair for part in read_detections(file) for pair in part]
    assert [frame_id for frame_id, _ in found] == unseen.frame_ids().tolist()
    hits = total = 0
    for i, (_, detections) in enumerate(found):
        objects = unseen.objects(i)
        strong = detections.where(detections.score > 0.2)
        for category, box in zip(objects.category, objects.box_xyxy_px, strict=True):
            near = np.abs(strong.box_xyxy_px - box).max(1) < 8
            hits += bool((near & (strong.category == category)).any())
            total += 1
    assert hits / total > 0.5, f"{hits} of {total}"


def test_detections_stay_inside_images_of_any_size(trained):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (h, w, 3), np.uint8) for h, w in ((50, 300), (HEIGHT_PX, WIDTH_PX), (400, 40))]
    for found, image in zip(Detector.load(trained).detect(images, min_score=0.0), images, strict=True):
        height_px, width_px = image.shape[:2]
        assert (found.box_xyxy_px >= 0).all() and (found.box_xyxy_px <= [width_px, height_px] * 2).all()
        assert (found.box_xyxy_px[:, 2:] > found.box_xyxy_px[:, :2]).all()
        assert ((found.score >= 0) & (found.score <= 1)).all()


def test_weak_detections_are_left_out(trained, unseen):
    detector = Detector.load(trained)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    image[20:60, 30:70] = [230, 30, 30]
    assert all(found.score.min(initial=1) >= 0.3 for found in detector.detect([image], min_score=0.3))
    assert detector.detect([]) == []


def test_a_data_set_of_other_categories_is_refused(trained, tmp_path):
    swapped = shapes_data(tmp_path, frames=2, categories=("person", "car"))
    with pytest.raises(InputError, match="it detects"):
        predict(trained, swapped, tmp_path / "found.parquet", progress=False)
