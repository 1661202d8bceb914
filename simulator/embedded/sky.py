"""Sun, sky, clouds and air: the light that comes from above, and what fog does on the way.

A model of our own, fitted by eye to photographs, in units where a clear sky's zenith is about 1 at noon:
- the sun's irradiance falls with the air mass of Kasten and Young (1989) and an optical depth per channel
  (Rayleigh at 680, 550, 440 nm plus a light aerosol), so that it reddens as it sinks;
- the clear sky is a gradient between horizon and zenith colours by the sun's altitude, plus a glow about the sun;
- clouds are fractal noise on a plane; towards an overcast sky the sun goes and the sky becomes the CIE overcast
  one (zenith three times as bright as the horizon);
- air follows Koschmieder: contrast falls to 5% at the visibility V, so exp(-k V) = 0.05 and k = ln 20 / V.
Twilight is far brighter than the real one against noon: a camera's exposure would follow it down anyway.
"""

from typing import Any

import numpy as np
import warp as wp

from simulator.embedded.kernels.records import Sky
from simulator.scene import RAIN_VISIBILITY_M, Environment

FOG_LAYER_M = 60.0  # height of the hazy layer; a ray upwards leaves it
RAIN_HALO_SHARE = 0.2  # drops, far larger than those of fog, throw nearly all light forwards
LAMPS_ON_BELOW_DEG = 3.0  # altitude of the sun; full strength at the horizon
SUN_ALTITUDES_DEG = (-18.0, -12.0, -6.0, 0.0, 8.0, 20.0, 60.0)
ZENITH_RGB = (
    (0.0020, 0.0026, 0.0048),
    (0.0045, 0.0065, 0.0130),
    (0.02, 0.035, 0.085),
    (0.10, 0.16, 0.34),
    (0.19, 0.34, 0.70),
    (0.23, 0.44, 0.93),
    (0.24, 0.48, 1.05),
)
HORIZON_RGB = (
    (0.0080, 0.0072, 0.0064),
    (0.0150, 0.0140, 0.0140),
    (0.10, 0.08, 0.08),
    (0.62, 0.42, 0.30),
    (0.95, 0.83, 0.70),
    (0.95, 1.05, 1.16),
    (0.95, 1.13, 1.33),
)
OPTICAL_DEPTH_RGB = (0.13, 0.19, 0.32)
SUN_IRRADIANCE = 17.0  # above the atmosphere
MOON_IRRADIANCE_RGB = (0.006, 0.008, 0.012)


def sky_of(environment: Environment, seed: int) -> Any:
    """The Sky of an environment; `seed` places the clouds."""
    altitude_deg = environment.sun_altitude_deg
    azimuth, altitude = np.radians(environment.sun_azimuth_deg), np.radians(altitude_deg)
    sun_direction = np.array([np.sin(azimuth) * np.cos(altitude), np.cos(azimuth) * np.cos(altitude), np.sin(altitude)])
    zenith, horizon = (_by_altitude(table, altitude_deg) for table in (ZENITH_RGB, HORIZON_RGB))
    sun = _sun_irradiance(altitude_deg)
    if altitude_deg < -4:  # the moon, high and behind the camera's right shoulder
        sun_direction, sun = np.array([0.45, -0.5, 0.74]), np.array(MOON_IRRADIANCE_RGB)
    sun_height = max(float(sun_direction[2]), 0.02)

    clouds = float(np.clip(environment.cloudiness, 0, 1))
    overcast = _smoothstep(0.55, 1.0, clouds)
    all_light = 0.3 * sun * sun_height + np.pi * (0.6 * zenith + 0.4 * horizon)  # what an overcast sky spreads evenly
    grey = all_light.mean() / np.pi * np.array([0.96, 1.0, 1.04]) * 0.8
    zenith = zenith * (1 - overcast) + 1.25 * grey * overcast
    horizon = horizon * (1 - overcast) + 0.62 * grey * overcast
    extinction_per_m = np.log(20.0) / max(environment.visibility_in_rain_and_snow_m, 5.0)
    through_air = np.exp(-extinction_per_m * FOG_LAYER_M / sun_height)
    direct = sun * (1 - _smoothstep(0.35, 0.95, clouds)) * through_air
    scattered = (sun * sun_height * (1 - through_air) * 0.4) * (1 - overcast) / np.pi
    mean = 0.55 * zenith + 0.45 * horizon + scattered

    dark = 1 - _smoothstep(0.0, LAMPS_ON_BELOW_DEG, altitude_deg)
    sky = Sky()
    sky.sun_direction = wp.vec3(*sun_direction.tolist())
    sky.sun_irradiance = _vec3(direct)
    sky.sun_radius = 0.008 + 0.05 * clouds + 0.1 * float(1 - through_air)
    sky.zenith, sky.horizon = _vec3(zenith + scattered), _vec3(horizon + scattered)
    sky.glow = _vec3(0.22 * direct if altitude_deg >= -4 else 0 * direct)
    sky.mean = _vec3(mean)
    sky.cloud_cover = clouds
    sky.cloud_bright = _vec3(0.11 * direct + 0.55 * horizon + 0.45 * mean)
    sky.cloud_dark = _vec3(0.5 * horizon + 0.18 * mean)
    offset = np.random.default_rng([seed, 1]).uniform(0, 100, 2)
    sky.cloud_offset = wp.vec2(*offset.tolist())
    sky.fog = _vec3(0.55 * (horizon + scattered) + 0.45 * mean)
    sky.extinction_per_m = float(extinction_per_m)
    sky.fog_layer_m = FOG_LAYER_M
    by_rain = min(np.log(20.0) * environment.rain / RAIN_VISIBILITY_M / extinction_per_m, 1.0)
    sky.halo_share = float(1 - by_rain * (1 - RAIN_HALO_SHARE))
    sky.lamp_level = float(dark)
    sky.signal_level = float(max(0.35, 0.55 * np.mean(direct * sun_height / np.pi + mean)))
    sky.snow = float(np.clip(environment.snow, 0, 1))
    sky.wetness = float(np.clip(environment.wetness, 0, 1))
    return sky


def _by_altitude(table: tuple, altitude_deg: float) -> np.ndarray:
    """RGB interpolated along SUN_ALTITUDES_DEG, in the logarithm: light falls by factors at dusk."""
    columns = np.log(np.array(table)).T
    return np.exp([np.interp(altitude_deg, SUN_ALTITUDES_DEG, column) for column in columns])


def _sun_irradiance(altitude_deg: float) -> np.ndarray:
    if altitude_deg < -1:
        return np.zeros(3)
    above = max(altitude_deg, 0.0)
    air_mass = 1 / (np.sin(np.radians(above)) + 0.50572 * (above + 6.07995) ** -1.6364)
    return SUN_IRRADIANCE * np.exp(-np.array(OPTICAL_DEPTH_RGB) * air_mass) * _smoothstep(-1.0, 0.5, altitude_deg)


def _smoothstep(low: float, high: float, value: float) -> float:
    x = float(np.clip((value - low) / (high - low), 0, 1))
    return x * x * (3 - 2 * x)


def _vec3(values: np.ndarray) -> wp.vec3:
    return wp.vec3(*np.asarray(values, float).tolist())
