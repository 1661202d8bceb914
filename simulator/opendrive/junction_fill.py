"""The gaps between the lanes that cross a junction: tarred in the world, nobody's in OpenDRIVE."""

from typing import Any

import numpy as np
from scipy import ndimage

from simulator.opendrive.coverage import CARRIAGEWAY, CELL_M, FREE, RAISED, Coverage, cover_of, points_in
from simulator.opendrive.network import Junction, Network
from simulator.opendrive.strips import Strip

CLOSED_M = 1.6  # gaps narrower than twice that are filled
GAP_M = 1.5  # the same for gaps between pavements
ISLAND_M2 = 90.0  # enclosed gaps smaller than that are filled
SUNK_M = 0.02  # below the lanes' own surface
PIECE = 6  # cells of a piece where the ground slopes


def fill_junctions(network: Network, coverage: Coverage) -> np.ndarray:
    """Quadrilaterals (N, 4, 3), counter-clockwise seen from above, that fill the gaps; they are marked as covered."""
    quads = [np.zeros((0, 4, 3))]
    for junction in network.junctions.values():
        if strips := lanes_of(network, junction):
            quads.append(_fill(coverage, strips))
    return np.concatenate(quads)


def lanes_of(network: Network, junction: Junction) -> list[Strip]:
    """The lanes that cross a junction."""
    return [strip for name in junction.connecting_roads for strip in network.lanes.get(name, ())]


def pave_between(strips: list[Strip], coverage: Coverage, width_m: float) -> np.ndarray:
    """Quadrilaterals (N, 4, 3) over gaps between the pavements about a junction's lanes, within `width_m` of these.

    They lie at the roads' height, not at the very edge of a carriageway; the ground is marked as raised.
    """
    window = _window(coverage, strips, width_m + 2.0)
    kind = coverage.kind[window]
    own = np.zeros(kind.shape, bool)
    for strip in strips:
        if cover_of(strip.kind) == CARRIAGEWAY:
            row, column = coverage.cells(points_in(strip)[:, :2])
            own[row - window[0].start, column - window[1].start] = True
    to_own, nearest = ndimage.distance_transform_edt(~own, return_indices=True)  # type: ignore[misc]
    off_edge = np.asarray(ndimage.distance_transform_edt(kind != CARRIAGEWAY)) * CELL_M >= 1.0
    gap = _closed(kind == RAISED, GAP_M) & (kind == FREE) & off_edge & (np.asarray(to_own) * CELL_M <= width_m + 1)
    height = coverage.low_m[window][tuple(nearest)]
    _mark(coverage, window, gap, height, RAISED)
    # a cell further, to meet what lies beside it, but never as far as a carriageway
    return _runs(np.asarray(ndimage.binary_dilation(gap), bool) & off_edge, height, coverage, window)


def _closed(mask: np.ndarray, reach_m: float) -> np.ndarray:
    """The mask without gaps narrower than twice the reach."""
    reach = round(reach_m / CELL_M)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    wide = ndimage.binary_closing(np.pad(mask, reach + 1), x * x + y * y <= reach * reach)
    return np.asarray(wide, bool)[reach + 1 : -reach - 1, reach + 1 : -reach - 1]


def _window(coverage: Coverage, strips: list[Strip], margin_m: float) -> tuple[slice, slice]:
    within = np.concatenate([edge[:, :2] for strip in strips for edge in (strip.left_m, strip.right_m)])
    first_row, first_column = coverage.cells(within.min(axis=0) - margin_m)
    last_row, last_column = coverage.cells(within.max(axis=0) + margin_m)
    return slice(int(first_row), int(last_row) + 1), slice(int(first_column), int(last_column) + 1)


def _fill(coverage: Coverage, strips: list[Strip]) -> np.ndarray:
    """A bed under the whole junction and a little into its arms: it shows in gaps, and in seams between roads."""
    window = _window(coverage, strips, 2.0)
    kind = coverage.kind[window]
    tarred = kind == CARRIAGEWAY
    closed = _closed(tarred, CLOSED_M)
    enclosed = np.asarray(ndimage.binary_fill_holes(closed), bool) & ~closed
    holes: Any = ndimage.label(enclosed)[0]  # type: ignore[index]
    if (count := int(holes.max())) > 0:
        area = np.bincount(holes.ravel(), minlength=count + 1)[1:] * CELL_M**2
        small = np.concatenate([[False], area < ISLAND_M2])
        closed = closed | small[holes]
    closed &= tarred | (kind == FREE)
    height = _height(coverage, window, tarred)
    _mark(coverage, window, closed & (kind == FREE), height, CARRIAGEWAY)
    return _runs(closed, height - SUNK_M, coverage, window)


def _height(coverage: Coverage, window: tuple[slice, slice], known: np.ndarray) -> np.ndarray:
    """Of each cell of the window, from the nearest known one."""
    nearest: Any = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return coverage.low_m[window][tuple(nearest)]


def _mark(coverage: Coverage, window: tuple[slice, slice], mask: np.ndarray, height: np.ndarray, cover: int) -> None:
    rows, columns = np.nonzero(mask)
    first = np.array([window[1].start, window[0].start])
    xy = coverage.origin_m + (np.stack([columns, rows], -1) + first + 0.5) * CELL_M
    points = np.concatenate([xy, height[mask][:, None]], axis=1)
    coverage.mark(points, np.full(len(points), cover, np.uint8))


def _runs(mask: np.ndarray, height: np.ndarray, coverage: Coverage, window: tuple[slice, slice]) -> np.ndarray:
    """Quadrilaterals (N, 4, 3) over the mask's cells: one for each run of cells in a row, in pieces on a slope."""
    # heights where cells meet, so that the rows of a slope join
    node = np.pad(height, 1, mode="edge")
    node = (node[1:, 1:] + node[1:, :-1] + node[:-1, 1:] + node[:-1, :-1]) / 4
    padded = np.pad(mask, ((0, 0), (1, 1)))
    change = np.diff(padded.astype(np.int8), axis=1)
    inside = np.zeros(change.shape, bool)
    if mask.any() and np.ptp(height[mask]) > 0.01:
        inside[:, ::PIECE] = (padded[:, 1:] & padded[:, :-1])[:, ::PIECE]
    row, start = np.nonzero((change == 1) | inside)
    _, end = np.nonzero((change == -1) | inside)
    x0, y0 = coverage.origin_m + CELL_M * np.array([window[1].start, window[0].start])
    corners = [(row, start), (row, end), (row + 1, end), (row + 1, start)]
    return np.stack([np.stack([x0 + c * CELL_M, y0 + r * CELL_M, node[r, c]], -1) for r, c in corners], 1)
