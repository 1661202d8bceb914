"""A scene's Environment as CARLA's WeatherParameters, and back.

Fog. Extinction is proportional to Unreal's fog density, and Koschmieder's visibility V (contrast falls to 5%) to its
inverse: V = ln 20 / k. Unreal's exponential height fog of density 1 lets 2^-(0.1 d) of the light pass d metres, so
k = 0.1 ln 2 and V = 43.2 m; CARLA's fog_density of 100 is taken for Unreal's 1. Hence
    fog_density = 100 * 43.2 m / V,      V = 43.2 m * 100 / fog_density,
down to 43.2 m. A clear day of 20 km has the density 0.2, CARLA's own clear noon 2 (2.2 km), its hard rain 7 (620 m).
Sun. CARLA's azimuth is taken as the yaw, in the world, at which the sun stands; ours is relative to the camera.
Neither assumption has been seen with Unreal yet; the loopback server makes both.
"""

from typing import Protocol

import numpy as np

from simulator.scene import Environment

DENSEST_VISIBILITY_M = float(np.log(20.0) / (0.1 * np.log(2.0)))  # at fog_density 100
CLEAREST_VISIBILITY_M = 100_000.0  # what a fog_density of 0 means
# As in CARLA's presets of the day. The fog begins at the camera and hardly thins with height.
FOG_FALLOFF = 0.1
MIE_SCATTERING, RAYLEIGH_SCATTERING = 0.03, 0.0331


class WeatherLike(Protocol):
    """carla.WeatherParameters, or the loopback server's Weather: what of them an Environment is told by."""

    @property
    def cloudiness(self) -> float: ...
    @property
    def precipitation(self) -> float: ...
    @property
    def precipitation_deposits(self) -> float: ...
    @property
    def wetness(self) -> float: ...
    @property
    def fog_density(self) -> float: ...
    @property
    def sun_azimuth_angle(self) -> float: ...
    @property
    def sun_altitude_angle(self) -> float: ...


def weather_of(environment: Environment, camera_yaw_deg: float) -> dict[str, float]:
    """Keyword arguments of carla.WeatherParameters. camera_yaw_deg: in the world, clockwise seen from above."""
    rain = float(np.clip(environment.rain, 0, 1))
    wetness = 100 * float(np.clip(environment.wetness, 0, 1))
    return {
        "cloudiness": 100 * float(np.clip(environment.cloudiness, 0, 1)),
        "precipitation": 100 * rain,
        "precipitation_deposits": wetness,  # puddles
        "wind_intensity": 5 + 45 * rain,
        "sun_azimuth_angle": (environment.sun_azimuth_deg + camera_yaw_deg) % 360,
        "sun_altitude_angle": float(np.clip(environment.sun_altitude_deg, -90, 90)),
        "fog_density": min(100 * DENSEST_VISIBILITY_M / max(environment.visibility_m, DENSEST_VISIBILITY_M), 100.0),
        "fog_distance": 0.0,
        "fog_falloff": FOG_FALLOFF,
        "wetness": wetness,
        "scattering_intensity": 1.0,
        "mie_scattering_scale": MIE_SCATTERING,
        "rayleigh_scattering_scale": RAYLEIGH_SCATTERING,
        "dust_storm": 0.0,
    }


def environment_of(weather: WeatherLike, camera_yaw_deg: float) -> Environment:
    """The inverse of `weather_of`, for visibilities between DENSEST_ and CLEAREST_VISIBILITY_M."""
    density = max(weather.fog_density, 100 * DENSEST_VISIBILITY_M / CLEAREST_VISIBILITY_M)
    return Environment(
        sun_altitude_deg=float(weather.sun_altitude_angle),
        sun_azimuth_deg=float((weather.sun_azimuth_angle - camera_yaw_deg) % 360),
        cloudiness=float(np.clip(weather.cloudiness / 100, 0, 1)),
        visibility_m=100 * DENSEST_VISIBILITY_M / density,
        wetness=float(np.clip(max(weather.wetness, weather.precipitation_deposits) / 100, 0, 1)),
        rain=float(np.clip(weather.precipitation / 100, 0, 1)),
    )
