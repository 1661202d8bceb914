"""A detector that runs in ONNX Runtime instead of PyTorch, behind the same interface.

The file (see onnx_export.py) says what every cell proposes; what joins cells to objects is what does so after training.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile
from pydantic import ValidationError
from torch import Tensor

from dataset.errors import InputError
from dataset.schema import Detections

from .architecture import Finder
from .cluster import Proposals, cluster
from .config import DetectorConfig
from .onnx_pyramid import Suppression

FORMAT = "hardcase-onnx-1"
INPUT, OUTPUTS = "images", ("score", "box_xyxy", "occlusion")
EXPORT_AGAIN = "give an .onnx file that `export` wrote"
UNREADABLE = (NoSuchFile, InvalidProtobuf, InvalidGraph, InvalidArgument, Fail, RuntimeError)


class OnnxModel(Finder):
    """An exported detector. Raises InputError on a file that is missing, damaged or not of ours.

    Runs on the GPU where `device` is "cuda" and the installed ONNX Runtime has CUDA, else on the CPU.
    """

    def __init__(self, path: Path, device: str | None = None):
        super().__init__()
        if not path.is_file():
            raise InputError(path, "there is no such file", EXPORT_AGAIN)
        cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers() and device != "cpu"
        providers = ["CUDAExecutionProvider"] * cuda + ["CPUExecutionProvider"]
        try:
            self.session = onnxruntime.InferenceSession(path, providers=providers)
        except UNREADABLE as error:
            raise InputError(path, f"ONNX Runtime cannot read it ({type(error).__name__})", EXPORT_AGAIN) from None
        told = self.session.get_modelmeta().custom_metadata_map
        if told.get("format") != FORMAT:
            raise InputError(path, f"its metadata have format {told.get('format')!r}, not {FORMAT!r}", EXPORT_AGAIN)
        try:
            self.config = DetectorConfig(**json.loads(told["detector"]))
        except ValidationError as error:
            problem = f"its settings are those of another version ({error.errors()[0]['msg']})"
            raise InputError(path, problem, "train and export it again") from None
        suppression = json.loads(told.get("suppression", "null"))
        self.suppression = None if suppression is None else Suppression(**suppression)
        self.category_names = tuple(json.loads(told["categories"]))
        self.categories = len(self.category_names)

    def cells(self, images: np.ndarray) -> list[np.ndarray]:
        """(B, 3, H, W) float32, ImageNet-normalised -> the file's outputs: score, box and, of a grid, occlusion."""
        return self.session.run(None, {INPUT: images})  # type: ignore[return-value]

    def find(self, images: Tensor) -> list[Detections]:
        said = self.cells(np.ascontiguousarray(images.float().cpu().numpy()))
        if self.suppression is not None:
            return [self.suppression(*map(torch.from_numpy, of_image)) for of_image in zip(*said, strict=True)]
        score, box, occlusion = said
        found = []
        for i in range(len(images)):
            category, cell = np.nonzero(score[i] >= self.config.clustering.min_coverage)
            chosen = [values[i][category, cell] for values in (box, score, occlusion)]
            proposals = Proposals(*map(torch.from_numpy, (category, *chosen)))
            found.append(cluster(proposals, self.config.clustering))
        return found
