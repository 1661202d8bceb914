"""Car parks and crossroads: who stands in bays, who drives across, and that none stands in another."""

import numpy as np
import pytest

from dataset.schema import Camera
from simulator.car_park import car_park
from simulator.casting import VEHICLE_ASSETS
from simulator.embedded.places import place_mesh
from simulator.footprint import overlap
from simulator.junction import (
    CORNER_M,
    CROSSING_M,
    DRIVERS,
    LANE_WIDTH_M,
    crossing,
    obstructs,
    stand_at_junction,
)
from simulator.random_street import RandomStreetConfig, random_scene
from simulator.randomise import RandomisationConfig, draw_place, place_for
from simulator.road import half_width_m, straight_coordinates_m, straight_point_m
from simulator.scene import Actor, Place, Scene

CAMERA = Camera(480.0, 480.0, 320.0, 90.0, 1.6)
CAR = (1.5, 1.7, 4.2)
ROAD_LINE = 24  # the tag
MIX = {"car": 0.6, "person": 0.2, "truck": 0.1, "cyclist": 0.1}


def scenes(kind: str, count: int) -> list[Scene]:
    config = RandomStreetConfig(category_mix=MIX, objects=(14, 14))
    street = RandomisationConfig(places={kind: 1.0}, extra_clutter=(4, 4))  # type: ignore[dict-item]
    draws = [np.random.default_rng(seed) for seed in range(count)]
    return [random_scene(CAMERA, 640, 192, tuple(MIX), config, street, rng) for rng in draws]


def on_road(actor: Actor, place: Place) -> tuple[float, float, float]:
    """(along, right of the middle, heading against the road's in degrees: 0 along it, 90 to the right)."""
    along, aside = straight_coordinates_m(place, actor.x_m, actor.z_m)
    return along, aside, float(np.degrees(actor.yaw_rad + np.pi / 2) - place.road_yaw_deg) % 360


def off(degrees: float, other: float) -> float:
    """The angle between two directions, whichever way round each points."""
    return abs((degrees - other + 90) % 180 - 90)


def test_road_coordinates_of_a_point_are_those_it_was_made_from():
    place = Place("junction", camera_offset_m=1.7, road_yaw_deg=9.0)
    assert straight_coordinates_m(place, *straight_point_m(place, 23.0, -4.5)) == pytest.approx((23.0, -4.5))
    assert straight_coordinates_m(place, 0.0, 0.0) == pytest.approx((0.0, 1.7))  # the camera


@pytest.mark.parametrize("kind", ["car_park", "junction"])
def test_none_stands_in_another(kind):
    for scene in scenes(kind, 25):
        assert len(scene.actors) > 5
        for i, one in enumerate(scene.actors):
            assert not any(overlap(one, other, 0.0) for other in scene.actors[i + 1 :])


def test_cars_on_a_car_park_stand_in_its_bays_and_the_few_in_the_aisle_drive_along_it():
    parked = driving = 0
    for scene in scenes("car_park", 25):
        bays, aisle_m = car_park(scene.place).bays, half_width_m(scene.place)
        for actor in (a for a in scene.actors if a.asset == "car"):
            along, aside, heading = on_road(actor, scene.place)
            if abs(aside) > aisle_m:
                parked += 1
                own = min(bays, key=lambda bay: np.hypot(bay.along_m - along, bay.offset_m - aside))
                assert own.use == "cars" and np.hypot(own.along_m - along, own.offset_m - aside) < 0.45
                assert off(heading, np.degrees(own.turn_rad)) < 4
            else:
                driving += 1
                assert min(heading, 360 - heading, abs(heading - 180)) < 15
                assert (aside > 0) == (min(heading, 360 - heading) < 90)  # on the right
    assert parked > 150 and driving < 0.35 * parked


