"""The CARLA client over the real wire: the unmodified library, in a process of its own, and a loopback server."""

import multiprocessing
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.backend import Render
from simulator.carla.anchors import map_of
from simulator.carla.backend import CarlaBackend, _moved
from simulator.carla.config import CarlaConfig
from simulator.carla.connect import ROLE, Connection
from simulator.carla.errors import CaptureFailed
from simulator.carla.loopback.blueprints import library
from simulator.carla.loopback.control import inject, state
from simulator.carla.takes import Takes
from simulator.labels import LabelLimits, labels, visibility
from simulator.recreate import NotRecreatable
from simulator.scene import Actor, CameraResponse, Environment, Place, Request, Scene, SceneCamera
from tests.carla_loopback import in_client, running_server, undisturbed

pytest.importorskip("carla")

AHEAD = -np.pi / 2
TOWNS = Path(__file__).parents[2] / "shared" / "data" / "opendrive"
CONFIG = CarlaConfig(warm_up_ticks=0, size_tolerance=0.0, connect_timeout_s=20, rpc_timeout_s=10, image_timeout_s=20)
IMPATIENT = CONFIG.model_copy(update={"image_timeout_s": 4.0})
CAMERA = SceneCamera(Camera(361.0, 361.0, 300.5, 87.0, height_m=1.65, pitch_deg=1.0), 621, 188)
CATEGORIES = ("Car", "Van", "Truck", "Cyclist", "Pedestrian", "Tram")
PLACE = Place(kind="suburb", lane_count=2, camera_offset_m=1.7, lane_width_m=3.5)


def model(blueprint_id: str, x_m: float, z_m: float, yaw_rad: float, category: str) -> Actor:
    """The embedded simulator's actor that is the very shape of a blueprint of the loopback server."""
    blueprint = library()[blueprint_id]
    assert blueprint.asset is not None
    return Actor(
        blueprint.asset, x_m, z_m, yaw_rad, blueprint.dimensions_hwl_m, category, 0.0, blueprint.appearance_seed
    )


