"""What the labels of refined frames say of objects that the gate could not judge."""

import numpy as np
from PIL import Image

from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from models.refiners.gate import GateConfig, LabelGate
from models.refiners.lab import LabConfig, LabRefiner
from tasks.refined_store import refine_store

MOMENTS = np.array([[50.0, 0, 0], [10, 1, 1]])


def test_objects_too_small_to_judge_are_ignored_in_refined_frames_and_labels_without_a_gate(tmp_path):
    rgb = np.random.default_rng(0).integers(60, 200, (48, 64, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "render.png")
    with DatasetWriter(tmp_path / "renders", ["car"], "renders") as writer:
        frame = Frame("render", str(tmp_path / "render.png"), 64, 48, "town", "synthetic")
        writer.add(frame, Objects.of([0, 0], [[10, 10, 40, 40], [50, 20, 58, 28]]))
    renders, refiner = Dataset.open(tmp_path / "renders"), LabRefiner(LabConfig(), {}, MOMENTS, MOMENTS[None])
    gate = LabelGate(lambda images: [Detections.none() for _ in images], GateConfig())
    judged = refine_store(refiner, renders, tmp_path / "judged", gate, seed=0, progress=False)
    assert judged.objects(0).ignore.tolist() == [False, True]
    taken = refine_store(refiner, renders, tmp_path / "taken", None, seed=0, progress=False)
    assert taken.objects(0).ignore.tolist() == [False, False]
