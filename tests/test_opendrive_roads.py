"""Facts of OpenDRIVE worked out by hand."""

import numpy as np
import pytest

from dataset.errors import InputError
from simulator.opendrive.course import Course, Piece
from simulator.opendrive.coverage import CARRIAGEWAY, FREE, RAISED, Coverage
from simulator.opendrive.network import network_of
from simulator.opendrive.profile import Cubics
from simulator.opendrive.spawning import spawn_poses
from simulator.opendrive.strips import DASH_M, DASH_PERIOD_M, lane_strips, line_strips

LANES = """
<lanes><laneOffset s="0" a="0.5" b="0" c="0" d="0"/>
 <laneSection s="0">
  <left><lane id="1" type="driving"><width sOffset="0" a="3" b="0" c="0" d="0"/>
    <roadMark sOffset="0" type="solid" color="white" width="0.2"/></lane></left>
  <center><lane id="0" type="none"><roadMark sOffset="0" type="broken" color="yellow" width="0.15"/></lane></center>
  <right>
    <lane id="-1" type="driving"><width sOffset="0" a="4" b="0.01" c="0" d="0"/>
      <roadMark sOffset="0" type="solid solid" color="white" width="0.1"/></lane>
    <lane id="-2" type="sidewalk"><width sOffset="0" a="2" b="0" c="0" d="0"/></lane></right>
 </laneSection></lanes>"""


def xodr(geometry: str = "<line/>", length: float = 100.0, lanes: str = LANES, elevation: str = "") -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OpenDRIVE><road name="a" length="{length}" id="7" junction="-1">
<planView><geometry s="0" x="10" y="20" hdg="0" length="{length}">{geometry}</geometry></planView>
<elevationProfile>{elevation}</elevationProfile>{lanes}</road></OpenDRIVE>"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no xml", "not XML"),
        ("<kml/>", "<kml>"),
        ("<OpenDRIVE/>", "no road"),
        (xodr("<cubicBezier/>"), "cubicBezier"),
        (xodr().replace('length="100.0" id', 'length="long" id'), "long"),
        (xodr().replace('id="7"', ""), "id"),
    ],
)
def test_a_file_that_is_no_opendrive_is_one_error(text: str, told: str):
    with pytest.raises(InputError, match=told):
        network_of(text, "town.xodr")


def test_an_arc_of_radius_50_turns_a_quarter_in_25_pi_metres():
    quarter = 25 * np.pi
    course = Course([Piece(0, 10, 20, 0, quarter, 1 / 50, 1 / 50)])
    x, y, heading = course.pose(np.array([quarter]))
    assert np.allclose([x, y, heading], [[60], [70], [np.pi / 2]])


def test_a_spiral_ends_with_the_heading_that_its_mean_curvature_gives():
    course = Course([Piece(0, 0, 0, 0, 40, 0, 0.05)])
    x, y, heading = course.pose(np.linspace(0, 40, 20001))
    assert heading[-1] == pytest.approx(1.0)
    # its arc length is s: the path is as long as the piece
    assert np.hypot(np.diff(x), np.diff(y)).sum() == pytest.approx(40, abs=1e-4)


def test_a_parametric_cubic_is_walked_by_its_arc_length():
    course = Course([Piece(0, 0, 0, 0, np.hypot(30, 40), u=(0, 30, 0, 0), v=(0, 40, 0, 0), p_end=1.0)])
    x, y, heading = course.pose(np.array([25.0]))
    assert np.allclose([x, y, heading], [[15], [20], [np.arctan2(40, 30)]])


def test_a_profile_takes_the_last_piece_that_starts_before_s():
    cubics = Cubics([(0, 1, 0, 0, 0), (10, 2, 1, 0, 0)])
    assert cubics(np.array([5.0, 10.0, 12.0])).tolist() == [1, 2, 4]
    assert cubics.slope(np.array([5.0, 12.0])).tolist() == [0, 1]


def test_lanes_lie_outside_one_another_shifted_by_the_lane_offset():
    road = network_of(xodr(), "x").roads["7"]
    section = road.sections[0]
    assert section.numbers == (1, 0, -1, -2)
    assert np.allclose(road.edges_t_m(section, np.array([0.0, 50.0])), [[3.5, 0.5, -3.5, -5.5], [3.5, 0.5, -4, -6]])
    strips = {strip.lane: strip for strip in lane_strips(road)}
    assert strips[-1].kind == "driving"
    assert np.allclose(strips[-1].left_m[0], [10, 20.5, 0])
    assert np.allclose(strips[-1].right_m[-1], [110, 20 - 4.5, 0])


def test_a_road_climbs_by_its_elevation():
    road = network_of(xodr(elevation='<elevation s="0" a="2" b="0.1" c="0" d="0"/>'), "x").roads["7"]
    assert np.allclose(road.point_m(np.array([30.0]), 0.0), [[40, 20, 5]])


def test_a_broken_line_is_dashes_and_a_double_one_is_two_lines():
    lines = list(line_strips(network_of(xodr(), "x").roads["7"]))
    dashes = [line for line in lines if line.kind == "yellow"]
    assert len(dashes) == int(100 / DASH_PERIOD_M) + 1
    assert np.linalg.norm(dashes[1].left_m[-1] - dashes[1].left_m[0]) == pytest.approx(DASH_M)
    assert np.allclose(dashes[1].left_m[0], [19, 20.5 + 0.075, 0])
    double = [line for line in lines if line.lane == -1]
    assert len(double) == 2
    assert double[0].right_m[0, 1] > double[1].left_m[0, 1]


def test_bends_are_cut_finely_and_straights_are_not():
    arc = network_of(xodr('<arc curvature="0.05"/>'), "x").roads["7"]
    line = network_of(xodr(), "x").roads["7"]
    s = arc.stations_m(0, 100)
    assert len(s) > 3 * len(line.stations_m(0, 100))
    x, y, _ = arc.course.pose(s)
    chord = np.hypot(np.diff(x), np.diff(y))
    assert (0.05 * chord**2 / 8).max() < 0.011


def test_traffic_on_the_left_lane_comes_towards_the_road():
    poses = list(spawn_poses(network_of(xodr(), "x")))
    assert len(poses) == 2 * 8
    (_, y, z, heading, climb), *_others = [pose for pose in poses if pose[1] > 20]
    assert (y, z, heading, climb) == (22.0, 0.5, 180.0, 0.0)


def test_the_raster_knows_road_pavement_and_free_ground():
    coverage = Coverage(network_of(xodr(), "x"))
    kinds = coverage.kind[coverage.cells(np.array([[50.0, 22.0], [50.0, 15.0], [50.0, 30.0]]))]
    assert kinds.tolist() == [CARRIAGEWAY, RAISED, FREE]
    assert coverage.clearance_m[coverage.cells(np.array([[50.0, 33.5]]))] == pytest.approx(10, abs=0.6)
