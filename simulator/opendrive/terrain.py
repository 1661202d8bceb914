"""Ground under and beside roads: everywhere below the lowest of them, elsewhere a smooth continuation."""

from typing import Any

import numpy as np
from scipy import ndimage

from simulator.opendrive.coverage import CELL_M, Coverage

NODE_M = 2.0
BELOW_M = 0.04  # beneath the surfaces
SMOOTHING_ROUNDS = 25


class Terrain:
    """Heights at nodes NODE_M apart; between them two triangles a square, cut from lower left to upper right."""

    def __init__(self, coverage: Coverage) -> None:
        step = int(NODE_M / CELL_M)
        self.origin_m = coverage.origin_m
        # each node takes the lowest surface within its four squares, so that no square rises above a road in it
        lowest = ndimage.minimum_filter(coverage.low_m, size=2 * step + 3, mode="nearest")[::step, ::step]
        fixed = np.isfinite(lowest)
        nearest: Any = ndimage.distance_transform_edt(~fixed, return_distances=False, return_indices=True)
        height = np.where(fixed, lowest, lowest[tuple(nearest)]).astype(np.float32)
        if height.max() - height.min() > 0.01:
            for sigma in np.linspace(12, 1.5, SMOOTHING_ROUNDS):
                height = np.where(fixed, height, ndimage.gaussian_filter(height, sigma, mode="nearest"))
        self.height_m = height - np.float32(BELOW_M)  # (rows, columns)

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.height_m.shape
        return rows, columns

    def nodes_m(self, rows: slice, columns: slice) -> np.ndarray:
        """Points (rows, columns, 3) of a part of the grid."""
        z = self.height_m[rows, columns]
        y, x = np.mgrid[rows, columns]
        return np.stack([self.origin_m[0] + x * NODE_M, self.origin_m[1] + y * NODE_M, z], -1)

    def at(self, xy_m: np.ndarray) -> np.ndarray:
        """Height at points (..., 2), those outside as at the border; bilinear."""
        where = np.moveaxis((np.asarray(xy_m, float) - self.origin_m) / NODE_M, -1, 0)[::-1]
        flat = where.reshape(2, -1)
        return ndimage.map_coordinates(self.height_m, flat, order=1, mode="nearest").reshape(where.shape[1:])
