"""Each actor as if it stood alone in front of an endless film: what occlusion and truncation are measured against.

Inside the image every pixel centre of the actor's box is looked through, by the arithmetic that labels the picture, so
that hidden and visible pixels are counted by the same rule. Outside, where a near actor's silhouette can be many times
the image, the points form a grid with a stride and each stands for stride * stride pixels: with the POINTS_OUTSIDE
used here the area outside is within about 1% (a boundary of length L misses the area by about sqrt(L * stride^3)).

Under a lens that distorts (lens.py) it is the pinhole's film that is looked through; areas and boxes are those of the
lens's film: inside by the pixels that show each of the pinhole's, outside by how much the lens enlarges there.
"""

import numpy as np

from simulator.backend import Silhouettes
from simulator.embedded.kernels.cover import NEAR_M
from simulator.embedded.lens import Lens
from simulator.embedded.tracer import Window, covered, pinhole_of
from simulator.embedded.world import World
from simulator.scene import SceneCamera

POINTS_OUTSIDE = 16_000
LONG_EDGE_PX = 32.0  # shorter ones a lens hardly bends
PIECES = 16  # that longer ones are looked at in


def silhouettes(world: World, camera: SceneCamera, lens: Lens | None = None) -> Silhouettes:
    """Of every actor in the world. camera: the picture's; where it has a `lens`, it is seen through that."""
    actors = len(world.vertex_ranges) - 1
    boxes, inside_px, outside_px = np.full((actors, 4), np.nan), np.zeros(actors), np.zeros(actors)
    looked = camera if lens is None else lens.pinhole
    pinhole = pinhole_of(looked)
    size = np.array([looked.width_px, looked.height_px])
    for actor in range(actors):
        points = projected_points(world, looked, actor)
        if not len(points):
            continue
        box = boxes[actor] = _box_around(points)
        if lens is not None:
            if (box[2:] - box[:2]).max() > LONG_EDGE_PX:
                points = np.concatenate([points, along_edges(world, looked, actor)])
            boxes[actor] = _box_around(lens.on_film(points))
        faces = world.face_ranges[actor + 1]
        low, high = np.floor(np.clip(box[:2], 0, size)).astype(int), np.ceil(np.clip(box[2:], 0, size)).astype(int)
        if (high > low).all():
            window = Window(low[0], low[1], rows=high[1] - low[1], columns=high[0] - low[0])
            seen = covered(world, pinhole, faces, window).numpy()[0] > 0
            uses = None if lens is None else lens.uses[low[1] : high[1], low[0] : high[0]]
            inside_px[actor] = np.count_nonzero(seen) if uses is None else uses[seen].sum()
        if (boxes[actor, :2] < 0).any() or (boxes[actor, 2:] > [camera.width_px, camera.height_px]).any():
            first, extent = np.floor(box[:2]), np.ceil(box[2:]) - np.floor(box[:2])
            stride_px = max(1.0, np.sqrt(extent.prod() / POINTS_OUTSIDE))
            columns, rows = np.ceil(extent / stride_px).astype(int).tolist()
            window = Window(first[0], first[1], rows, columns, stride_px)
            seen = covered(world, pinhole, faces, window).numpy()[0] > 0
            x_px, y_px = (f + (np.arange(n) + 0.5) * stride_px for f, n in zip(first, (columns, rows), strict=True))
            outside_px[actor] = _outside_px(seen, x_px, y_px, camera, lens) * stride_px**2
    return Silhouettes(area_px=inside_px + outside_px, inside_px=inside_px, box_xyxy_px=boxes)


