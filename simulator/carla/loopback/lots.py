"""Where there is room beside the roads: ground that is neither covered nor taken."""

import numpy as np

from simulator.opendrive.coverage import CELL_M, Coverage

CLEAR_M = 1.5  # between roads or pavements and anything that stands


class Lots:
    """Keeps account of what has been given away. OpenDRIVE's world."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        # between the middles of cells, of which a covered one may be covered at its rim alone
        self._clearance_m = coverage.clearance_m - np.float32(0.4 * CELL_M)
        self._taken = np.zeros(coverage.kind.shape, bool)

    def clearance_m(self, xy_m: np.ndarray) -> np.ndarray:
        """Distance from points (..., 2) to the nearest road or pavement."""
        return self._clearance_m[self._coverage.cells(xy_m)]

    def free(self, xy_m: np.ndarray, clear_m: float = CLEAR_M) -> np.ndarray:
        """Whether points (..., 2) are off the roads by `clear_m`, and not taken."""
        cells = self._coverage.cells(xy_m)
        return (self._clearance_m[cells] >= clear_m) & ~self._taken[cells]

    def take(self, xy_m: np.ndarray) -> None:
        self._taken[self._coverage.cells(xy_m)] = True

    def claim(self, xy_m: np.ndarray, clear_m: float = CLEAR_M) -> bool:
        """Takes the points (N, 2) if all of them are free."""
        if not self.free(xy_m, clear_m).all():
            return False
        self.take(xy_m)
        return True


def disc(x_m: float, y_m: float, radius_m: float) -> np.ndarray:
    """Points (N, 2) over a circle, closer together than a cell."""
    reach = np.arange(-radius_m, radius_m + 0.01, min(0.45, radius_m))
    x, y = (g.ravel() for g in np.meshgrid(reach, reach))
    inside = x * x + y * y <= radius_m * radius_m + 1e-9
    return np.stack([x_m + x[inside], y_m + y[inside]], -1)


def rectangle(x_m: float, y_m: float, yaw_rad: float, front_m: float, back_m: float, half_width_m: float) -> np.ndarray:
    """Points (N, 2) over a rectangle from `back_m` behind (x, y) to `front_m` before it, along yaw."""
    along = np.arange(-back_m, front_m + 0.45, 0.45)
    across = np.arange(-half_width_m, half_width_m + 0.45, 0.45)
    a, b = (g.ravel() for g in np.meshgrid(along, across))
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.stack([x_m + a * cos - b * sin, y_m + a * sin + b * cos], -1)
