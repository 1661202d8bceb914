"""Detecting: images in, objects out, in pixels of the original image."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.images import read_image
from dataset.scaling import ScoreScaling
from dataset.schema import Detections
from dataset.store import Dataset

from . import checkpoint
from .architecture import Finder
from .config import DetectorConfig
from .network import normalise
from .precision import Precision, autocast
from .samples import resized

DECODERS = 4  # threads that read images while the network runs; Pillow decodes outside Python's lock


class Detector:
    """A trained network that is ready to detect."""

    def __init__(
        self,
        model: Finder,
        categories: tuple[str, ...],
        device: str | None = None,
        scaling: ScoreScaling | None = None,
        precision: Precision = "auto",
    ):
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.categories = categories
        self.scaling = scaling
        self.precision: Precision = precision

    @staticmethod
    def load(path: Path, device: str | None = None, *, calibrated: bool = False) -> "Detector":
        """From a checkpoint that `train` wrote, or an .onnx file that `export` wrote.

        It computes with the `precision` that its training was set to ("auto": what pays on the device that detects);
        an .onnx file in float32.
        device: "cuda" or "cpu", by default the GPU where there is one. calibrated: turn scores into probabilities
        with what `evaluate --fit-calibration` left beside the file.
        """
        if path.suffix == ".onnx":
            from .onnx_model import OnnxModel  # ONNX Runtime is loaded by those alone who use it

            exported = OnnxModel(path, device)
            return Detector(exported, exported.category_names, "cpu", ScoreScaling.load(path) if calibrated else None)
        content = checkpoint.load(path)
        scaling = ScoreScaling.load(path) if calibrated else None
        model, precision = checkpoint.model_of(content, path), content["train"]["precision"]
        return Detector(model, tuple(content["categories"]), device, scaling, precision)

    def detect(self, images: list[np.ndarray], *, min_score: float = 0.01) -> list[Detections]:
        """images: (H, W, 3) uint8 RGB of any sizes -> Detections of each, strongest first, clipped to the image."""
        if not images:
            return []
        small = np.stack([resized(image, self.model.config) for image in images])
        return [
            _in_original_pixels(self._scaled(found), image.shape, self.model.config, min_score)
            for found, image in zip(self._find(small), images, strict=True)
        ]

    def _scaled(self, found: Detections) -> Detections:
        if self.scaling is None:
            return found
        return Detections(**vars(found) | {"score": self.scaling(found.score).astype(np.float32)})

    @torch.inference_mode()
    def _find(self, images: np.ndarray) -> list[Detections]:
        """(B, H, W, 3) uint8 at the input's size -> the objects of each image, in input px."""
        pixels = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float() / 255
        with autocast(self.device, self.precision):
            return self.model.find(normalise(pixels))


def _in_original_pixels(
    found: Detections, shape: tuple[int, ...], config: DetectorConfig, min_score: float
) -> Detections:
    """Boxes at the input's size -> pixels of an original of this shape (H, W, 3), clipped; weak ones left out."""
    height_px, width_px = shape[:2]
    scale = np.array([width_px / config.input_width_px, height_px / config.input_height_px] * 2)
    box = np.clip(found.box_xyxy_px * scale, 0, [width_px, height_px] * 2)
    keep = (found.score >= min_score) & (box[:, 2:] > box[:, :2]).all(1)
    return Detections(**vars(found) | {"box_xyxy_px": box}).where(keep)


def predict(
    checkpoint_file: Path,
    ds: Dataset,
    out: Path,
    *,
    batch_size: int = 8,
    min_score: float = 0.01,
    calibrated: bool = False,
    progress: bool = True,
) -> Path:
    """Detect in every frame of `ds` and write them to the Parquet file `out`, in the data set's order.

    Streams: memory holds a few batches of images, whatever the length of the data set. Categories must be those of
    the checkpoint, in the same order, else InputError.
    """
    detector = Detector.load(checkpoint_file, calibrated=calibrated)
    if detector.categories != ds.categories:
        problem = f"it detects {list(detector.categories)}, the data set {ds.folder} has {list(ds.categories)}"
        raise InputError(checkpoint_file, problem, "read the data set with the same categories in the same order")
    with (
        DetectionsWriter(out, ds.categories) as writer,
        tqdm(total=len(ds), desc="predict", unit="image", disable=not progress) as bar,
    ):
        for frame_ids, images in _batches(ds, batch_size):
            for frame_id, found in zip(frame_ids, detector.detect(images, min_score=min_score), strict=True):
                writer.add(frame_id, found)
            bar.update(len(images))
    return out


def _batches(ds: Dataset, batch_size: int) -> Iterator[tuple[list[str], list[np.ndarray]]]:
    """Frame ids and decoded images, the next batch being read while this one is worked on."""
    frames = (frame for part in ds.iterate() for frame, _ in part)
    with ThreadPoolExecutor(DECODERS) as pool:

        def start():
            batch = list(islice(frames, batch_size))
            return [f.frame_id for f in batch], [pool.submit(read_image, f.image_path) for f in batch]

        following = start()
        while following[0]:
            (frame_ids, pending), following = following, start()
            yield frame_ids, [image.result() for image in pending]
