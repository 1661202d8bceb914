# type: ignore
"""The camera's rays: what one sample sees, and the launches that make a picture (simulator/embedded/tracer.py)."""

import warp as wp

from simulator.embedded.kernels.atmosphere import through_fog, whole_sky
from simulator.embedded.kernels.meeting import NOTHING, face_normal, nearest
from simulator.embedded.kernels.records import Geometry, Pinhole, Sky
from simulator.embedded.kernels.shading import FAR_M, lamp_haze, shaded, surface_at

SKY_FACE = wp.constant(-1)
NEAR_M = wp.constant(0.1)  # depth where the camera's rays start: nothing nearer is seen
PLAIN_AMBIENT_M = wp.constant(35.0)  # scenery's walls and trees beyond it get light without an ambient ray
HALO_EXTINCTION_PER_M = wp.constant(1.0e-3)  # thinner air shows no halo about lamps


@wp.struct
class Hit:
    """What a ray from the camera met first; `face` is SKY_FACE where it met nothing."""

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
def film_ray(camera: Pinhole, x_px: float, y_px: float) -> wp.vec3:
    """Direction through a point of the film, of length such that its depth is 1."""
    right = (x_px - camera.centre[0]) / camera.focal[0]
    up = (camera.centre[1] - y_px) / camera.focal[1]
    return camera.right * right + camera.forward + camera.up * up


@wp.func
def first_hit(geometry: Geometry, camera: Pinhole, x_px: float, y_px: float) -> Hit:
    ray = film_ray(camera, x_px, y_px)
    per_depth = wp.length(ray)
    out = Hit()
    out.direction = ray / per_depth
    met = nearest(geometry, camera.origin + ray * NEAR_M, out.direction, FAR_M)
    if met.face != NOTHING:
        out.face = met.face
        out.u = met.u
        out.v = met.v
        out.flat_normal = met.normal
        out.distance_m = met.t + NEAR_M * per_depth
        out.depth_m = out.distance_m / per_depth
    else:
        out.face = SKY_FACE
        out.distance_m = FAR_M
        out.depth_m = wp.inf
    return out


@wp.func
def light_of(
    geometry: Geometry, sky: Sky, camera: Pinhole, hit: Hit, ambient_ray: int, mirror_ray: int, seed: int
) -> Light:
    out = Light()
    if hit.face == SKY_FACE:
        out.radiance = whole_sky(sky, hit.direction)
    else:
        footprint_m = hit.depth_m / camera.focal[0]
        at = camera.origin + hit.direction * hit.distance_m
        surface = surface_at(geometry, sky, hit.face, hit.u, hit.v, hit.flat_normal, at, hit.direction, footprint_m)
        ambient = ambient_ray
        if hit.depth_m > PLAIN_AMBIENT_M and geometry.instance[hit.face] == 0 and surface.flat_normal[2] < 0.9:
            ambient = 0
        out.albedo = surface.color
        out.normal = surface.normal
        out.radiance = shaded(geometry, sky, surface, hit.direction, footprint_m, ambient, mirror_ray, seed)
    out.radiance = through_fog(sky, out.radiance, hit.distance_m, hit.direction)
    if sky.lamp_level > 0.0 and sky.extinction_per_m > HALO_EXTINCTION_PER_M:
        reach = wp.min(hit.distance_m, 500.0)
        out.radiance = out.radiance + lamp_haze(geometry, sky, camera.origin, hit.direction, reach)
    # one spark from a mirror must not outshine a neighbourhood: the denoiser would smear it
    out.radiance = wp.min(out.radiance, wp.vec3(60.0, 60.0, 60.0))
    return out


@wp.kernel
def label_and_light(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    ambient_ray: int,
    mirror_ray: int,
    seed: int,
    radiance: wp.array2d[wp.vec3],
    albedo: wp.array2d[wp.vec3],
    normal: wp.array2d[wp.vec3],
    face: wp.array2d[wp.int32],
    depth_m: wp.array2d[wp.float32],
):
    row, column = wp.tid()
    pixel = row * camera.width + column
    hit = first_hit(geometry, camera, float(column) + 0.5, float(row) + 0.5)
    light = light_of(geometry, sky, camera, hit, ambient_ray, mirror_ray, seed + pixel * 64)
    radiance[row, column] = light.radiance
    albedo[row, column] = light.albedo
    normal[row, column] = light.normal
    face[row, column] = hit.face
    depth_m[row, column] = hit.depth_m


@wp.kernel
def label(
    geometry: Geometry,
    camera: Pinhole,
    face: wp.array2d[wp.int32],
    depth_m: wp.array2d[wp.float32],
):
    """What `label_and_light` says of face and depth, without light."""
    row, column = wp.tid()
    hit = first_hit(geometry, camera, float(column) + 0.5, float(row) + 0.5)
    face[row, column] = hit.face
    depth_m[row, column] = hit.depth_m


