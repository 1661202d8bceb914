# type: ignore
# ruff: noqa: UP018
"""Light at what the camera sees: one sample at each pixel's centre, and further ones where something ends inside it."""

import warp as wp

from simulator.embedded.kernels.ambient import Gathered, ambient_ratio
from simulator.embedded.kernels.atmosphere import from_fog, left_by_fog, through_fog, whole_sky
from simulator.embedded.kernels.cover import NO_FACE, face_seen
from simulator.embedded.kernels.hits import Hit, alike, dither, hit_of, in_one_plane
from simulator.embedded.kernels.lamps import UNKNOWN, lamp_haze
from simulator.embedded.kernels.meeting import blocked
from simulator.embedded.kernels.records import Geometry, Pinhole, Sky
from simulator.embedded.kernels.shading import (
    FAR_M,
    NO_SUN,
    Parts,
    Sample,
    open_sky,
    shaded,
    to_sun,
)
from simulator.embedded.kernels.softening import unsoftened
from simulator.embedded.kernels.surface import surface_at

ONE_PLANE = wp.constant(0.5)  # of in_one_plane: enough to be told by a neighbour
HALO_EXTINCTION_PER_M = wp.constant(1.0e-3)  # thinner air shows no halo about lamps


@wp.func
def light_of(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    hit: Hit,
    at: wp.array2d[Gathered],
    ratio: wp.array2d[wp.vec3],
    row: int,
    column: int,
    mirror_ray: int,
    sample: Sample,
) -> Parts:
    """What the camera sees at a point of its film, in the air before it."""
    out = Parts()
    if hit.face == NO_FACE:
        out.sun_hidden_m = NO_SUN
        out.steady = through_fog(sky, whole_sky(sky, hit.direction), hit.distance_m, hit.direction)
    else:
        footprint_m = hit.depth_m / camera.focal[0]
        surface = surface_at(
            geometry, sky, hit.face, hit.u, hit.v, hit.flat_normal, hit.position, hit.direction, footprint_m
        )
        share = ambient_ratio(at, ratio, row, column, hit.position, hit.flat_normal, hit.depth_m)
        ambient = wp.cw_mul(share, open_sky(sky, surface.normal))
        out = shaded(geometry, sky, surface, ambient, hit.direction, hit.distance_m, footprint_m, mirror_ray, sample)
        out.position = hit.position
        out.flat_normal = hit.flat_normal
        out.depth_m = hit.depth_m
        left = left_by_fog(sky, hit.distance_m, hit.direction)
        out.steady = out.steady * left + from_fog(sky, left, hit.direction)
        out.sun *= left
        out.lamps *= left
        out.mirror_gain *= left
    if sky.lamp_level > 0.0 and sky.extinction_per_m > HALO_EXTINCTION_PER_M:
        reach = wp.min(hit.distance_m, 500.0)
        out.steady += lamp_haze(geometry, sky, camera.origin, hit.direction, reach)
    return out


@wp.func
def neighbour(number: int, row: int, column: int, rows: int, columns: int) -> wp.vec2i:
    """(row, column) of one of the four pixels beside one; that pixel itself where the picture ends."""
    out = wp.vec2i(row, column)
    if number == 0 and column + 1 < columns:
        out = wp.vec2i(row, column + 1)
    if number == 1 and column > 0:
        out = wp.vec2i(row, column - 1)
    if number == 2 and row + 1 < rows:
        out = wp.vec2i(row + 1, column)
    if number == 3 and row > 0:
        out = wp.vec2i(row - 1, column)
    return out


@wp.func
def told_by_neighbours(sample: Sample, parts: wp.array2d[Parts], hit: Hit, row: int, column: int) -> Sample:
    """The sample, with what the four neighbours agree on of the sun.

    Half-shadows come out a little narrower by that. Agreement on lamps tells nothing: a pixel asks one by chance.
    """
    hidden_m = float(0.0)
    hidden = float(0.0)
    sunny = float(0.0)
    for number in range(4):
        at = neighbour(number, row, column, parts.shape[0], parts.shape[1])
        if at[0] == row and at[1] == column:
            return sample
        other = parts[at[0], at[1]]
        if in_one_plane(hit.position, hit.flat_normal, other.position, other.flat_normal, hit.depth_m) < ONE_PLANE:
            return sample
        if other.sun_hidden_m > 0.0:
            hidden += 1.0
            hidden_m += other.sun_hidden_m
        if other.sun_hidden_m == 0.0:
            sunny += 1.0
    out = sample
    if hidden == 4.0:
        out.sun_hidden_m = hidden_m / 4.0
    if sunny == 4.0:
        out.sun_hidden_m = 0.0
    return out


