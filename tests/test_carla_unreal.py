"""Where things stand in Unreal's left-handed world."""

import numpy as np
import pytest

from simulator.carla.unreal import Anchor

AHEAD, RIGHT = -np.pi / 2, 0.0  # KITTI's rotation_y


def test_at_yaw_zero_ahead_is_plus_x_and_right_is_plus_y():
    anchor = Anchor(100.0, 50.0, 2.0, 0.0)
    assert anchor.transform_of(3.0, 20.0, AHEAD, 0.5)[:3] == pytest.approx((120.0, 53.0, 2.5))


def test_a_car_that_drives_away_heads_as_the_camera_does():
    assert Anchor(0, 0, 0, 30.0).transform_of(0, 10, AHEAD).yaw_deg == pytest.approx(30.0)


def test_a_heading_to_the_right_turns_clockwise_seen_from_above():
    assert Anchor(0, 0, 0, 30.0).transform_of(0, 10, RIGHT).yaw_deg == pytest.approx(120.0)


def test_at_yaw_ninety_ahead_is_plus_y_and_right_is_minus_x():
    assert Anchor(0, 0, 0, 90.0).transform_of(3.0, 20.0, AHEAD)[:2] == pytest.approx((-3.0, 20.0))


def test_the_level_frame_is_found_again():
    anchor = Anchor(-12.0, 40.0, 1.5, 217.0)
    pose = anchor.transform_of(-4.0, 33.0, 0.7, 0.3)
    assert anchor.level_of(np.array(pose[:3])) == pytest.approx((-4.0, 0.3, 33.0))
    assert anchor.yaw_rad_of(pose.yaw_deg) == pytest.approx(0.7)
