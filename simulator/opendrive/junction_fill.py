"""The gaps between the lanes that cross a junction: tarred in the world, nobody's in OpenDRIVE."""

import numpy as np
from scipy import ndimage

from simulator.opendrive.coverage import CARRIAGEWAY, CELL_M, FREE, RAISED, Coverage, cover_of, points_in
from simulator.opendrive.network import Network
from simulator.opendrive.road import Road
from simulator.opendrive.strips import lane_strips

CLOSED_M = 1.6  # gaps narrower than twice that are filled
ISLAND_M2 = 90.0  # enclosed gaps smaller than that are filled
SUNK_M = 0.012  # below the lanes' own surface


def fill_junctions(network: Network, coverage: Coverage) -> np.ndarray:
    """Quadrilaterals (N, 4, 3), counter-clockwise seen from above, that fill the gaps; they are marked as covered."""
    quads = [np.zeros((0, 4, 3))]
    for junction in network.junctions.values():
        roads = [network.roads[name] for name in junction.connecting_roads if name in network.roads]
        if roads:
            quads.append(_fill(coverage, roads))
    return np.concatenate(quads)


def pave_around(roads: list[Road], coverage: Coverage, width_m: float) -> np.ndarray:
    """Quadrilaterals (N, 4, 3) over free ground within `width_m` of a junction's roads, but not at their very edge.

    They lie at the roads' height; the ground is marked as raised.
    """
    window = _window(coverage, roads, width_m + 1.0)
    kind = coverage.kind[window]
    own = np.zeros(kind.shape, bool)
    for road in roads:
        for strip in lane_strips(road):
            if cover_of(strip.kind) != CARRIAGEWAY:
                continue
            row, column = coverage.cells(points_in(strip)[:, :2])
            own[row - window[0].start, column - window[1].start] = True
    from_own, nearest = ndimage.distance_transform_edt(~own, return_indices=True)
    from_any = ndimage.distance_transform_edt(kind != CARRIAGEWAY)
    near = (from_own * CELL_M <= width_m) & (from_any * CELL_M >= 1.0) & (kind == FREE)
    return _surface(coverage, window, near, coverage.low_m[window][tuple(nearest)], RAISED)


def _window(coverage: Coverage, roads: list[Road], margin_m: float) -> tuple[slice, slice]:
    edges = [edge for road in roads for strip in lane_strips(road) for edge in (strip.left_m, strip.right_m)]
    within = np.concatenate(edges)[:, :2]
    first_row, first_column = coverage.cells(within.min(axis=0) - margin_m)
    last_row, last_column = coverage.cells(within.max(axis=0) + margin_m)
    return slice(int(first_row), int(last_row) + 1), slice(int(first_column), int(last_column) + 1)


def _fill(coverage: Coverage, roads: list[Road]) -> np.ndarray:
    window = _window(coverage, roads, 2.0)
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
    nearest = ndimage.distance_transform_edt(~tarred, return_distances=False, return_indices=True)
    return _surface(coverage, window, gap, coverage.low_m[window][tuple(nearest)], CARRIAGEWAY)


def _surface(
    coverage: Coverage, window: tuple[slice, slice], gap: np.ndarray, height: np.ndarray, cover: int
) -> np.ndarray:
    """Quadrilaterals over the cells of `gap`, which are marked."""
    if not gap.any():
        return np.zeros((0, 4, 3))
    x0, y0 = coverage.origin_m + CELL_M * np.array([window[1].start, window[0].start])
    rows, columns = np.nonzero(gap)
    points = np.stack([x0 + (columns + 0.5) * CELL_M, y0 + (rows + 0.5) * CELL_M, height[gap]], -1)
    coverage.mark(points, np.full(len(points), cover, np.uint8))
    return _runs(gap, height, x0, y0)


def _runs(gap: np.ndarray, height: np.ndarray, x0: float, y0: float) -> np.ndarray:
    """One quadrilateral for each run of cells in a row, half a cell wider than the run, to meet its neighbours."""
    change = np.diff(np.pad(gap, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(change == 1)
    _, end = np.nonzero(change == -1)
    left, right = x0 + (start - 0.5) * CELL_M, x0 + (end + 0.5) * CELL_M
    low, high = y0 + (row - 0.5) * CELL_M, y0 + (row + 1.5) * CELL_M
    z_left, z_right = height[row, start] - SUNK_M, height[row, end - 1] - SUNK_M
    corners = [(left, low, z_left), (right, low, z_right), (right, high, z_right), (left, high, z_left)]
    return np.stack([np.stack(corner, -1) for corner in corners], 1)
