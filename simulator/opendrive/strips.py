"""Roads cut into strips between two edges: the lanes themselves, and the lines painted along their edges."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulator.opendrive.road import Road, RoadMark, Section

DASH_M, DASH_PERIOD_M = 3.0, 9.0
DOUBLE_GAP_M = 0.14  # between the two lines of a double one
UNPAINTED = ("none", "curb", "botts dots", "edge")


class Strip(NamedTuple):
    """A piece of a lane or a line along a road; both edges (N, 3), the left one seen along s."""

    road: Road
    lane: int
    kind: str  # of the lane; for a line its colour
    left_m: np.ndarray
    right_m: np.ndarray


def lane_strips(road: Road, widest_m: float = 8.0) -> Iterator[Strip]:
    """Every lane that has a width, section by section. OpenDRIVE's world; edges of neighbours meet."""
    for section in road.sections:
        s = road.stations_m(section.start_m, section.end_m, widest_m)
        # a section ends just before the next begins: widths may jump there
        edges = road.edges_t_m(section, np.minimum(s, section.end_m - 1e-7))
        for left, right, number, kind in _between(section):
            if (edges[:, left] - edges[:, right]).max() > 0.01:
                yield Strip(road, number, kind, road.point_m(s, edges[:, left]), road.point_m(s, edges[:, right]))


def _between(section: Section) -> Iterator[tuple[int, int, int, str]]:
    """Edge to the left, edge to the right, number and kind of every lane but 0."""
    for index, lane in enumerate(section.lanes):
        if lane.number > 0:
            yield index, index + 1, lane.number, lane.kind
        elif lane.number < 0:
            yield index - 1, index, lane.number, lane.kind


def line_strips(road: Road) -> Iterator[Strip]:
    """Every painted line; `kind` is its colour (white where the file says standard)."""
    for section in road.sections:
        for index, lane in enumerate(section.lanes):
            starts = [section.start_m + mark.start_m for mark in lane.marks]
            for mark, start, end in zip(lane.marks, starts, [*starts[1:], section.end_m], strict=False):
                if mark.kind in UNPAINTED or end - start < 0.05:
                    continue
                for aside, pattern in _lines_of(mark):
                    for low, high in _pieces(pattern, start, min(end, section.end_m)):
                        yield _line(road, section, index, low, high, aside, mark)


def _lines_of(mark: RoadMark) -> list[tuple[float, str]]:
    """Offset to the left and pattern of each line of the mark."""
    patterns = [one for one in mark.kind.split() if one in ("solid", "broken")]
    if len(patterns) == 2:
        apart = (mark.width_m + DOUBLE_GAP_M) / 2
        return [(apart, patterns[0]), (-apart, patterns[1])]
    return [(0.0, patterns[0] if patterns else "solid")]


def _pieces(pattern: str, start_m: float, end_m: float) -> list[tuple[float, float]]:
    if pattern == "solid":
        return [(start_m, end_m)]
    # dashes count from the road's start, so that they go on evenly over the sections
    first = np.ceil((start_m - DASH_M) / DASH_PERIOD_M) * DASH_PERIOD_M
    starts = np.arange(first, end_m, DASH_PERIOD_M)
    pieces = np.clip(np.stack([starts, starts + DASH_M], 1), start_m, end_m)
    return [(low, high) for low, high in pieces.tolist() if high - low > 0.3]


def _line(road: Road, section: Section, edge: int, low: float, high: float, aside_m: float, mark: RoadMark) -> Strip:
    s = road.stations_m(low, high)
    t = road.edges_t_m(section, np.minimum(s, section.end_m - 1e-7))[:, edge] + aside_m
    half = mark.width_m / 2
    color = "white" if mark.color == "standard" else mark.color
    return Strip(road, section.numbers[edge], color, road.point_m(s, t + half), road.point_m(s, t - half))
