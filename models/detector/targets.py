"""What every cell should say: labelled boxes rasterised to the grids, on the device."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dataset.schema import EVERY_CATEGORY

from .boxes import encode
from .cells import Cells, cells_of
from .config import DetectorConfig


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
    """What the heads should say of K cells (see cells.py). Where `covered` is False only `counts` has a meaning."""

    covered: Tensor  # (B, C, K) bool
    counts: Tensor  # (B, C, K) bool: False where the cell is ignored: no loss whatever it says
    box: Tensor  # (B, C, 4, K) float32, encoded
    occlusion: Tensor  # (B, C, K) float32, NaN where unknown
    cells: Tensor  # (B, C, K) float32, number of cells of the object that covers this one


def rasterise(objects: ObjectBatch, config: DetectorConfig, categories: int) -> GridTargets:
    """Objects -> targets, with no loop over objects, images or categories.

    In the grid that it belongs to by its size, an object covers the cells whose centre lies in an ellipse about its
    own centre, those near its centre by `centre_cells`, and always the cell that holds its centre, so that small
    objects never vanish. Where objects of one category meet in a cell, one whose centre lies there comes first, then
    the smaller (which is nearly always the one with no other cell to go to). Cells in the ring around the ellipse, and
    cells touched by an ignore region, do not count unless covered. For the other grids an object is background.
    """
    cells = cells_of(config, objects.box_xyxy.device)
    batch, most = objects.category.shape
    x0, y0, x1, y1 = (edge[..., None] for edge in objects.box_xyxy.unbind(-1))  # each (B, M, 1)
    half_width, half_height = (x1 - x0) / 2, (y1 - y0) / 2
    off_x, off_y = cells.x - (x0 + x1) / 2, cells.y - (y0 + y1) / 2  # (B, M, K)
    # An edge of the image belongs to the last cell: a centre on the border must not fall outside the grid.
    holds_centre = _holds(cells.x, (x0 + x1) / 2, cells.stride, config.input_width_px)
    holds_centre &= _holds(cells.y, (y0 + y1) / 2, cells.stride, config.input_height_px)
    radius = torch.sqrt((off_x / half_width.clamp(min=1e-3)) ** 2 + (off_y / half_height.clamp(min=1e-3)) ** 2)

    learned = objects.learned(config.min_box_px)
    longer_side = 2 * torch.maximum(half_width, half_height)
    own_grid = learned[..., None] & (longer_side >= cells.smallest) & (longer_side < cells.largest)
    covers = holds_centre | (radius <= config.coverage_radius)  # (B, M, K)
    if config.centre_cells > 0:
        reach = config.centre_cells * cells.stride
        near_x, near_y = off_x.abs() < half_width.minimum(reach), off_y.abs() < half_height.minimum(reach)
        covers |= near_x & near_y
    member = own_grid & covers

    area = torch.where(learned, (half_width * half_height)[..., 0], torch.inf)
    smallest_first = area.argsort(dim=1)
    rank = torch.empty_like(smallest_first).scatter_(
        1, smallest_first, torch.arange(most, device=area.device).expand(batch, most).contiguous()
    )
    claim = torch.where(member, rank[..., None] + most * (~holds_centre), 2 * most)
    category = objects.category.clamp(min=0)[..., None].expand_as(claim)
    grid = (batch, categories, len(cells.x))
    best = torch.full(grid, 2 * most, device=claim.device).scatter_reduce(1, category, claim, "amin")
    covered = best < 2 * most
    winner = smallest_first.gather(1, (best % max(most, 1)).flatten(1)).view(grid) if most else best

    ignored = _ignored(objects, learned, cells, categories)
    ring = own_grid & (radius <= config.dead_zone_radius)
    in_ring = torch.zeros(grid, dtype=torch.int64, device=claim.device).scatter_reduce(1, category, ring.long(), "amax")
    counts = covered | ~(ignored | in_ring.bool())
    return _describe(objects, winner, covered, counts, cells, config)


def _holds(cell_centre: Tensor, point: Tensor, stride: Tensor, size_px: int) -> Tensor:
    """Whether the cell with this centre is the one that holds the point; points outside belong to the border's cell."""
    inside = torch.minimum(torch.maximum(point, stride / 2), size_px - stride / 2)
    off = inside - cell_centre
    return (off >= -stride / 2) & (off < stride / 2)


def _ignored(objects: ObjectBatch, learned: Tensor, cells: Cells, categories: int) -> Tensor:
    """(B, C, K) bool: cells that an ignore region of this category, or of every category, touches."""
    x0, y0, x1, y1 = (edge[..., None] for edge in objects.box_xyxy.unbind(-1))
    half = cells.stride / 2
    touched = (cells.x + half > x0) & (cells.x - half < x1) & (cells.y + half > y0) & (cells.y - half < y1)
    touched = touched & (objects.exists & ~learned)[..., None]  # (B, M, K)
    every = (objects.category == EVERY_CATEGORY)[..., None]
    own = objects.category.clamp(min=0)[..., None].expand_as(touched)
    grid = (len(touched), categories, len(cells.x))
    of_category = torch.zeros(grid, dtype=torch.int64, device=touched.device).scatter_reduce(
        1, own, (touched & ~every).long(), "amax"
    )
    return of_category.bool() | (touched & every).any(1, keepdim=True)


def _describe(
    objects: ObjectBatch, winner: Tensor, covered: Tensor, counts: Tensor, cells: Cells, config: DetectorConfig
) -> GridTargets:
    """The winner's box, occlusion and number of cells, in every cell."""
    batch, most = objects.category.shape
    if most == 0:
        nothing = torch.zeros(winner.shape, device=winner.device)
        return GridTargets(covered, counts, nothing[:, :, None].expand(-1, -1, 4, -1), nothing, nothing + 1)
    flat = winner.flatten(1)  # (B, C*K)
    box = objects.box_xyxy.gather(1, flat[..., None].expand(-1, -1, 4)).view(*winner.shape, 4)
    won = torch.zeros(batch, most, device=flat.device).scatter_add_(1, flat, covered.flatten(1).float())
    return GridTargets(
        covered=covered,
        counts=counts,
        box=encode(box, cells, config),
        occlusion=objects.occlusion.gather(1, flat).view(winner.shape),
        cells=won.gather(1, flat).view(winner.shape).clamp(min=1),
    )
