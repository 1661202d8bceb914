"""Each actor as if it stood alone in front of an endless film: what occlusion and truncation are measured against.

Inside the image every pixel centre of the actor's box is looked through, by the arithmetic that labels the picture, so
that hidden and visible pixels are counted by the same rule. Outside, where a near actor's silhouette can be many times
the image, the points form a grid with a stride and each stands for stride * stride pixels: with the POINTS_OUTSIDE
used here the area outside is within about 1% (a boundary of length L misses the area by about sqrt(L * stride^3)).
"""

import numpy as np

from simulator.backend import Silhouettes
from simulator.embedded.kernels.cover import NEAR_M
from simulator.embedded.tracer import Window, covered, pinhole_of
from simulator.embedded.world import World
from simulator.scene import SceneCamera

POINTS_OUTSIDE = 16_000


def silhouettes(world: World, camera: SceneCamera) -> Silhouettes:
    """Of every actor in the world."""
    actors = len(world.vertex_ranges) - 1
    boxes, inside_px, outside_px = np.full((actors, 4), np.nan), np.zeros(actors), np.zeros(actors)
    pinhole = pinhole_of(camera)
    size = np.array([camera.width_px, camera.height_px])
    for actor in range(actors):
        box = boxes[actor] = projected_box(world, camera, actor)
        if np.isnan(box).any():
            continue
        faces = world.face_ranges[actor + 1]
        low, high = np.floor(np.clip(box[:2], 0, size)).astype(int), np.ceil(np.clip(box[2:], 0, size)).astype(int)
        if (high > low).all():
            window = Window(low[0], low[1], rows=high[1] - low[1], columns=high[0] - low[0])
            inside_px[actor] = np.count_nonzero(covered(world, pinhole, faces, window).numpy())
        if (box[:2] < 0).any() or (box[2:] > size).any():
            first, extent = np.floor(box[:2]), np.ceil(box[2:]) - np.floor(box[:2])
            stride_px = max(1.0, np.sqrt(extent.prod() / POINTS_OUTSIDE))
            columns, rows = np.ceil(extent / stride_px).astype(int).tolist()
            window = Window(first[0], first[1], rows, columns, stride_px)
            seen = covered(world, pinhole, faces, window).numpy()[0] > 0
            x_px, y_px = (f + (np.arange(n) + 0.5) * stride_px for f, n in zip(first, (columns, rows), strict=True))
            in_image = ((y_px >= 0) & (y_px < size[1]))[:, None] & ((x_px >= 0) & (x_px < size[0]))
            outside_px[actor] = np.count_nonzero(seen & ~in_image) * stride_px**2
    return Silhouettes(area_px=inside_px + outside_px, inside_px=inside_px, box_xyxy_px=boxes)


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
