"""Batches of crops: what a batch holds follows from the seed, the stream and the step alone, never from the past."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from dataset.errors import InputError

from .pictures import Pictures

Crop = tuple[np.ndarray, np.ndarray | None]  # (h, w, 3) uint8, (h, w) uint8 label ids


class CropConfig(BaseModel):
    """A random window of each picture, of the crop's shape, resized to the crop's size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width_px: int = Field(ge=8, description="Width of what the network sees.")
    height_px: int = Field(ge=8, description="Height of what the network sees.")
    batch: int = Field(default=1, ge=1, description="Crops a step.")
    scale_range: tuple[float, float] = Field(
        default=(0.6, 1.0),
        description="Size of the window, as a share of the largest of this shape that the picture holds. Pictures of "
        "any size therefore fit, and sets of different sizes show their scenes at like scale.",
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="Share of crops mirrored.")
    semantic: bool = Field(default=False, description="Whether batches hold label maps; each picture then needs one.")

    @model_validator(mode="after")
    def _scales_fit(self) -> "CropConfig":
        low, high = self.scale_range
        if not 0 < low <= high <= 1:
            raise InputError("scale_range", f"{low} to {high} lies outside 0 to 1", "give two rising shares up to 1")
        return self


@dataclass(frozen=True)
class Batch:
    rgb: Tensor  # (B, 3, h, w) float32, -1 to 1
    semantic: Tensor | None  # (B, h, w) int64 label ids; None where CropConfig.semantic is off
    rows: list[int]  # of the pictures shown, length B


class Crops:
    """Batches of a set of pictures. Each epoch shows every picture once, in an order of its own; a set smaller than a
    batch is shown several times in it. `stream` tells sets apart that share a seed, such as source and target.

    threads: decode the next step's pictures while this one is learned; by default 4 beside a GPU, and 0 on the CPU,
    which has nothing to wait for. They change no batch.
    """

    def __init__(self, pictures: Pictures, config: CropConfig, seed: int, stream: int, threads: int | None = None):
        if len(pictures) == 0:
            raise InputError("refiner", "there are no pictures to crop", "give at least one")
        self.pictures, self.config = pictures, config
        self._seed, self._stream = seed, stream
        self._order: tuple[int, np.ndarray] | None = None  # the last epoch asked for
        if threads is None:
            threads = 4 if torch.cuda.is_available() else 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="crops") if threads else None
        self._ahead: dict[int, list[Future[Crop]]] = {}
        if threads:
            pictures.name(0)  # opens a store once, before several threads would

    def batch(self, step: int) -> Batch:
        """What step `step` (from 0) shows. Raises InputError when a picture or its label map cannot be read."""
        if self._pool is None:
            crops = [self._crop(*asked) for asked in self._asked(step)]
        else:
            known, self._ahead = self._ahead, {}
            for wanted in (step, step + 1):
                self._ahead[wanted] = known.get(wanted) or [
                    self._pool.submit(self._crop, *asked) for asked in self._asked(wanted)
                ]
            crops = [future.result() for future in self._ahead[step]]
        rgb = torch.stack([to_tensor(rgb) for rgb, _ in crops])
        maps = [torch.from_numpy(ids.astype(np.int64)) for _, ids in crops if ids is not None]
        return Batch(rgb, torch.stack(maps) if maps else None, [row for row, _ in self._asked(step)])

    def _asked(self, step: int) -> list[tuple[int, np.ndarray]]:
        """Row, and (4,) draws 0-1 for size, x, y and mirroring, of each crop of a step."""
        size = self.config.batch
        draws = np.random.default_rng([self._seed, self._stream, 1, step]).random((size, 4))
        return [(self._row(step * size + j), draws[j]) for j in range(size)]

    def _row(self, position: int) -> int:
        epoch, place = divmod(position, len(self.pictures))
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([self._seed, self._stream, 0, epoch])
            self._order = epoch, rng.permutation(len(self.pictures))
        return int(self._order[1][place])

    def _crop(self, row: int, draws: np.ndarray) -> Crop:
        config, rgb = self.config, self.pictures.rgb(row)
        height, width = rgb.shape[:2]
        low, high = config.scale_range
        scale = min(width / config.width_px, height / config.height_px) * (low + (high - low) * draws[0])
        window_w, window_h = config.width_px * scale, config.height_px * scale
        x, y = draws[1] * (width - window_w), draws[2] * (height - window_h)
        box = (x, y, min(x + window_w, width), min(y + window_h, height))
        ids = self._semantic(row, rgb.shape[:2]) if config.semantic else None
        crop = resized(rgb, config.width_px, config.height_px, box)
        if ids is not None:
            ids = resized(ids, config.width_px, config.height_px, box)
        if draws[3] < config.flip:
            crop, ids = crop[:, ::-1], None if ids is None else ids[:, ::-1]
        return crop, ids

    def _semantic(self, row: int, shape: tuple[int, int]) -> np.ndarray:
        ids, name = self.pictures.semantic(row), self.pictures.name(row)
        if ids is None:
            raise InputError(name, "the picture has no label map", "give the maps, or choose a refiner without them")
        if ids.shape != shape:
            problem = f"the label map is {ids.shape[1]}x{ids.shape[0]}, the picture {shape[1]}x{shape[0]}"
            raise InputError(name, problem, "give maps of the pictures' size")
        return ids


def resized(
    values: np.ndarray, width_px: int, height_px: int, box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """(H, W, 3) or (H, W) uint8 -> the box (all by default) at another size: pictures filtered, label ids nearest."""
    how = Image.Resampling.BICUBIC if values.ndim == 3 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(values).resize((width_px, height_px), how, box=box))


def to_tensor(rgb: np.ndarray) -> Tensor:
    """(..., H, W, 3) uint8 -> (..., 3, H, W) float32, -1 to 1."""
    return torch.from_numpy(np.moveaxis(rgb, -1, -3).astype(np.float32)) / 127.5 - 1


def to_rgb(x: Tensor) -> np.ndarray:
    """(..., 3, H, W) float, -1 to 1 -> (..., H, W, 3) uint8, rounded; values outside are clipped."""
    values = ((x.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    return np.ascontiguousarray(np.moveaxis(values, -3, -1))
