"""Where the cells of a detector's grids lie, and which objects each grid is there for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .config import DetectorConfig


@dataclass(frozen=True)
class Cells:
    """All K cells of all grids as one flat list: the finest grid first, each grid row by row. Lengths in input px."""

    x: Tensor  # (K,) float32, of the centre
    y: Tensor  # (K,)
    stride: Tensor  # (K,) width and height of the cell
    smallest: Tensor  # (K,) longer side of an object from which on the cell's grid is there for it
    largest: Tensor  # (K,) and up to which; the next coarser grid's smallest


def cells_of(config: DetectorConfig, device: torch.device | str) -> Cells:
    """The cells of a configured detector.

    An object belongs to one grid, by its longer side in cells (as in FCOS, Tian et al. 2019, section 3.2): a near
    lorry need not be put together from hundreds of small cells, nor a far car be told apart within a large one.
    """
    columns = []
    for number, stride in enumerate(config.strides):
        x = (torch.arange(config.input_width_px // stride, device=device) + 0.5) * stride
        y = (torch.arange(config.input_height_px // stride, device=device) + 0.5) * stride
        row, column = torch.meshgrid(y, x, indexing="ij")
        below = config.strides[number - 1] * config.cells_across if number else 0.0
        above = stride * config.cells_across if number + 1 < len(config.strides) else torch.inf
        same = (torch.full((row.numel(),), float(value), device=device) for value in (stride, below, above))
        columns.append((column.flatten(), row.flatten(), *same))
    return Cells(*(torch.cat(parts) for parts in zip(*columns, strict=True)))