def test_bays_are_square_to_the_aisle_or_lean_the_way_one_drives_and_meet_without_gaps():
    leans = set()
    for seed in range(40):
        layout = car_park(Place("car_park", camera_offset_m=1.5, seed=seed))
        first = [bay for bay in layout.bays if bay.row == 0 and bay.offset_m > 0]
        np.testing.assert_allclose(np.diff([bay.along_m for bay in first]), layout.bay_width_m)
        leaning_deg = 90 - np.degrees(first[0].turn_rad)
        leans.add(round(leaning_deg))
        assert 2.3 < layout.bay_width_m * np.cos(np.radians(leaning_deg)) < 2.8  # square to the car
    assert leans == {0, 18, 28}


def test_traffic_of_a_crossing_road_is_square_to_the_cameras_and_keeps_to_the_right():
    across = 0
    for scene in scenes("junction", 30):
        road = crossing(scene.place)
        assert CROSSING_M[0] <= road.along_m <= CROSSING_M[1]
        for actor in scene.actors:
            along, aside, heading = on_road(actor, scene.place)
            if actor.asset not in (*DRIVERS, "pedestrian"):
                assert abs(along - road.along_m) > road.half_m  # a bin does not stand on a road
            elif actor.asset in VEHICLE_ASSETS and off(heading, 90) < 12 and abs(along - road.along_m) < road.half_m:
                across += 1
                assert off(heading, 90) < 6
                assert (along < road.along_m) == (abs(heading - 90) < 90)  # to the right on the near side
                assert abs(aside) < 40
    assert across > 50


def test_signs_and_people_at_a_corner_are_behind_its_rounded_kerb_and_bar_no_road():
    place = Place("junction", seed=4, crossing_m=20.0, road_yaw_deg=3.0)
    road, kerb_m, rng = crossing(place), half_width_m(place), np.random.default_rng(5)
    counts = {"traffic_sign": 0, "traffic_light": 0, "pedestrian": 0}
    for asset in counts:
        for _ in range(400):
            actor = stand_at_junction(asset, asset, place, (1.0, 90.0), rng)
            if actor is None:
                continue
            along, aside, _ = on_road(actor, place)
            beyond, beside = abs(along - road.along_m) - road.half_m, abs(aside) - kerb_m
            if beyond > CORNER_M or beside < (0.85 if asset == "pedestrian" else 0.0):
                continue  # at the stop line, on the zebra crossing
            counts[asset] += 1
            assert not obstructs(actor, place)
            assert np.hypot(CORNER_M - beyond, CORNER_M - beside) < CORNER_M - 0.3  # not on the asphalt before the arc
    assert min(counts.values()) > 50


def test_a_vehicle_that_crosses_gets_a_crossing_road_under_it():
    actors = (
        Actor("car", 3.0, 24.0, 0.05, (1.5, 1.7, 4.2), "car"),  # to the right
        Actor("car", 0.2, 12.0, -1.55, (1.5, 1.7, 4.2), "car"),
    )
    for seed in range(10):
        place = place_for(actors, "junction", np.random.default_rng(seed))
        assert place.kind == "junction"
        along, _, _ = on_road(actors[0], place)
        assert crossing(place).along_m - crossing(place).half_m < along < crossing(place).along_m


def test_no_crossing_road_runs_under_a_car_that_is_parked_at_the_kerb():
    crossing_car = Actor("car", 3.0, 24.0, 0.05, (1.5, 1.7, 4.2), "car")
    parked = Actor("car", 5.5, 25.0, -1.55, (1.5, 1.7, 4.2), "car")
    for seed in range(10):
        place = place_for((crossing_car, parked), "junction", np.random.default_rng(seed))
        _, aside, _ = on_road(parked, place)
        assert place.kind == "urban" or abs(aside) <= half_width_m(place)


def stands_on(actor: Actor, place: Place) -> bool:
    road = crossing(place)
    return abs(on_road(actor, place)[0] - road.along_m) < road.half_m


