"""CARLA's own client reads the same towns, in a process of its own: its waypoints lie in the middle of our lanes."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.opendrive.network import Network, network_of

TOWNS = ("Town01", "Town02", "Town03", "Town04", "Town05", "Town06", "Town07", "Town10HD")
ASK_CARLA = """
import sys, carla, numpy
rows = []
for w in carla.Map(sys.argv[1], open(sys.argv[2]).read()).generate_waypoints(5.0):
    t = w.transform
    rows.append((w.road_id, w.lane_id, w.s, t.location.x, t.location.y, t.location.z, t.rotation.yaw, w.lane_width))
numpy.save(sys.argv[3], numpy.array(rows))
"""


@pytest.fixture(scope="module", params=TOWNS)
def town(request, shared_data: Path, tmp_path_factory) -> tuple[Network, np.ndarray]:
    """Our network, and CARLA's waypoints: road, lane, s, x, y, z, yaw, width."""
    if importlib.util.find_spec("carla") is None:
        pytest.skip("needs the carla 0.9.16 client")
    path = shared_data / "opendrive" / f"{request.param}.xodr"
    if not path.is_file():
        pytest.skip(f"needs {path.name} in ../shared/data/opendrive")
    out = tmp_path_factory.mktemp("waypoints") / "waypoints.npy"
    subprocess.run([sys.executable, "-c", ASK_CARLA, request.param, path, out], check=True, capture_output=True)
    return network_of(path.read_text(), path.name), np.load(out)


def middles(network: Network, waypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the lane of each waypoint: point in OpenDRIVE's world, heading in degrees as traffic drives, width."""
    points, headings, widths = [], [], []
    for road_id, lane, s in waypoints[:, :3]:
        road = network.roads[str(int(road_id))]
        section = road.section_at(s)
        edges = road.edges_t_m(section, np.array([s]))[0]
        outer = section.numbers.index(int(lane))
        inner = outer + 1 if lane > 0 else outer - 1
        points.append(road.point_m(s, (edges[outer] + edges[inner]) / 2))
        headings.append(np.degrees(road.course.pose(s)[2]) + (180 if lane > 0 else 0))
        widths.append(abs(edges[outer] - edges[inner]))
    return np.array(points), np.array(headings), np.array(widths)


def test_carlas_waypoints_lie_in_the_middle_of_our_lanes(town):
    network, waypoints = town
    # a section shorter than a hair is left out, and with it what CARLA says of it
    sane = [not_at_a_break(network, row) for row in waypoints]
    waypoints = waypoints[sane]
    assert len(waypoints) > 500
    points, headings, widths = middles(network, waypoints)
    unreal = points * [1, -1, 1]
    assert np.linalg.norm(unreal[:, :2] - waypoints[:, 3:5], axis=1).max() < 0.05
    assert np.abs(unreal[:, 2] - waypoints[:, 5]).max() < 0.02
    turn = (-headings - waypoints[:, 6] + 180) % 360 - 180
    # a lane that widens points aside of its road in CARLA: by its own slope
    assert np.percentile(np.abs(turn), 95) < 2.0
    assert np.abs(widths - waypoints[:, 7]).max() < 0.01


def not_at_a_break(network: Network, row: np.ndarray) -> bool:
    starts = [section.start_m for section in network.roads[str(int(row[0]))].sections]
    return all(not 0 < abs(start - row[2]) < 1e-5 for start in starts)
