# type: ignore
# ruff: noqa: UP018
"""What was drawn by chance at a pixel, made the mean over pixels about it that lie in its plane.

Only what chance touched is averaged: whether sun and lamps are seen (0 or 1 at a pixel, times a light that is exact:
Heitz et al., 'Combining analytic direct illumination and stochastic shadows', 2018) and what a dull or faint mirror
shows. Textures, relief and edges stay as they are. A shadow of the sun is softened as far as its half-shadow reaches:
the distance of what throws it, times the angle of the sun's disc (Fernando, 'Percentage-closer soft shadows', 2005).
"""

import warp as wp

from simulator.embedded.kernels.hits import in_one_plane
from simulator.embedded.kernels.lamps import UNKNOWN
from simulator.embedded.kernels.records import Pinhole, Sky
from simulator.embedded.kernels.shading import NO_SUN, Parts

WIDEST_PX = wp.constant(5)  # radius within which a shadow of the sun is softened
SCOUTS_DOWN = wp.constant(wp.types.vector(8, int)(0, 2, 5, 2, 0, -2, -5, -2))  # pixels that tell whether one is near
SCOUTS_RIGHT = wp.constant(wp.types.vector(8, int)(5, 2, 0, -2, -5, -2, 0, 2))
LAMPS_PX = wp.constant(4)  # radius within which shadows of lamps are softened
DULLEST_PX = wp.constant(15.0)  # blur that spreads over more is cut to this: small panels have no further neighbours
CLEAR_PX = wp.constant(0.5)  # a mirror whose blur spreads over less shows no noise
BRIGHTEST = wp.constant(60.0)  # one spark in a mirror must not outshine a neighbourhood


@wp.func
def within(parts: wp.array2d[Parts], row: int, column: int) -> bool:
    return row >= 0 and column >= 0 and row < parts.shape[0] and column < parts.shape[1]


@wp.func
def tent(down: int, right: int, reach: int) -> float:
    """Weight of a pixel among those at most `reach` away."""
    return float((reach + 1 - wp.abs(down)) * (reach + 1 - wp.abs(right)))


@wp.func
def shared(own: Parts, other: Parts) -> float:
    return in_one_plane(own.position, own.flat_normal, other.position, other.flat_normal, own.depth_m)


@wp.func
def sun_seen_about(parts: wp.array2d[Parts], own: Parts, row: int, column: int, sky: Sky, focal_px: float) -> float:
    """Share of the sun's disc that is seen."""
    hidden_m = wp.max(own.sun_hidden_m, 0.0)
    hidden = wp.where(hidden_m > 0.0, 1.0, 0.0)
    seen = 1.0 - hidden
    for number in range(8):
        i = row + SCOUTS_DOWN[number]
        j = column + SCOUTS_RIGHT[number]
        if within(parts, i, j):
            other_m = parts[i, j].sun_hidden_m
            if other_m > 0.0:
                hidden_m += other_m
                hidden += 1.0
            elif other_m == 0.0:
                seen += 1.0
    if hidden == 0.0 or seen == 0.0:
        return wp.where(own.sun_hidden_m > 0.0, 0.0, 1.0)
    reach_px = hidden_m / hidden * sky.sun_radius * focal_px / own.depth_m
    reach_px = wp.min(reach_px, float(WIDEST_PX))
    reach = int(reach_px + 0.5)
    total = float(0.0)
    weight = float(0.0)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            gap = wp.sqrt(float(down * down + right * right))
            if gap < reach_px + 0.5 and within(parts, row + down, column + right):
                other = parts[row + down, column + right]
                if other.sun_hidden_m != NO_SUN:
                    share = wp.min(reach_px + 0.5 - gap, 1.0) * shared(own, other)
                    weight += share
                    if other.sun_hidden_m == 0.0:
                        total += share
    if weight == 0.0:
        return wp.where(own.sun_hidden_m > 0.0, 0.0, 1.0)
    return total / weight


