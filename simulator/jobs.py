"""Which scenes to make: each job is an index, and the scene of (index, attempt) never depends on who makes it."""

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from dataset.errors import InputError
from dataset.schema import Camera, Source
from dataset.store import Dataset
from evaluation.failure import Failure
from simulator.casting import Casting
from simulator.ground import AssumedCamera, calibrate
from simulator.random_street import RandomStreetConfig, random_scene, require_lenses
from simulator.randomise import RandomisationConfig, randomise
from simulator.recreate import RecreateConfig, recreate
from simulator.resize import resized, scale_to
from simulator.scene import Scene

CALIBRATION_FRAMES = 1000  # enough for two numbers


class Jobs(Protocol):
    """Scenes to render. Picklable; `scene` is a pure function and raises NotRecreatable when a draw cannot be built."""

    categories: tuple[str, ...]
    source: Source
    cycle: int

    def __len__(self) -> int: ...

    def scene(self, index: int, attempt: int) -> Scene: ...

    def failure_id(self, index: int) -> str | None: ...


class RecreationJobs:
    """The scenes that answer failures: job i is variant i % variants of failure i // variants."""

    source: Source = "synthetic"

    def __init__(
        self,
        dataset: Dataset,
        failures: Sequence[Failure],
        recreate_config: RecreateConfig,
        randomisation: RandomisationConfig,
        *,
        seed: int,
        cycle: int,
        max_width_px: int | None = None,
    ):
        """`dataset` is where the failures were mined; frames wider than `max_width_px` are shown at that width.

        Raises InputError for a failure of a frame that the data set does not have.
        """
        self._max_width_px = max_width_px
        self.categories, self.cycle = dataset.categories, cycle
        self._dataset, self._randomisation, self._seed = dataset, randomisation, seed
        self._recreate = recreate_config.model_copy(update={"camera": assumed_camera(dataset, recreate_config)})
        rows = {frame_id: row for row, frame_id in enumerate(dataset.frame_ids().tolist())}
        missing = [failure.frame_id for failure in failures if failure.frame_id not in rows]
        if missing:
            raise InputError(dataset.folder, f"no frame {missing[0]!r}", "give the data set the failures were mined on")
        self._failures = [(failure, rows[failure.frame_id]) for failure in failures]

    def __len__(self) -> int:
        return len(self._failures) * self._recreate.variants

    def failure_id(self, index: int) -> str | None:
        return self._failures[index // self._recreate.variants][0].failure_id

    def scene(self, index: int, attempt: int) -> Scene:
        failure, row = self._failures[index // self._recreate.variants]
        rng = np.random.default_rng([self._seed, self.cycle, index, attempt])
        frame = self._dataset.frame(row)
        scale = scale_to(frame.width_px, self._max_width_px)
        frame, objects, failure = resized(frame, self._dataset.objects(row), failure, scale)
        scene = recreate(failure, frame, objects, self.categories, self._recreate, rng)
        return randomise(scene, self.categories, self._recreate.casting, self._randomisation, rng)


def assumed_camera(dataset: Dataset, config: RecreateConfig) -> AssumedCamera:
    """The camera of frames that do not tell their own: over the ground that fits the boxes of the data set."""
    if not config.camera.calibrate:
        return config.camera
    first = islice(dataset.stream(), CALIBRATION_FRAMES)
    unknown = ((frame, objects) for frame, objects in first if frame.camera is None)
    return calibrate(unknown, Casting(dataset.categories, config.casting), config.camera)


class RandomJobs:
    """Random streets that answer nothing: the control arm, or the demo's stand-in world."""

    def __init__(
        self,
        count: int,
        categories: Sequence[str],
        cameras: Sequence[tuple[Camera, int, int]],
        street: RandomStreetConfig,
        randomisation: RandomisationConfig,
        *,
        seed: int,
        cycle: int,
        source: Source = "synthetic",
    ):
        """`cameras` are (camera, width, height) to draw from, as in the data set.

        Raises InputError where a lens that the street's settings allow is none for one of them.
        """
        require_lenses(street, cameras)
        self.categories, self.cycle = tuple(categories), cycle
        self.source: Source = source
        self._count, self._cameras, self._seed = count, tuple(cameras), seed
        self._street, self._randomisation = street, randomisation

    def __len__(self) -> int:
        return self._count

    def failure_id(self, index: int) -> str | None:
        return None

    def scene(self, index: int, attempt: int) -> Scene:
        rng = np.random.default_rng([self._seed, self.cycle, index, attempt])
        camera, width_px, height_px = self._cameras[int(rng.integers(len(self._cameras)))]
        return random_scene(camera, width_px, height_px, self.categories, self._street, self._randomisation, rng)
