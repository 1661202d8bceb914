"""Refiners that are one generator: the file, the layout, and pictures of any size, one at a time."""

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .config import MethodConfig
from .crops import to_rgb
from .gan_lesson import placed
from .picture_norm import statistics_of
from .refiner import Refiner
from .resnet_generator import ResnetGenerator
from .tiling import padded_to_multiple, tiled
from .training import autocast, training_device
from .unet import UNet

Generator = UNet | ResnetGenerator
WHOLE_PX = 2048 * 1088  # pictures up to here are painted in one piece, in about 2 GB at the paper's widths
TILE_PX = 1024


class PaintingRefiner(Refiner):
    """`generator` maps (1, planes, H, W) to (1, 3, H, W) in [-1, 1]."""

    def __init__(self, config: MethodConfig, provenance: dict[str, Any], generator: Generator):
        super().__init__(config, provenance)
        self.device = training_device()
        self.generator = placed(generator.requires_grad_(False).eval(), self.device)

    @abstractmethod
    def planes(self, rgb: np.ndarray, semantic: np.ndarray | None) -> Tensor:
        """What the generator reads for one picture: (H, W, 3) and its label map (H, W) -> (1, planes, H, W)."""

    def weights(self) -> dict[str, Tensor]:
        return {name: value.cpu().contiguous() for name, value in self.generator.state_dict().items()}

    @torch.inference_mode()
    def apply(self, rgb: np.ndarray, semantic: np.ndarray | None, seed: int) -> np.ndarray:
        maps = [None] * len(rgb) if semantic is None else semantic
        return np.concatenate([self._apply(self.planes(one, ids)) for one, ids in zip(rgb, maps, strict=True)])

    def _apply(self, x: Tensor) -> np.ndarray:
        with autocast(self.device):
            return to_rgb(painted(self.generator, x.to(self.device, memory_format=torch.channels_last)))


def painted(generator: Generator, x: Tensor, *, whole_px: int = WHOLE_PX, tile_px: int = TILE_PX) -> Tensor:
    """generator(x) for one picture of any size: (1, planes, H, W) -> (1, 3, H, W).

    A picture of more than `whole_px` pixels is painted in tiles, with the statistics of its norms taken from a view of
    the whole that has about `whole_px` pixels. Nothing else differs between a tile and the whole: no seams, but other
    tints, as a smaller view has other statistics. For pictures of 2 and 4 times `whole_px`, CUT after 150 steps and
    pix2pix after 90 were 1-3 and 3-4 of 255 off on average, 48 at the worst pixel of all.
    """
    multiple = generator.multiple_px
    height, width = x.shape[-2:]
    if height * width <= whole_px:
        return generator(padded_to_multiple(x, multiple))[..., :height, :width]
    with statistics_of(generator, overview(x, whole_px, multiple)):
        return tiled(generator, x, tile_px, generator.halo_px, multiple)


def overview(x: Tensor, pixels: int, multiple_px: int) -> Tensor:
    """The picture with about that many pixels, its sides multiples; pixels are picked, as labels do not blend."""
    scale = (pixels / (x.shape[-2] * x.shape[-1])) ** 0.5
    sides = [max(round(side * scale / multiple_px), 1) * multiple_px for side in x.shape[-2:]]
    return F.interpolate(x, size=sides, mode="nearest")
