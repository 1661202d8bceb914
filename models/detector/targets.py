"""What every cell should say: labelled boxes rasterised to the grid on the device, and the grid decoded to boxes."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dataset.schema import EVERY_CATEGORY

from .config import DetectorConfig

MIN_SIZE_PX = 1.0


class ObjectBatch(NamedTuple):
    """The objects of B images, padded to the same number M."""

    category: Tensor  # (B, M) int64, EVERY_CATEGORY for an ignore region of all of them
    box_xyxy: Tensor  # (B, M, 4) float32, input px
    occlusion: Tensor  # (B, M) float32 0-1, NaN where unknown
    ignore: Tensor  # (B, M) bool
    exists: Tensor  # (B, M) bool, False in the padding

    def to(self, device: torch.device | str) -> "ObjectBatch":
        return ObjectBatch(*(values.to(device, non_blocking=True) for values in self))

    def learned(self, min_box_px: float) -> Tensor:
        """(B, M) bool: what is asked for, not ignored, and long enough to be seen at the input's size."""
        x0, y0, x1, y1 = self.box_xyxy.unbind(-1)
        long_enough = torch.maximum(x1 - x0, y1 - y0) >= min_box_px
        return self.exists & ~self.ignore & (self.category != EVERY_CATEGORY) & long_enough


@dataclass(frozen=True)
class GridTargets:
    """What the heads should say. Where `covered` is False only `counts` has a meaning."""

    covered: Tensor  # (B, C, H, W) bool
    counts: Tensor  # (B, C, H, W) bool: False where the cell is ignored: no loss whatever it says
    box: Tensor  # (B, C, 4, H, W) float32, encoded
    occlusion: Tensor  # (B, C, H, W) float32, NaN where unknown
    cells: Tensor  # (B, C, H, W) float32, number of cells of the object that covers this one


