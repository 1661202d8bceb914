"""From the street to the picture and back: a pinhole camera over flat ground.

Level frame (see scene.py), here with three coordinates: x right, up, z forward, metres; origin on the ground
below the camera. Camera frame (see dataset/schema.py): x right, y down, z along the optical axis.
A camera at height h that looks down by p sees the level point (x, up, z), with d = h - up, at
    x_camera = x,   y_camera = d cos p - z sin p,   z_camera = d sin p + z cos p.
"""

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from dataset.schema import Camera
from simulator.scene import Actor

NEAR_M = 0.1  # nothing nearer along the optical axis is pictured
CORNER_SIGNS = np.array([(f, u, s) for f in (-0.5, 0.5) for u in (0.0, 1.0) for s in (-0.5, 0.5)])  # forward, up, side


def camera_from_level(camera: Camera, level_xyz_m: np.ndarray) -> np.ndarray:
    """Level points (..., 3) as x, up, z -> camera frame (..., 3) as x, y down, z forward."""
    x, up, z = np.moveaxis(np.asarray(level_xyz_m, np.float64), -1, 0)
    cos, sin = np.cos(np.radians(camera.pitch_deg)), np.sin(np.radians(camera.pitch_deg))
    down = camera.height_m - up
    return np.stack([x, down * cos - z * sin, down * sin + z * cos], axis=-1)


def level_from_camera(camera: Camera, camera_xyz_m: np.ndarray) -> np.ndarray:
    """The inverse of `camera_from_level`."""
    x, y, depth = np.moveaxis(np.asarray(camera_xyz_m, np.float64), -1, 0)
    cos, sin = np.cos(np.radians(camera.pitch_deg)), np.sin(np.radians(camera.pitch_deg))
    return np.stack([x, camera.height_m - (y * cos + depth * sin), depth * cos - y * sin], axis=-1)


def pixels_of_camera_points(camera: Camera, camera_xyz_m: np.ndarray) -> np.ndarray:
    """Camera-frame points (..., 3) -> pixels (..., 2). Points nearer than NEAR_M are treated as if at NEAR_M."""
    depth = np.maximum(camera_xyz_m[..., 2], NEAR_M)
    u = camera.fx_px * camera_xyz_m[..., 0] / depth + camera.cx_px
    v = camera.fy_px * camera_xyz_m[..., 1] / depth + camera.cy_px
    return np.stack([u, v], axis=-1)


def project(camera: Camera, level_xyz_m: np.ndarray) -> np.ndarray:
    """Level points (..., 3) -> pixels (..., 2)."""
    return pixels_of_camera_points(camera, camera_from_level(camera, level_xyz_m))


def horizon_row_px(camera: Camera) -> float:
    """Row of the horizon of the flat ground."""
    return camera.cy_px - camera.fy_px * float(np.tan(np.radians(camera.pitch_deg)))


def ground_point(camera: Camera, u_px: float, v_px: float) -> tuple[float, float]:
    """Where the ray through a pixel meets the ground: (x_m, z_m); NaN at and above the horizon."""
    slope = (v_px - camera.cy_px) / camera.fy_px
    cos, sin = np.cos(np.radians(camera.pitch_deg)), np.sin(np.radians(camera.pitch_deg))
    fall = slope * cos + sin  # metres down a metre of depth
    if fall <= 1e-6:
        return float("nan"), float("nan")
    depth = camera.height_m / fall
    return float((u_px - camera.cx_px) / camera.fx_px * depth), float(depth * cos - slope * depth * sin)


def box_corners(x_m, z_m, yaw_rad, dimensions_hwl_m, lift_m=0.0) -> np.ndarray:
    """Corners of upright 3D boxes in the level frame: (..., 8, 3) as x, up, z.

    Arguments broadcast against each other; dimensions are (..., 3). The heading of KITTI's rotation_y r is
    (cos r, -sin r) in (x, z).
    """
    h, w, length = (d[..., None] for d in np.moveaxis(np.asarray(dimensions_hwl_m, np.float64), -1, 0))
    x, z, yaw, lift = (np.asarray(v, np.float64)[..., None] for v in (x_m, z_m, yaw_rad, lift_m))
    forward, up, side = CORNER_SIGNS.T
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.stack(
        np.broadcast_arrays(
            x + cos * forward * length + sin * side * w,
            lift + up * h,
            z - sin * forward * length + cos * side * w,
        ),
        axis=-1,
    )


