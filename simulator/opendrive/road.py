"""A road: its course, its lanes and what is painted between them.

Road coordinates: s metres along the reference line, t metres to its left. Lane numbers grow to the left, 0 is the
centre line without width, negative lanes lie to the right and are driven along s.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulator.opendrive.course import Course
from simulator.opendrive.profile import Cubics


class RoadMark(NamedTuple):
    """A line on the outer edge of a lane, from `start_m` after its section's start up to the next mark."""

    start_m: float
    kind: str  # none, solid, broken, solid solid, solid broken, broken solid, curb, ...; left to right
    color: str  # standard, white, yellow, ...
    width_m: float


@dataclass(frozen=True)
class Lane:
    number: int
    kind: str  # driving, sidewalk, shoulder, parking, median, border, none, ...
    width_m: Cubics  # from the section's start
    marks: tuple[RoadMark, ...]


@dataclass(frozen=True)
class Section:
    """A stretch of road with the same lanes throughout. `lanes` go from the left to the right, lane 0 among them."""

    start_m: float
    end_m: float
    lanes: tuple[Lane, ...]

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        return tuple(lane.number for lane in self.lanes)

    def edges_t_m(self, s_m: np.ndarray) -> np.ndarray:
        """Outer edge of every lane against lane 0: (N,) -> (N, lanes), in the order of `lanes`."""
        widths = np.stack([lane.width_m(s_m - self.start_m) for lane in self.lanes], -1)
        middle = self.numbers.index(0)
        widths[:, middle] = 0.0
        widths = np.maximum(widths, 0.0)
        left = np.cumsum(widths[:, middle::-1], axis=1)[:, ::-1]
        right = -np.cumsum(widths[:, middle:], axis=1)
        return np.concatenate([left, right[:, 1:]], axis=1)


@dataclass(frozen=True)
class Road:
    id: str
    name: str
    length_m: float
    junction: str | None  # the junction that this road crosses, None outside
    neighbours: tuple[str, ...]  # ids of the roads linked directly at its two ends
    course: Course
    elevation_m: Cubics
    lane_offset_m: Cubics
    sections: tuple[Section, ...]
    speed_limit_m_s: float | None = None  # of its first type that has one

    def point_m(self, s_m: np.ndarray | float, t_m: np.ndarray | float) -> np.ndarray:
        """OpenDRIVE's world: s and t broadcast, (..., 3). The road does not bank (no superelevation)."""
        s, t = np.broadcast_arrays(np.asarray(s_m, float), np.asarray(t_m, float))
        x, y, heading = self.course.pose(s)
        return np.stack([x - t * np.sin(heading), y + t * np.cos(heading), self.elevation_m(s)], -1)

    def edges_t_m(self, section: Section, s_m: np.ndarray) -> np.ndarray:
        """Outer edge of every lane of the section, lane offset included: (N,) -> (N, lanes)."""
        return section.edges_t_m(s_m) + self.lane_offset_m(s_m)[:, None]

    def section_at(self, s_m: float) -> Section:
        """The last section that starts at or before s."""
        found = self.sections[0]
        for section in self.sections:
            if section.start_m <= s_m + 1e-9:
                found = section
        return found

    def stations_m(self, from_m: float, to_m: float, widest_m: float = 8.0, sagitta_m: float = 0.01) -> np.ndarray:
        """Where to cut a stretch into straight pieces: bends miss their arc by `sagitta_m`, all breaks are met."""
        breaks = {from_m, to_m}
        for starts in (self.course.starts_m, self.elevation_m.starts_m, self.lane_offset_m.starts_m):
            breaks.update(float(s) for s in starts if from_m + 0.01 < s < to_m - 0.01)
        for section in self.sections:
            for lane in section.lanes:
                at = section.start_m + lane.width_m.starts_m
                breaks.update(float(s) for s in at if from_m + 0.01 < s < to_m - 0.01)
        knots = sorted(breaks)
        bent = not (self.elevation_m.straight and self.lane_offset_m.straight) or not all(
            lane.width_m.straight for section in self.sections for lane in section.lanes
        )
        cuts = [np.array(knots[:1])]
        for low, high in pairwise(knots):
            curvature = float(np.abs(self.course.curvature(np.linspace(low, high, 5)[1:-1])).max())
            # a lane 12 m off the reference line bends about as much; a chord of length c misses its arc by k c^2 / 8
            step = min(3.0 if bent else widest_m, np.sqrt(8 * sagitta_m / max(curvature, 1e-6)))
            count = max(1, int(np.ceil((high - low) / step)))
            cuts.append(np.linspace(low, high, count + 1)[1:])
        return np.concatenate(cuts)
