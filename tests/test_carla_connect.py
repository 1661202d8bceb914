"""The real client's connection to a loopback server: what it finds, what it leaves, how long it waits."""

import os
import time
from collections.abc import Iterator

import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.carla.config import CarlaConfig
from simulator.carla.connect import Connection
from simulator.carla.loopback import control
from simulator.carla.loopback.maps import straight_road
from simulator.scene import Actor, Scene, SceneCamera
from tests.carla_loopback import Running, camera, in_client, running_server, undisturbed

pytest.importorskip("carla")

HOST = "127.0.0.1"
CONFIG = CarlaConfig(warm_up_ticks=0, connect_timeout_s=15, rpc_timeout_s=5, image_timeout_s=10)
SCENE = Scene(
    SceneCamera(Camera(120.0, 120.0, 80.0, 45.0), 160, 96), (Actor("car", 0.0, 12.0, -1.57, (1.5, 1.8, 4.3), "car"),)
)


@pytest.fixture(scope="module")
def towns(tmp_path_factory) -> Iterator[Running]:
    """A server with two small maps and one that has the name of a large one."""
    folder = tmp_path_factory.mktemp("maps")
    for name in ("Ahead", "Beyond", "Town12"):
        (folder / f"{name}.xodr").write_text(straight_road())
    with running_server("--maps", str(folder), "--map", "Ahead") as server:
        yield server


@pytest.fixture
def server(towns) -> Iterator[Running]:
    yield towns
    control.call(towns.port, "load_new_episode", "Ahead", True, 0xFFFF)


def world_of(client) -> dict:
    """What another client finds."""
    world = client.get_world()
    settings, weather = world.get_settings(), world.get_weather()
    if settings.synchronous_mode:
        world.tick()
    return {
        "settings": [settings.synchronous_mode, settings.fixed_delta_seconds, settings.substepping],
        "weather": [weather.cloudiness, weather.sun_altitude_angle, weather.fog_density],
        "actors": sorted(actor.type_id for actor in world.get_actors()),
    }


def rain(client) -> None:
    """Somebody's own weather and settings."""
    import carla

    world = client.get_world()
    world.set_weather(carla.WeatherParameters(cloudiness=33, sun_altitude_angle=21, fog_density=7))
    settings = world.get_settings()
    settings.fixed_delta_seconds = 0.04
    world.apply_settings(settings)


def killed(client, port, maps) -> None:
    """A client of ours that ends in the middle of a scene, without a word."""
    from simulator.carla.backend import CarlaBackend
    from simulator.carla.takes import Takes

    backend = CarlaBackend(HOST, port, CONFIG.model_copy(update={"maps": maps}))
    Takes.images = lambda *_: os._exit(0)  # type: ignore[method-assign]
    print('ANSWER "killed"', flush=True)
    backend.render(SCENE)


def rendered(client, port, maps) -> bool:
    from simulator.carla.backend import CarlaBackend

    backend = CarlaBackend(HOST, port, CONFIG.model_copy(update={"maps": maps}))
    seen = bool((backend.render(SCENE).instance == 1).any())
    backend.close()
    return seen


@pytest.mark.parametrize("maps", [(), ("Beyond",)], ids=["on the map found", "on another map"])
def test_what_a_killed_client_had_found_is_put_back_by_the_next(server, maps):
    def seen() -> tuple[dict, dict, dict]:
        control.call(server.port, "load_new_episode", "Ahead", True, 0xFFFF)
        in_client(rain, server)
        before = in_client(world_of, server)
        assert in_client(killed, server, port=server.port, maps=maps, tries=1) == "killed"
        between = in_client(world_of, server)
        assert in_client(rendered, server, port=server.port, maps=maps, tries=1)
        return before, between, in_client(world_of, server)

    before, between, after = undisturbed(seen)
    assert between["settings"][0] and between["weather"] != before["weather"] and len(between["actors"]) > 3
    assert after == before


def killed_while_loading(client, port) -> None:
    connection = Connection(HOST, port, CONFIG.model_copy(update={"maps": ("Ahead", "Beyond")}))
    connection.client = Dying(connection.client)
    print('ANSWER "killed"', flush=True)
    connection.load_map("Beyond")


