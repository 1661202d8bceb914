# type: ignore
"""One ray into one tree (simulator/carla/loopback/sounding.py)."""

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
