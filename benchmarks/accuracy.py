"""Accuracy for equal work: the grid detector and its settings beside torchvision's detectors, over several seeds.

    python -m benchmarks.accuracy [--train coco:TRAIN.json] [--val coco:VAL.json] [--variants grid retinanet fcos]
        [--steps 600] [--batch 4] [--width 320 --height 192] [--seeds 3] [--out runs/accuracy]

All start from scratch with the same backbone (ResNet-18), images, augmentation, optimiser and number of steps; the
learning rate is the one each gets on with. A table of COCO AP and AP50 on val: means and standard deviations over the
seeds, and the difference to the first variant, paired by image and seed, with a 95% interval over both. Run again to go
on: a training that is there is not repeated. The last line is JSON, one object a variant; the peer is the first one.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from dataset.store import Dataset
from evaluation.average_precision import evaluate
from evaluation.seeds import paired_difference_over_seeds
from flows.settings import resolve
from models.detector.config import DetectorConfig, TrainConfig
from models.detector.predict import predict
from models.detector.train import train
from tasks.config import DataConfig
from tasks.data import import_source

CARLA095 = "coco:../shared/data/carla095/{}.json"
# At the grid's 2e-3 RetinaNet's heads, which have no normalisation, die in the first hundred steps.
PEERS_RATE = 5e-4
PAPER = resolve("paper")
PAPER_LOSS = PAPER.baseline.loss.model_dump(exclude_unset=True)
ONE: dict = {"strides": (8,)}
CENTRE: dict = {"centre_cells": 1.5}
# What differs from the defaults: (of DetectorConfig, of TrainConfig). The first three are a ladder from the paper's
# settings to the defaults ("grid"): another box code, then the focal coverage. The next say what else one grid, and
# three, make of a choice.
VARIANTS: dict[str, tuple[dict, dict]] = {
    "paper": (PAPER.detector.model_dump(exclude_unset=True), {"loss": PAPER_LOSS}),
    "paper_relative_box": ({}, {"loss": PAPER_LOSS | {"box": 2.0}}),
    "grid": ({}, {}),
    "one_grid": (ONE, {}),
    "one_grid_giou": (ONE, {"loss": {"giou": 1.0}}),
    "one_grid_iou_coverage": (ONE, {"loss": {"coverage_target": "iou"}}),
    "one_grid_centre_sampling": (ONE | CENTRE, {}),
    "stride_16": ({"strides": (16,)}, {}),
    "giou": ({}, {"loss": {"giou": 1.0}}),
    "centre_sampling": (CENTRE, {}),
    "retinanet": ({"architecture": "retinanet"}, {"learning_rate": PEERS_RATE}),
    "fcos": ({"architecture": "fcos"}, {"learning_rate": PEERS_RATE}),
    "faster_rcnn": ({"architecture": "faster_rcnn"}, {"learning_rate": PEERS_RATE}),
    "repeat_factor": ({}, {"sampling": "repeat_factor"}),
    "mosaic": ({}, {"augment": {"mosaic": 0.5}}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default=CARLA095.format("train"))
    parser.add_argument("--val", default=CARLA095.format("val"))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["grid", "one_grid", "retinanet", "fcos"])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"))
    options = parser.parse_args()

    data = import_source(options.train, options.out / "train", DataConfig())
    val = import_source(options.val, options.out / "val", DataConfig(), known=data.categories)
    rows = {
        name: [learned(name, seed, data, val, options) for seed in range(options.seeds)] for name in options.variants
    }
    table = Table("variant", "AP", "AP50", "AP against the first")
    figures = []
    first = options.variants[0]
    for name, trained in rows.items():
        ap, ap50, files = (list(column) for column in zip(*trained, strict=True))
        difference = ""
        if name != first:
            gain = paired_difference_over_seeds(val, [one[2] for one in rows[first]], files)
            difference = f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        table.add_row(name, told(ap), told(ap50), difference)
        reference = float(np.mean([one[0] for one in rows[first]]))
        ours = float(np.mean(ap))
        figures.append(
            {
                "name": name,
                "ours": ours,
                "peer": reference,
                "unit": "AP",
                "ratio": ours / reference if reference else None,
            }
        )
    Console(width=110).print(table)
    print(json.dumps([{k: round(v, 4) if isinstance(v, float) else v for k, v in one.items()} for one in figures]))


def told(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) if len(values) > 1 else np.nan:.3f}"


def learned(
    name: str, seed: int, data: Dataset, val: Dataset, options: argparse.Namespace
) -> tuple[float, float, Path]:
    """AP, AP50 and the detections on val of one training."""
    detector_settings, train_settings = VARIANTS[name]
    detector = DetectorConfig(input_width_px=options.width, input_height_px=options.height, **detector_settings)
    config = TrainConfig(steps=options.steps, batch_size=options.batch, seed=seed, **train_settings)
    out = options.out / f"{name}-{seed}"
    checkpoint = train(data, out, detector, config)
    detections = predict(checkpoint, val, out / "val.parquet", progress=False)
    metrics = evaluate(val, detections)
    return metrics.mAP, metrics.AP50, detections


if __name__ == "__main__":
    main()
