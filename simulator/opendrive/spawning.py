"""Where vehicles may be put: along the middles of driving lanes."""

from collections.abc import Iterator

import numpy as np

from simulator.opendrive.network import Network
from simulator.opendrive.road import Road, Section

EVERY_M = 12.0
LIFT_M = 0.5  # as in CARLA: dropped onto the road
NARROWEST_M = 2.4
SHORTEST_M = 6.0


def spawn_poses(network: Network) -> Iterator[tuple[float, float, float, float, float]]:
    """x, y, z, heading (counter-clockwise) and climb in degrees, outside junctions; OpenDRIVE's world."""
    for road in network.roads.values():
        if road.junction is None:
            for section in road.sections:
                if section.end_m - section.start_m >= SHORTEST_M:
                    yield from _in_section(road, section)


def _in_section(road: Road, section: Section) -> Iterator[tuple[float, float, float, float, float]]:
    length = section.end_m - section.start_m
    count = max(1, int(length / EVERY_M))
    s = section.start_m + (np.arange(count) + 0.5) * length / count
    edges = road.edges_t_m(section, s)
    for index, lane in enumerate(section.lanes):
        if lane.kind != "driving":
            continue
        inner = edges[:, index + 1 if lane.number > 0 else index - 1]
        wide = np.abs(edges[:, index] - inner) >= NARROWEST_M
        against = lane.number > 0  # traffic on the left of the reference line comes towards it
        at = road.point_m(s, (edges[:, index] + inner) / 2) + [0, 0, LIFT_M]
        heading = np.degrees(road.course.pose(s)[2]) + (180 if against else 0)
        climb = np.degrees(np.arctan(road.elevation_m.slope(s))) * (-1 if against else 1)
        for (x, y, z), turn, pitch in zip(at[wide].tolist(), heading[wide], climb[wide], strict=True):
            yield x, y, z, float(turn), float(pitch)
