"""Rows of parked cars: at the kerb, in line, heading along the street, none in another or in the camera's way."""

import numpy as np
import pytest

from dataset.schema import Camera
from simulator.footprint import overlap
from simulator.random_street import RandomStreetConfig, random_scene
from simulator.randomise import RandomisationConfig
from simulator.road import half_width_m, heading_rad, lane_offset_m
from simulator.scene import Place, SceneCamera
from simulator.traffic import park

VIEW = SceneCamera(Camera(300.0, 300.0, 320.0, 100.0, 1.6), 640, 200)
STREET = Place("suburb", lane_count=2, lane_width_m=3.0, camera_offset_m=1.5, road_yaw_deg=4.0)
REACH_M = (5.0, 70.0)
CARS: list[tuple[str, str | None]] = [("car", "car")] * 12


@pytest.mark.parametrize("seed", range(8))
def test_parked_cars_stand_at_the_kerb_in_line_and_none_in_another(seed):
    parked, left = park(VIEW, STREET, [*CARS, ("pedestrian", "person")], np.random.default_rng(seed), reach_m=REACH_M)
    assert len(parked) + len(left) == 13 and ("pedestrian", "person") in left
    for actor in parked:
        heading = heading_rad(STREET, actor.z_m)
        across = (actor.x_m + STREET.camera_offset_m - actor.z_m * np.tan(heading)) * np.cos(heading)
        assert 0.5 < abs(across) - half_width_m(STREET) + 1.5 < 3.0  # its middle, from 1 m on the road to 1.5 m off it
        assert abs(np.sin(2 * (actor.yaw_rad + np.pi / 2 - heading))) < np.sin(np.radians(2 * 8))
        if across > 0:  # beside the camera's lane: the camera's own car, 1.8 m wide, passes
            gap = abs(across) - actor.dimensions_hwl_m[1] / 2 - lane_offset_m(STREET, 1)
            assert gap > 0.9
    for i, one in enumerate(parked):
        assert not any(overlap(one, other, 0.2) for other in parked[i + 1 :])


def test_no_row_reaches_nearer_or_further_than_the_streets_distances():
    drawn = [park(VIEW, STREET, CARS, np.random.default_rng(seed), reach_m=(15.0, 30.0))[0] for seed in range(8)]
    away_m = [float(np.hypot(actor.x_m, actor.z_m)) for parked in drawn for actor in parked]
    assert len(away_m) > 12 and min(away_m) >= 15 and max(away_m) <= 30


def test_rows_keep_the_mix_and_stand_in_towns_only():
    def cars(share: float, place: str) -> float:
        config = RandomStreetConfig(category_mix={"car": 0.7, "person": 0.3}, objects=(8, 8), parked_rows=share)
        street = RandomisationConfig(places={place: 1.0}, extra_clutter=(0, 0))  # type: ignore[dict-item]
        scenes = [
            random_scene(VIEW.intrinsics, 640, 200, ("car", "person"), config, street, np.random.default_rng(seed))
            for seed in range(60)
        ]
        actors = [(actor, scene.place) for scene in scenes for actor in scene.actors]
        beyond = [a for a, p in actors if a.asset == "car" and abs(a.x_m + p.camera_offset_m) > half_width_m(p)]
        assert len(actors) > 250
        return len(beyond) / sum(actor.asset == "car" for actor, _ in actors)

    assert cars(1.0, "suburb") > cars(0.0, "suburb") + 0.2
    assert cars(1.0, "highway") == pytest.approx(cars(0.0, "highway"))
