"""What a CARLA server offers: `python -m simulator.carla.survey HOST PORT` prints it as a line of JSON.

To be run in a process of its own: the client library may abort it.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.carla.backend import CarlaBackend
from simulator.carla.config import CarlaConfig
from simulator.carla.connect import Connection
from simulator.carla.errors import CaptureFailed
from simulator.carla.library import Library
from simulator.recreate import NotRecreatable
from simulator.scene import Actor, Scene, SceneCamera

CAR = Actor("car", 0.0, 12.0, -1.57, (1.5, 1.8, 4.3), "car")
SCENE = Scene(SceneCamera(Camera(192.0, 192.0, 160.0, 48.0), 320, 96), (CAR,))


@dataclass(frozen=True)
class Survey:
    """What was found. `trial` is empty when a car was put before the cameras and known by its id, else what failed."""

    version: str
    map_name: str
    maps: tuple[str, ...]
    blueprints: dict[str, int]  # that can play each asset
    trial: str
    trial_s: float  # for the second picture


def survey(host: str, port: int, config: CarlaConfig | None = None) -> Survey:
    """Asks, and takes a picture of a car. Raises InputError when the server is not there, not ready, or another's."""
    config = config or CarlaConfig()
    with Connection(host, port, config) as connection:
        version, map_name, maps = connection.client.get_server_version(), connection.map_name, tuple(connection.maps())
        blueprints = {asset: count for asset, count in Library(connection).counts().items() if count}
    trial, trial_s = _trial(host, port, config)
    return Survey(version, map_name, maps, blueprints, trial, trial_s)


def _trial(host: str, port: int, config: CarlaConfig) -> tuple[str, float]:
    backend, trial, began_s = CarlaBackend(host, port, config), "", time.monotonic()
    try:
        backend.render(SCENE)
        began_s = time.monotonic()
        if not (backend.render(SCENE).instance == 1).any():
            trial = "the instance camera does not tell a car in front of it by its actor id"
    except (CaptureFailed, NotRecreatable) as reason:
        trial = str(reason)
    finally:
        backend.close()
    return trial, round(time.monotonic() - began_s, 2)


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        print(json.dumps(asdict(survey(sys.argv[1], int(sys.argv[2])))))
    except InputError as error:
        print(json.dumps({"error": [error.where, error.problem, error.remedy]}))
    os._exit(0)  # the client library's own end may hang or abort


if __name__ == "__main__":
    main()
