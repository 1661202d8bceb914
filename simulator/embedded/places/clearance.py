"""Where scenery may not stand: near the camera's axis, on an actor, or between an actor and the camera."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.scene import Place

BEHIND_M = 8.0  # the clear strip about the axis begins this far behind the camera
MARGIN_M = 0.3


class Footprint(NamedTuple):
    """A circle on the ground that must stay free, and be seen from the camera at (0, 0)."""

    x_m: float
    z_m: float
    radius_m: float


class Clearance:
    """Tells whether circles on the ground are free. Points are (X, Y) of the world frame: right, forward."""

    def __init__(self, place: Place, keep_clear: Sequence[Footprint]):
        self.half_width_m, self.depth_m = place.clear_half_width_m, place.clear_depth_m
        circles = np.array([tuple(f) for f in keep_clear], float).reshape(-1, 3)
        self._end, self._radius = circles[:, :2], circles[:, 2]
        self._square = np.maximum((self._end**2).sum(1), 1e-6)

    def free(self, points_m: np.ndarray, radius_m: np.ndarray | float = 0.0) -> np.ndarray:
        """points (..., 2), radius (...) or one for all -> bool (...). Tall or low does not matter."""
        x, y = points_m[..., 0], points_m[..., 1]
        grown = np.asarray(radius_m) + MARGIN_M
        ok = (np.abs(x) > self.half_width_m + grown) | (y < -BEHIND_M - grown) | (y > self.depth_m + grown)
        if len(self._end):
            # The line of sight is a cone: nothing wide at the camera, the actor's radius at the actor.
            along = points_m @ self._end.T
            share = np.clip(along / self._square, 0, 1)
            # |p - share * end|^2, without a third axis for x and y
            square = (x**2 + y**2)[..., None] + share * (share * self._square - 2 * along)
            ok &= (square > (share * self._radius + grown[..., None]) ** 2).all(-1)
        return ok
