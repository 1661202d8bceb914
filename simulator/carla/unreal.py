"""Unreal's frame, and how a scene's level frame lies in it.

World frame: metres, x and y horizontal, z up, left-handed; yaw turns from +x towards +y (clockwise seen from above),
pitch lifts the nose, roll leans to the right; degrees. At yaw 0 an actor faces +x and +y is to its right.
OpenDRIVE files are right-handed: CARLA negates their y.
"""

from typing import NamedTuple

import numpy as np


class Transform(NamedTuple):
    """Where something is in Unreal's world: what `carla.Transform` holds, without the carla library."""

    x_m: float = 0.0
    y_m: float = 0.0
    z_m: float = 0.0
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    roll_deg: float = 0.0


class Anchor(NamedTuple):
    """Where a scene's level frame lies in the world: its origin, the ground below the camera, and the way of its +z."""

    x_m: float
    y_m: float
    z_m: float
    yaw_deg: float

    def transform_of(self, x_m: float, z_m: float, yaw_rad: float, lift_m: float = 0.0) -> Transform:
        """The pose of an upright actor of a scene: its point on the ground plane and KITTI's rotation_y."""
        cos, sin = np.cos(np.radians(self.yaw_deg)), np.sin(np.radians(self.yaw_deg))
        return Transform(
            x_m=float(self.x_m + z_m * cos - x_m * sin),
            y_m=float(self.y_m + z_m * sin + x_m * cos),
            z_m=self.z_m + lift_m,
            yaw_deg=float((self.yaw_deg + np.degrees(yaw_rad) + 90 + 180) % 360 - 180),
        )

    def level_of(self, world_xyz_m: np.ndarray) -> np.ndarray:
        """World points (..., 3) -> level frame (..., 3) as x right, up, z forward."""
        x, y, z = np.moveaxis(np.asarray(world_xyz_m, np.float64) - (self.x_m, self.y_m, self.z_m), -1, 0)
        cos, sin = np.cos(np.radians(self.yaw_deg)), np.sin(np.radians(self.yaw_deg))
        return np.stack([y * cos - x * sin, z, x * cos + y * sin], axis=-1)

    def yaw_rad_of(self, yaw_deg: float) -> float:
        """KITTI's rotation_y in the level frame of a heading in the world."""
        return float((np.radians(yaw_deg - self.yaw_deg - 90) + np.pi) % (2 * np.pi) - np.pi)
