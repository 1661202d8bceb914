"""The outer edges of roads: pavements round the corners of junctions, verges down to the ground, decks of bridges."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulator.opendrive.coverage import FREE, Coverage, cover_of
from simulator.opendrive.network import Network
from simulator.opendrive.road import Road, Section
from simulator.opendrive.strips import Strip

LOOKED_AT_M = np.arange(0.75, 4.3, 0.25)  # how far out from an edge the ground is looked at: beyond its own cells
NARROWEST_PAVEMENT_M = 0.9


class Edge(NamedTuple):
    """The outer edge of a road along one side, in pieces of at most 2 m."""

    road: Road
    side: int  # 1 left, -1 right
    kind: str  # of the lane that ends here
    s_m: np.ndarray  # (N,)
    points_m: np.ndarray  # (N, 3)
    outward: np.ndarray  # (N, 2), of length 1


def edges(road: Road) -> Iterator[Edge]:
    for section in road.sections:
        if section.end_m - section.start_m < 0.05:
            continue
        s = road.stations_m(section.start_m, section.end_m, widest_m=2.0)
        at = np.minimum(s, section.end_m - 1e-7)
        t = road.edges_t_m(section, at)
        heading = road.course.pose(s)[2]
        for side in (1, -1):
            found = _outermost(section, t, side)
            if found is not None:
                index, kind = found
                outward = side * np.stack([-np.sin(heading), np.cos(heading)], -1)
                yield Edge(road, side, kind, s, road.point_m(s, t[:, index]), outward)


def _outermost(section: Section, edges_t_m: np.ndarray, side: int) -> tuple[int, str] | None:
    """Index and kind of the outermost lane of a side that has a surface and a width; the centre line where none has."""
    lanes = list(enumerate(section.lanes))
    for index, lane in lanes if side > 0 else reversed(lanes):
        if lane.number * side <= 0:
            break
        inner = edges_t_m[:, index + side]
        if cover_of(lane.kind) != FREE and np.abs(edges_t_m[:, index] - inner).max() > 0.05:
            return index, lane.kind
    if any(lane.number * side < 0 and cover_of(lane.kind) != FREE for lane in section.lanes):
        return section.numbers.index(0), "none"
    return None


def free_width_m(edge: Edge, coverage: Coverage) -> np.ndarray:
    """How far out from each point of the edge nothing is covered, up to the last of LOOKED_AT_M."""
    out = edge.points_m[:, None, :2] + edge.outward[:, None] * LOOKED_AT_M[:, None]
    covered = coverage.kind[coverage.cells(out)] != FREE
    first = np.where(covered.any(axis=1), covered.argmax(axis=1), len(LOOKED_AT_M))
    return np.where(first == 0, 0.0, LOOKED_AT_M[np.maximum(first - 1, 0)])


def corner_pavements(network: Network, coverage: Coverage) -> list[Strip]:
    """Pavements along the outer edges of junctions whose arms have some; they are marked as covered."""
    strips: list[Strip] = []
    for junction in network.junctions.values():
        arms = [network.roads[name] for name in junction.incoming_roads if name in network.roads]
        width = _pavement_width_m(arms)
        if width is None:
            continue
        for name in junction.connecting_roads:
            for edge in edges(network.roads[name]) if name in network.roads else ():
                if edge.kind != "sidewalk":
                    made = list(_pavement(edge, np.minimum(free_width_m(edge, coverage), width)))
                    coverage.add(made)
                    strips.extend(made)
    return strips


def _pavement_width_m(arms: list[Road]) -> float | None:
    widths = [
        float(lane.width_m((section.end_m - section.start_m) / 2))
        for road in arms
        for section in road.sections
        for lane in section.lanes
        if lane.kind == "sidewalk"
    ]
    return float(np.clip(np.median(widths), 1.0, LOOKED_AT_M[-1])) if widths else None


def _pavement(edge: Edge, width_m: np.ndarray) -> Iterator[Strip]:
    """Pieces where the pavement is wide enough."""
    # a pavement narrows over 2 m, it does not end in a step
    wide = width_m >= NARROWEST_PAVEMENT_M
    bounds = np.flatnonzero(np.diff(np.pad(wide, 1).astype(int)))
    for first, last in bounds.reshape(-1, 2).tolist():
        if last - first < 2:
            continue
        inner = edge.points_m[first:last]
        outer = inner.copy()
        outer[:, :2] += edge.outward[first:last] * width_m[first:last, None]
        left, right = (outer, inner) if edge.side > 0 else (inner, outer)
        yield Strip(edge.road, 99 * edge.side, "sidewalk", left, right)
