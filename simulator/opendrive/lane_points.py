"""Points along the middles of a map's lanes: where traffic drives, parks and walks."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from simulator.opendrive.network import Network, network_of

EVERY_M = 2.0
NARROWEST_M = {"driving": 2.4, "bidirectional": 2.4, "parking": 1.8, "sidewalk": 0.8}


@dataclass(frozen=True)
class LanePoints:
    """Struct of arrays of length N, in OpenDRIVE's world: x, y in metres, headings counter-clockwise from +x."""

    xyz_m: np.ndarray  # (N, 3)
    heading_rad: np.ndarray  # (N,) of who drives there
    width_m: np.ndarray  # (N,)
    kind: np.ndarray  # (N,) str: driving, parking or sidewalk
    in_junction: np.ndarray  # (N,) bool

    def __len__(self) -> int:
        return len(self.heading_rad)


@lru_cache(maxsize=8)
def lane_points_of(file: str) -> LanePoints:
    """Of an OpenDRIVE file. Raises InputError where it is none, or has no lane to drive on."""
    try:
        text = Path(file).read_bytes()  # which encoding it is in stands in it
    except OSError as error:
        raise InputError(file, f"cannot be read ({error.strerror})", "name an OpenDRIVE file (.xodr)") from None
    points = lane_points(network_of(text, file))
    if not (points.kind == "driving").any():
        raise InputError(file, "has no driving lane", "name the map of a town")
    return points


def lane_points(network: Network) -> LanePoints:
    """Every EVERY_M along each driving lane, parking lane and pavement that is wide enough."""
    columns: list[tuple[np.ndarray, ...]] = []
    for road in network.roads.values():
        for section in road.sections:
            count = max(1, int((section.end_m - section.start_m) / EVERY_M))
            s = section.start_m + (np.arange(count) + 0.5) * (section.end_m - section.start_m) / count
            edges = road.edges_t_m(section, s)
            along = road.course.pose(s)[2]
            for index, lane in enumerate(section.lanes):
                kind = "driving" if lane.kind == "bidirectional" else lane.kind
                if lane.number == 0 or kind not in NARROWEST_M:
                    continue
                inner = edges[:, index + 1 if lane.number > 0 else index - 1]
                width = np.abs(edges[:, index] - inner)
                wide = width >= NARROWEST_M[kind]
                at = road.point_m(s, (edges[:, index] + inner) / 2)
                against = np.pi if lane.number > 0 else 0.0  # left of the reference line one drives against it
                many = (np.full(wide.sum(), kind), np.full(wide.sum(), road.junction is not None))
                columns.append((at[wide], along[wide] + against, width[wide], *many))
    if not columns:
        none = np.zeros(0)
        return LanePoints(np.zeros((0, 3)), none, none, np.array([], "U8"), np.zeros(0, bool))
    xyz, heading, width, kind, crossing = (np.concatenate(column) for column in zip(*columns, strict=True))
    return LanePoints(xyz, heading, width, kind, crossing)