@wp.func
def lamps_seen_about(parts: wp.array2d[Parts], own: Parts, row: int, column: int) -> float:
    """Share of the lamps' light that arrives."""
    total = own.lamps_seen * 1.0e-3
    weight = float(1.0e-3)
    for down in range(-LAMPS_PX, LAMPS_PX + 1):
        for right in range(-LAMPS_PX, LAMPS_PX + 1):
            if within(parts, row + down, column + right):
                other = parts[row + down, column + right]
                if wp.max(other.lamps) > 0.0:
                    share = tent(down, right, LAMPS_PX) * shared(own, other)
                    total += other.lamps_seen * share
                    weight += share
    return total / weight


@wp.kernel
def first_mirrors(parts: wp.array2d[Parts], mirrors: wp.array2d[wp.vec4]):
    """What a mirror shows, and how many pixels its blur spreads that: told by neighbours where no ray told."""
    row, column = wp.tid()
    own = parts[row, column]
    if wp.max(own.mirror_gain) == 0.0:
        return
    total = wp.vec4(own.mirror[0], own.mirror[1], own.mirror[2], 0.0) * 1.0e-3
    weight = float(1.0e-3)
    if own.mirror_reach_px == UNKNOWN:
        for down in range(-2, 3):
            for right in range(-2, 3):
                if within(parts, row + down, column + right):
                    other = parts[row + down, column + right]
                    if wp.max(other.mirror_gain) > 0.0 and other.mirror_reach_px != UNKNOWN:
                        share = tent(down, right, 2) * shared(own, other)
                        seen = wp.vec4(other.mirror[0], other.mirror[1], other.mirror[2], other.mirror_reach_px)
                        total += seen * share
                        weight += share
        mirrors[row, column] = total / weight
    else:
        mirrors[row, column] = wp.vec4(own.mirror[0], own.mirror[1], own.mirror[2], own.mirror_reach_px)


@wp.kernel
def spread_mirrors(
    parts: wp.array2d[Parts], mirrors: wp.array2d[wp.vec4], stride_per_reach: float, out: wp.array2d[wp.vec4]
):
    """One pass of an a-trous filter over what dull mirrors show; clear ones stay as they are."""
    row, column = wp.tid()
    own = parts[row, column]
    if wp.max(own.mirror_gain) == 0.0:
        return
    seen = mirrors[row, column]
    reach_px = seen[3]
    total = seen * 9.0
    weight = float(9.0)
    if reach_px > CLEAR_PX:
        stride = wp.max(int(wp.min(reach_px, DULLEST_PX) * stride_per_reach + 0.5), 1)
        for number in range(25):
            down = number / 5 - 2
            right = number % 5 - 2
            i = row + stride * down
            j = column + stride * right
            if number != 12 and within(parts, i, j):
                other = parts[i, j]
                if wp.max(other.mirror_gain) > 0.0:
                    share = tent(down, right, 2) * shared(own, other)
                    total += mirrors[i, j] * share
                    weight += share
    mean = total / weight
    out[row, column] = wp.vec4(mean[0], mean[1], mean[2], reach_px)


@wp.kernel
def soften(
    sky: Sky,
    camera: Pinhole,
    parts: wp.array2d[Parts],
    mirrors: wp.array2d[wp.vec4],
    radiance: wp.array2d[wp.vec3],
):
    """The parts of every pixel put together."""
    row, column = wp.tid()
    own = parts[row, column]
    light = own.steady
    if own.sun_hidden_m != NO_SUN:
        light += own.sun * sun_seen_about(parts, own, row, column, sky, camera.focal[0])
    if wp.max(own.lamps) > 0.0:
        light += own.lamps * lamps_seen_about(parts, own, row, column)
    if wp.max(own.mirror_gain) > 0.0:
        seen = mirrors[row, column]
        light += wp.cw_mul(own.mirror_gain, wp.vec3(seen[0], seen[1], seen[2]))
    radiance[row, column] = wp.min(light, wp.vec3(BRIGHTEST, BRIGHTEST, BRIGHTEST))


@wp.func
def unsoftened(own: Parts) -> wp.vec3:
    """One pixel's parts put together as they were drawn."""
    light = own.steady + own.lamps * own.lamps_seen + wp.cw_mul(own.mirror_gain, own.mirror)
    if own.sun_hidden_m == 0.0:
        light += own.sun
    return wp.min(light, wp.vec3(BRIGHTEST, BRIGHTEST, BRIGHTEST))
