# type: ignore
"""The camera's rays: what one sample sees, and the launches that make a picture (simulator/embedded/tracer.py)."""

import warp as wp

from simulator.embedded.kernels.atmosphere import through_fog, whole_sky
from simulator.embedded.kernels.records import Geometry, Pinhole, Sky
from simulator.embedded.kernels.shading import FAR_M, lamp_haze, shaded, surface_at

SKY_FACE = wp.constant(-1)
NO_FACE = wp.constant(-2)
NEAR_M = wp.constant(0.1)  # depth where the camera's rays start: nothing nearer is seen
HALO_EXTINCTION_PER_M = wp.constant(1.0e-3)  # thinner air shows no halo about lamps


@wp.struct
class Light:
    """What one sample brought home."""

    radiance: wp.vec3
    albedo: wp.vec3
    normal: wp.vec3
    face: int
    depth_m: float


@wp.func
def film_ray(camera: Pinhole, x_px: float, y_px: float) -> wp.vec3:
    """Direction through a point of the film, of length such that its depth is 1."""
    right = (x_px - camera.centre[0]) / camera.focal[0]
    up = (camera.centre[1] - y_px) / camera.focal[1]
    return wp.vec3(right, 0.0, 0.0) + camera.forward + camera.up * up


@wp.func
def alike(geometry: Geometry, face: int, normal: wp.vec3, other: int) -> bool:
    """Whether two faces are pieces of one even surface, lit alike within a pixel."""
    if face == other:
        return True
    if other < 0 or geometry.material[face] != geometry.material[other]:
        return False
    if geometry.instance[face] != geometry.instance[other]:
        return False
    return wp.abs(wp.dot(normal, wp.mesh_eval_face_normal(geometry.tree, other))) > 0.98


@wp.func
def sample(
    geometry: Geometry,
    sky: Sky,
    camera: Pinhole,
    x_px: float,
    y_px: float,
    ambient_ray: int,
    mirror_ray: int,
    seed: int,
    known: Light,
) -> Light:
    """Light through a point of the film; `known` is taken again where the ray meets the same surface."""
    ray = film_ray(camera, x_px, y_px)
    per_depth = wp.length(ray)
    direction = ray / per_depth
    start = camera.origin + ray * NEAR_M
    out = Light()
    out.face = SKY_FACE
    distance = float(FAR_M)
    hit = wp.mesh_query_ray(geometry.tree, start, direction, FAR_M, -1)
    if hit.result and alike(geometry, hit.face, hit.normal, known.face):
        return known
    if not hit.result and known.face == SKY_FACE:
        return known
    if hit.result:
        distance = hit.t + NEAR_M * per_depth
        out.face = hit.face
        out.depth_m = distance / per_depth
        footprint = out.depth_m / camera.focal[0]
        surface = surface_at(
            geometry, sky, hit.face, hit.u, hit.v, hit.normal, start + direction * hit.t, direction, footprint
        )
        out.albedo = surface.color
        out.normal = surface.normal
        out.radiance = shaded(geometry, sky, surface, direction, footprint, ambient_ray, mirror_ray, seed)
    else:
        out.radiance = whole_sky(sky, direction)
    out.radiance = through_fog(sky, out.radiance, distance, direction)
    if sky.lamp_level > 0.0 and sky.extinction_per_m > HALO_EXTINCTION_PER_M:
        out.radiance = out.radiance + lamp_haze(geometry, sky, start, direction, wp.min(distance, 500.0))
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
    x_px = float(column) + 0.5
    y_px = float(row) + 0.5
    nothing = Light()
    nothing.face = NO_FACE
    light = sample(geometry, sky, camera, x_px, y_px, ambient_ray, mirror_ray, seed + pixel * 64, nothing)
    radiance[row, column] = light.radiance
    albedo[row, column] = light.albedo
    normal[row, column] = light.normal
    face[row, column] = light.face
    depth_m[row, column] = wp.where(light.face < 0, wp.inf, light.depth_m)


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
    radiance: wp.array2d[wp.vec3],
    albedo: wp.array2d[wp.vec3],
    normal: wp.array2d[wp.vec3],
    face: wp.array2d[wp.int32],
):
    """Mean of what is there and `samples` more; with `reuse`, only surfaces not yet seen in the pixel are shaded."""
    pixel = pixels[wp.tid()]
    row = pixel // camera.width
    column = pixel - row * camera.width
    known = Light()
    known.radiance = radiance[row, column]
    known.albedo = albedo[row, column]
    known.normal = normal[row, column]
    known.face = wp.where(reuse == 1, face[row, column], NO_FACE)
    light_sum = known.radiance
    albedo_sum = known.albedo
    normal_sum = known.normal
    for index in range(samples):
        own_seed = seed + pixel * 64 + 2 * (index + 1)
        random = wp.rand_init(own_seed, 5)
        # strata down the pixel: the samples of one pixel never bunch up
        x_px = float(column) + wp.randf(random)
        y_px = float(row) + (float(index) + wp.randf(random)) / float(samples)
        light = sample(geometry, sky, camera, x_px, y_px, ambient_ray, mirror_ray, own_seed, known)
        light_sum += light.radiance
        albedo_sum += light.albedo
        normal_sum += light.normal
    share = 1.0 / float(samples + 1)
    radiance[row, column] = light_sum * share
    albedo[row, column] = albedo_sum * share
    normal[row, column] = normal_sum * share
