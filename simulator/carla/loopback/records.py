"""What the server's world and its painter tell each other."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.carla.unreal import Transform


class Weather(NamedTuple):
    """CARLA's WeatherParameters, in the order of the wire."""

    cloudiness: float = 0.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 0.0
    sun_azimuth_angle: float = 0.0
    sun_altitude_angle: float = 45.0
    fog_density: float = 0.0
    fog_distance: float = 0.0
    fog_falloff: float = 0.0
    wetness: float = 0.0
    scattering_intensity: float = 1.0
    mie_scattering_scale: float = 0.03
    rayleigh_scattering_scale: float = 0.0331
    dust_storm: float = 0.0


@dataclass(frozen=True)
class Body:
    """An actor that can be seen: `transform` is its origin, on the ground for all that stands."""

    actor_id: int
    blueprint_id: str
    transform: Transform
    color_rgb: tuple[int, int, int] | None = None  # paint, where the blueprint has that attribute
    lights_on: bool = False


class View(NamedTuple):
    """A camera: `fov_deg` is horizontal, the principal point is the middle, pixels are square."""

    width_px: int
    height_px: int
    fov_deg: float
    transform: Transform


@dataclass(frozen=True)
class Picture:
    """What the cameras at one pose see."""

    rgb: np.ndarray | None  # (H, W, 3) uint8; None where it was not asked for
    actor_id: np.ndarray  # (H, W) uint32, 0 = scenery
    tag: np.ndarray  # (H, W) uint8, CARLA 0.9.16
    depth_m: np.ndarray  # (H, W) float32 along the optical axis, inf where there is sky
