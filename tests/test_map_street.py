"""Streets of a real map: the camera on a lane, traffic on the lanes' right sides, the same place in CARLA."""

from pathlib import Path

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.carla.anchors import Stretches, anchors_for, map_of
from simulator.embedded.assets.shapes import CAR, PAVEMENT, ROAD, ROAD_LINE
from simulator.embedded.town_street import town_street
from simulator.map_street import draw_spot, level_from_map, stand_on_map, yaw_from_map
from simulator.opendrive.lane_points import lane_points_of
from simulator.random_street import RandomStreetConfig, random_scene
from simulator.randomise import RandomisationConfig
from simulator.scene import MapSpot, Scene, SceneCamera

LANE = """<lane id="{id}" type="{kind}"><width sOffset="0" a="{width}" b="0" c="0" d="0"/>
<roadMark sOffset="0" type="solid" color="standard" width="0.15"/></lane>"""
NONE_SEEN = Stretches(np.zeros((0, 3)), *np.zeros((3, 0)), *np.zeros((3, 0)))  # type: ignore[arg-type]


def town(path: Path, climb: float = 0.0) -> str:
    """A road 300 m long to the north-east, a lane of 3.5 m each way, pavements of 2 m; climbs at every metre."""
    left, right = (
        LANE.format(id=sign, kind="driving", width=3.5) + LANE.format(id=2 * sign, kind="sidewalk", width=2.0)
        for sign in (1, -1)
    )
    path.write_text(
        f"""<OpenDRIVE><header revMajor="1" revMinor="4"/><road id="0" name="" length="300" junction="-1">
<planView><geometry s="0" x="10" y="20" hdg="{np.pi / 4}" length="300"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="5" b="{climb}" c="0" d="0"/></elevationProfile>
<lanes><laneSection s="0"><left>{left}</left>
<center><lane id="0" type="none"><roadMark sOffset="0" type="broken" color="yellow" width="0.15"/></lane></center>
<right>{right}</right></laneSection></lanes></road></OpenDRIVE>"""
    )
    return str(path)


def on_the_right_lane(file: str, along_m: float) -> MapSpot:
    x, y = np.array([10, 20]) + np.sqrt(0.5) * (along_m * np.array([1, 1]) + 1.75 * np.array([1, -1]))
    return MapSpot(file, float(x), float(y), 5.0, np.pi / 4)


def test_what_lies_east_of_a_camera_that_looks_north_is_on_its_right_and_who_heads_north_heads_away():
    spot = MapSpot("", 100.0, 50.0, 2.0, np.pi / 2)
    x, z, rise = level_from_map(spot, np.array([[103.0, 50.0, 2.5], [100.0, 60.0, 2.0]]))
    assert x == pytest.approx([3, 0]) and z == pytest.approx([0, 10]) and rise == pytest.approx([0.5, 0])
    assert np.sin(yaw_from_map(spot, np.array([np.pi / 2, 0.0, -np.pi / 2]))) == pytest.approx([-1, 0, 1])
    assert np.cos(yaw_from_map(spot, np.array([0.0]))) == pytest.approx([1])  # eastwards is to the right


def test_lanes_are_driven_on_the_right_and_have_their_widths(tmp_path):
    points = lane_points_of(town(tmp_path / "t.xodr"))
    assert {(k, w) for k, w in zip(points.kind.tolist(), points.width_m.round(3).tolist(), strict=True)} == {
        ("driving", 3.5),
        ("sidewalk", 2.0),
    }
    x, _, _ = level_from_map(MapSpot("", 10, 20, 5, np.pi / 4), points.xyz_m)
    same_way = np.cos(points.heading_rad - np.pi / 4) > 0
    driving = points.kind == "driving"
    assert x[driving & same_way] == pytest.approx(1.75) and x[driving & ~same_way] == pytest.approx(-1.75)


def test_a_map_in_another_encoding_than_utf_8_is_read_by_what_it_declares(tmp_path):
    plain = town(tmp_path / "plain.xodr")
    declared = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    text = declared + Path(plain).read_text().replace('name=""', 'name="Allée"')
    (tmp_path / "latin.xodr").write_bytes(text.encode("latin-1"))
    latin = str(tmp_path / "latin.xodr")
    assert len(lane_points_of(latin)) == len(lane_points_of(plain)) > 100
    roads = [town_street(on_the_right_lane(file, 100), night=False).tag == ROAD for file in (latin, plain)]
    assert roads[0].sum() == roads[1].sum() > 0
    (tmp_path / "odd.xodr").write_text(text.replace("ISO-8859-1", "x-none"))
    with pytest.raises(InputError, match="x-none"):
        lane_points_of(str(tmp_path / "odd.xodr"))