def _outside_px(seen: np.ndarray, x_px: np.ndarray, y_px: np.ndarray, camera: SceneCamera, lens: Lens | None) -> float:
    """Area outside the picture of what is `seen` at points (rows, columns) of the film, in their cells."""
    width, height = camera.width_px, camera.height_px
    if lens is None:
        in_image = ((y_px >= 0) & (y_px < height))[:, None] & ((x_px >= 0) & (x_px < width))
        return float(np.count_nonzero(seen & ~in_image))
    points = np.stack(np.meshgrid(x_px, y_px), axis=-1)[seen]
    shown = lens.on_film(points)
    in_image = ((shown >= 0) & (shown < [width, height])).all(axis=1)
    return float(lens.enlarged(points)[~in_image].sum())


def projected_points(world: World, camera: SceneCamera, actor: int) -> np.ndarray:
    """(K, 2) px of the film that bound the actor's projection; none when all of it lies nearer than NEAR_M."""
    view, faces = _view(world, camera, actor)
    if (view[:, 2] < NEAR_M).any():
        view = _cut_at(view, faces, float(NEAR_M))
    return _on_film(view, camera)


def along_edges(world: World, camera: SceneCamera, actor: int) -> np.ndarray:
    """(K, 2) px of the film along the actor's edges that are long in the picture: a lens bends them."""
    view, faces = _view(world, camera, actor)
    near = float(NEAR_M)
    before = view[:, 2] >= near
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    cut = before[ends[:, 0]] != before[ends[:, 1]]
    film_px = _on_film(np.where(before[:, None], view, 1.0), camera)
    long = np.abs(film_px[ends[:, 0]] - film_px[ends[:, 1]]).max(axis=1) > LONG_EDGE_PX
    ends = ends[cut | (long & before[ends[:, 0]])]
    a, b = view[ends[:, 0]], view[ends[:, 1]]
    deeper = b[:, 2:] - a[:, 2:]
    crossing = a + (near - a[:, 2:]) / np.where(deeper == 0, 1.0, deeper) * (b - a)
    a, b = np.where(a[:, 2:] < near, crossing, a), np.where(b[:, 2:] < near, crossing, b)
    pieces = a + np.linspace(0, 1, PIECES + 1)[:, None, None] * (b - a)
    return _on_film(pieces.reshape(-1, 3), camera)


def _view(world: World, camera: SceneCamera, actor: int) -> tuple[np.ndarray, np.ndarray]:
    """The actor's vertices (V, 3) from the camera, right, down and in front, and its faces (F, 3)."""
    first, last = world.vertex_ranges[actor + 1]
    vertices = world.vertices_m[first:last].astype(float)
    intrinsics = camera.intrinsics
    pitch = np.radians(intrinsics.pitch_deg)
    over = vertices[:, 2] - intrinsics.height_m
    depth = vertices[:, 1] * np.cos(pitch) - over * np.sin(pitch)
    view = np.stack([vertices[:, 0], -(vertices[:, 1] * np.sin(pitch) + over * np.cos(pitch)), depth], axis=1)
    return view, world.faces[slice(*world.face_ranges[actor + 1])] - first


def _on_film(view: np.ndarray, camera: SceneCamera) -> np.ndarray:
    intrinsics = camera.intrinsics
    x_px = intrinsics.fx_px * view[:, 0] / view[:, 2] + intrinsics.cx_px
    y_px = intrinsics.fy_px * view[:, 1] / view[:, 2] + intrinsics.cy_px
    return np.stack([x_px, y_px], axis=1)


def _box_around(points_px: np.ndarray) -> np.ndarray:
    return np.concatenate([points_px.min(axis=0), points_px.max(axis=0)])


def _cut_at(view: np.ndarray, faces: np.ndarray, near: float) -> np.ndarray:
    """Points that bound the part of the triangles beyond `near`: vertices there, and where edges cross the plane."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    a, b = view[ends[:, 0]], view[ends[:, 1]]
    crossing = (a[:, 2] < near) != (b[:, 2] < near)
    a, b = a[crossing], b[crossing]
    share = (near - a[:, 2:]) / (b[:, 2:] - a[:, 2:])
    return np.concatenate([view[view[:, 2] >= near], a + share * (b - a)])