def actor_corners(actor: Actor) -> np.ndarray:
    """The eight corners of an actor's box in the level frame: (8, 3)."""
    return box_corners(actor.x_m, actor.z_m, actor.yaw_rad, actor.dimensions_hwl_m, actor.lift_m)


def outline(camera: Camera, corners_xyz_m: np.ndarray) -> np.ndarray:
    """Convex outline of a solid's picture on an endless film: (K, 2) px, in order; empty (0, 2) behind the camera.

    The solid is the convex hull of its corners (N, 3); what is nearer than NEAR_M is cut off.
    """
    points = camera_from_level(camera, corners_xyz_m)
    depth = points[:, 2]
    if depth.max() <= NEAR_M:
        return np.zeros((0, 2))
    seen = list(points[depth > NEAR_M])
    # Lines between all corners, not only edges, cross the plane: the hull of the crossings is the same.
    for a in np.nonzero(depth > NEAR_M)[0]:
        for b in np.nonzero(depth <= NEAR_M)[0]:
            share = (NEAR_M - depth[a]) / (depth[b] - depth[a])
            seen.append(points[a] + share * (points[b] - points[a]))
    pixels = pixels_of_camera_points(camera, np.array(seen))
    try:
        return pixels[ConvexHull(pixels).vertices]
    except QhullError:  # flat, seen from its edge: joggled, it has an outline as thin as a line
        return pixels[ConvexHull(pixels, qhull_options="QJ").vertices]


def box_of(points_px: np.ndarray) -> tuple[float, float, float, float]:
    """The upright box around points (K, 2), as xyxy."""
    (x0, y0), (x1, y1) = points_px.min(axis=0), points_px.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def clip_box(box_xyxy_px, width_px: int, height_px: int) -> tuple[float, float, float, float]:
    """The part of a box inside the image; without area when it lies outside."""
    x0, y0, x1, y1 = box_xyxy_px
    x0, x1 = (min(max(x, 0.0), float(width_px)) for x in (x0, x1))
    y0, y1 = (min(max(y, 0.0), float(height_px)) for y in (y0, y1))
    return x0, y0, x1, y1


def polygon_area_px(polygon_px: np.ndarray) -> float:
    """Area of a simple polygon (K, 2)."""
    if len(polygon_px) < 3:
        return 0.0
    x, y = polygon_px.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def clip_polygon(polygon_px: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """The part of a convex polygon (K, 2) inside the image (Sutherland and Hodgman 1974)."""
    for axis, limit, sign in ((0, 0.0, 1), (0, width_px, -1), (1, 0.0, 1), (1, height_px, -1)):
        inside = sign * (polygon_px[:, axis] - limit)
        kept = []
        for i in range(len(polygon_px)):
            before = i - 1
            if (inside[before] >= 0) != (inside[i] >= 0):
                share = inside[before] / (inside[before] - inside[i])
                kept.append(polygon_px[before] + share * (polygon_px[i] - polygon_px[before]))
            if inside[i] >= 0:
                kept.append(polygon_px[i])
        polygon_px = np.array(kept).reshape(-1, 2)
    return polygon_px


def truncation_of(outline_px: np.ndarray, width_px: int, height_px: int) -> float:
    """Share of an outline's area that lies outside the image, 0-1; 1 for what is behind the camera."""
    whole = polygon_area_px(outline_px)
    return 1.0 - polygon_area_px(clip_polygon(outline_px, width_px, height_px)) / whole if whole > 0 else 1.0


def box_iou(a_xyxy_px, b_xyxy_px) -> float:
    """Intersection over union of two boxes; 0 where either has no area."""
    ax0, ay0, ax1, ay1 = a_xyxy_px
    bx0, by0, bx1, by1 = b_xyxy_px
    inter = max(min(ax1, bx1) - max(ax0, bx0), 0.0) * max(min(ay1, by1) - max(ay0, by0), 0.0)
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - inter
    return float(inter / union) if union > 0 else 0.0
