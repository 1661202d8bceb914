"""The light of random streets, before any camera answered it: what settings are fitted with."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from simulator.camera_fit.pose import Pose
from simulator.embedded.backend import EmbeddedBackend
from simulator.embedded.sky import sky_of
from simulator.embedded.tracer import trace
from simulator.jobs import RandomJobs
from simulator.random_street import RandomStreetConfig
from simulator.randomise import RandomisationConfig
from simulator.resize import resized_camera
from simulator.scene import Scene


def street_light(
    pose: Pose,
    categories: Sequence[str],
    street: RandomStreetConfig,
    randomisation: RandomisationConfig,
    *,
    count: int,
    width_px: int,
    seed: int,
    device: str = "cpu",
) -> list[np.ndarray]:
    """Radiance (H, W, 3) of `count` streets by day, without rain or fog, as the data set's camera sees them.

    width_px: of the pictures.
    By day, as most data sets are driven: at night a picture tells more of its lamps than of its camera.
    """
    by_day = randomisation.model_copy(update={"time_of_day": {"day": 1.0}, "weather": {"clear": 0.5, "overcast": 0.5}})
    scale = width_px / pose.width_px
    seen_by = resized_camera(pose.camera, scale), width_px, round(pose.height_px * scale)
    jobs = RandomJobs(count, categories, [seen_by], street, by_day, seed=seed, cycle=0)
    backend = EmbeddedBackend(device)
    try:
        return [_light(backend, jobs.scene(index, 0)) for index in tqdm(range(count), unit="street", desc="light")]
    finally:
        backend.close()


def _light(backend: EmbeddedBackend, scene: Scene) -> np.ndarray:
    sky = sky_of(scene.environment, scene.place.seed)
    return trace(backend.build(scene), scene.camera, sky, backend.quality, scene.seed).radiance
