# type: ignore
# ruff: noqa: UP018
"""Light at what the camera sees: one sample at each pixel's centre, and further ones where something ends inside it."""

import warp as wp

from simulator.embedded.kernels.atmosphere import through_fog, whole_sky
from simulator.embedded.kernels.cover import NO_FACE, depth_seen, face_seen
from simulator.embedded.kernels.meeting import blocked
from simulator.embedded.kernels.records import Geometry, Pinhole, Sky
from simulator.embedded.kernels.shading import (
    FAR_M,
    Surface,
    lamp_haze,
    open_sky,
    shaded,
    surface_at,
    surroundings,
)

PLAIN_AMBIENT_M = wp.constant(35.0)  # scenery's walls and trees beyond it get light without an ambient ray
AMBIENT_CHANCE = wp.constant(0.35)
HALO_EXTINCTION_PER_M = wp.constant(1.0e-3)  # thinner air shows no halo about lamps


@wp.struct
class Hit:
    """What the camera sees at a point of the film; `face` is NO_FACE where that is sky."""

    face: int
    u: float
    v: float
    flat_normal: wp.vec3
    direction: wp.vec3
    distance_m: float
    depth_m: float


@wp.struct
class Light:
    """What one sample brought home."""

    radiance: wp.vec3
    albedo: wp.vec3
    normal: wp.vec3


@wp.func
def corner_of(geometry: Geometry, face: int, number: int) -> wp.vec3:
    return geometry.points[geometry.corners[3 * face + number]]


@wp.func
def hit_of(geometry: Geometry, camera: Pinhole, x_px: float, y_px: float, seen: wp.uint64) -> Hit:
    """The surface of which `cover` told at a point of the film."""
    right = (x_px - camera.centre[0]) / camera.focal[0]
    up = (camera.centre[1] - y_px) / camera.focal[1]
    ray = camera.right * right + camera.forward + camera.up * up
    per_depth = wp.length(ray)
    out = Hit()
    out.direction = ray / per_depth
    out.face = face_seen(seen)
    out.depth_m = depth_seen(seen)
    out.distance_m = FAR_M
    if out.face != NO_FACE:
        out.distance_m = out.depth_m * per_depth
        a = corner_of(geometry, out.face, 0)
        b = corner_of(geometry, out.face, 1)
        c = corner_of(geometry, out.face, 2)
        across = wp.cross(b - a, c - a)
        at = camera.origin + ray * out.depth_m
        area = wp.max(wp.dot(across, across), 1.0e-30)
        out.u = wp.dot(across, wp.cross(c - b, at - b)) / area
        out.v = wp.dot(across, wp.cross(a - c, at - c)) / area
        out.flat_normal = wp.normalize(across)
    return out


@wp.func
def ambient_of(geometry: Geometry, sky: Sky, hit: Hit, surface: Surface, ambient_ray: int, seed: int) -> wp.vec3:
    """What sky and surroundings give a surface; what stands about distant walls and trees of scenery needs no ray."""
    distant = hit.depth_m > PLAIN_AMBIENT_M and geometry.instance[hit.face] == 0 and surface.flat_normal[2] < 0.9
    if ambient_ray == 0 or distant:
        return open_sky(sky, surface)
    # Russian roulette: the denoiser makes do with every third pixel, so long as their errors are independent
    light = open_sky(sky, surface)
    random = wp.rand_init(seed, 7)
    if wp.randf(random) < AMBIENT_CHANCE:
        light = light + (surroundings(geometry, sky, surface, seed) - light) / AMBIENT_CHANCE
    return light


@wp.func
def light_of(
    geometry: Geometry, sky: Sky, camera: Pinhole, hit: Hit, ambient_ray: int, mirror_ray: int, seed: int
) -> Light:
    out = Light()
    if hit.face == NO_FACE:
        out.radiance = whole_sky(sky, hit.direction)
    else:
        footprint_m = hit.depth_m / camera.focal[0]
        at = camera.origin + hit.direction * hit.distance_m
        surface = surface_at(geometry, sky, hit.face, hit.u, hit.v, hit.flat_normal, at, hit.direction, footprint_m)
        ambient = ambient_of(geometry, sky, hit, surface, ambient_ray, seed)
        out.albedo = surface.color
        out.normal = surface.normal
        out.radiance = shaded(geometry, sky, surface, ambient, hit.direction, footprint_m, mirror_ray, seed)
    out.radiance = through_fog(sky, out.radiance, hit.distance_m, hit.direction)
    if sky.lamp_level > 0.0 and sky.extinction_per_m > HALO_EXTINCTION_PER_M:
        reach = wp.min(hit.distance_m, 500.0)
        out.radiance = out.radiance + lamp_haze(geometry, sky, camera.origin, hit.direction, reach)
    # one spark from a mirror must not outshine a neighbourhood: the denoiser would smear it
    out.radiance = wp.min(out.radiance, wp.vec3(60.0, 60.0, 60.0))
    return out


