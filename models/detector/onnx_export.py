"""A trained detector as an ONNX file that says what it needs, and the proof that it computes the same."""

import json
import logging
import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from dataset.errors import InputError

from . import checkpoint
from .grid import GridDetector
from .network import IMAGENET_MEAN, IMAGENET_STD, normalise
from .onnx_model import FORMAT, INPUT, OUTPUTS, OnnxModel
from .onnx_pyramid import PyramidCells
from .pyramid import PyramidDetector
from .samples import resized

# Largest difference that float32 arithmetic in another order explains: far below what anyone could see.
SCORE_LIMIT, BOX_LIMIT_PX = 1e-3, 0.1
BATCH = 3  # images of a batch in the check: not the number that was exported with
HOW_TO_USE = (
    "images: RGB scaled to the input's size, 0 to 1, minus mean, divided by std. Of each image, category and cell (or "
    "anchor): score 0-1; box_xyxy in pixels of the input; of a grid detector occlusion, the hidden share 0-1. Keep "
    "scores from the least on (min_coverage or min_score), then suppress, by category, boxes that overlap a stronger "
    "one by more than iou (of a grid detector hardcase averages them instead)."
)


@dataclass(frozen=True)
class Parity:
    """Largest differences between PyTorch (float32, on the CPU) and ONNX Runtime over all cells of some images."""

    images: int
    score: float
    box_px: float  # at the input's size
    occlusion: float  # 0 where the network has no such output

    def __bool__(self) -> bool:
        # one by one: Python's max would hide a NaN
        return self.score <= SCORE_LIMIT and self.occlusion <= SCORE_LIMIT and self.box_px <= BOX_LIMIT_PX


def export(checkpoint_file: Path, out: Path, images: Iterable[np.ndarray]) -> Parity:
    """Write `out`, a checkpoint's network for batches of any size, after comparing both on images.

    images: (H, W, 3) uint8 RGB of any sizes, at least one. What a program needs to know stands in the file's metadata
    (`metadata` below). Raises InputError for Faster R-CNN, without images, and where the results differ; then no file
    is left.
    """
    content = checkpoint.load(checkpoint_file)
    network = checkpoint.model_of(content, checkpoint_file).eval()
    if network.config.architecture == "faster_rcnn":
        problem = "its architecture is faster_rcnn, whose second stage looks where the image tells it to"
        raise InputError(checkpoint_file, problem, "export a grid detector, RetinaNet or FCOS")
    cells = GridCells(network) if isinstance(network, GridDetector) else PyramidCells(cast(PyramidDetector, network))
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f"{out.name}.partial")
    try:
        _write(cells.eval(), partial, metadata(cells, content["categories"]))
        parity = compare(cells, OnnxModel(partial, "cpu"), images)
        if not parity.images:
            raise InputError(out, "there is no image to compare both networks on", "name some with --images")
        if not parity:
            problem = f"ONNX Runtime differs from PyTorch by {parity.score:.1e} in score, {parity.box_px:.1e} px in box"
            limits = f"at most {SCORE_LIMIT:g} and {BOX_LIMIT_PX:g} px are allowed"
            raise InputError(out, f"{problem}; {limits}", "install the versions of requirements.txt")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return parity


def metadata(cells: "Cells", categories: list[str]) -> dict[str, str]:
    """What another program needs, each value as JSON but the first two."""
    config = cells.config
    values = {
        "categories": list(categories),
        "input_width_px": config.input_width_px,
        "input_height_px": config.input_height_px,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "detector": config.model_dump(),
    } | cells.told()
    return {"format": FORMAT, "how_to_use": HOW_TO_USE} | {name: json.dumps(value) for name, value in values.items()}


@torch.inference_mode()
def compare(cells: "Cells", exported: OnnxModel, images: Iterable[np.ndarray]) -> Parity:
    """Both on the same images, a few at a time."""
    count, largest = 0, np.zeros(len(OUTPUTS))
    remaining = iter(images)
    while batch := list(islice(remaining, BATCH)):
        pixels = torch.from_numpy(np.stack([resized(image, cells.config) for image in batch]))
        inputs = normalise(pixels.permute(0, 3, 1, 2).float() / 255)
        ours, theirs = cells(inputs), exported.cells(np.ascontiguousarray(inputs.numpy()))
        differences = np.zeros(len(OUTPUTS))
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            differences[i] = np.abs(one.numpy() - other).max()
        largest, count = np.maximum(largest, differences), count + len(batch)  # NaN stays NaN, and is no parity
    score, box_px, occlusion = largest.tolist()
    return Parity(count, score, box_px, occlusion)


class GridCells(nn.Module):
    """images (B, 3, H, W) -> score (B, C, K), box_xyxy (B, C, K, 4) and occlusion (B, C, K) of the grid's K cells."""

    def __init__(self, network: GridDetector):
        super().__init__()
        self.config, self.network = network.config, network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.network.cells(self.network(images))

    def told(self) -> dict[str, Any]:
        return {"strides_px": list(self.config.strides), "clustering": self.config.clustering.model_dump()}


Cells = GridCells | PyramidCells


def _write(cells: Cells, file: Path, told: dict[str, str]) -> None:
    config = cells.config
    example = (torch.zeros(2, 3, config.input_height_px, config.input_width_px),)
    outputs = list(OUTPUTS[: 3 if isinstance(cells, GridCells) else 2])
    with _quietly():
        program = torch.export.export(cells, example, dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
        converted = torch.onnx.export(
            program, example, input_names=[INPUT], output_names=outputs, dynamo=True, verbose=False
        )
    assert converted is not None
    converted.model.metadata_props.update(told)
    converted.save(file, external_data=False)


@contextmanager
def _quietly():
    """Without the exporter's own progress and the warnings of its insides."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
