"""Motion blur: how far things move over the film is worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.embedded.motion import Seen, flow_px, goes_along, with_motion
from simulator.projection import camera_from_level, pixels_of_camera_points
from simulator.scene import Actor, CameraResponse, Place
from tests.embedded_street import CAMERA

LENS = CAMERA.intrinsics  # f = 500 px, axis through (320, 96)
DRIVING = CameraResponse(speed_mps=20.0, exposure_s=0.01)  # 0.2 m
NOBODY = np.zeros(0, bool)


def wall(depth_m: float) -> Seen:
    return Seen(np.full((192, 640), depth_m, np.float32), np.zeros((192, 640), np.int32))


def smeared(light: np.ndarray, seen: Seen, response: CameraResponse = DRIVING, actors=()) -> np.ndarray:
    return with_motion(light, seen, LENS, response, actors, Place())


def test_what_is_near_moves_away_from_the_middle_by_its_offset_over_its_depth():
    """0.2 m nearer at 5 m: a pixel 200.5 px right and 50.5 px below the axis moves 0.2 / 5 of that; at 50 m a tenth."""
    near, far = (flow_px(wall(depth), LENS, DRIVING, NOBODY)[146, 520] for depth in (5.0, 50.0))
    assert near == pytest.approx([8.02, 2.02], abs=1e-3)
    assert far == pytest.approx([0.802, 0.202], abs=1e-3)


def test_the_sky_moves_with_the_turn_alone():
    """10 degrees a second to the right for 0.1 s: one degree, 500 tan(1) = 8.73 px to the left in the middle."""
    sky = wall(np.inf)
    assert np.abs(flow_px(sky, LENS, DRIVING, NOBODY)).max() == 0
    turning = replace(DRIVING, yaw_rate_dps=10.0, exposure_s=0.1)
    assert flow_px(sky, LENS, turning, NOBODY)[96, 320] == pytest.approx([-8.73, 0], abs=0.01)


@pytest.mark.parametrize("level_m", [(2.0, 0.0, 7.0), (-3.0, 2.5, 12.0), (0.5, 1.0, 30.0)])
def test_a_point_moves_as_far_as_between_the_pictures_at_both_ends_of_the_exposure(level_m):
    """The camera looks down by 6 degrees, drives 12 m/s and turns left by 20 degrees a second, for 1/50 s."""
    camera = replace(LENS, pitch_deg=6.0)
    response = CameraResponse(speed_mps=12.0, yaw_rate_dps=-20.0, exposure_s=0.02)

    def pixel_at(time_s: float) -> np.ndarray:
        turned = np.radians(-20.0 * time_s)  # to the right
        x, up, z = level_m[0], level_m[1], level_m[2] - 12.0 * time_s
        around = x * np.cos(turned) - z * np.sin(turned), up, x * np.sin(turned) + z * np.cos(turned)
        return pixels_of_camera_points(camera, camera_from_level(camera, np.array(around)))

    depth_m = camera_from_level(camera, np.array(level_m))[2]
    column, row = np.floor(pixel_at(0.0)).astype(int)
    moved = flow_px(wall(depth_m), camera, response, NOBODY)[row, column]
    assert moved == pytest.approx(pixel_at(0.01) - pixel_at(-0.01), abs=0.06)  # the pixel's centre is not the point


def test_what_touches_the_lens_is_smeared_as_at_5_cm():
    """A depth of 0 is what a depth buffer holds of a thing that the lens lies in."""
    light = np.random.default_rng(0).random((192, 640, 3)).astype(np.float32)
    touching, near = wall(6.0), wall(6.0)
    touching.depth_m[100:, :], near.depth_m[100:, :] = 0.0, 0.05
    touched, expected = (smeared(light, seen) for seen in (touching, near))
    assert np.isfinite(touched).all() and np.array_equal(touched, expected)
    assert touched[150:].std() < 0.5 * light[150:].std()


def test_a_line_smears_over_its_way_and_its_middle_stays_put():
    """Eleven pixels at 4 m, 165 px right of the axis: 0.2 / 4 of that is 8.25 px of way, to both sides alike."""
    light = np.full((192, 640, 3), 0.1, np.float32)
    light[96, 480:491] = 1.0
    row = smeared(light, wall(4.0))[96, :, 0] - 0.1
    columns = np.arange(640) + 0.5
    assert (row * columns).sum() / row.sum() == pytest.approx(485.5, abs=0.15)
    assert row.sum() == pytest.approx(11 * 0.9, rel=0.06)  # things that come nearer grow by 0.2 / 4, some of the time
    lit = np.flatnonzero(row > 0.01)
    assert lit[-1] - lit[0] + 1 == pytest.approx(11 + 8.25, abs=2)
    assert (row > 0.85).sum() == pytest.approx(11 - 8.25, abs=2)


def test_a_near_post_smears_over_a_far_wall_that_stays_sharp():
    """A post of 4 px at 3 m, 150 px to the right: 10 px of way, so the wall beside it shows it four tenths of the time.

    The wall, 300 m away, has stripes, which move by 0.1 px.
    """
    light = np.zeros((192, 640, 3), np.float32)
    light[:, ::2] = 0.2
    seen = wall(300.0)
    post = slice(468, 472)
    light[:, post], seen.depth_m[:, post] = 2.0, 3.0
    row = smeared(light, seen)[96, :, 1]
    assert row[470 - 3] == pytest.approx(0.4 * 2.0 + 0.6 * light[96, 467, 1], abs=0.15)
    assert row[470 + 3] == pytest.approx(0.4 * 2.0 + 0.6 * light[96, 473, 1], abs=0.15)
    assert row[470] == pytest.approx(0.4 * 2.0 + 0.6 * 0.1, abs=0.15)
    assert row[440:463] == pytest.approx(light[96, 440:463, 1], abs=0.01)
    assert row[478:500] == pytest.approx(light[96, 478:500, 1], abs=0.01)


def test_a_car_ahead_in_the_own_lane_goes_along_and_others_do_not():
    place = Place(lane_width_m=3.4, camera_offset_m=1.7)
    car = Actor("car", 0.2, 12.0, -np.pi / 2, (1.5, 1.8, 4.3), "car")
    others = [
        replace(car, x_m=-3.4, yaw_rad=np.pi / 2),  # oncoming
        replace(car, x_m=3.2),  # parked at the kerb
        replace(car, yaw_rad=0.0),  # crossing
        replace(car, asset="pedestrian"),
    ]
    assert goes_along([car, *others], place).tolist() == [True, False, False, False, False]
    # At 30 m the bend has led the lane 0.01 * 30^2 / 2 = 4.5 m further to the right.
    bend = replace(place, curvature_per_m=0.01)
    there = replace(car, x_m=4.5, z_m=30.0, yaw_rad=float(np.arctan(0.3)) - np.pi / 2)
    assert goes_along([there, replace(there, x_m=0.0)], bend).tolist() == [True, False]


def test_a_car_parked_half_on_the_kerb_does_not_go_along():
    """The lane reaches 1.7 m to the right: a car 1.8 m wide lies in it up to 0.8 m off its middle."""
    place = Place(lane_width_m=3.4, camera_offset_m=1.7)
    car = Actor("car", 0.75, 12.0, -np.pi / 2, (1.5, 1.8, 4.3), "car")
    half_on_it = replace(car, x_m=1.6)
    wheels_on_it = replace(car, x_m=0.95)
    assert goes_along([car, half_on_it, wheels_on_it], place).tolist() == [True, False, False]
    # A lorry as wide as its lane has 0.3 m to either side.
    lorry = replace(car, asset="truck", x_m=0.25, dimensions_hwl_m=(3.5, 2.6, 9.0))
    narrow = replace(place, lane_width_m=2.8)
    assert goes_along([lorry, replace(lorry, x_m=0.4)], narrow).tolist() == [True, False]


def test_the_car_ahead_stays_sharp_before_a_road_that_does_not():
    rng = np.random.default_rng(0)
    light = rng.random((192, 640, 3)).astype(np.float32)
    light[60:140, 400:520] += 5.0
    seen = wall(6.0)
    seen.instance[60:140, 400:520], seen.depth_m[60:140, 400:520] = 1, 5.0
    ahead = Actor("car", 0.2, 6.0, -np.pi / 2, (1.5, 1.8, 4.3), "car")
    picture = smeared(light, seen, actors=(ahead,))
    assert picture[60:140, 400:520] == pytest.approx(light[60:140, 400:520], abs=1e-5)
    assert picture[150:, 540:].std() < 0.7 * light[150:, 540:].std()
    assert picture[60:140, 522:530].max() < 1.1  # no light of the car's


def test_a_camera_that_stands_or_hardly_moves_leaves_the_very_same_light():
    light, seen = np.ones((192, 640, 3), np.float32), wall(10.0)
    for response in (CameraResponse(), replace(DRIVING, exposure_s=0.0), replace(DRIVING, exposure_s=0.0005)):
        assert smeared(light, seen, response) is light  # 0.01 m at 10 m moves the corner by a third of a pixel
