# type: ignore
"""Rays into one tree (simulator/carla/loopback/sounding.py)."""

import warp as wp


@wp.kernel
def sound(
    tree: wp.uint64,
    origin: wp.vec3,
    direction: wp.vec3,
    reach_m: float,
    distance_m: wp.array[wp.float32],
    face: wp.array[wp.int32],
):
    """The first face met and how far away; -1 where there is none."""
    met = wp.mesh_query_ray(tree, origin, direction, reach_m, -1)
    face[0] = wp.where(met.result, met.face, -1)
    distance_m[0] = met.t


@wp.kernel
def sound_down(
    tree: wp.uint64,
    origin: wp.array[wp.vec3],
    above_all_m: float,
    height_m: wp.array[wp.float32],
):
    """Height of what lies under each point; of the highest surface where the point is below all; 0 without any."""
    i = wp.tid()
    start = origin[i]
    down = wp.vec3(0.0, 0.0, -1.0)
    met = wp.mesh_query_ray(tree, start, down, 2.0 * above_all_m, -1)
    if not met.result:
        start = wp.vec3(start[0], start[1], above_all_m)
        met = wp.mesh_query_ray(tree, start, down, 2.0 * above_all_m, -1)
    height_m[i] = wp.where(met.result, start[2] - met.t, 0.0)
