"""A scene on a spot of a map, shown by a CARLA server (the loopback one) and by the embedded simulator: one place."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dataset.schema import Camera
from simulator.backend import Render
from simulator.carla.anchors import anchors_for
from simulator.carla.backend import CarlaBackend
from simulator.carla.config import CarlaConfig
from simulator.carla.loopback.blueprints import library
from simulator.carla.loopback.maps import straight_road
from simulator.carla.spots import find_spot
from simulator.embedded.assets.shapes import ROAD
from simulator.embedded.backend import EmbeddedBackend
from simulator.labels import visibility
from simulator.map_street import draw_spot, level_from_map, stand_on_map, yaw_from_map
from simulator.opendrive.lane_points import lane_points_of
from simulator.scene import Actor, MapSpot, Place, Scene, SceneCamera
from tests.carla_loopback import running_server
from tests.test_map_street import NONE_SEEN

pytest.importorskip("carla")
CAMERA = SceneCamera(Camera(200.0, 200.0, 160.0, 80.0, height_m=1.6), 320, 160)
CONFIG = CarlaConfig(warm_up_ticks=0, size_tolerance=0.0, connect_timeout_s=60, rpc_timeout_s=60, image_timeout_s=60)

CLIMB = 0.004


def slope() -> str:
    """A road along x that climbs a little, with pavements beyond 3.5 m of its middle."""
    level = '<elevation s="0" a="0" b="0"'
    return straight_road().replace(level, level.replace('b="0"', f'b="{CLIMB}"'))


def ground_m(x_m: float, y_m: float) -> float:
    """Of the slope, as a server has it."""
    return CLIMB * x_m + (0.1 if abs(y_m) > 3.5 else 0.0)


def server_with(height_m: Callable[[float, float], float]) -> Any:
    """A connection to a server that knows how high the ground is everywhere, and no more."""

    def project(start: Any, _down: Any, _reach_m: float) -> Any:
        return SimpleNamespace(location=SimpleNamespace(z=height_m(start.x, start.y)), label="Roads")

    def vector(x: float, y: float, z: float) -> Any:
        return SimpleNamespace(x=x, y=y, z=z)

    labels = type("Labels", (), {"__getattr__": lambda _, name: name})()
    carla = SimpleNamespace(Location=vector, Vector3D=vector, CityObjectLabel=labels)
    return SimpleNamespace(carla=carla, world=SimpleNamespace(project_point=project))


def test_who_was_drawn_on_a_maps_slope_or_pavement_stands_on_the_servers_ground(tmp_path: Path):
    (tmp_path / "Hill.xodr").write_text(slope())
    spot = draw_spot(str(tmp_path / "Hill.xodr"), np.random.default_rng(1))
    rng = np.random.default_rng(0)
    drawn = [stand_on_map(kind, kind, spot, (8, 60), rng) for kind in ("pedestrian", "truck") * 20]
    actors = tuple(actor for actor in drawn if actor is not None)
    scene = Scene(CAMERA, actors, Place(map=spot))
    found = find_spot(server_with(ground_m), anchors_for(scene, NONE_SEEN, 1), scene, actors, None)
    assert found is not None and len(actors) > 30
    raised = [abs(actor.lift_m) for actor in actors]
    assert max(raised) > 0.15 and min(raised) < 0.05  # a kerb and some slope; hardly any
    for actor, lift_m in zip(actors, found.lift_m, strict=True):
        assert lift_m is not None
        stands = found.anchor.transform_of(actor.x_m, actor.z_m, actor.yaw_rad, actor.lift_m + lift_m)
        assert stands.z_m == pytest.approx(ground_m(stands.x_m, stands.y_m), abs=0.01)


def test_who_was_drawn_on_flat_ground_is_lifted_to_the_servers(tmp_path: Path):
    (tmp_path / "Hill.xodr").write_text(slope())
    spot = draw_spot(str(tmp_path / "Hill.xodr"), np.random.default_rng(1))
    on_map = Scene(CAMERA, (Actor("pedestrian", 6.0, 20.0, 0.0, (1.8, 0.6, 0.5), "p"),), Place(map=spot))
    found = find_spot(
        server_with(ground_m),
        anchors_for(on_map, NONE_SEEN, 1),
        Scene(CAMERA, on_map.actors, Place()),
        on_map.actors,
        None,
    )
    assert found is not None
    climbed = CLIMB * 20 * np.cos(spot.heading_rad)
    assert found.lift_m == (pytest.approx(0.1 + climbed),)


def cars_in_lanes(spot: MapSpot) -> tuple[Actor, ...]:
    """The server's own car models on the lanes before the camera, the nearest 10 m away."""
    points = lane_points_of(spot.file)
    x, z, rise = level_from_map(spot, points.xyz_m)
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
        actors.append(
            Actor(
                *(model.asset, *pose, model.dimensions_hwl_m, "car"),
                lift_m=float(rise[at]),
                appearance_seed=model.appearance_seed,
            )
        )
    return tuple(actors)


def by_carla(port: int, scene: Scene) -> Render:
    backend = CarlaBackend("127.0.0.1", port, CONFIG)
    try:
        return backend.render(scene)
    finally:
        backend.close()


def test_both_simulators_show_the_same_cars_on_the_same_road(tmp_path: Path):
    (tmp_path / "Village.xodr").write_text(slope())
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
    assert there.scene is not None
    stands_m, drawn_m = ([actor.lift_m for actor in shown.actors] for shown in (there.scene, scene))
    assert stands_m == pytest.approx(drawn_m, abs=0.01) and max(map(abs, drawn_m)) > 0.05
    assert np.abs(ours.box_xyxy_px - theirs.box_xyxy_px).max() <= 2
    road = (here.semantic == ROAD, there.semantic == ROAD)
    assert (road[0] & road[1]).sum() / (road[0] | road[1]).sum() > 0.95
