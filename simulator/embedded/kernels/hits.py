# type: ignore
"""The surface behind a point of the film, from the number that `cover` left there; which points show the same one."""

import warp as wp

from simulator.embedded.kernels.cover import NO_FACE, depth_seen, face_seen
from simulator.embedded.kernels.records import Geometry, Pinhole
from simulator.embedded.kernels.shading import FAR_M


@wp.struct
class Hit:
    """What the camera sees at a point of the film; `face` is NO_FACE where that is sky."""

    face: int
    u: float
    v: float
    position: wp.vec3
    flat_normal: wp.vec3  # towards the camera; zero where there is sky
    direction: wp.vec3
    distance_m: float
    depth_m: float


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
        out.position = camera.origin + ray * out.depth_m
        area = wp.max(wp.dot(across, across), 1.0e-30)
        out.u = wp.dot(across, wp.cross(c - b, out.position - b)) / area
        out.v = wp.dot(across, wp.cross(a - c, out.position - c)) / area
        out.flat_normal = wp.normalize(across)
        if wp.dot(out.flat_normal, ray) > 0.0:
            out.flat_normal = -out.flat_normal
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
def in_one_plane(position: wp.vec3, normal: wp.vec3, other: wp.vec3, other_normal: wp.vec3, depth_m: float) -> float:
    """How well light at one point tells of that at another, 0-1: whether both look one way and lie in one plane."""
    cosine = wp.max(wp.dot(normal, other_normal), 0.0)
    off_m = wp.abs(wp.dot(normal, other - position))
    turned = cosine * cosine
    return turned * turned * wp.max(1.0 - off_m / (0.04 + 0.012 * depth_m), 0.0)


@wp.func
def dither(row: int, column: int, seed: int) -> wp.vec2:
    """Two numbers in 0-1 that cover the square evenly over any few neighbouring pixels.

    The first follows the plastic number's lattice (Roberts, 'The unreasonable effectiveness of quasirandom
    sequences', 2018), the second is interleaved gradient noise (Jimenez, 'Next generation post processing in Call of
    Duty', 2014).
    """
    start = wp.rand_init(seed, 8)
    x = float(column)
    y = float(row)
    first = 0.7548776662 * x + 0.5698402910 * y + wp.randf(start)
    gradient = 0.06711056 * x + 0.00583715 * y
    second = 52.9829189 * (gradient - wp.floor(gradient)) + wp.randf(start)
    return wp.vec2(first - wp.floor(first), second - wp.floor(second))