class Dying:
    """A client whose process ends as soon as the server has loaded a map."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def load_world(self, *arguments):
        self._client.load_world(*arguments)
        os._exit(0)


def test_a_client_that_is_killed_while_a_map_loads_leaves_settings_and_weather_as_found(server):
    def seen() -> tuple[dict, dict]:
        control.call(server.port, "load_new_episode", "Ahead", True, 0xFFFF)
        in_client(rain, server)
        before = in_client(world_of, server)
        assert in_client(killed_while_loading, server, port=server.port, tries=1) == "killed"
        assert server.state()["map"] == "Beyond"
        return before, in_client(world_of, server)

    before, after = undisturbed(seen)
    assert after == before


def closed_with_failures(client, port) -> None:
    connection = Connection(HOST, port, CONFIG)

    def fails():
        raise RuntimeError("time-out of 5000ms while waiting for the simulator")

    connection._last_tick = connection._remove_ours = fails  # type: ignore[method-assign]
    connection.close()


def test_a_step_of_the_end_that_fails_does_not_keep_the_others_from_being_done(server):
    before = in_client(world_of, server)
    in_client(closed_with_failures, server, port=server.port)
    left = in_client(world_of, server)
    assert left["settings"] == before["settings"] and left["weather"] == before["weather"]
    assert left["actors"] == sorted([*before["actors"], "sensor.other.gnss"]), "the note stays for the next client"
    in_client(rendered, server, port=server.port, maps=())
    assert in_client(world_of, server) == before


def order_of_the_end(client, port) -> list[str]:
    """What the server is asked for at the end."""
    from simulator.carla.backend import CarlaBackend

    backend, steps = CarlaBackend(HOST, port, CONFIG), []
    backend.render(SCENE)
    connection = backend._connection
    for name in ("_last_tick", "destroy"):
        done = getattr(connection, name)
        setattr(connection, name, lambda *given, name=name, done=done: [steps.append(name), done(*given)])
    backend.close()
    return steps


def test_the_world_is_ticked_between_the_cameras_stop_and_their_end(server):
    assert in_client(order_of_the_end, server, port=server.port)[0] == "_last_tick"


def connected_s(client, port, connect_timeout_s, maps=()) -> dict:
    config = CONFIG.model_copy(update={"connect_timeout_s": connect_timeout_s, "maps": maps})
    began_s = time.monotonic()
    try:
        with Connection(HOST, port, config) as connection:
            text = connection.map_name
    except InputError as error:
        text = str(error)
    return {"text": text, "seconds": time.monotonic() - began_s}


def connected_to_unready(client, port, connect_timeout_s, unready_s) -> dict:
    """As `connected_s`, the server being without a world from now on for so long."""
    control.inject(port, "unready", unready_s)
    return connected_s(client, port, connect_timeout_s)


def test_a_server_that_tells_its_version_but_has_no_world_yet_is_waited_for(server):
    try:
        impatient = in_client(connected_to_unready, server, port=server.port, connect_timeout_s=3, unready_s=30)
    finally:
        server.inject("unready", 0)
    assert "has had no world" in impatient["text"] and "episode not ready" in impatient["text"]
    patient = in_client(connected_to_unready, server, port=server.port, connect_timeout_s=15, unready_s=2)
    assert patient["text"] == "Ahead" and patient["seconds"] > 1.5


def test_a_large_map_is_refused_with_the_reason_and_what_to_do(server):
    text = in_client(loaded, server, port=server.port)
    assert "Town12" in text and "9391" in text and "simulator.carla.maps" in text
    in_client(load_town12, server)
    text = in_client(connected_s, server, port=server.port, connect_timeout_s=5)["text"]
    assert "Town12 is a large map" in text
    assert in_client(connected_s, server, port=server.port, connect_timeout_s=5, maps=["Ahead"])["text"] == "Town12"
    assert not server.state()["synchronous"] and server.state()["sensors"] == 0


def loaded(client, port) -> str:
    with Connection(HOST, port, CONFIG) as connection:
        try:
            connection.load_map("Town12")
        except InputError as error:
            return str(error)
    return "loaded"


def load_town12(client) -> None:
    client.load_world("Town12")


def parked(client, port) -> dict:
    """A car beside the road as a camera over it sees it: before, while, and after a client of ours is there."""
    import queue

    import carla
    import numpy as np

    world = client.get_world()
    cars = world.get_environment_objects(carla.CityObjectLabel.Car)
    at = cars[0].bounding_box.location
    eye = carla.Transform(carla.Location(at.x, at.y, at.z + 8), carla.Rotation(pitch=-90))

    def tags(world, kind):
        seen, images = camera(world, kind, eye, fov=30), queue.Queue()
        seen.listen(images.put)
        while images.empty():  # the server may learn of the subscription late
            world.tick()
            time.sleep(0.2)
        image = images.get()
        seen.stop()
        world.tick()
        seen.destroy()
        pixels = np.frombuffer(image.raw_data, np.uint8).copy()  # raw_data does not keep its image alive
        return pixels.reshape(image.height, image.width, 4)[..., 2]

    def share(world):
        semantic, instance = (tags(world, f"{kind}_segmentation") for kind in ("semantic", "instance"))
        return [float((semantic == 14).mean()), float((instance == 14).mean())]

    def drop_m(world):
        return eye.location.z - world.ground_projection(eye.location, 20).location.z

    before = [*share(world), drop_m(world)]
    with Connection(HOST, port, CONFIG) as connection:
        between = [*share(connection.world), drop_m(connection.world)]
    after = [*share(world), drop_m(world)]
    return {"count": len(cars), "seen": [before, between, after]}


def test_parked_cars_are_hidden_while_a_client_of_ours_renders_and_shown_again_afterwards(server):
    told = in_client(parked, server, port=server.port)
    before, between, after = told["seen"]
    assert told["count"] > 5
    assert before[:2] == pytest.approx(after[:2]) and min(before[:2]) > 0.05
    assert between[:2] == [0, 0], "a car without a label"
    assert between[2] - before[2] > 1.0 and after[2] == pytest.approx(before[2]), "rays go through what is hidden"
