"""Exported detectors: ONNX Runtime says what PyTorch says, and other programs can use the file."""

import json
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from dataset.errors import InputError
from dataset.images import read_image
from dataset.schema import Detections
from flows.export import export_once
from models.detector import checkpoint, onnx_export
from models.detector.build import build
from models.detector.config import TrainConfig
from models.detector.network import normalise
from models.detector.onnx_export import Parity, export
from models.detector.onnx_model import OnnxModel
from models.detector.onnx_pyramid import PyramidCells
from models.detector.predict import Detector
from models.detector.pyramid import PyramidDetector
from models.detector.samples import resized
from models.detector.train import train
from tests.detector_shapes import DETECTOR, HEIGHT_PX, WIDTH_PX, shapes_data

CATEGORIES = ["car", "person"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    shapes_data(folder, frames=7)
    return sorted(folder.glob("*.png"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory, pictures) -> tuple[Path, Path, str]:
    """Checkpoint, the file made of it, and what the verb said."""
    folder = tmp_path_factory.mktemp("exported")
    config = TrainConfig(steps=30, batch_size=6, learning_rate=2e-3, precision="fp32", accelerator="cpu")
    trained = train(shapes_data(folder / "train", frames=48, seed=1), folder, DETECTOR, config, progress=False)
    told = export_once(trained, folder / "detector.onnx", [str(pictures[0].parent)])
    return trained, folder / "detector.onnx", told


def test_the_verb_tells_the_largest_difference_on_the_images_named(exported):
    assert "on 7 images" in exported[2] and "px at the input's size" in exported[2]


@pytest.mark.parametrize("count", [1, 5])
def test_batches_of_any_size_give_the_checkpoints_objects(exported, pictures, count):
    trained, file, _ = exported
    network, model = Detector.load(trained, "cpu").model, OnnxModel(file, "cpu")
    images = inputs(pictures[:count])
    with torch.inference_mode():
        expected = network.find(images)
    assert len(expected) == count and sum(map(len, expected)) > count
    for ours, theirs in zip(expected, model.find(images), strict=True):
        assert ours.category.tolist() == theirs.category.tolist()
        assert theirs.box_xyxy_px == pytest.approx(ours.box_xyxy_px, abs=0.02)
        assert theirs.score == pytest.approx(ours.score, abs=1e-4)
        assert theirs.occlusion == pytest.approx(ours.occlusion, abs=1e-4)


def test_predicting_takes_the_file_in_place_of_the_checkpoint(exported, pictures):
    detector = Detector.load(exported[1])
    found = detector.detect([read_image(str(path)) for path in pictures])
    assert detector.categories == tuple(CATEGORIES)
    assert sum(map(len, found)) > len(found)
    assert all((one.box_xyxy_px <= [WIDTH_PX, HEIGHT_PX] * 2).all() for one in found)


def test_the_metadata_suffice_for_a_program_that_knows_only_onnx_runtime(exported, pictures):
    session = onnxruntime.InferenceSession(exported[1])
    told = session.get_modelmeta().custom_metadata_map
    width, height, mean, std, rules = (
        json.loads(told[name]) for name in ("input_width_px", "input_height_px", "mean", "std", "clustering")
    )
    picture = Image.open(pictures[1]).resize((width, height), Image.Resampling.BILINEAR)
    values = ((np.asarray(picture) / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]
    score, box, _ = (np.asarray(answer)[0] for answer in session.run(None, {"images": values}))
    assert json.loads(told["categories"]) == CATEGORIES == CATEGORIES[: len(score)]

    kept = []
    for category, cell in sorted(np.argwhere(score >= rules["min_coverage"]), key=lambda at: -score[tuple(at)]):
        if all(c != category or iou(box[c, k], box[category, cell]) <= rules["iou"] for c, k in kept):
            kept.append((category, cell))
    kept = kept[: rules["max_objects"]]
    with torch.inference_mode():
        ours = OnnxModel(exported[1], "cpu").find(torch.from_numpy(values))[0]
    assert ours.score == pytest.approx([score[at] for at in kept], abs=1e-6)
    assert ours.category.tolist() == [category for category, _ in kept]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    shared = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    return shared / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared)


def test_a_file_whose_results_differ_is_not_left(exported, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "_write", lambda cells, file, told: shutil.copy(exported[1], file))
    honest = OnnxModel.cells
    off = np.array([0.002, 0, 0])  # of score, box and occlusion
    monkeypatch.setattr(
        OnnxModel, "cells", lambda self, images: [a + b for a, b in zip(honest(self, images), off, strict=True)]
    )
    with pytest.raises(InputError, match=r"differs from PyTorch by 2\.0e-03 in score"):
        export_once(exported[0], tmp_path / "x.onnx", [str(pictures[0])])
    assert not list(tmp_path.iterdir())
    assert not Parity(1, float("nan"), 0, 0) and not Parity(1, 0, 0, float("nan")) and Parity(1, 0, 0.09, 0)


def test_what_cannot_be_exported_is_told_in_one_line(exported, pictures, tmp_path):
    trained, _, _ = exported
    with pytest.raises(InputError, match="architecture is faster_rcnn"):
        export(untrained(tmp_path / "r.pt", "faster_rcnn"), tmp_path / "x", [])
    with pytest.raises(InputError, match=r"does not end in \.onnx"):
        export_once(trained, tmp_path / "x.pb", [])
    with pytest.raises(InputError, match="no data set beside it"):
        export_once(trained, tmp_path / "x.onnx", [])
    with pytest.raises(InputError, match="there is no such file"):
        export_once(tmp_path / "none.pt", tmp_path / "x.onnx", [])


def untrained(file: Path, architecture: str) -> Path:
    """A checkpoint of random weights whose anchors are sure enough to propose something."""
    torch.manual_seed(3)
    network = build(DETECTOR.model_copy(update={"architecture": architecture}), len(CATEGORIES))
    for name, values in network.named_parameters():
        if name.endswith("cls_logits.bias"):
            torch.nn.init.constant_(values, -2.0)
    told = {"detector": network.config.model_dump(), "train": TrainConfig(precision="fp32").model_dump()}
    checkpoint.save(file, told | {"categories": CATEGORIES, "weights": network.state_dict()})
    return file


def inputs(paths: list[Path]) -> torch.Tensor:
    pixels = np.stack([resized(read_image(str(path)), DETECTOR) for path in paths])
    return normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)


def assert_equal(found: list[Detections], expected: list[Detections]) -> None:
    for ours, theirs in zip(expected, found, strict=True):
        assert len(ours) > 10 and ours.category.tolist() == theirs.category.tolist()
        assert theirs.box_xyxy_px == pytest.approx(ours.box_xyxy_px, abs=0.02)
        assert theirs.score == pytest.approx(ours.score, abs=1e-5)
        assert np.isnan(theirs.occlusion).all()


@pytest.mark.parametrize("architecture", ["retinanet", "fcos"])
def test_anchors_and_suppression_are_torchvisions(architecture, pictures, tmp_path):
    network = cast(PyramidDetector, Detector.load(untrained(tmp_path / "x.pt", architecture), "cpu").model)
    images, cells = inputs(pictures[:3]), PyramidCells(network).eval()
    with torch.inference_mode():
        found = [cells.suppression(*of_image) for of_image in zip(*cells(images), strict=True)]
        assert_equal(found, network.find(images))


def test_an_exported_fcos_finds_what_the_checkpoint_finds(pictures, tmp_path):
    trained = untrained(tmp_path / "fcos.pt", "fcos")
    parity = export(trained, tmp_path / "fcos.onnx", [read_image(str(path)) for path in pictures])
    assert parity.images == 7 and parity.box_px < 0.01
    images = inputs(pictures)
    with torch.inference_mode():
        assert_equal(OnnxModel(tmp_path / "fcos.onnx").find(images), Detector.load(trained, "cpu").model.find(images))


def test_files_that_are_not_ours_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        Detector.load(tmp_path / "none.onnx")
    (tmp_path / "words.onnx").write_text("no network")
    with pytest.raises(InputError, match="ONNX Runtime cannot read it"):
        Detector.load(tmp_path / "words.onnx")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [other])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "o.onnx")
    with pytest.raises(InputError, match="format None"):
        Detector.load(tmp_path / "o.onnx")
