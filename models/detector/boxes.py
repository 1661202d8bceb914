"""How a cell writes down the box of its object, and how that is read again."""

import math

import torch
from torch import Tensor

from .cells import Cells
from .config import DetectorConfig

MIN_SIZE_PX = 1.0
EDGE_UNIT_CELLS = 35 / 16  # DetectNet_v2 divides distances to the edges by 35 px, and its cells are 16 px wide


def encode(box_xyxy: Tensor, cells: Cells, config: DetectorConfig) -> Tensor:
    """Boxes (B, C, K, 4) xyxy in input px -> what their cells should say of them, (B, C, 4, K).

    relative: the offset of the box's centre from the cell's, in widths and heights of the box (of half a cell, where
    the box is smaller), and the logarithm of its size in cells. An error of 0.1 is a tenth of the object, near or far,
    so its L1 needs no weight a size, and its gradient does not fade where a prediction is much too small.
    edges: the distances from the cell's centre to the left, upper, right and lower edge, in units of 35/16 cells.
    """
    x0, y0, x1, y1 = box_xyxy.unbind(-1)
    if config.box_code == "edges":
        unit = cells.stride * EDGE_UNIT_CELLS
        return torch.stack([cells.x - x0, cells.y - y0, x1 - cells.x, y1 - cells.y], dim=2) / unit
    width, height = (x1 - x0).clamp(min=MIN_SIZE_PX), (y1 - y0).clamp(min=MIN_SIZE_PX)
    least = cells.stride / 2
    off_x = ((x0 + x1) / 2 - cells.x) / torch.maximum(width, least)
    off_y = ((y0 + y1) / 2 - cells.y) / torch.maximum(height, least)
    return torch.stack([off_x, off_y, (width / cells.stride).log(), (height / cells.stride).log()], dim=2)


def decode(encoded: Tensor, cells: Cells, config: DetectorConfig) -> Tensor:
    """The inverse of `encode`: (B, C, 4, K) -> boxes (B, C, K, 4) xyxy in input px.

    Sizes are at least one px, and at most twice the input's where they are written relative: an exponential that is
    infinite would leave gradients that are no numbers.
    """
    if config.box_code == "edges":
        left, above, right, below = (encoded * cells.stride * EDGE_UNIT_CELLS).unbind(2)
        x0, y0 = cells.x - left, cells.y - above
        x1 = torch.maximum(cells.x + right, x0 + MIN_SIZE_PX)
        return torch.stack([x0, y0, x1, torch.maximum(cells.y + below, y0 + MIN_SIZE_PX)], dim=-1)
    off_x, off_y, log_width, log_height = encoded.unbind(2)
    width = _size(log_width, cells, config.input_width_px)
    height = _size(log_height, cells, config.input_height_px)
    least = cells.stride / 2
    centre_x = cells.x + off_x * torch.maximum(width, least)
    centre_y = cells.y + off_y * torch.maximum(height, least)
    corners = [centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2]
    return torch.stack(corners, dim=-1)


def _size(log_cells: Tensor, cells: Cells, input_px: int) -> Tensor:
    """A size in px; clamped before the exponential, whose infinity would meet a gradient of zero."""
    log_px = log_cells + cells.stride.log()
    return log_px.clamp(math.log(MIN_SIZE_PX), math.log(2.0 * input_px)).exp()