def test_of_two_cars_that_cross_both_stand_on_the_crossing_road_or_there_is_none():
    for far_m, kinds in ((35.0, {"urban"}), (17.5, {"junction"})):
        cars = [Actor("car", x, z, yaw, CAR, "car") for x, z, yaw in ((6.0, 15.0, 0.02), (-7.0, far_m, np.pi))]
        places = [place_for(cars, "junction", np.random.default_rng(seed)) for seed in range(20)]
        assert {place.kind for place in places} == kinds
        assert all(stands_on(car, place) for place in places if place.kind == "junction" for car in cars)


def test_the_crossing_road_lies_under_the_target_and_else_under_the_nearest_that_crosses():
    near, target = (Actor("car", 0.0, z, 0.0, CAR, "car") for z in (20.0, 23.0))
    for one, index in ((target, 1), (near, None)):
        places = [place_for((near, target), "junction", np.random.default_rng(s), target=index) for s in range(20)]
        shown = [place for place in places if place.kind == "junction"]  # some roads are wide enough for both
        assert shown
        for place in shown:
            assert on_road(one, place)[0] == pytest.approx(crossing(place).along_m - LANE_WIDTH_M / 2)


def test_a_row_of_cars_parked_square_to_the_road_makes_no_junction():
    row = tuple(Actor("car", 7.0, z, 0.03, CAR, "car") for z in np.arange(10.0, 40.0, 2.7))
    for seed in range(20):
        assert place_for(row, "junction", np.random.default_rng(seed)).kind == "urban"


@pytest.mark.parametrize(
    ("asset", "x_m", "yaw_rad", "bars"),
    [
        ("bin", 8.0, 0.0, True),
        ("pedestrian", 8.0, 0.0, False),
        ("car", 8.0, 0.0, False),  # drives along the crossing road
        ("car", 8.0, -1.5, True),
        ("tram", 0.0, -1.5, False),  # drives along the camera's road
    ],
)
def test_what_stands_in_the_mouth_of_a_crossing_road_and_does_not_use_it_bars_it(asset, x_m, yaw_rad, bars):
    place = Place("junction", crossing_m=24.0)
    assert obstructs(Actor(asset, x_m, 24.0, yaw_rad, (1.5, 1.0, 4.0)), place) is bars


@pytest.mark.parametrize(("drawn", "shown"), [("junction", "urban"), ("car_park", "suburb")])
def test_traffic_along_the_road_is_shown_on_a_street(drawn, shown):
    actors = (Actor("car", 0.2, 12.0, -1.55, (1.5, 1.7, 4.2), "car"),)
    assert place_for(actors, drawn, np.random.default_rng(0)).kind == shown


@pytest.mark.parametrize("kind", ["urban", "junction", "car_park"])
def test_what_is_kept_clear_reaches_to_the_kerb_beside_the_camera(kind):
    for seed in range(10):
        place = draw_place(kind, np.random.default_rng(seed))
        assert 1.0 < half_width_m(place) - place.camera_offset_m <= place.clear_half_width_m


def test_parked_cars_stand_between_the_painted_lines():
    for scene in scenes("car_park", 6):
        mesh = place_mesh(scene.place, [], "default", False)
        line = mesh.vertices_m[mesh.faces[mesh.tag == ROAD_LINE]].astype(float)
        points = np.einsum("wk,fkd->wfd", np.random.default_rng(0).dirichlet([1.0] * 3, 40), line).reshape(-1, 3)
        for actor in (a for a in scene.actors if a.asset == "car"):
            if abs(on_road(actor, scene.place)[1]) < half_width_m(scene.place):
                continue
            dx, dz = points[:, 0] - actor.x_m, points[:, 1] - actor.z_m
            forward = dx * np.cos(actor.yaw_rad) - dz * np.sin(actor.yaw_rad)
            aside = dx * np.sin(actor.yaw_rad) + dz * np.cos(actor.yaw_rad)
            _, width, length = actor.dimensions_hwl_m  # a wheel may stand on a line
            assert not ((abs(aside) < width / 2 - 0.25) & (abs(forward) < length / 2 - 0.4)).any()
