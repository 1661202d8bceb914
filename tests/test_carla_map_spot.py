"""A scene on a spot of a map, shown by a CARLA server (the loopback one) and by the embedded simulator: one place."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dataset.schema import Camera
from simulator.backend import Render
from simulator.carla.backend import CarlaBackend
from simulator.carla.config import CarlaConfig
from simulator.carla.loopback.blueprints import library
from simulator.carla.loopback.maps import straight_road
from simulator.embedded.assets.shapes import ROAD
from simulator.embedded.backend import EmbeddedBackend
from simulator.labels import visibility
from simulator.map_street import draw_spot, level_from_map, yaw_from_map
from simulator.opendrive.lane_points import lane_points_of
from simulator.scene import Actor, MapSpot, Place, Scene, SceneCamera
from tests.carla_loopback import running_server

pytest.importorskip("carla")
CAMERA = SceneCamera(Camera(200.0, 200.0, 160.0, 80.0, height_m=1.6), 320, 160)
CONFIG = CarlaConfig(warm_up_ticks=0, size_tolerance=0.0, connect_timeout_s=60, rpc_timeout_s=60, image_timeout_s=60)


def cars_in_lanes(spot: MapSpot) -> tuple[Actor, ...]:
    """The server's own car models on the lanes before the camera, the nearest 10 m away."""
    points = lane_points_of(spot.file)
    x, z, _ = level_from_map(spot, points.xyz_m)
    yaw = yaw_from_map(spot, points.heading_rad)
    actors: list[Actor] = []
    for blueprint_id, distance_m in (
        ("vehicle.seat.leon", 10),
        ("vehicle.volkswagen.t2", 17),
        ("vehicle.toyota.prius", 25),
    ):
        model = library()[blueprint_id]
        assert model.asset is not None
        miss = np.abs(np.hypot(x, z) - distance_m) + 9.0 * (points.kind != "driving") + 99.0 * (np.abs(x) > 0.5 * z)
        at = int(np.argmin(miss))
        pose = float(x[at]), float(z[at]), float(yaw[at])
        actors.append(Actor(model.asset, *pose, model.dimensions_hwl_m, "car", appearance_seed=model.appearance_seed))
    return tuple(actors)


def by_carla(port: int, scene: Scene) -> Render:
    backend = CarlaBackend("127.0.0.1", port, CONFIG)
    try:
        return backend.render(scene)
    finally:
        backend.close()


def test_both_simulators_show_the_same_cars_on_the_same_road(tmp_path: Path):
    (tmp_path / "Village.xodr").write_text(straight_road())
    spot = draw_spot(str(tmp_path / "Village.xodr"), np.random.default_rng(3))
    scene = Scene(CAMERA, cars_in_lanes(spot), Place(map=spot))
    backend = EmbeddedBackend()
    here = backend.render(scene)
    backend.close()
    with (
        running_server("--maps", str(tmp_path)) as server,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as client,
    ):
        there = client.submit(by_carla, server.port, scene).result(timeout=180)
    ours, theirs = visibility(here), visibility(there)
    assert (ours.visible_px > 30).all()
    assert np.abs(ours.box_xyxy_px - theirs.box_xyxy_px).max() <= 2
    road = (here.semantic == ROAD, there.semantic == ROAD)
    assert (road[0] & road[1]).sum() / (road[0] | road[1]).sum() > 0.95