@wp.kernel
def light_centres(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    at: wp.array2d[Gathered],
    ratio: wp.array2d[wp.vec3],
    mirror_ray: int,
    seed: int,
    turn: int,
    nearest: wp.array3d[wp.uint64],
    parts: wp.array2d[Parts],
):
    """Light at every other pixel's centre: in turn 0 a chessboard's white squares, in turn 1 its black ones.

    The black ones send no ray to the sun where their neighbours, in one plane with them, are of one mind. Of four
    pixels one traces faint mirrors.
    """
    row, half_column = wp.tid()
    column = 2 * half_column + (row + turn) % 2
    if column >= camera.width:
        return
    sample = Sample()
    sample.drawn = dither(row, column, seed)
    sample.faint_mirrors = wp.where(row % 2 == 0 and column % 2 == 0, 1, 0)
    sample.sun_hidden_m = UNKNOWN
    sample.lamps_seen = UNKNOWN
    hit = hit_of(geometry, camera, float(column) + 0.5, float(row) + 0.5, nearest[0, row, column])
    if turn == 1 and hit.face != NO_FACE:
        sample = told_by_neighbours(sample, parts, hit, row, column)
    parts[row, column] = light_of(geometry, sky, camera, hit, at, ratio, row, column, mirror_ray, sample)


@wp.func
def seen_nearby(geometry: Geometry, face: int, nearest: wp.array3d[wp.uint64], row: int, column: int) -> wp.vec2i:
    """(row, column) of this pixel or of a neighbour whose centre shows the same surface; (-1, -1) if none does."""
    if alike(geometry, face, face_seen(nearest[0, row, column])):
        return wp.vec2i(row, column)
    for number in range(4):
        at = neighbour(number, row, column, nearest.shape[1], nearest.shape[2])
        if alike(geometry, face, face_seen(nearest[0, at[0], at[1]])):
            return at
    return wp.vec2i(-1, -1)


@wp.kernel
def light_edges(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    at: wp.array2d[Gathered],
    ratio: wp.array2d[wp.vec3],
    mirror_ray: int,
    seed: int,
    samples: wp.array[wp.vec2],
    nearest: wp.array3d[wp.uint64],
    centre: wp.array2d[wp.vec3],
    radiance: wp.array2d[wp.vec3],
):
    """In pixels where a sample shows another surface than the centre: the mean light of all samples.

    Light is taken from the neighbour whose centre shows the same surface, and worked out only where there is none.
    """
    row, column = wp.tid()
    count = samples.shape[0]
    face = face_seen(nearest[0, row, column])
    even = bool(True)
    for index in range(1, count):
        even = even and alike(geometry, face, face_seen(nearest[index, row, column]))
    if even:
        return
    total = centre[row, column]
    for index in range(1, count):
        seen = nearest[index, row, column]
        known = seen_nearby(geometry, face_seen(seen), nearest, row, column)
        if known[0] >= 0:
            total += centre[known[0], known[1]]
        else:
            sample = Sample()
            sample.drawn = dither(row, column, seed + index)
            sample.faint_mirrors = 1
            sample.sun_hidden_m = UNKNOWN
            sample.lamps_seen = UNKNOWN
            point = samples[index]
            hit = hit_of(geometry, camera, float(column) + point[0], float(row) + point[1], seen)
            total += unsoftened(light_of(geometry, sky, camera, hit, at, ratio, row, column, mirror_ray, sample))
    radiance[row, column] = total / float(count)


@wp.kernel
def sun_seen(geometry: Geometry, camera: Pinhole, sky: Sky, points: int, seen: wp.array[wp.int32]):
    """seen[0] += the points of the sun's disc, of as many, that the camera sees."""
    index = wp.tid()
    # the golden angle: a sunflower's seeds
    turn = 0.38196601 * float(index)
    point = wp.vec2((float(index) + 0.5) / float(points), turn - wp.floor(turn))
    if not blocked(geometry, camera.origin, to_sun(sky, point), FAR_M):
        wp.atomic_add(seen, 0, 1)
