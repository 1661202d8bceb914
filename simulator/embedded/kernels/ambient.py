# type: ignore
# ruff: noqa: UP018
"""Light from the sky and from what stands about, gathered at one pixel of each cell and spread from there.

It changes slowly over a surface. What is kept is its ratio to the light under an open sky, which the surface's own
normal gives exactly, so that relief and creases are not lost.
"""

import warp as wp

from simulator.embedded.kernels.cover import NO_FACE, face_seen
from simulator.embedded.kernels.hits import dither, hit_of, in_one_plane
from simulator.embedded.kernels.records import Geometry, Pinhole, Sky
from simulator.embedded.kernels.shading import open_sky, surroundings
from simulator.embedded.kernels.surface import bent_normal

CELL_PX = wp.constant(3)
PLAIN_AMBIENT_M = wp.constant(35.0)  # scenery's walls and trees beyond it get light without an ambient ray
MOST = wp.constant(200.0)  # a lamp met by chance must not outshine all neighbours


@wp.struct
class Gathered:
    """At a pixel of a cell that shows a surface; `normal` is zero where the whole cell is sky."""

    position: wp.vec3
    normal: wp.vec3
    depth_m: float


@wp.kernel
def gather(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    seed: int,
    nearest: wp.array3d[wp.uint64],
    at: wp.array2d[Gathered],
    ratio: wp.array2d[wp.vec3],
):
    """One ray a cell."""
    cell_row, cell_column = wp.tid()
    # the middle of the cell, or else whichever pixel shows a surface
    row = wp.min(CELL_PX * cell_row + CELL_PX / 2, camera.height - 1)
    column = wp.min(CELL_PX * cell_column + CELL_PX / 2, camera.width - 1)
    for number in range(CELL_PX * CELL_PX):
        if face_seen(nearest[0, row, column]) == NO_FACE:
            row = wp.min(CELL_PX * cell_row + number / CELL_PX, camera.height - 1)
            column = wp.min(CELL_PX * cell_column + number % CELL_PX, camera.width - 1)
    out = Gathered()
    share = wp.vec3(1.0, 1.0, 1.0)
    hit = hit_of(geometry, camera, float(column) + 0.5, float(row) + 0.5, nearest[0, row, column])
    if hit.face != NO_FACE:
        out.position = hit.position
        out.normal = hit.flat_normal
        out.depth_m = hit.depth_m
        distant = hit.depth_m > PLAIN_AMBIENT_M and geometry.instance[hit.face] == 0 and hit.flat_normal[2] < 0.9
        if not distant:
            normal = bent_normal(geometry, hit.face, hit.u, hit.v, hit.flat_normal, hit.direction)
            drawn = dither(cell_row, cell_column, seed)
            light = surroundings(geometry, sky, hit.position, hit.flat_normal, normal, drawn)
            share = wp.min(wp.cw_div(light, open_sky(sky, normal)), wp.vec3(MOST, MOST, MOST))
    at[cell_row, cell_column] = out
    ratio[cell_row, cell_column] = share


@wp.kernel
def spread(stride: int, at: wp.array2d[Gathered], ratio: wp.array2d[wp.vec3], out: wp.array2d[wp.vec3]):
    """One pass of an a-trous filter over cells of one plane (Dammertz et al., 'Edge-avoiding a-trous wavelet transform
    for fast global illumination filtering', 2010)."""
    row, column = wp.tid()
    own = at[row, column]
    total = ratio[row, column] * 4.0
    weight = float(4.0)
    for number in range(9):
        down = number / 3 - 1
        right = number % 3 - 1
        i = row + down * stride
        j = column + right * stride
        if number != 4 and i >= 0 and j >= 0 and i < ratio.shape[0] and j < ratio.shape[1]:
            other = at[i, j]
            share = in_one_plane(own.position, own.normal, other.position, other.normal, own.depth_m)
            if down == 0 or right == 0:
                share = share * 2.0
            total += ratio[i, j] * share
            weight += share
    out[row, column] = total / weight


@wp.func
def ambient_ratio(
    at: wp.array2d[Gathered],
    ratio: wp.array2d[wp.vec3],
    row: int,
    column: int,
    position: wp.vec3,
    normal: wp.vec3,
    depth_m: float,
) -> wp.vec3:
    """At a pixel, from the cells about it that lie in its plane, or from all of them where none does."""
    y = (float(row) + 0.5) / float(CELL_PX) - 0.5
    x = (float(column) + 0.5) / float(CELL_PX) - 0.5
    top = int(wp.floor(y))
    left = int(wp.floor(x))
    total = wp.vec3(0.0, 0.0, 0.0)
    weight = float(0.0)
    for number in range(4):
        down = number / 2
        right = number % 2
        i = wp.clamp(top + down, 0, ratio.shape[0] - 1)
        j = wp.clamp(left + right, 0, ratio.shape[1] - 1)
        near = (1.0 - wp.abs(y - float(top + down))) * (1.0 - wp.abs(x - float(left + right)))
        other = at[i, j]
        share = near * (0.001 + in_one_plane(position, normal, other.position, other.normal, depth_m))
        total += ratio[i, j] * share
        weight += share
    return total / weight
