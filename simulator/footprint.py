"""Where actors stand on the ground, seen from above: who would collide with whom."""

from collections.abc import Sequence

import numpy as np

from simulator.scene import Actor


def ground_corners(actor: Actor, margin_m: float = 0.0) -> np.ndarray:
    """The four corners (4, 2) of an actor's rectangle on the ground, as (x, z), in order."""
    _, w, length = actor.dimensions_hwl_m
    forward = np.array([1, 1, -1, -1]) * (length / 2 + margin_m)
    side = np.array([1, -1, -1, 1]) * (w / 2 + margin_m)
    cos, sin = np.cos(actor.yaw_rad), np.sin(actor.yaw_rad)
    return np.stack([actor.x_m + cos * forward + sin * side, actor.z_m - sin * forward + cos * side], axis=-1)


def overlap(a: Actor, b: Actor, margin_m: float = 0.2) -> bool:
    """Whether two actors, `a` grown by the margin, would stand in each other (separating axes, and heights)."""
    if a.lift_m >= b.lift_m + b.dimensions_hwl_m[0] or b.lift_m >= a.lift_m + a.dimensions_hwl_m[0]:
        return False
    corners_a, corners_b = ground_corners(a, margin_m), ground_corners(b)
    for yaw in (a.yaw_rad, b.yaw_rad):
        for axis in (np.array([np.cos(yaw), -np.sin(yaw)]), np.array([np.sin(yaw), np.cos(yaw)])):
            along_a, along_b = corners_a @ axis, corners_b @ axis
            if along_a.max() <= along_b.min() or along_b.max() <= along_a.min():
                return False
    return True


def collides(actor: Actor, others: Sequence[Actor], margin_m: float = 0.2) -> bool:
    """Whether an actor would stand in any of the others, or on the camera."""
    near_camera = bool(np.hypot(actor.x_m, actor.z_m) < 1.0 + max(actor.dimensions_hwl_m[1:]) / 2 and actor.z_m < 1.0)
    return near_camera or any(overlap(actor, other, margin_m) for other in others)
