# type: ignore
"""What a ray meets. The world lies in one tree, or in two: scenery that stays, and actors that come and go."""

import warp as wp

from simulator.embedded.kernels.records import Geometry

NOTHING = wp.constant(-1)


@wp.struct
class Met:
    """`face` counts through both trees, those of `tree` first; NOTHING where the ray met none."""

    face: int
    u: float
    v: float
    t: float
    normal: wp.vec3


@wp.func
def nearest(geometry: Geometry, origin: wp.vec3, direction: wp.vec3, reach_m: float) -> Met:
    out = Met()
    out.face = NOTHING
    out.t = reach_m
    first = wp.mesh_query_ray(geometry.tree, origin, direction, reach_m, -1)
    if first.result:
        out.face = first.face
        out.u = first.u
        out.v = first.v
        out.t = first.t
        out.normal = first.normal
    if geometry.second_tree != wp.uint64(0):
        second = wp.mesh_query_ray(geometry.second_tree, origin, direction, out.t, -1)
        if second.result and second.t < out.t:
            out.face = second.face + geometry.first_tree_faces
            out.u = second.u
            out.v = second.v
            out.t = second.t
            out.normal = second.normal
    return out


@wp.func
def blocked(geometry: Geometry, origin: wp.vec3, direction: wp.vec3, reach_m: float) -> bool:
    """Whether anything lies on the way."""
    hidden = wp.mesh_query_ray_anyhit(geometry.tree, origin, direction, reach_m, -1)
    if not hidden and geometry.second_tree != wp.uint64(0):
        hidden = wp.mesh_query_ray_anyhit(geometry.second_tree, origin, direction, reach_m, -1)
    return hidden
