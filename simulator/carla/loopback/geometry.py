"""Poses in Unreal's frame: how one is attached to another, and whether two upright boxes overlap."""

import math
from typing import NamedTuple

import numpy as np

from simulator.carla.unreal import Transform


class Box(NamedTuple):
    """An upright box in the world: centre, half sizes along its own axes, heading."""

    center_m: tuple[float, float, float]
    extent_m: tuple[float, float, float]  # half length, half width, half height
    yaw_deg: float


def rotation_of(transform: Transform) -> np.ndarray:
    """Unreal's rotation matrix (3, 3): columns are the forward, right and up axes in the world."""
    cp, sp = math.cos(math.radians(transform.pitch_deg)), math.sin(math.radians(transform.pitch_deg))
    cy, sy = math.cos(math.radians(transform.yaw_deg)), math.sin(math.radians(transform.yaw_deg))
    cr, sr = math.cos(math.radians(transform.roll_deg)), math.sin(math.radians(transform.roll_deg))
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr],
            [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr],
            [sp, -cp * sr, cp * cr],
        ]
    )


def attached(parent: Transform, relative: Transform) -> Transform:
    """The world pose of something that is `relative` to `parent`."""
    turned = rotation_of(parent)
    x, y, z = turned @ (relative.x_m, relative.y_m, relative.z_m) + (parent.x_m, parent.y_m, parent.z_m)
    r = turned @ rotation_of(relative)
    pitch = math.degrees(math.atan2(r[2, 0], math.hypot(r[0, 0], r[1, 0])))
    if math.hypot(r[0, 0], r[1, 0]) > 1e-6:
        yaw = math.degrees(math.atan2(r[1, 0], r[0, 0]))
        roll = math.degrees(math.atan2(-r[2, 1], r[2, 2]))
    else:  # straight up or down: yaw and roll turn about the same axis, so that roll may be 0
        yaw, roll = math.degrees(math.atan2(-r[0, 1], r[1, 1])), 0.0
    return Transform(float(x), float(y), float(z), pitch, yaw, roll)


def heading_of(transform: Transform) -> tuple[float, float]:
    """The horizontal unit vector that it faces."""
    yaw = math.radians(transform.yaw_deg)
    return math.cos(yaw), math.sin(yaw)


def overlap(a: Box, b: Box) -> bool:
    """Whether two upright boxes share a volume: separating axes of the footprints, and the heights."""
    if abs(a.center_m[2] - b.center_m[2]) >= a.extent_m[2] + b.extent_m[2]:
        return False
    dx, dy = b.center_m[0] - a.center_m[0], b.center_m[1] - a.center_m[1]
    reach = math.hypot(*a.extent_m[:2]) + math.hypot(*b.extent_m[:2])
    if dx * dx + dy * dy >= reach * reach:
        return False
    for box in (a, b):
        cos, sin = math.cos(math.radians(box.yaw_deg)), math.sin(math.radians(box.yaw_deg))
        for ux, uy in ((cos, sin), (-sin, cos)):
            if abs(dx * ux + dy * uy) >= _half_shadow(a, ux, uy) + _half_shadow(b, ux, uy):
                return False
    return True


def _half_shadow(box: Box, ux: float, uy: float) -> float:
    """Half the length of the footprint's shadow on a horizontal axis."""
    cos, sin = math.cos(math.radians(box.yaw_deg)), math.sin(math.radians(box.yaw_deg))
    return box.extent_m[0] * abs(cos * ux + sin * uy) + box.extent_m[1] * abs(cos * uy - sin * ux)