@wp.func
def differs(
    geometry: Geometry,
    normal: wp.array2d[wp.vec3],
    face: wp.array2d[wp.int32],
    depth_m: wp.array2d[wp.float32],
    row: int,
    column: int,
    other_row: int,
    other_column: int,
) -> bool:
    """Whether something ends between two neighbours."""
    a = face[row, column]
    b = face[other_row, other_column]
    if a == b:
        return False
    if a < 0 or b < 0:
        return True
    if geometry.instance[a] != geometry.instance[b] or geometry.material[a] != geometry.material[b]:
        return True
    if wp.dot(normal[row, column], normal[other_row, other_column]) < 0.75:
        return True
    near = wp.min(depth_m[row, column], depth_m[other_row, other_column])
    return wp.abs(depth_m[row, column] - depth_m[other_row, other_column]) > 0.15 * near


@wp.kernel
def mark_edges(
    geometry: Geometry,
    normal: wp.array2d[wp.vec3],
    face: wp.array2d[wp.int32],
    depth_m: wp.array2d[wp.float32],
    edge: wp.array2d[wp.int32],
):
    row, column = wp.tid()
    last_row = face.shape[0] - 1
    last_column = face.shape[1] - 1
    found = differs(geometry, normal, face, depth_m, row, column, wp.min(row + 1, last_row), column)
    found = found or differs(geometry, normal, face, depth_m, row, column, wp.max(row - 1, 0), column)
    found = found or differs(geometry, normal, face, depth_m, row, column, row, wp.min(column + 1, last_column))
    found = found or differs(geometry, normal, face, depth_m, row, column, row, wp.max(column - 1, 0))
    edge[row, column] = wp.where(found, 1, 0)


@wp.func
def alike(geometry: Geometry, hit: Hit, other: int) -> bool:
    """Whether the hit and another face are pieces of one even surface, lit alike within two pixels."""
    if hit.face == other:
        return True
    if hit.face < 0 or other < 0:
        return False
    if geometry.material[hit.face] != geometry.material[other]:
        return False
    if geometry.instance[hit.face] != geometry.instance[other]:
        return False
    return wp.abs(wp.dot(hit.flat_normal, face_normal(geometry, other))) > 0.98


@wp.func
def seen_nearby(geometry: Geometry, hit: Hit, face: wp.array2d[wp.int32], row: int, column: int) -> int:
    """Index of the pixel, this one or one of its four neighbours, whose centre saw the same surface; -1 if none."""
    width = face.shape[1]
    if alike(geometry, hit, face[row, column]):
        return row * width + column
    if column + 1 < width and alike(geometry, hit, face[row, column + 1]):
        return row * width + column + 1
    if column > 0 and alike(geometry, hit, face[row, column - 1]):
        return row * width + column - 1
    if row + 1 < face.shape[0] and alike(geometry, hit, face[row + 1, column]):
        return (row + 1) * width + column
    if row > 0 and alike(geometry, hit, face[row - 1, column]):
        return (row - 1) * width + column
    return -1


@wp.kernel
def light_again(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    ambient_ray: int,
    mirror_ray: int,
    seed: int,
    samples: int,
    reuse: int,
    pixels: wp.array[wp.int32],
    face: wp.array2d[wp.int32],
    first_radiance: wp.array2d[wp.vec3],
    first_albedo: wp.array2d[wp.vec3],
    first_normal: wp.array2d[wp.vec3],
    radiance: wp.array2d[wp.vec3],
    albedo: wp.array2d[wp.vec3],
    normal: wp.array2d[wp.vec3],
):
    """Mean of the first sample and `samples` more; with `reuse`, what a neighbour saw is taken from it."""
    pixel = pixels[wp.tid()]
    row = pixel // camera.width
    column = pixel - row * camera.width
    light_sum = first_radiance[row, column]
    albedo_sum = first_albedo[row, column]
    normal_sum = first_normal[row, column]
    for index in range(samples):
        own_seed = seed + pixel * 64 + 2 * (index + 1)
        random = wp.rand_init(own_seed, 5)
        # strata down the pixel: the samples of one pixel never bunch up
        x_px = float(column) + wp.randf(random)
        y_px = float(row) + (float(index) + wp.randf(random)) / float(samples)
        hit = first_hit(geometry, camera, x_px, y_px)
        known = -1
        if reuse == 1:
            known = seen_nearby(geometry, hit, face, row, column)
        if known >= 0:
            known_row = known // camera.width
            known_column = known - known_row * camera.width
            light_sum += first_radiance[known_row, known_column]
            albedo_sum += first_albedo[known_row, known_column]
            normal_sum += first_normal[known_row, known_column]
        else:
            light = light_of(geometry, sky, camera, hit, ambient_ray, mirror_ray, own_seed)
            light_sum += light.radiance
            albedo_sum += light.albedo
            normal_sum += light.normal
    share = 1.0 / float(samples + 1)
    radiance[row, column] = light_sum * share
    albedo[row, column] = albedo_sum * share
    normal[row, column] = normal_sum * share
