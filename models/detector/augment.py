"""Random changes of training images: drawn on the CPU per sample, applied to the whole batch on the device.

Geometry is one affine map and colour another, so a batch costs one grid sample and one matrix product.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dataset.schema import Objects

from .config import AugmentConfig
from .network import normalise

YIQ_FROM_RGB = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@dataclass(frozen=True)
class Augmentation:
    """One draw. Positions are shares of the image: -1 is its left (top) edge, 1 its right (bottom) edge."""

    source_scale: np.ndarray  # (2,) x, y; negative x mirrors
    source_shift: np.ndarray  # (2,): source = source_scale * output + source_shift
    colour: np.ndarray  # (3, 4): rgb 0-1 -> colour[:, :3] @ rgb + colour[:, 3]

    @staticmethod
    def none() -> "Augmentation":
        return Augmentation(np.ones(2), np.zeros(2), np.eye(3, 4))

    @staticmethod
    def draw(config: AugmentConfig, rng: np.random.Generator) -> "Augmentation":
        def around_one(amount: float) -> float:
            return rng.uniform(1 - amount, 1 + amount)

        zoom, stretch = around_one(config.zoom), np.sqrt(around_one(config.stretch))
        mirror = -1.0 if rng.random() < config.hflip else 1.0
        scale = np.array([mirror / (zoom * stretch), stretch / zoom])
        shift = rng.uniform(-2 * config.shift, 2 * config.shift, 2)
        contrast, brightness = around_one(config.contrast), around_one(config.brightness)
        turn, saturation = np.deg2rad(rng.uniform(-config.hue_deg, config.hue_deg)), around_one(config.saturation)
        chroma = saturation * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        change = np.eye(3)
        change[1:, 1:] = chroma
        rgb = brightness * contrast * (np.linalg.inv(YIQ_FROM_RGB) @ change @ YIQ_FROM_RGB)
        grey = np.full((3, 1), 0.5 * (1 - contrast))  # contrast turns about mid-grey
        return Augmentation(scale, shift, np.hstack([rgb, grey]))

    def objects(self, objects: Objects, width_px: int, height_px: int, min_visible: float) -> Objects:
        """Boxes moved with the image and clipped to it (see `cropped`)."""
        half = np.array([width_px, height_px]) / 2
        corners = objects.box_xyxy_px.reshape(-1, 2, 2) / half - 1  # -1..1
        corners = np.sort((corners - self.source_shift) / self.source_scale, axis=1)
        moved = ((corners + 1) * half).reshape(-1, 4)
        return cropped(objects, moved, np.array([0, 0, width_px, height_px]), min_visible)


def cropped(objects: Objects, moved_xyxy_px: np.ndarray, frame_xyxy_px: np.ndarray, min_visible: float) -> Objects:
    """Objects with their boxes moved to (N, 4) and clipped to a frame (4,); what is cut off adds to the truncation.

    Objects left with less than `min_visible` of their whole become ignore regions; those wholly outside go.
    """
    moved = moved_xyxy_px.reshape(-1, 2, 2)
    clipped = np.clip(moved, frame_xyxy_px[:2], frame_xyxy_px[2:])
    area, left = (np.prod(box[:, 1] - box[:, 0], axis=-1) for box in (moved, clipped))
    inside = left / np.maximum(area, 1e-9)
    truncation = 1 - (1 - np.nan_to_num(objects.truncation)) * inside
    cut = (inside < 1) & (1 - truncation < min_visible)
    changed = vars(objects) | {
        "box_xyxy_px": clipped.reshape(-1, 4),
        "truncation": truncation.astype(np.float32),
        "ignore": objects.ignore | cut,
    }
    return Objects(**changed).where(left > 0)


def apply(images: Tensor, source_from_output: Tensor, colour: Tensor) -> Tensor:
    """Change a batch and normalise it for the network.

    images (B, H, W, 3) uint8 RGB; source_from_output (B, 2, 3) as `affine_grid` wants it; colour (B, 3, 4)
    -> (B, 3, H, W) float32 in channels_last. What lies outside the source becomes ImageNet's mean grey.
    """
    flat = images.flatten(1, 2).float() / 255  # (B, HW, 3)
    flat = torch.baddbmm(colour[:, None, :, 3], flat, colour[:, :, :3].transpose(1, 2)).clamp_(0, 1)
    pixels = normalise(flat.view(images.shape).permute(0, 3, 1, 2))  # a permuted view: channels_last without a copy
    grid = F.affine_grid(source_from_output, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False).contiguous(memory_format=torch.channels_last)
