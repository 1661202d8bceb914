"""torchvision's detectors behind the loop's interface: they learn, resume, find, and ignore what is to be ignored."""

from typing import Any

import numpy as np
import pytest
import torch

from dataset.errors import InputError
from dataset.images import read_image
from dataset.schema import EVERY_CATEGORY, Objects
from models.detector.build import build
from models.detector.checkpoint import fill, fill_backbone, load, save
from models.detector.config import AugmentConfig, DetectorConfig, LossWeights, TrainConfig
from models.detector.ignored import SILENT, RoiHeadsWithIgnored, in_ignored, silenced
from models.detector.predict import Detector
from models.detector.samples import padded
from models.detector.train import train
from tests.detector_shapes import DETECTOR, shapes_data

PYRAMIDS = ("faster_rcnn", "retinanet", "fcos")
CONFIG = TrainConfig(steps=3, batch_size=2, log_every=1, accelerator="cpu", precision="fp32")


def config_of(architecture: str) -> DetectorConfig:
    return DETECTOR.model_copy(update={"architecture": architecture})


def weights_of(path):
    return load(path)["weights"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def fewer_boxes(monkeypatch):
    """Than the 512 an image that Faster R-CNN samples for its second stage, whose large layers are most of its cost."""
    whole = RoiHeadsWithIgnored.__init__
    fewer = {"batch_size_per_image": 64}
    monkeypatch.setattr(RoiHeadsWithIgnored, "__init__", lambda self, *a, **named: whole(self, *a, **named | fewer))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return shapes_data(tmp_path_factory.mktemp("shapes"), frames=6)


@pytest.mark.parametrize("architecture", PYRAMIDS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(architecture, data, tmp_path):
    whole = train(data, tmp_path / "whole", config_of(architecture), CONFIG, progress=False)

    def stop(step, values):
        assert np.isfinite(values["loss"])
        if step == 2:
            raise KeyboardInterrupt

    often = CONFIG.model_copy(update={"save_every": 1})
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", config_of(architecture), often, on_log=stop, progress=False)
    torch.manual_seed(99)  # anchors are sampled with the global generator: its state must not matter
    resumed = train(data, tmp_path / "cut", config_of(architecture), CONFIG, progress=False)
    first, second = weights_of(whole), weights_of(resumed)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("architecture", PYRAMIDS)
def test_a_short_training_finds_the_shapes_it_has_seen(architecture, tmp_path):
    few = shapes_data(tmp_path / "few", frames=2)
    steps, rate = {"faster_rcnn": (18, 1e-3), "retinanet": (45, 1e-3), "fcos": (25, 2e-3)}[architecture]
    still = AugmentConfig(hflip=0, zoom=0, stretch=0, shift=0)  # short, and judged on the very images it learns
    quick = {"steps": steps, "learning_rate": rate, "ema_decay": 0.9, "augment": still, "precision": "auto"}
    config = CONFIG.model_copy(update=quick)
    detector = Detector.load(train(few, tmp_path / "run", config_of(architecture), config, progress=False), "cpu")
    hits = total = 0
    for i in range(len(few)):
        found, objects = detector.detect([read_image(few.image_path(i))])[0], few.objects(i)
        assert set(found.category.tolist()) <= {0, 1}
        assert np.isnan(found.occlusion).all(), "these networks do not speak of occlusion"
        assert (np.diff(found.score) <= 0).all()
        strong = found.where(found.score > 0.1)
        for category, box in zip(objects.category, objects.box_xyxy_px, strict=True):
            hits += bool(((np.abs(strong.box_xyxy_px - box).max(1) < 12) & (strong.category == category)).any())
            total += 1
    assert hits / total > 0.5, f"{hits} of {total}"


@pytest.mark.parametrize("architecture", PYRAMIDS)
def test_images_without_objects_are_learned_from(architecture):
    network = build(config_of(architecture), 2).train()
    terms = network.learn(torch.randn(2, 3, 64, 96), padded([Objects.none(), Objects.none()]), LossWeights())
    terms["loss"].backward()
    assert torch.isfinite(terms["loss"])


def test_every_box_of_a_fresh_fcos_has_an_area_to_grow_from():
    """torchvision's start at a ReLU's 0: half are points, and trained from scratch on small objects all soon are."""
    network: Any = build(config_of("fcos"), 2)
    features = list(network.network.backbone(torch.randn(2, 3, 64, 96)).values())
    distances, _ = network.network.head.regression_head(features)
    assert (distances > 0).float().mean() > 0.99


def test_an_anchor_in_an_ignore_region_takes_no_part_unless_it_may_find_an_object():
    anchors = torch.tensor([[0.0, 0, 10, 10], [40, 0, 50, 10], [20, 0, 30, 10], [8, 0, 18, 10]])
    target = {
        "boxes": torch.tensor([[18.0, 0, 32, 12]]),
        "ignored_boxes": torch.tensor([[0.0, 0, 12, 12], [16, 0, 36, 14]]),
        "ignored_categories": torch.tensor([EVERY_CATEGORY, 1]),
    }
    logits = silenced(torch.zeros(1, 4, 2), [anchors], [target])[0]
    assert (logits[0] == SILENT).all(), "inside a region of every category"
    assert (logits[1] == 0).all(), "outside"
    assert (logits[2] == 0).all(), "in a region, but at the heart of an object to be learned"
    assert (logits[3] == 0).all(), "less than half of it in the region"
    other = silenced(
        torch.zeros(1, 4, 2), [anchors + torch.tensor([13.5, 0, 13.5, 0])], [target | {"boxes": anchors[:0]}]
    )
    assert other[0, 0].tolist() == [0, SILENT], "a region of one category speaks for that one alone"


EVERYWHERE = Objects.of([EVERY_CATEGORY], [[0, 0, 96, 64]], ignore=[True])


@pytest.mark.parametrize("architecture", ["retinanet", "fcos"])
def test_an_ignore_region_over_the_whole_image_leaves_little_to_learn_of_classes(architecture):
    network = build(config_of(architecture), 2).train()
    ignored, empty = (
        network.learn(torch.zeros(1, 3, 64, 96), padded([objects]), LossWeights())["loss_classification"]
        for objects in (EVERYWHERE, Objects.none())
    )
    assert ignored < 0.9 * empty  # anchors that reach out of the image remain background


def test_faster_rcnn_samples_nothing_from_an_ignore_region():
    network: Any = build(config_of("faster_rcnn"), 2)
    inside, outside = [10.0, 10, 40, 40], [90.0, 60, 130, 100]
    targets = network._targets(padded([EVERYWHERE]))
    boxes = [torch.tensor([inside, outside])]
    labels, _ = network.network.rpn.assign_targets_to_anchors(boxes, targets)
    assert labels[0].tolist() == [-1, 0]
    chosen, _, labels, _ = network.network.roi_heads.select_training_samples(boxes, targets)
    assert (chosen[0].tolist(), labels[0].tolist()) == ([outside], [0])


def test_half_of_a_box_decides():
    regions = {"ignored_boxes": torch.tensor([[0.0, 0, 10, 10]])}
    boxes = torch.tensor([[0.0, 0, 18, 10], [0, 0, 22, 10]])
    assert in_ignored(boxes, regions)[:, 0].tolist() == [True, False]


@pytest.mark.parametrize("architecture", PYRAMIDS)
def test_imagenet_weights_fit_the_trunk(architecture, tmp_path):
    from torchvision.models import resnet18

    source = resnet18(weights=None)
    path = tmp_path / "resnet18.pth"
    torch.save(source.state_dict(), path)
    network = build(config_of(architecture), 2)
    fill_backbone(network, path)
    name = "layer3.0.conv1.weight"
    assert torch.equal(network.trunk.state_dict()[name], source.state_dict()[name])


def test_weights_of_another_architecture_are_refused_by_name(tmp_path):
    path = tmp_path / "retina.pt"
    save(path, {"weights": build(config_of("retinanet"), 2).state_dict()})
    with pytest.raises(InputError, match=r"retina\.pt.*missing.*unexpected"):
        fill(build(config_of("grid"), 2), load(path)["weights"], path)