def cell_centres(config: DetectorConfig, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """x (W,) and y (H,) of the cells' centres in input px."""
    columns, rows = config.input_width_px // config.stride, config.input_height_px // config.stride
    x = (torch.arange(columns, device=device) + 0.5) * config.stride
    return x, (torch.arange(rows, device=device) + 0.5) * config.stride


def encode(box_xyxy: Tensor, config: DetectorConfig) -> Tensor:
    """Boxes (B, C, H, W, 4) xyxy in input px -> what their cells should say of them, (B, C, 4, H, W).

    The offset of the box's centre from the cell's, in widths and heights of the box (of half a cell, where the box is
    smaller), and the logarithm of its size in cells. An error of 0.1 is a tenth of the object, near or far, so its L1
    needs no weight a size, and its gradient does not fade where a prediction is much too small.
    """
    x, y = cell_centres(config, box_xyxy.device)
    x0, y0, x1, y1 = box_xyxy.unbind(-1)
    width, height = (x1 - x0).clamp(min=MIN_SIZE_PX), (y1 - y0).clamp(min=MIN_SIZE_PX)
    off_x = ((x0 + x1) / 2 - x) / width.clamp(min=config.stride / 2)
    off_y = ((y0 + y1) / 2 - y[:, None]) / height.clamp(min=config.stride / 2)
    return torch.stack([off_x, off_y, (width / config.stride).log(), (height / config.stride).log()], dim=2)


def decode(encoded: Tensor, config: DetectorConfig) -> Tensor:
    """The inverse of `encode`: (B, C, 4, H, W) -> boxes (B, C, H, W, 4) xyxy in input px, at most twice the input."""
    x, y = cell_centres(config, encoded.device)
    off_x, off_y, log_width, log_height = encoded.unbind(2)
    width = (log_width.exp() * config.stride).clamp(MIN_SIZE_PX, 2 * config.input_width_px)
    height = (log_height.exp() * config.stride).clamp(MIN_SIZE_PX, 2 * config.input_height_px)
    centre_x = x + off_x * width.clamp(min=config.stride / 2)
    centre_y = y[:, None] + off_y * height.clamp(min=config.stride / 2)
    corners = [centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2]
    return torch.stack(corners, dim=-1)


def rasterise(objects: ObjectBatch, config: DetectorConfig, categories: int) -> GridTargets:
    """Objects -> targets, with no loop over objects, images or categories.

    An object covers the cells whose centre lies in an ellipse about its own centre, and always the cell that holds
    its centre, so that small objects never vanish. Where objects of one category meet in a cell, one whose centre
    lies there comes first, then the smaller (which is nearly always the one with no other cell to go to).
    Cells in the ring around the ellipse, and cells touched by an ignore region, do not count unless covered.
    """
    x, y = cell_centres(config, objects.box_xyxy.device)
    stride, (batch, most) = config.stride, objects.category.shape
    x0, y0, x1, y1 = (edge[..., None, None] for edge in objects.box_xyxy.unbind(-1))  # each (B, M, 1, 1)
    half_width, half_height = (x1 - x0) / 2, (y1 - y0) / 2
    off_x, off_y = x - (x0 + x1) / 2, y[:, None] - (y0 + y1) / 2  # (B, M, 1, W), (B, M, H, 1)
    # An edge of the image belongs to the last cell: a centre on the border must not fall outside the grid.
    holds_centre = _holds(x, (x0 + x1) / 2, stride) & _holds(y[:, None], (y0 + y1) / 2, stride)
    radius = torch.sqrt((off_x / half_width.clamp(min=1e-3)) ** 2 + (off_y / half_height.clamp(min=1e-3)) ** 2)

    learned = objects.learned(config.min_box_px)
    is_learned = learned[..., None, None]
    member = is_learned & (holds_centre | (radius <= config.coverage_radius))  # (B, M, H, W)

    area = torch.where(learned, (half_width * half_height)[..., 0, 0], torch.inf)
    smallest_first = area.argsort(dim=1)
    rank = torch.empty_like(smallest_first).scatter_(
        1, smallest_first, torch.arange(most, device=area.device).expand(batch, most).contiguous()
    )
    claim = torch.where(member, rank[..., None, None] + most * (~holds_centre), 2 * most)
    category = objects.category.clamp(min=0)[..., None, None].expand_as(claim)
    grid = (batch, categories, len(y), len(x))
    best = torch.full(grid, 2 * most, device=claim.device).scatter_reduce(1, category, claim, "amin")
    covered = best < 2 * most
    winner = smallest_first.gather(1, (best % max(most, 1)).flatten(1)).view(grid) if most else best

    ignored = _ignored(objects, learned, x, y, stride, categories)
    ring = is_learned & (radius <= config.dead_zone_radius)
    in_ring = torch.zeros(grid, dtype=torch.int64, device=claim.device).scatter_reduce(1, category, ring.long(), "amax")
    counts = covered | ~(ignored | in_ring.bool())
    return _describe(objects, winner, covered, counts, config)


def _holds(cell_centre: Tensor, point: Tensor, stride: int) -> Tensor:
    """Whether the cell with this centre is the one that holds the point; points outside belong to the border's cell."""
    inside = point.clamp(stride / 2, (cell_centre.numel() - 0.5) * stride)
    off = inside - cell_centre
    return (off >= -stride / 2) & (off < stride / 2)


def _ignored(objects: ObjectBatch, learned: Tensor, x: Tensor, y: Tensor, stride: int, categories: int) -> Tensor:
    """(B, C, H, W) bool: cells that an ignore region of this category, or of every category, touches."""
    x0, y0, x1, y1 = (edge[..., None, None] for edge in objects.box_xyxy.unbind(-1))
    half = stride / 2
    touched = (x + half > x0) & (x - half < x1) & (y[:, None] + half > y0) & (y[:, None] - half < y1)
    touched = touched & (objects.exists & ~learned)[..., None, None]  # (B, M, H, W)
    every = (objects.category == EVERY_CATEGORY)[..., None, None]
    own = objects.category.clamp(min=0)[..., None, None].expand_as(touched)
    grid = (len(touched), categories, len(y), len(x))
    of_category = torch.zeros(grid, dtype=torch.int64, device=touched.device).scatter_reduce(
        1, own, (touched & ~every).long(), "amax"
    )
    return of_category.bool() | (touched & every).any(1, keepdim=True)


def _describe(
    objects: ObjectBatch, winner: Tensor, covered: Tensor, counts: Tensor, config: DetectorConfig
) -> GridTargets:
    """The winner's box, occlusion and number of cells, in every cell."""
    batch, most = objects.category.shape
    if most == 0:
        nothing = torch.zeros(winner.shape, device=winner.device)
        return GridTargets(covered, counts, nothing[:, :, None].expand(-1, -1, 4, -1, -1), nothing, nothing + 1)
    flat = winner.flatten(1)  # (B, C*H*W)
    box = objects.box_xyxy.gather(1, flat[..., None].expand(-1, -1, 4)).view(*winner.shape, 4)
    won = torch.zeros(batch, most, device=flat.device).scatter_add_(1, flat, covered.flatten(1).float())
    return GridTargets(
        covered=covered,
        counts=counts,
        box=encode(box, config),
        occlusion=objects.occlusion.gather(1, flat).view(winner.shape),
        cells=won.gather(1, flat).view(winner.shape).clamp(min=1),
    )
