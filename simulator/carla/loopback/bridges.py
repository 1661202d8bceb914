"""Where a road runs above the ground: decks with a side, an underside and a parapet; elsewhere verges."""

from collections.abc import Iterator

import numpy as np

from simulator.carla.loopback.roadsides import Edge, edges, free_width_m
from simulator.embedded.assets.shapes import Shape, surface
from simulator.opendrive.coverage import RAISED, Coverage, cover_of
from simulator.opendrive.road import Road
from simulator.opendrive.terrain import Terrain

AIRBORNE_M = 1.8  # a road that high above the ground is a bridge
DECK_M = 0.9
PARAPET_M = 0.85
# Distance from the edge and height against it: from below a junction's bed, sloping away under whatever is there.
VERGE = np.array([(-0.3, -0.028), (0.5, -0.036), (2.5, -0.35), (4.0, -1.2)])


def airborne(points_m: np.ndarray, terrain: Terrain) -> np.ndarray:
    return points_m[:, 2] - terrain.at(points_m[:, :2]) > AIRBORNE_M


def verges(road: Road, coverage: Coverage, terrain: Terrain) -> Iterator[Shape]:
    """Grass from the road's edge down to the ground, where there is neither a bridge nor another road."""
    for edge in edges(road):
        if cover_of(edge.kind) == RAISED:
            continue
        bare = (free_width_m(edge, coverage) > 0) & ~_high(edge, terrain)
        for first, last in runs(bare):
            yield _sheet(edge, first, last, VERGE)


def skirts(road: Road) -> Iterator[Shape]:
    """The upright outer face of a pavement, down into the ground."""
    for edge in edges(road):
        if cover_of(edge.kind) == RAISED:
            yield _sheet(edge, 0, len(edge.s_m), np.array([(0.0, 0.1), (0.0, -0.6)]))


def decks(road: Road, terrain: Terrain) -> Iterator[tuple[Shape, bool]]:
    """Sides, undersides and parapets of the road's bridges; True marks a parapet."""
    sides = {}
    for edge in edges(road):
        sides.setdefault(float(edge.s_m[0]), []).append(edge)
        for first, last in runs(_high(edge, terrain)):
            yield _sheet(edge, first, last, np.array([(0.25, 0.0), (0.25, -DECK_M)])), False
            profile = np.array([(0.0, 0.0), (0.0, PARAPET_M), (0.25, PARAPET_M), (0.25, 0.0)])
            yield _sheet(edge, first, last, profile), True
    for pair in sides.values():
        if len(pair) == 2:
            left, right = pair
            high = airborne((left.points_m + right.points_m) / 2, terrain)
            for first, last in runs(high):
                under = np.stack([right.points_m[first:last], left.points_m[first:last]], 1) - [0, 0, DECK_M]
                yield surface(under, smooth=False), False


def _high(edge: Edge, terrain: Terrain) -> np.ndarray:
    beside = edge.points_m.copy()
    beside[:, :2] += 1.5 * edge.outward
    return airborne(beside, terrain)


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last of each run of at least two."""
    bounds = np.flatnonzero(np.diff(np.pad(mask, 1).astype(int))).reshape(-1, 2)
    return [(first, last) for first, last in bounds.tolist() if last - first > 1]


def _sheet(edge: Edge, first: int, last: int, profile: np.ndarray) -> Shape:
    """A profile of distances outward and heights (K, 2), drawn along a stretch of the edge; it faces up and outward."""
    points, outward = edge.points_m[first:last], edge.outward[first:last]
    grid = np.repeat(points[:, None], len(profile), axis=1)
    grid[..., :2] += outward[:, None] * profile[:, :1]
    grid[..., 2] += profile[:, 1]
    return surface(grid if edge.side < 0 else grid[:, ::-1], smooth=False)