def test_a_scene_saved_before_there_were_maps_lies_on_none():
    scene = Scene(SceneCamera(Camera(300.0, 300.0, 320.0, 100.0), 640, 200))
    assert Scene.from_json(scene.to_json().replace('"map":null,', "")) == scene


def test_cars_drive_in_their_lanes_and_walkers_walk_on_pavements(tmp_path):
    spot = on_the_right_lane(town(tmp_path / "t.xodr"), 50)
    rng = np.random.default_rng(0)
    cars = [actor for _ in range(80) if (actor := stand_on_map("truck", "truck", spot, (8, 60), rng)) is not None]
    assert len(cars) > 60
    own, other = ([a for a in cars if round(a.x_m / 3.5) == side] for side in (0, -1))
    assert len(own) + len(other) == len(cars) and min(len(own), len(other)) > 15
    assert all(np.sin(a.yaw_rad) < -0.97 for a in own) and all(np.sin(a.yaw_rad) > 0.97 for a in other)
    assert all(a.lift_m == pytest.approx(0, abs=1e-9) for a in cars)
    people = [actor for _ in range(80) if (actor := stand_on_map("pedestrian", "p", spot, (8, 60), rng)) is not None]
    walking = [a for a in people if a.x_m > 1.75 or a.x_m < -5.25]
    assert len(walking) > 0.7 * len(people)
    assert all(a.lift_m == pytest.approx(0.1) for a in walking)  # the pavement's height over the road


def test_the_renderers_street_is_the_maps_lanes_lines_and_pavements_and_has_no_unlabelled_cars(tmp_path):
    mesh = town_street(on_the_right_lane(town(tmp_path / "t.xodr"), 100), night=False)
    middle = mesh.vertices_m[mesh.faces].mean(axis=1)
    before = (middle[:, 1] > 5) & (middle[:, 1] < 60)

    def across(tag: int) -> tuple[float, float]:
        corners = mesh.vertices_m[mesh.faces[before & (mesh.tag == tag)]].reshape(-1, 3)
        return float(corners[:, 0].min()), float(corners[:, 0].max())

    assert across(ROAD) == pytest.approx((-5.25, 1.75), abs=0.02)
    assert across(PAVEMENT) == pytest.approx((-7.25, 3.75), abs=0.02)
    assert across(ROAD_LINE) == pytest.approx((-7.325, 3.825), abs=0.02)  # this map paints every lane's edge
    road = mesh.vertices_m[mesh.faces[before & (mesh.tag == ROAD)]].reshape(-1, 3)
    assert np.abs(road[:, 2]).max() < 0.03
    assert not (mesh.tag == CAR).any()


def test_random_streets_lie_on_the_maps_and_the_same_spot_is_shown_in_carla(tmp_path):
    file = town(tmp_path / "Village.xodr")
    config = RandomStreetConfig(maps=(Path(file),), map_share=0.5, objects=(4, 6))
    camera = Camera(300.0, 300.0, 320.0, 100.0, 1.6)
    scenes = [
        random_scene(camera, 640, 200, ("car",), config, RandomisationConfig(), np.random.default_rng(seed))
        for seed in range(60)
    ]
    there = [scene for scene in scenes if scene.place.map is not None]
    assert 18 < len(there) < 42
    for scene in there[:8]:
        assert Scene.from_json(scene.to_json()) == scene and scene.place.map is not None
        assert map_of(scene, ("Town01",)) == "Village"
        (anchor,) = anchors_for(scene, NONE_SEEN, 5)
        car = anchor.transform_of(2.0, 10.0, -np.pi / 2)
        back = level_from_map(scene.place.map, np.array([[car.x_m, -car.y_m, car.z_m]]))
        assert np.concatenate(back) == pytest.approx([2.0, 10.0, 0.0], abs=1e-6)


def test_maps_that_are_none_or_level_nowhere_are_told(tmp_path):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="cannot be read"):
        draw_spot(str(tmp_path / "none.xodr"), rng)
    (tmp_path / "text.xodr").write_text("<html/>")
    with pytest.raises(InputError, match="not <OpenDRIVE>"):
        draw_spot(str(tmp_path / "text.xodr"), rng)
    with pytest.raises(InputError, match="rule LHT; the first is road 0"):
        left = town(tmp_path / "left.xodr")
        Path(left).write_text(Path(left).read_text().replace('junction="-1"', 'junction="-1" rule="LHT"'))
        draw_spot(left, rng)
    with pytest.raises(InputError, match="none lies level"):
        draw_spot(town(tmp_path / "hill.xodr", climb=0.1), rng)
