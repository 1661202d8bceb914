"""Every fault of the loopback server, as the real carla client meets it."""

import subprocess
import sys
import time

import numpy as np
import pytest

from dataset.errors import InputError
from simulator.carla.loopback import control
from simulator.carla.loopback.faults import FaultRates, Faults
from tests.carla_loopback import ROOT, camera, in_client, running_server, synchronous


@pytest.fixture
def server(loopback_server):
    """The shared server, put back to an empty street afterwards."""
    yield loopback_server
    loopback_server.reset()


def images_of_frames(client, port, kind, amount):
    """Frames asked for, and when each image came: [frame, seconds after its tick] in the order of arrival."""
    import carla

    from simulator.carla.loopback import control

    world = synchronous(client)
    arrived: list[tuple[int, float]] = []
    asked: dict[int, float] = {}
    eye = camera(world, "semantic_segmentation", carla.Transform(carla.Location(z=2)), image_size_x=32, image_size_y=18)
    eye.listen(lambda image: arrived.append((image.frame, time.monotonic())))
    time.sleep(0.3)
    world.tick()
    time.sleep(1.0)  # the first picture takes longer
    control.inject(port, kind, amount)
    for _ in range(4):
        asked[world.tick()] = time.monotonic()
        time.sleep(0.12)
    time.sleep(0.8)
    eye.stop()
    return {"asked": list(asked), "arrived": [[f, at - asked[f]] for f, at in arrived if f in asked]}


def seen_with(server, kind, amount=1.0):
    answer = in_client(images_of_frames, server, port=server.port, kind=kind, amount=amount)
    order = [answer["asked"].index(frame) for frame, _ in answer["arrived"]]
    return order, [seconds for _, seconds in answer["arrived"]]


def test_a_dropped_image_never_comes(server):
    assert seen_with(server, "dropped_images", 2)[0] == [2, 3]


def test_a_reordered_image_comes_after_its_successor(server):
    assert seen_with(server, "reordered_images")[0] == [1, 0, 2, 3]


def test_a_late_image_comes_late(server):
    order, seconds = seen_with(server, "late_images")
    late_s = seconds[order.index(0)]
    assert sorted(order) == [0, 1, 2, 3] and 0.35 < late_s < 1.0
    assert all(s < 0.3 for i, s in zip(order, seconds, strict=True) if i != 0)


def spawn_three(client):
    world = client.get_world()
    car = world.get_blueprint_library().find("vehicle.audi.tt")
    points = world.get_map().get_spawn_points()
    texts = []
    for i in range(3):
        try:
            world.spawn_actor(car, points[3 * i])
            texts.append("")
        except RuntimeError as error:
            texts.append(str(error))
    return texts


def test_the_next_spawns_fail_as_by_a_collision(server):
    server.inject("spawn_failures", 2)
    texts = in_client(spawn_three, server)
    assert all("collision at spawn position" in text for text in texts[:2]) and texts[2] == ""


def versions(client):
    return [client.get_server_version() for _ in range(2)]


def test_the_version_can_be_wrong(server):
    server.inject("wrong_version", 1)
    assert in_client(versions, server) == ["0.9.15", "0.9.16"]


def wait_through(client, port, kind, seconds):
    from simulator.carla.loopback import control

    client.get_world()
    client.set_timeout(0.5)
    control.inject(port, kind, seconds)
    start = time.monotonic()
    try:
        client.get_available_maps()
        text = ""
    except RuntimeError as error:
        text = str(error)
    answered_s = time.monotonic() - start
    client.set_timeout(10.0)
    time.sleep(max(0.0, seconds + 0.3 - answered_s))
    return {"text": text, "maps": client.get_available_maps()}


def test_a_stalled_server_answers_nothing_and_then_goes_on(server):
    before = server.state()["frame"]
    answer = in_client(wait_through, server, port=server.port, kind="stall", seconds=1.5)
    assert "time-out" in answer["text"] and answer["maps"]
    assert server.state()["frame"] > before


def test_a_loading_server_refuses_connections_and_then_takes_them(server):
    server.inject("loading", 1.0)
    with pytest.raises(InputError, match="refused"):
        server.state()
    time.sleep(1.3)
    assert in_client(versions, server) == ["0.9.16", "0.9.16"]


def test_an_unknown_fault_is_refused_with_those_that_there_are(server):
    with pytest.raises(InputError, match="dropped_images"):
        server.inject("gremlins", 1)


def tick_until_lost(client):
    world = synchronous(client)
    client.set_timeout(1.0)
    try:
        while True:
            world.tick()
    except RuntimeError as error:
        return str(error)


def test_a_server_dies_at_the_frame_it_was_told():
    with running_server() as mortal:
        control.call(mortal.port, "set_episode_settings", [True, False, [True, 0.05]])
        mortal.inject("death", 3)
        assert "time-out" in in_client(tick_until_lost, mortal)
        assert mortal.process.wait(10) == 1
        with pytest.raises(InputError, match="no answer"):
            mortal.state()


def test_a_starting_server_refuses_connections_for_the_time_asked():
    start = time.monotonic()
    with running_server("--loading-s", "1.5", "--version", "0.9.13") as slow:
        assert time.monotonic() - start > 1.5
        assert in_client(versions, slow) == ["0.9.13", "0.9.13"]


def test_the_same_seed_gives_the_same_faults_and_the_rates_are_kept():
    rates = FaultRates(dropped_images=0.2, spawn_failures=0.5)

    def fates(seed: int) -> list[bool]:
        faults = Faults(rates, seed)
        return [faults.strikes("dropped_images") for _ in range(2000)]

    assert fates(3) == fates(3) != fates(4)
    assert np.mean(fates(3)) == pytest.approx(0.2, abs=0.03)


def test_one_kind_of_fault_does_not_shift_another():
    alone, both = Faults(FaultRates(dropped_images=0.3), 1), Faults(FaultRates(dropped_images=0.3, late_images=0.5), 1)
    fates = []
    for _ in range(200):
        both.strikes("late_images")
        fates.append((alone.strikes("dropped_images"), both.strikes("dropped_images")))
    assert all(a == b for a, b in fates)


def test_every_fault_is_told_in_the_help():
    from simulator.carla.loopback.faults import KINDS

    command = [sys.executable, "-m", "simulator.carla.loopback", "--help"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(kind in text for kind in KINDS) and "--dropped-images" in text
