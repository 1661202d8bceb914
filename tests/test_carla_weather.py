"""A scene's light and weather as CARLA's."""

import pytest

from simulator.carla.loopback.records import Weather
from simulator.carla.weather import environment_of, weather_of
from simulator.scene import Environment


@pytest.mark.parametrize("yaw_deg", [0.0, 90.0, -135.0])
def test_weather_tells_the_environment_it_was_made_from(yaw_deg):
    environment = Environment(-12.5, 300.0, 0.7, 180.0, 0.4, 0.25)
    back = environment_of(Weather(**weather_of(environment, yaw_deg)), yaw_deg)
    assert vars(back) == pytest.approx(vars(environment))


def test_sun_to_the_right_of_a_camera_that_looks_along_y_stands_at_yaw_180():
    assert weather_of(Environment(sun_azimuth_deg=90.0), 90.0)["sun_azimuth_angle"] == pytest.approx(180.0)


def test_half_the_visibility_is_twice_the_fog():
    densities = [weather_of(Environment(visibility_m=v), 0)["fog_density"] for v in (400.0, 200.0, 43.0, 10.0)]
    assert densities[1] == pytest.approx(2 * densities[0])
    assert densities[2:] == pytest.approx([100.0, 100.0])


def test_no_fog_at_all_is_finite_visibility():
    clear = Weather(**weather_of(Environment(), 0))._replace(fog_density=0.0)
    assert environment_of(clear, 0).visibility_m == pytest.approx(100_000)
