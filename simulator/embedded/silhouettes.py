"""Each actor as if it stood alone in front of an endless film: what occlusion and truncation are measured against.

Inside the image every pixel centre of the actor's box is tested, so that hidden and visible pixels are counted by
the same rule; a pixel that shows the actor needs no ray. Outside, where a near actor's silhouette can be many times
the image, the rays form a grid with a stride and each stands for stride * stride pixels: with the RAYS_OUTSIDE
used here the area outside is within about 1% (a boundary of length L misses the area by about sqrt(L * stride^3)).
"""

import numpy as np
import warp as wp

from simulator.backend import Silhouettes
from simulator.embedded.kernels.alone import count_inside, count_outside
from simulator.embedded.kernels.rays import NEAR_M
from simulator.embedded.tracer import pinhole_of
from simulator.embedded.world import World
from simulator.scene import SceneCamera

RAYS_OUTSIDE = 16_000


def silhouettes(world: World, camera: SceneCamera, instance: np.ndarray) -> Silhouettes:
    """Of every actor in the world. instance: (H, W) int32 as traced from the pixel centres."""
    actors = len(world.vertex_ranges) - 1
    boxes = np.full((actors, 4), np.nan)
    strides_px = np.ones(actors)
    inside = wp.zeros(max(actors, 1), dtype=wp.int32, device=world.device)
    outside = wp.zeros(max(actors, 1), dtype=wp.int32, device=world.device)
    shown = wp.array(instance, dtype=wp.int32, device=world.device)
    pinhole = pinhole_of(camera)
    size = np.array([camera.width_px, camera.height_px])
    for actor in range(actors):
        box = boxes[actor] = projected_box(world, camera, actor)
        if np.isnan(box).any():
            continue
        low = np.floor(np.clip(box[:2], 0, size)).astype(int)
        high = np.ceil(np.clip(box[2:], 0, size)).astype(int)
        columns, rows = (high - low).tolist()
        if rows > 0 and columns > 0:
            corner = [actor + 1, int(low[1]), int(low[0])]
            wp.launch(
                count_inside, (rows, columns), [world.geometry, pinhole, *corner, shown, inside], device=world.device
            )
        if (box[:2] < 0).any() or (box[2:] > size).any():
            first, last = np.floor(box[:2]), np.ceil(box[2:])
            extent = last - first
            stride = strides_px[actor] = max(1.0, np.sqrt(extent.prod() / RAYS_OUTSIDE))
            grid = np.ceil(extent / stride).astype(int)
            start = [actor + 1, *first.tolist(), float(stride)]
            wp.launch(
                count_outside,
                (int(grid[1]), int(grid[0])),
                [world.geometry, pinhole, *start, outside],
                device=world.device,
            )
    inside_px = inside.numpy()[:actors].astype(float)
    return Silhouettes(
        area_px=inside_px + outside.numpy()[:actors] * strides_px**2, inside_px=inside_px, box_xyxy_px=boxes
    )


def projected_box(world: World, camera: SceneCamera, actor: int) -> np.ndarray:
    """(4,) xyxy px around the actor's projection, unclipped; NaN when all of it lies nearer than NEAR_M."""
    first, last = world.vertex_ranges[actor + 1]
    vertices = world.vertices_m[first:last].astype(float)
    intrinsics = camera.intrinsics
    pitch = np.radians(intrinsics.pitch_deg)
    over = vertices[:, 2] - intrinsics.height_m
    depth = vertices[:, 1] * np.cos(pitch) - over * np.sin(pitch)
    view = np.stack([vertices[:, 0], -(vertices[:, 1] * np.sin(pitch) + over * np.cos(pitch)), depth], axis=1)
    near = float(NEAR_M)
    if (depth < near).any():
        view = _cut_at(view, world.faces[slice(*world.face_ranges[actor + 1])] - first, near)
    if not len(view):
        return np.full(4, np.nan)
    x_px = intrinsics.fx_px * view[:, 0] / view[:, 2] + intrinsics.cx_px
    y_px = intrinsics.fy_px * view[:, 1] / view[:, 2] + intrinsics.cy_px
    return np.array([x_px.min(), y_px.min(), x_px.max(), y_px.max()])


def _cut_at(view: np.ndarray, faces: np.ndarray, near: float) -> np.ndarray:
    """Points that bound the part of the triangles beyond `near`: vertices there, and where edges cross the plane."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    a, b = view[ends[:, 0]], view[ends[:, 1]]
    crossing = (a[:, 2] < near) != (b[:, 2] < near)
    a, b = a[crossing], b[crossing]
    share = (near - a[:, 2:]) / (b[:, 2:] - a[:, 2:])
    return np.concatenate([view[view[:, 2] >= near], a + share * (b - a)])
