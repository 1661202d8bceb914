# type: ignore
"""Rays that see one actor only (simulator/embedded/silhouettes.py)."""

import warp as wp

from simulator.embedded.kernels.rays import FAR_M, NEAR_M, film_ray
from simulator.embedded.kernels.records import Geometry, Pinhole


@wp.kernel
def count_inside(
    geometry: Geometry,
    camera: Pinhole,
    group: int,
    first_row: int,
    first_column: int,
    instance: wp.array2d[wp.int32],
    count: wp.array[wp.int32],
):
    """count[group - 1] += pixels of the image that the actor would fill if it stood alone."""
    i, j = wp.tid()
    row = first_row + i
    column = first_column + j
    seen = instance[row, column] == group
    if not seen:
        ray = film_ray(camera, float(column) + 0.5, float(row) + 0.5)
        root = wp.mesh_get_group_root(geometry.tree, group)
        seen = wp.mesh_query_ray_anyhit(geometry.tree, camera.origin + ray * NEAR_M, wp.normalize(ray), FAR_M, root)
    if seen:
        wp.atomic_add(count, group - 1, 1)


@wp.kernel
def count_outside(
    geometry: Geometry,
    camera: Pinhole,
    group: int,
    first_x_px: float,
    first_y_px: float,
    stride_px: float,
    count: wp.array[wp.int32],
):
    """count[group - 1] += grid points off the image that the actor would cover."""
    i, j = wp.tid()
    x_px = first_x_px + (float(j) + 0.5) * stride_px
    y_px = first_y_px + (float(i) + 0.5) * stride_px
    inside = x_px >= 0.0 and y_px >= 0.0 and x_px < float(camera.width) and y_px < float(camera.height)
    if not inside:
        ray = film_ray(camera, x_px, y_px)
        root = wp.mesh_get_group_root(geometry.tree, group)
        if wp.mesh_query_ray_anyhit(geometry.tree, camera.origin + ray * NEAR_M, wp.normalize(ray), FAR_M, root):
            wp.atomic_add(count, group - 1, 1)
