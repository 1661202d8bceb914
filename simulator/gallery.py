"""The gallery: one street of each kind under every sky, to look at what a simulator shows."""

from dataclasses import replace

import numpy as np

from dataset.schema import Camera, Source
from simulator.random_street import RandomStreetConfig, random_scene, require_lenses
from simulator.randomise import RandomisationConfig
from simulator.scene import PLACES, CameraResponse, Environment, Scene

SKIES = {
    "clear day": Environment(sun_altitude_deg=48, sun_azimuth_deg=130, cloudiness=0.25, visibility_m=15000),
    "low sun ahead": Environment(sun_altitude_deg=7, sun_azimuth_deg=8, cloudiness=0.15, visibility_m=9000),
    "overcast": Environment(sun_altitude_deg=35, sun_azimuth_deg=200, cloudiness=0.95, visibility_m=5000),
    "rain": Environment(
        sun_altitude_deg=30, sun_azimuth_deg=60, cloudiness=0.95, visibility_m=1500, wetness=1.0, rain=0.8
    ),
    "fog": Environment(sun_altitude_deg=25, sun_azimuth_deg=90, cloudiness=0.7, visibility_m=130, wetness=0.2),
    "snow": Environment(sun_altitude_deg=20, sun_azimuth_deg=250, cloudiness=0.95, visibility_m=1200, snow=0.8),
    "dusk": Environment(sun_altitude_deg=-1, sun_azimuth_deg=300, cloudiness=0.4, visibility_m=8000),
    "night": Environment(sun_altitude_deg=-15, cloudiness=0.3, visibility_m=8000),
    "night, rain": Environment(sun_altitude_deg=-15, cloudiness=0.9, visibility_m=1500, wetness=1.0, rain=0.6),
}


class GalleryJobs:
    """Job i: sky i // len(PLACES), in the order of SKIES, over the street of PLACES[i % len(PLACES)]."""

    source: Source = "synthetic"
    cycle = 0

    def __init__(self, mix: dict[str, float], camera: tuple[Camera, int, int], street: RandomStreetConfig, seed: int):
        """`mix` are the shares of the categories; `camera` is one with its width and height in px."""
        require_lenses(street, [camera])
        self.categories = tuple(mix)
        self._camera, self._seed = camera, seed
        self._street = street.model_copy(update={"category_mix": mix, "maps": ()})  # a column is a kind of place

    def __len__(self) -> int:
        return len(SKIES) * len(PLACES)

    def failure_id(self, index: int) -> str | None:
        return None

    def scene(self, index: int, attempt: int) -> Scene:
        """The same street and traffic under every sky, seen by a neutral camera."""
        sky, place = divmod(index, len(PLACES))
        only_there = RandomisationConfig(places={PLACES[place]: 1.0})
        rng = np.random.default_rng([self._seed, place, attempt])
        scene = random_scene(*self._camera, self.categories, self._street, only_there, rng)
        return replace(scene, environment=list(SKIES.values())[sky], response=CameraResponse())
