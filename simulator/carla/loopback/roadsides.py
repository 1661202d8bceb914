"""The outer edges of roads: pavements round the corners of junctions, verges down to the ground, decks of bridges."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulator.opendrive.coverage import CARRIAGEWAY, FREE, GREEN, Coverage, cover_of
from simulator.opendrive.junction_fill import lanes_of, pave_between
from simulator.opendrive.network import Network
from simulator.opendrive.road import Road, Section
from simulator.opendrive.strips import Strip

LOOKED_AT_M = np.arange(0.75, 7.1, 0.25)  # how far out from an edge the ground is looked at: beyond its own cells
NARROWEST_M = 0.5  # of a pavement

PAVED_SHARE = 0.7  # of a junction's arms that have pavements, for its corners to have them


class Edge(NamedTuple):
    """The outer edge of a road along one side, in straight pieces."""

    road: Road
    side: int  # 1 left, -1 right
    kind: str  # of the lane that ends here
    s_m: np.ndarray  # (N,)
    points_m: np.ndarray  # (N, 3)
    outward: np.ndarray  # (N, 2), of length 1


def edges(road: Road, widest_m: float = 2.0) -> Iterator[Edge]:
    for section in road.sections:
        if section.end_m - section.start_m < 0.05:
            continue
        s = road.stations_m(section.start_m, section.end_m, widest_m)
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


def free_width_m(edge: Edge, coverage: Coverage, below: int = GREEN) -> np.ndarray:
    """How far out from each point of the edge no cell is covered by `below` or more; at most the last LOOKED_AT_M."""
    out = edge.points_m[:, None, :2] + edge.outward[:, None] * LOOKED_AT_M[:, None]
    covered = coverage.kind[coverage.cells(out)] >= below
    first = np.where(covered.any(axis=1), covered.argmax(axis=1), len(LOOKED_AT_M))
    return np.where(first == 0, 0.0, LOOKED_AT_M[np.maximum(first - 1, 0)])


class Corners(NamedTuple):
    """Pavements of junctions: strips along the kerb, and what closes the gaps between them and those of the arms, as
    quadrilaterals (N, 4, 3) at the road's height."""

    strips: list[Strip]
    behind_m: np.ndarray


def corner_pavements(network: Network, coverage: Coverage) -> Corners:
    """Pavements about the junctions whose arms have some; they are marked as covered."""
    strips: list[Strip] = []
    behind = [np.zeros((0, 4, 3))]
    for junction in network.junctions.values():
        crossing = [network.roads[name] for name in junction.connecting_roads if name in network.roads]
        width = _pavement_width_m([network.roads[name] for name in junction.incoming_roads if name in network.roads])
        if width is None or not crossing:
            continue
        made = [
            strip
            for road in crossing
            for edge in edges(road, widest_m=1.0)
            if edge.kind != "sidewalk"
            for strip in _kerbside(edge, np.minimum(free_width_m(edge, coverage, CARRIAGEWAY), _reach_m(edge, width)))
        ]
        strips.extend(made)
        coverage.add(made)
        behind.append(pave_between(lanes_of(network, junction), coverage, width))
    return Corners(strips, np.concatenate(behind))


def _pavement_width_m(arms: list[Road]) -> float | None:
    """From the outermost driving lane to the outer edge of the pavement in most arms; None if few have one."""
    widths = []
    paved = [any(lane.kind == "sidewalk" for section in road.sections for lane in section.lanes) for road in arms]
    if sum(paved) < PAVED_SHARE * len(arms):
        return None
    for road in arms:
        for section in road.sections:
            for side in (1, -1):
                lanes = [lane for lane in section.lanes if lane.number * side > 0]
                lanes.sort(key=lambda lane: -abs(lane.number))
                kinds = [lane.kind for lane in lanes]
                if "sidewalk" in kinds:
                    beside = lanes[: kinds.index("driving")] if "driving" in kinds else lanes
                    middle = (section.end_m - section.start_m) / 2
                    widths.append(sum(float(lane.width_m(middle)) for lane in beside))
    return float(np.clip(np.median(widths), 1.0, 9.0)) if widths else None


def _reach_m(edge: Edge, width_m: float) -> np.ndarray:
    """`width_m` at each point of the edge, less where that is further than the middle of an inward bend."""
    step = np.diff(edge.points_m[:, :2], axis=0)
    fan = np.diff(edge.outward, axis=0)
    along = np.maximum((step * step).sum(axis=1), 1e-9)
    closing_per_m = np.maximum(-(fan * step).sum(axis=1) / along, 1e-6)
    reach = np.minimum(width_m, 0.9 / closing_per_m)
    return np.minimum(np.append(reach, reach[-1]), np.append(reach[0], reach))


def _kerbside(edge: Edge, width_m: np.ndarray) -> Iterator[Strip]:
    """Pieces where no carriageway is in the way."""
    bounds = np.flatnonzero(np.diff(np.pad(width_m > NARROWEST_M, 1).astype(int))).reshape(-1, 2)
    for first, last in bounds.tolist():
        if last - first > 1:
            inner = edge.points_m[first:last]
            outer = inner.copy()
            outer[:, :2] += edge.outward[first:last] * width_m[first:last, None]
            left, right = (outer, inner) if edge.side > 0 else (inner, outer)
            yield Strip(edge.road, edge.side, "sidewalk", left, right)