@wp.func
def alike(geometry: Geometry, face: int, other: int) -> bool:
    """Whether two faces are pieces of one even surface, lit alike within two pixels."""
    if face == other:
        return True
    if face == NO_FACE or other == NO_FACE:
        return False
    if geometry.material[face] != geometry.material[other] or geometry.instance[face] != geometry.instance[other]:
        return False
    a = corner_of(geometry, face, 0)
    mine = wp.cross(corner_of(geometry, face, 1) - a, corner_of(geometry, face, 2) - a)
    a = corner_of(geometry, other, 0)
    its = wp.cross(corner_of(geometry, other, 1) - a, corner_of(geometry, other, 2) - a)
    return wp.abs(wp.dot(mine, its)) > 0.98 * wp.length(mine) * wp.length(its)


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


@wp.kernel
def light_centres(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    ambient_ray: int,
    mirror_ray: int,
    seed: int,
    nearest: wp.array3d[wp.uint64],
    radiance: wp.array2d[wp.vec3],
    albedo: wp.array2d[wp.vec3],
    normal: wp.array2d[wp.vec3],
):
    """Light at every pixel's centre."""
    row, column = wp.tid()
    own_seed = seed + (row * camera.width + column) * 64
    hit = hit_of(geometry, camera, float(column) + 0.5, float(row) + 0.5, nearest[0, row, column])
    light = light_of(geometry, sky, camera, hit, ambient_ray, mirror_ray, own_seed)
    radiance[row, column] = light.radiance
    albedo[row, column] = light.albedo
    normal[row, column] = light.normal


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
    ambient_ray: int,
    mirror_ray: int,
    seed: int,
    samples: wp.array[wp.vec2],
    nearest: wp.array3d[wp.uint64],
    centre_radiance: wp.array2d[wp.vec3],
    centre_albedo: wp.array2d[wp.vec3],
    centre_normal: wp.array2d[wp.vec3],
    radiance: wp.array2d[wp.vec3],
    albedo: wp.array2d[wp.vec3],
    normal: wp.array2d[wp.vec3],
):
    """In pixels where a sample shows another surface than the centre: the mean light of all samples.

    Light is taken from the neighbour whose centre shows the same surface, and worked out only where there is none.
    """
    row, column = wp.tid()
    count = samples.shape[0]
    centre = face_seen(nearest[0, row, column])
    even = bool(True)
    for index in range(1, count):
        even = even and alike(geometry, centre, face_seen(nearest[index, row, column]))
    if even:
        return
    light_sum = centre_radiance[row, column]
    albedo_sum = centre_albedo[row, column]
    normal_sum = centre_normal[row, column]
    for index in range(1, count):
        seen = nearest[index, row, column]
        known = seen_nearby(geometry, face_seen(seen), nearest, row, column)
        if known[0] >= 0:
            light_sum += centre_radiance[known[0], known[1]]
            albedo_sum += centre_albedo[known[0], known[1]]
            normal_sum += centre_normal[known[0], known[1]]
        else:
            own_seed = seed + (row * camera.width + column) * 64 + 2 * index
            at = samples[index]
            hit = hit_of(geometry, camera, float(column) + at[0], float(row) + at[1], seen)
            light = light_of(geometry, sky, camera, hit, ambient_ray, mirror_ray, own_seed)
            light_sum += light.radiance
            albedo_sum += light.albedo
            normal_sum += light.normal
    share = 1.0 / float(count)
    radiance[row, column] = light_sum * share
    albedo[row, column] = albedo_sum * share
    normal[row, column] = normal_sum * share


@wp.kernel
def sun_seen(geometry: Geometry, camera: Pinhole, sky: Sky, points: int, seen: wp.array[wp.int32]):
    """seen[0] += the points of the sun's disc, of as many, that the camera sees."""
    index = wp.tid()
    turn = 2.399963 * float(index)  # the golden angle: a sunflower's seeds
    radius = sky.sun_radius * wp.sqrt((float(index) + 0.5) / float(points))
    across = wp.normalize(wp.cross(sky.sun_direction, wp.vec3(0.0, 0.0, 1.0)))
    offset = across * wp.cos(turn) + wp.cross(across, sky.sun_direction) * wp.sin(turn)
    if not blocked(geometry, camera.origin, wp.normalize(sky.sun_direction + offset * radius), FAR_M):
        wp.atomic_add(seen, 0, 1)
