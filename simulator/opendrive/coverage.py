"""What lies on each half metre of ground: a raster of a network's lanes, for questions that edges answer badly."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from scipy import ndimage

from simulator.opendrive.network import Network
from simulator.opendrive.strips import Strip

CELL_M = 0.5
MARGIN_M = 80.0  # of ground about the roads
FREE, GREEN, RAISED, CARRIAGEWAY = range(4)
CARRIAGEWAY_LANES = {
    "driving", "bidirectional", "shoulder", "parking", "border", "stop", "biking", "entry", "exit", "onRamp",
    "offRamp", "roadWorks", "tram", "bus", "taxi", "HOV",
}  # fmt: skip
RAISED_LANES = {"sidewalk", "median", "curb"}


def cover_of(lane_kind: str) -> int:
    """What a lane of this kind is for those beside it; a lane of kind none is no surface."""
    if lane_kind in CARRIAGEWAY_LANES:
        return CARRIAGEWAY
    if lane_kind in RAISED_LANES:
        return RAISED
    return FREE if lane_kind == "none" else GREEN


class Coverage:
    """Rasters (rows, columns) over y and x of OpenDRIVE's world; roads that cross over one another share cells."""

    def __init__(self, network: Network) -> None:
        low_x, low_y, high_x, high_y = network.bounds_m
        self.origin_m = np.array([low_x - MARGIN_M, low_y - MARGIN_M])
        extent = np.array([high_x - low_x, high_y - low_y]) + 2 * MARGIN_M
        columns, rows = np.ceil(extent / CELL_M).astype(int).tolist()
        self.kind = np.zeros((rows, columns), np.uint8)
        self.low_m = np.full((rows, columns), np.inf, np.float32)  # of the lowest surface
        self.high_m = np.full((rows, columns), -np.inf, np.float32)
        for strips in network.lanes.values():
            self.add(strips)

    def add(self, strips: Iterable[Strip]) -> None:
        """Cover the cells of the strips; a carriageway outranks what is raised, and that what is green."""
        points, kinds = [], []
        for strip in strips:
            cover = cover_of(strip.kind)
            if cover != FREE:
                inside = points_in(strip)
                points.append(inside)
                kinds.append(np.full(len(inside), cover, np.uint8))
        if points:
            self.mark(np.concatenate(points), np.concatenate(kinds))

    def mark(self, points_m: np.ndarray, kinds: np.ndarray) -> None:
        """Cover the cells of points (N, 3) with kinds (N,)."""
        where = self.cells(points_m[:, :2])
        np.maximum.at(self.kind, where, kinds)
        np.minimum.at(self.low_m, where, points_m[:, 2].astype(np.float32))
        np.maximum.at(self.high_m, where, points_m[:, 2].astype(np.float32))

    def cells(self, xy_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of points (..., 2); those outside get the nearest cell of the border."""
        index = np.floor((xy_m - self.origin_m) / CELL_M).astype(int)
        rows, columns = self.kind.shape
        return np.clip(index[..., 1], 0, rows - 1), np.clip(index[..., 0], 0, columns - 1)

    @cached_property
    def clearance_m(self) -> np.ndarray:
        """Distance of each cell to the nearest covered one. Ask when nothing more will be added."""
        cells = np.asarray(ndimage.distance_transform_edt(self.kind == FREE), np.float32)
        return cells * np.float32(CELL_M)


def points_in(strip: Strip, step_m: float = 0.36) -> np.ndarray:
    """Points (N, 3) over the whole strip, about `step_m` apart."""
    middle = (strip.left_m + strip.right_m) / 2
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(2, int(np.ceil(along[-1] / step_m)) + 1))
    left, right = (
        np.stack([np.interp(at, along, edge[:, axis]) for axis in range(3)], -1)
        for edge in (strip.left_m, strip.right_m)
    )
    width = float(np.linalg.norm(right - left, axis=1).max())
    share = np.linspace(0, 1, max(2, int(np.ceil(width / step_m)) + 1))[:, None, None]
    # not onto the very edge: a neighbour's first cell is not ours
    share = 0.02 + 0.96 * share
    return (left * (1 - share) + right * share).reshape(-1, 3)
