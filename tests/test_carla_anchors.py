"""Where on a map a street may be, by the client's own OpenDRIVE map."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.schema import Camera
from simulator.carla.anchors import Stretches, anchors_for, camera_lane, kinds_for_carla, map_of, stretches_of
from simulator.carla.loopback.maps import straight_road
from simulator.randomise import RandomisationConfig
from simulator.scene import PLACES, Actor, Place, Request, Scene, SceneCamera

carla = pytest.importorskip("carla")
TOWNS = Path(__file__).parents[2] / "shared" / "data" / "opendrive"
SCENE = Scene(
    SceneCamera(Camera(700, 700, 320, 100), 640, 200), (Actor("car", 0, 40, -1.57, (1.5, 1.8, 4.0), "Car"),), Place()
)


@pytest.fixture(scope="module")
def straight() -> Stretches:
    return stretches_of(carla.Map("Straight", straight_road()))


def test_a_straight_road_is_straight_until_its_end(straight):
    assert straight.straight_m.max() == 80
    assert straight.straight_m.min() == 0
    assert (straight.lanes == 2).all()
    assert (straight.from_right == 0).all()


def test_the_camera_is_as_far_right_of_its_lanes_middle_as_the_scene_says(straight):
    place = replace(SCENE.place, camera_offset_m=1.7 + 0.4, lane_width_m=3.4)
    assert camera_lane(place) == (1, pytest.approx(0.4))
    anchors = anchors_for(replace(SCENE, place=place), straight, 8)
    for anchor in anchors:
        right = np.array([-np.sin(np.radians(anchor.yaw_deg)), np.cos(np.radians(anchor.yaw_deg))])
        off = (np.array([anchor.x_m, anchor.y_m]) - straight.xyz_m[:, :2]) @ right
        assert np.abs(off - 0.4).min() < 1e-3


def test_a_road_that_runs_to_the_right_of_the_axis_turns_the_camera_left(straight):
    ahead = anchors_for(SCENE, straight, 1)[0]
    turned = anchors_for(replace(SCENE, place=replace(SCENE.place, road_yaw_deg=8.0)), straight, 1)[0]
    assert (ahead.yaw_deg - turned.yaw_deg) % 360 == pytest.approx(8.0)


def test_the_same_scene_has_the_same_places_and_another_seed_others(straight):
    assert anchors_for(SCENE, straight, 5) == anchors_for(SCENE, straight, 5)
    assert anchors_for(SCENE, straight, 5) != anchors_for(SCENE.with_seed(1), straight, 5)


@pytest.mark.skipif(not TOWNS.exists(), reason="needs shared/data/opendrive")
@pytest.mark.parametrize(("town", "kind"), [("Town04", "highway"), ("Town05", "urban"), ("Town07", "country")])
def test_a_town_offers_straight_places_of_its_kind(town, kind):
    stretches = stretches_of(carla.Map(town, (TOWNS / f"{town}.xodr").read_text()))
    place = Place(kind=kind, lane_count=4 if kind != "country" else 2, camera_offset_m=1.7, lane_width_m=3.4)
    for anchor in anchors_for(replace(SCENE, place=place), stretches, 6):
        near = np.argmin(np.hypot(*(stretches.xyz_m[:, :2] - (anchor.x_m, anchor.y_m)).T))
        assert stretches.straight_m[near] >= 45
        assert PLACES[stretches.kind[near]] == kind


@pytest.mark.parametrize(("kind", "nearest"), [("junction", "urban"), ("car_park", "suburb")])
def test_kinds_that_towns_do_not_have_are_shown_on_the_nearest(straight, kind, nearest):
    mixed = replace(straight, kind=np.arange(len(straight.kind)) % 4, straight_m=np.full(len(straight.kind), 80.0))
    shown = [anchors_for(replace(SCENE, place=Place(kind=one)), mixed, 5) for one in (kind, nearest)]
    assert shown[0] == shown[1] and shown[0]


def test_what_is_drawn_for_carla_is_of_kinds_its_towns_have():
    shares = kinds_for_carla(RandomisationConfig(places={"junction": 0.3, "suburb": 0.2, "car_park": 0.4}))
    assert shares.places == pytest.approx({"urban": 0.3, "suburb": 0.6})
    untouched = RandomisationConfig(places={"country": 1.0, "urban": 2.0})
    assert kinds_for_carla(untouched) == untouched


def test_a_scenes_map_depends_on_its_place_alone():
    maps = ("Town01", "Town02", "Town03")
    chosen = [map_of(replace(SCENE, seed=seed, place=Place(seed=seed % 9)), maps) for seed in range(90)]
    assert chosen[:9] * 10 == chosen
    assert set(chosen) == set(maps)
    assert map_of(SCENE, ()) is None


def test_all_tries_at_one_failure_are_shown_on_one_map():
    maps = ("Town01", "Town02", "Town03")

    def scene(failure, place):
        return replace(SCENE, place=Place(seed=place), request=Request(failure, "missed", 0, (0, 0, 9, 9), 0.0, 0.0))

    chosen = [[map_of(scene(f"failure-{f}", place), maps) for place in range(5)] for f in range(20)]
    assert all(len(set(one)) == 1 for one in chosen)
    assert {one[0] for one in chosen} == set(maps)
