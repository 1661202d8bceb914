"""Where scenery may not stand: near the camera's axis, on an actor, or between an actor and the camera."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.scene import Place

BEHIND_M = 8.0  # the clear strip about the axis begins this far behind the camera
MARGIN_M = 0.3
OVERHEAD_M = 4.5  # what hangs higher may hang over the clear strip


class Footprint(NamedTuple):
    """A circle on the ground that must stay free, and be seen from the camera at (0, 0).

    `top_m` is the highest point of a line of sight to what stands there: over it nothing can hide it.
    """

    x_m: float
    z_m: float
    radius_m: float
    top_m: float = 3.0


class Clearance:
    """Tells whether circles on the ground are free. Points are (X, Y) of the world frame: right, forward."""

    def __init__(self, place: Place, keep_clear: Sequence[Footprint]):
        self.half_width_m, self.depth_m = place.clear_half_width_m, place.clear_depth_m
        circles = np.array([tuple(f) for f in keep_clear], float).reshape(-1, 4)
        self._end, self._radius, self._top = circles[:, :2], circles[:, 2], circles[:, 3]
        self._square = np.maximum((self._end**2).sum(1), 1e-6)
        self._taken = np.zeros((0, 3))

    def take(self, points_m: np.ndarray, radius_m: np.ndarray | float) -> None:
        """Circles (..., 2) that scenery has been built on: nothing else may stand there, or over it."""
        points = points_m.reshape(-1, 2)
        self._taken = np.concatenate([self._taken, np.column_stack([points, np.full(len(points), radius_m)])])

    def free(self, points_m: np.ndarray, radius_m: np.ndarray | float = 0.0) -> np.ndarray:
        """points (..., 2), radius (...) or one for all -> bool (...). Tall or low does not matter."""
        x, y = points_m[..., 0], points_m[..., 1]
        grown = np.asarray(radius_m) + MARGIN_M
        ok = (np.abs(x) > self.half_width_m + grown) | (y < -BEHIND_M - grown) | (y > self.depth_m + grown)
        if len(self._taken):
            ok &= self.untaken(points_m, grown)
        return ok & _seen_past(points_m, grown, self._end, self._square, self._radius)

    def untaken(self, points_m: np.ndarray, radius_m: np.ndarray | float) -> np.ndarray:
        """Whether circles overlap nothing that was taken."""
        reach = self._taken[:, 2] + np.asarray(radius_m)[..., None]
        square = (points_m[..., :1] - self._taken[:, 0]) ** 2 + (points_m[..., 1:] - self._taken[:, 1]) ** 2
        return np.asarray((square > reach * reach).all(-1))

    def free_overhead(self, points_m: np.ndarray, radius_m: np.ndarray | float, underside_m: float) -> np.ndarray:
        """Whether what hangs `underside_m` over circles hides nothing: the road below may be kept clear, and used."""
        if underside_m < OVERHEAD_M:
            return self.free(points_m, radius_m)
        tall = self._top > underside_m - MARGIN_M
        grown = np.asarray(radius_m) + MARGIN_M
        return _seen_past(points_m, grown, self._end[tall], self._square[tall], self._radius[tall])


def _seen_past(points_m, grown_m, end_m: np.ndarray, square_m: np.ndarray, radius_m: np.ndarray) -> np.ndarray:
    """Whether circles stand neither on, nor before, any of the actors at `end_m` (A, 2)."""
    if not len(end_m):
        return np.ones(points_m.shape[:-1], bool)
    x, y = points_m[..., 0], points_m[..., 1]
    # The line of sight is a cone: nothing wide at the camera, the actor's radius at the actor.
    along = points_m @ end_m.T
    share = np.clip(along / square_m, 0, 1)
    # |p - share * end|^2, without a third axis for x and y
    square = (x**2 + y**2)[..., None] + share * (share * square_m - 2 * along)
    return (square > (share * radius_m + grown_m[..., None]) ** 2).all(-1)
