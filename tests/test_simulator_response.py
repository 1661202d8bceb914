"""How the camera's response is drawn, and that scenes of before it had motion, fringes and other lenses still load."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from pydantic import ValidationError

from dataset.schema import Camera
from simulator.casting import CastingConfig
from simulator.random_street import RandomStreetConfig, random_scene
from simulator.randomise import PlaceKind, RandomisationConfig, at_pace_of, draw_response, randomise
from simulator.scene import CameraResponse, Environment, MapSpot, Place, Scene, SceneCamera

FIRST = ("exposure_ev", "contrast", "saturation", "temperature_k", "noise_sigma", "blur_px", "vignetting")
DAY, NIGHT = Environment(40.0), Environment(-20.0)


def test_what_came_later_moves_no_older_draw():
    """Eight numbers are drawn as ever, in the order of the fields; the ninth of the stream is the next thing's."""
    config = RandomisationConfig()
    rng, by_hand = np.random.default_rng(7), np.random.default_rng(7)
    drawn = draw_response(config, DAY, rng)
    old = [float(by_hand.uniform(*getattr(config, name))) for name in FIRST]
    assert [getattr(drawn, name) for name in FIRST] == old
    assert drawn.jpeg_quality == round(by_hand.uniform(*config.jpeg_quality))
    assert rng.random() == by_hand.random()


def test_same_seed_draws_the_same_and_every_setting_varies():
    config = RandomisationConfig()
    first, again = (draw_response(config, DAY, np.random.default_rng(7)) for _ in range(2))
    other = draw_response(config, DAY, np.random.default_rng(8))
    assert first == again
    assert all(value != getattr(other, name) for name, value in asdict(first).items() if name != "jpeg_quality")


def test_exposures_are_mostly_short_by_day_and_long_at_night():
    """Half of the days' lie below 1/1000 * (1000/60)^0.25 = 1/495 s, half of the nights' above that ^0.71, 1/137 s."""
    rng = np.random.default_rng(0)
    day, night = (
        np.array([draw_response(RandomisationConfig(), hour, rng).exposure_s for _ in range(2000)])
        for hour in (DAY, NIGHT)
    )
    for drawn in (day, night):
        assert drawn.min() >= 1 / 1000 and drawn.max() <= 1 / 60
    assert np.median(day) == pytest.approx(1 / 495, rel=0.06)
    assert np.median(night) == pytest.approx(1 / 137, rel=0.06)


def test_tone_is_as_hard_as_allowed_by_day_and_a_third_of_it_at_night():
    rng = np.random.default_rng(0)
    config = RandomisationConfig(tone_hardness=(0.2, 1.0))
    day, night = (
        np.array([draw_response(config, hour, rng).tone_hardness for _ in range(500)]) for hour in (DAY, NIGHT)
    )
    assert day.min() == pytest.approx(0.2, abs=0.02) and day.max() == pytest.approx(1.0, abs=0.02)
    assert night.min() == pytest.approx(0.2, abs=0.02) and night.max() == pytest.approx(0.2 + 0.35 * 0.8, abs=0.02)


def test_an_exposure_of_no_time_is_refused():
    with pytest.raises(ValidationError, match=r"\[0, 0.01\] reaches beyond 1e-06 to 1"):
        RandomisationConfig(exposure_s=(0.0, 0.01))


def fastest_mps(kind: PlaceKind) -> float:
    config = RandomisationConfig(places={kind: 1.0}, exposure_ev=(0.0, 0.0))
    street = RandomStreetConfig(objects=(0, 0))
    camera = SceneCamera(Camera(480.0, 480.0, 320.0, 96.0), 640, 192)
    drawn = [
        scene.response.speed_mps
        for seed in range(40)
        for scene in (
            random_scene(camera.intrinsics, 640, 192, ("car",), street, config, np.random.default_rng(seed)),
            randomise(Scene(camera), ("car",), CastingConfig(), config, np.random.default_rng(seed)),
        )
        if scene.place.kind == kind
    ]
    return max(drawn)


def test_nobody_races_over_a_car_park_and_on_a_highway_one_drives_faster_than_in_town():
    """In km/h: a car park's walking pace, a town's 50, a highway's more than 80."""
    car_park, town, highway = (3.6 * fastest_mps(kind) for kind in ("car_park", "urban", "highway"))
    assert car_park <= 11 and 30 < town <= 50 and 80 < highway <= 108


def test_the_pace_of_a_place_changes_the_speed_alone():
    response = draw_response(RandomisationConfig(), DAY, np.random.default_rng(7))
    slow = at_pace_of(Place("junction"), response)
    assert slow.speed_mps == response.speed_mps / 2 and replace(slow, speed_mps=response.speed_mps) == response
    somewhere = Place("car_park", map=MapSpot("Town04.xodr", 0.0, 0.0, 0.0, 0.0))  # a motorway perhaps
    assert at_pace_of(somewhere, response) == response


def test_a_scene_saved_without_the_newer_settings_loads_as_a_neutral_one():
    camera = SceneCamera(Camera(480.0, 480.0, 320.0, 96.0), 640, 192)
    scene = Scene(camera, response=CameraResponse(exposure_ev=0.4))
    raw = json.loads(scene.to_json())
    raw["response"] = {name: raw["response"][name] for name in (*FIRST, "jpeg_quality")}
    raw["camera"] = {name: raw["camera"][name] for name in ("intrinsics", "width_px", "height_px")}
    assert Scene.from_json(json.dumps(raw)) == scene
    moving = replace(scene, response=replace(scene.response, speed_mps=9.0, tone_hardness=0.3))
    assert Scene.from_json(moving.to_json()) == moving
