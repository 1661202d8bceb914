"""Large pictures in tiles: each tile is computed with a halo around it, of which nothing is kept.

Where the halo reaches as far as the network looks, no pixel can tell whether it was computed in a tile, and the seams
are those of rounding. At the picture's own border a tile ends where the picture does, so that the network pads there
exactly as it would pad the whole. What looks at the whole picture at once, such as instance norm, does not tile by
itself: its statistics must come from one view of the whole (`picture_norm.statistics_of`) before the tiles are made.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from dataset.errors import InputError

Translate = Callable[[Tensor], Tensor]


def tiled(f: Translate, x: Tensor, tile_px: int, halo_px: int, multiple_px: int = 1) -> Tensor:
    """f(x), computed in tiles of tile_px by tile_px. x: (B, C, H, W) -> (B, D, H, W).

    f keeps height and width. halo_px: how far f looks to any side (`reach_px` measures it). multiple_px: f wants
    sizes that are multiples of this, and tiles begin at such multiples, as a strided network computes another phase
    elsewhere; the picture is mirrored to the next multiple and cut back. Memory holds one tile and the result.
    """
    if tile_px < 1 or halo_px < 0 or multiple_px < 1:
        problem = f"tiles of {tile_px} px with a halo of {halo_px} px in multiples of {multiple_px} px"
        raise InputError("tiling", problem, "give a tile of at least 1 px and a halo of at least 0")
    height, width = x.shape[-2:]
    x = padded_to_multiple(x, multiple_px)
    tile, halo = (-(-size // multiple_px) * multiple_px for size in (tile_px, halo_px))
    result: Tensor | None = None
    for top, bottom in _spans(x.shape[-2], tile):
        for left, right in _spans(x.shape[-1], tile):
            y0, x0 = max(top - halo, 0), max(left - halo, 0)
            made = f(x[..., y0 : bottom + halo, x0 : right + halo])
            if result is None:
                result = made.new_empty((*made.shape[:2], *x.shape[-2:]))
            result[..., top:bottom, left:right] = made[..., top - y0 : bottom - y0, left - x0 : right - x0]
    if result is None:
        raise InputError("tiling", f"a picture of {width}x{height} px", "give a picture with pixels")
    return result[..., :height, :width]


def padded_to_multiple(x: Tensor, multiple_px: int) -> Tensor:
    """(B, C, H, W) -> its right and lower sides mirrored up to multiples; repeated where too small to mirror."""
    height, width = x.shape[-2:]
    down, right = -height % multiple_px, -width % multiple_px
    if not (down or right):
        return x
    mirrored = down < height and right < width
    return F.pad(x, (0, right, 0, down), mode="reflect" if mirrored else "replicate")


def reach_px(f: Translate, channels: int, size_px: int, multiple_px: int = 1) -> int:
    """How far f looks to any side: the farthest input pixel that a change of an output pixel depends on.

    Measured by gradients on noise of size_px by size_px, for all phases of a stride. InputError where the reach
    touches the border, so that size_px was too small to see it whole.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x = torch.randn(1, channels, size_px, size_px, requires_grad=True)
    middle = size_px // 2 // multiple_px * multiple_px
    with torch.enable_grad():
        y = f(x)[..., middle : middle + multiple_px, middle : middle + multiple_px]
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
    seen = gradient.abs().amax((0, 1)) > 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    if len(rows) == 0:
        return 0
    first, last = int(min(rows[0], columns[0])), int(max(rows[-1], columns[-1]))
    if first == 0 or last == size_px - 1:
        problem = f"the network looks farther than {size_px // 2} px"
        raise InputError("tiling", problem, "measure on a larger picture, or run pictures whole")
    return max(middle - first, last - (middle + multiple_px - 1), 0)


def _spans(size: int, tile: int) -> list[tuple[int, int]]:
    return [(start, min(start + tile, size)) for start in range(0, size, tile)]
