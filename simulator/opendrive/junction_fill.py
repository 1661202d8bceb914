"""The gaps between the lanes that cross a junction: tarred in the world, nobody's in OpenDRIVE."""

import numpy as np
from scipy import ndimage

from simulator.opendrive.coverage import CARRIAGEWAY, CELL_M, FREE, Coverage
from simulator.opendrive.network import Network
from simulator.opendrive.strips import lane_strips

CLOSED_M = 1.6  # gaps narrower than twice that are filled
ISLAND_M2 = 90.0  # enclosed gaps smaller than that are filled
SUNK_M = 0.012  # below the lanes' own surface


def fill_junctions(network: Network, coverage: Coverage) -> np.ndarray:
    """Quadrilaterals (N, 4, 3), counter-clockwise seen from above, that fill the gaps; they are marked as covered."""
    quads = [np.zeros((0, 4, 3))]
    for junction in network.junctions.values():
        roads = [network.roads[name] for name in junction.connecting_roads if name in network.roads]
        edges = [edge for road in roads for strip in lane_strips(road) for edge in (strip.left_m, strip.right_m)]
        if edges:
            quads.append(_fill(coverage, np.concatenate(edges)))
    return np.concatenate(quads)


def _fill(coverage: Coverage, within_m: np.ndarray) -> np.ndarray:
    first_row, first_column = (int(i) - 4 for i in coverage.cells(within_m[:, :2].min(axis=0)))
    last_row, last_column = (int(i) + 5 for i in coverage.cells(within_m[:, :2].max(axis=0)))
    window = np.s_[max(first_row, 0) : last_row, max(first_column, 0) : last_column]
    kind = coverage.kind[window]
    tarred = kind == CARRIAGEWAY
    reach = int(round(CLOSED_M / CELL_M))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    wide = np.pad(tarred, reach + 1)
    closed = ndimage.binary_closing(wide, x * x + y * y <= reach * reach)[
        reach + 1 : -reach - 1, reach + 1 : -reach - 1
    ]
    holes, count = ndimage.label(ndimage.binary_fill_holes(closed) & ~closed)
    if count:
        area = np.bincount(holes.ravel())[1:] * CELL_M**2
        small = np.concatenate([[False], area < ISLAND_M2])
        closed = closed | small[holes]
    gap = closed & (kind == FREE)
    if not gap.any():
        return np.zeros((0, 4, 3))
    nearest = ndimage.distance_transform_edt(~tarred, return_distances=False, return_indices=True)
    height = coverage.low_m[window][tuple(nearest)]
    x0, y0 = coverage.origin_m + CELL_M * np.array([window[1].start, window[0].start])
    rows, columns = np.nonzero(gap)
    points = np.stack([x0 + (columns + 0.5) * CELL_M, y0 + (rows + 0.5) * CELL_M, height[gap]], -1)
    coverage.mark(points, np.full(len(points), CARRIAGEWAY, np.uint8))
    return _runs(gap, height, x0, y0)


def _runs(gap: np.ndarray, height: np.ndarray, x0: float, y0: float) -> np.ndarray:
    """One quadrilateral for each run of cells in a row, half a cell wider than the run, under the lanes' edges."""
    change = np.diff(np.pad(gap, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(change == 1)
    _, end = np.nonzero(change == -1)
    left, right = x0 + (start - 0.5) * CELL_M, x0 + (end + 0.5) * CELL_M
    low, high = y0 + (row - 0.25) * CELL_M, y0 + (row + 1.25) * CELL_M
    z_left, z_right = height[row, start] - SUNK_M, height[row, end - 1] - SUNK_M
    corners = [(left, low, z_left), (right, low, z_right), (right, high, z_right), (left, high, z_left)]
    return np.stack([np.stack(corner, -1) for corner in corners], 1)