# A hidden target, its occluder, one cut by the picture's edge, one that comes, a rider, and what CARLA has not.
ACTORS = (
    model("vehicle.seat.leon", 0.3, 22.0, AHEAD + 0.1, "Car"),
    model("vehicle.volkswagen.t2", 1.2, 13.0, AHEAD, "Van"),
    model("vehicle.toyota.prius", 3.1, 5.5, AHEAD, "Car"),
    model("vehicle.carlamotors.firetruck", -4.0, 30.0, -AHEAD, "Truck"),
    model("vehicle.gazelle.omafiets", -2.2, 9.0, 0.6, "Cyclist"),
    Actor("tram", -8.0, 45.0, AHEAD, (3.5, 2.6, 15.0), "Tram"),
)
SCENE = Scene(
    CAMERA, ACTORS, PLACE, Environment(), CameraResponse(), request=Request("f", "missed", 0, (0, 0, 9, 9), 0.5, 0)
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server whose next actors' ids pass 65536: the instance image has 16 bits."""
    with running_server("--first-actor-id", "65400") as server:
        yield server.port


@pytest.fixture(scope="module")
def client() -> Iterator[ProcessPoolExecutor]:
    """The process of the carla library: its crash is a failed test, no more."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def run(client: ProcessPoolExecutor, task, *arguments):
    return client.submit(task, *arguments).result(timeout=120)


class Watched(CarlaBackend):
    """Remembers where the server's actors stood when the picture was taken, and which lamps were lit."""

    def _cast(self, scene):
        shown, models, self.anchor = super()._cast(scene)
        return shown, models, self.anchor

    def _developed(self, *arguments):
        render = super()._developed(*arguments)
        world, ids = self._connection.world, self._troupe.actor_ids
        snapshot = world.get_snapshot()
        places = [snapshot.find(actor_id).get_transform() for actor_id in ids]
        self.world_xyz_m = np.array([(t.location.x, t.location.y, t.location.z) for t in places])
        self.yaws_rad = [self.anchor.yaw_rad_of(t.rotation.yaw) for t in places]
        actors = [world.get_actor(actor_id) for actor_id in ids]
        self.types = [actor.type_id for actor in actors]
        self.lit = [bool(a.get_light_state()) if a.type_id.startswith("vehicle") else False for a in actors]
        return render


def shown(port: int, scene: Scene) -> tuple[Render, dict]:
    backend = Watched("127.0.0.1", port, CONFIG)
    try:
        before = backend.ticks
        render = backend.render(scene)
        level = backend.anchor.level_of(backend.world_xyz_m)
        seen = {"level": level, "yaws": backend.yaws_rad, "types": backend.types, "lit": backend.lit}
        return render, seen | {"ticks": backend.ticks - before}
    finally:
        backend.close()


def embedded(scene: Scene) -> Render:
    from simulator.embedded.backend import EmbeddedBackend

    backend = EmbeddedBackend()
    try:
        return backend.render(scene)
    finally:
        backend.close()


def rest(port: int) -> dict:
    """What another client finds on the server."""
    import carla

    client = carla.Client("127.0.0.1", port)
    client.set_timeout(10)
    world = client.get_world()
    settings, weather = world.get_settings(), world.get_weather()
    return {
        "ours": [a.type_id for a in world.get_actors() if a.attributes.get("role_name") == ROLE],
        "settings": (settings.synchronous_mode, settings.fixed_delta_seconds, settings.substepping),
        "weather": (weather.cloudiness, weather.sun_altitude_angle, weather.fog_density),
    }


@pytest.fixture(scope="module")
def picture(client, port) -> tuple[Render, dict]:
    return run(client, shown, port, SCENE)


def test_the_same_scene_has_the_same_labels_as_from_the_embedded_simulator(picture):
    render, _ = picture
    assert render.scene is not None
    ours = visibility(render)
    theirs = visibility(embedded(render.scene))
    assert (ours.visible_px > 0).all()
    assert ours.occlusion[0] > 0.2
    assert ours.truncation[2] > 0.1
    assert ours.box_xyxy_px == pytest.approx(theirs.box_xyxy_px, abs=1.0)
    assert ours.occlusion == pytest.approx(theirs.occlusion, abs=0.02)
    assert ours.truncation == pytest.approx(theirs.truncation, abs=0.02)


def test_models_are_those_of_the_asked_for_sizes(picture):
    _, seen = picture
    assert [t.split(".")[-1] for t in seen["types"]] == ["leon", "t2", "prius", "firetruck", "omafiets"]


def test_labels_tell_where_the_servers_actors_stand(picture):
    """Unreal's left-handed world, back to KITTI's camera frame."""
    render, seen = picture
    scene = render.scene
    objects = labels(render, scene, CATEGORIES, LabelLimits(max_occlusion=1, min_visible_px=1))
    x, up, z = seen["level"].T
    pitch = np.radians(CAMERA.intrinsics.pitch_deg)
    down = CAMERA.intrinsics.height_m - up
    expected = [x, down * np.cos(pitch) - z * np.sin(pitch), down * np.sin(pitch) + z * np.cos(pitch)]
    assert objects.location_xyz_m == pytest.approx(np.stack(expected, axis=1), abs=0.05)
    assert np.sin(objects.yaw_rad) == pytest.approx(np.sin(seen["yaws"]), abs=1e-3)
    assert np.cos(objects.yaw_rad) == pytest.approx(np.cos(seen["yaws"]), abs=1e-3)


def test_what_carla_has_not_is_left_out_and_the_request_still_means_its_target(picture):
    render, _ = picture
    assert [a.asset for a in render.scene.actors] == [a.asset for a in ACTORS[:5]]
    assert render.scene.actors[render.scene.request.actor_index].category == "Car"


def test_a_target_that_carla_has_not_is_not_recreatable(client, port):
    request = Request("f", "missed", 5, (0, 0, 9, 9), 0.5, 0)
    scene = replace(SCENE, request=request)
    with pytest.raises(NotRecreatable, match="tram"):
        run(client, shown, port, scene)


def test_its_camera_moves_as_ours_and_the_labels_stay(client, port):
    """At 20 m/s and 1/60 s a thing at 5.5 m, 3.1 m to the right, moves by 361 * 0.33 * 3.1 / 5.5^2 = 12 px."""
    in_lane = replace(ACTORS[1], x_m=0.65)
    scene = replace(SCENE, actors=(ACTORS[0], in_lane, *ACTORS[2:]))
    response = replace(SCENE.response, speed_mps=20.0, exposure_s=1 / 60)
    still, moving = (run(client, shown, port, one)[0] for one in (scene, replace(scene, response=response)))
    assert np.array_equal(moving.instance, still.instance)
    near, ahead = still.instance == 3, still.instance == 2  # beside the camera's lane, and going along in it
    change = np.abs(moving.rgb.astype(int) - still.rgb).mean(axis=2)
    assert change[near].mean() > 3 * change[ahead].mean()


def test_a_camera_that_stands_needs_no_renderer_of_ours(monkeypatch):
    """Warp takes seconds to load and has its own memory; fringes need none of it."""
    monkeypatch.setitem(sys.modules, "simulator.embedded.motion", None)  # importing it fails
    light, depth_m, instance = np.ones((96, 320, 3), np.float32), np.ones((96, 320), np.float32), np.zeros((96, 320))
    standing = (
        SCENE.response,
        replace(SCENE.response, speed_mps=9.0, exposure_s=0.0),
        replace(SCENE.response, exposure_s=0.01),
    )
    for response in standing:
        assert _moved(light, depth_m, instance, replace(SCENE, response=response)) is light


def test_a_distorting_lens_is_refused_and_not_left_out(client, port):
    bent = replace(SCENE, camera=replace(CAMERA, radial_k1=-0.1))
    with pytest.raises(NotRecreatable, match="radial_k1"):
        run(client, shown, port, bent)


def test_depth_of_the_sky_is_infinite_and_of_the_target_its_distance(picture):
    render, _ = picture
    assert np.isinf(render.depth_m[0]).any()
    depth = render.depth_m[render.instance == 2]  # the van: its rear is 2.2 m nearer than its middle
    assert np.median(depth) == pytest.approx(13.0 - 2.2, abs=0.6)


def test_few_ticks_make_a_scene(picture):
    """One for the picture, one a layer of actors; the rest measured five kinds of models, and let the actors appear."""
    _, seen = picture
    assert seen["ticks"] <= 1 + 4 + 5 + 2 + CONFIG.appear_ticks


def hasty(port: int, scene: Scene, ticks: int) -> str:
    backend = CarlaBackend("127.0.0.1", port, CONFIG.model_copy(update={"appear_ticks": ticks}))
    try:
        return str(int((backend.render(scene).instance > 0).sum()))
    except CaptureFailed as error:
        return f"{error.kind}: {error}"
    finally:
        backend.close()


def test_actors_that_the_server_does_not_show_yet_are_an_error_and_no_empty_labels(client, port):
    """CARLA leaves new vehicles and walkers out of the tagged images for three frames."""
    told = run(client, hasty, port, SCENE, 0)
    assert told.startswith("not seen: ")
    assert "vehicle." in told
    assert int(run(client, hasty, port, SCENE, 3)) > 1000


def test_at_night_vehicles_have_their_lamps_on(client, port):
    night = replace(SCENE, actors=ACTORS[:2], environment=Environment(sun_altitude_deg=-10.0))
    _, seen = run(client, shown, port, night)
    assert seen["lit"] == [True, True]


def test_the_server_is_left_as_it_was_found(client, port):
    before = run(client, rest, port)
    run(client, shown, port, replace(SCENE, environment=Environment(cloudiness=0.9, sun_altitude_deg=12.0)))
    assert run(client, rest, port) == before
    assert before["ours"] == []


def fails(port: int, scene: Scene) -> tuple[str, list[str], list[str]]:
    """(error, what of the scene is left on the server, what there is after closing)."""
    backend = CarlaBackend("127.0.0.1", port, IMPATIENT)
    try:
        backend.render(scene)
        inject(port, "dropped_images", 8)  # the instance camera's next, and those of a second try
        try:
            backend.render(scene)
            text = "no error"
        except CaptureFailed as error:
            text = f"{error.kind}: {error}"
        inject(port, "dropped_images", 0)
        backend._connection.tick()
        left = [actor.type_id for actor in backend._connection.world.get_actors()]
        left = [t for t in left if t.startswith(("vehicle.", "walker.", "static."))]
    finally:
        backend.close()
    return text, left, rest(port)["ours"]


def test_a_lost_image_is_told_with_camera_and_frame_and_nothing_is_left_behind(client, port):
    text, left, after = run(client, fails, port, replace(SCENE, actors=ACTORS[:2]))
    assert text.startswith("image lost: ")
    assert "no image of frame" in text
    assert "instance camera" in text
    assert left == after == []


def disturbed(port: int, scene: Scene, fault: str, amount: int) -> np.ndarray:
    backend = CarlaBackend("127.0.0.1", port, CONFIG)
    try:
        calm = backend.render(scene).instance
        inject(port, fault, amount)
        return np.stack([calm, backend.render(scene).instance])
    finally:
        backend.close()


@pytest.mark.parametrize("fault", ["late_images", "reordered_images", "spawn_failures"])
def test_disturbed_images_and_spawns_change_nothing(client, port, fault):
    calm, then = run(client, disturbed, port, replace(SCENE, actors=ACTORS[:2]), fault, 2)
    assert (calm == then).all()


def then_empty(port: int, scene: Scene) -> list[int]:
    backend = CarlaBackend("127.0.0.1", port, CONFIG)
    try:
        return [int((backend.render(one).instance > 0).sum()) for one in (scene, replace(scene, actors=()))]
    finally:
        backend.close()


def test_a_street_without_actors_may_follow_one_with_them(client, port):
    busy_px, empty_px = run(client, then_empty, port, replace(SCENE, actors=ACTORS[:2], request=None))
    assert busy_px > 0 == empty_px


def taken_again(port: int, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    backend = CarlaBackend("127.0.0.1", port, CONFIG)
    fetch = Takes.images
    try:
        once = backend.render(scene)
        Takes.images = lambda self, take: [fetch(self, take), None][1]
        again = backend.render(scene)
    finally:
        Takes.images = fetch
        backend.close()
    return np.stack([once.instance, again.instance]), np.stack([once.silhouettes.area_px, again.silhouettes.area_px])


def test_takes_of_which_images_were_lost_are_repeated_with_all_actors_where_they_were(client, port):
    instance, area_px = run(client, taken_again, port, SCENE)
    assert (instance[0] == instance[1]).all()
    assert len(np.unique(instance[0])) > 3
    assert (area_px[0] == area_px[1]).all()


def crash_leftovers(port: int) -> list[str]:
    """What a client leaves that dies with actors on the server, and what is there after the next has connected."""
    import carla

    client = carla.Client("127.0.0.1", port)
    client.set_timeout(10)
    world = client.get_world()
    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    blueprint.set_attribute("role_name", ROLE)
    world.spawn_actor(blueprint, carla.Transform(carla.Location(0, 0, 50)))
    with Connection("127.0.0.1", port, CONFIG) as connection:
        return [a.type_id for a in connection.world.get_actors() if a.attributes.get("role_name") == ROLE]


def test_what_a_killed_client_left_is_removed(client, port):
    assert run(client, crash_leftovers, port) == []


def connects(port: int, config: CarlaConfig) -> str:
    Connection("127.0.0.1", port, config).close()
    return "connected"


def test_no_server_is_one_error_with_the_remedy(client):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        free = unused.getsockname()[1]
        with pytest.raises(InputError, match=r"no CARLA server is there.*Start one with"):
            run(client, connects, free, CONFIG.model_copy(update={"connect_timeout_s": 0.5}))


def test_a_server_of_another_version_is_refused(client, port):
    inject(port, "wrong_version", 1)
    with pytest.raises(InputError, match=r"start a server of CARLA 0\.9\.16|Start a server of CARLA 0\.9\.16"):
        run(client, connects, port, CONFIG)


def test_a_server_that_is_still_loading_is_waited_for_but_not_for_ever(client, port):
    inject(port, "loading", 3.0)
    with pytest.raises(InputError, match=r"no CARLA server is there|has not answered"):
        run(client, connects, port, CONFIG.model_copy(update={"connect_timeout_s": 0.5}))
    assert run(client, connects, port, CONFIG) == "connected"


def test_a_map_that_the_server_does_not_have_is_told_with_those_it_has(client, port):
    with pytest.raises(InputError, match=r"no map 'Atlantis'; it has .*Straight"):
        run(client, shown_on, port, "Atlantis")


def shown_on(port: int, map_name: str) -> None:
    backend = CarlaBackend("127.0.0.1", port, CONFIG.model_copy(update={"maps": (map_name,)}))
    try:
        backend.render(SCENE)
    finally:
        backend.close()


def tour(client, port: int, scenes: list[str]) -> list[tuple[str, int, bool]]:
    """(map, maps loaded so far, whether the target is seen) of each scene."""
    backend = CarlaBackend("127.0.0.1", port, CONFIG.model_copy(update={"maps": ("Town01", "Town02")}))
    visited = []
    try:
        for scene in map(Scene.from_json, scenes):
            there = bool((backend.render(scene).instance == 1).any())
            visited.append((backend._connection.map_name, backend.map_loads, there))
        return visited
    finally:
        backend.close()


@pytest.mark.skipif(not TOWNS.exists(), reason="needs shared/data/opendrive")
def test_a_scene_is_shown_on_its_own_map_and_the_cameras_follow():
    small = SceneCamera(Camera(120.0, 120.0, 80.0, 24.0), 160, 48)
    asked = Scene(small, ACTORS[:1], PLACE)
    scenes = [
        replace(asked, request=Request(failure, "missed", 0, (0, 0, 9, 9), 0.0, 0)) for failure in ("a", "b", "a")
    ]
    maps = [map_of(scene, ("Town01", "Town02")) for scene in scenes]
    assert maps == ["Town02", "Town01", "Town02"]

    def seen() -> list:
        with running_server("--maps", str(TOWNS), "--map", "Town02") as server:
            return in_client(tour, server, tries=1, port=server.port, scenes=[one.to_json() for one in scenes])

    visited = undisturbed(seen)
    assert [name for name, _, _ in visited] == maps
    assert [loads for _, loads, _ in visited] == [0, 1, 2]
    assert all(there for _, _, there in visited)


def test_nothing_stays_on_the_server(client, port):
    """After all of the above; ids have passed 65536 by now."""
    counts = state(port)
    assert counts["sensors"] == 0
    assert counts["subscriptions"] == 0
