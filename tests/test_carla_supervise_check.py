"""What is asked of servers before a run: whether one is ready, and what each offers."""

import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dataset.errors import InputError
from flows.check import Unmet, _carla, check_up
from simulator.carla.pool import Pool, Server, servers_of
from simulator.carla.probe import answers, require_a_server, require_ready, tells_version
from simulator.carla.restart import restart
from tests.carla_loopback import ROOT, Running, in_client, running_server, synchronous


@contextmanager
def service(answer: bytes | None) -> Iterator[Server]:
    """Something that listens: it says this to whoever asks, or nothing."""
    listener, open_ = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_.append(connection)
            if answer is not None:
                connection.recv(100)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield Server("127.0.0.1", listener.getsockname()[1])
    finally:
        listener.close()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x94\x01\x00\xc0\x91\x92\x01\xa3abc"])
def test_a_service_that_is_not_carla_is_told_at_once(answer):
    began_s = time.monotonic()
    with service(answer) as server, pytest.raises(InputError, match="not as CARLA does"):
        require_a_server([server], 60)
    assert time.monotonic() - began_s < 3


def test_a_host_without_an_address_is_told_at_once(monkeypatch):
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # a resolver may take half a minute
    began_s = time.monotonic()
    with pytest.raises(InputError, match=r"no-such-host\.invalid:2000: "):
        require_a_server(servers_of("carla://no-such-host.invalid"), 60)
    assert time.monotonic() - began_s < 30


def test_what_is_waited_for_is_told_once(caplog, monkeypatch):
    monkeypatch.setattr(require_ready, "__defaults__", (0.2,))
    with (
        service(None) as silent,
        caplog.at_level(logging.WARNING),
        pytest.raises(InputError, match=r"is silent.*not CARLA's RPC port.*refuses connections"),
    ):
        require_a_server([silent, Server("127.0.0.1", 9)], 2.5)
    said = [record.getMessage() for record in caplog.records]
    assert [str(silent) in line for line in said] == [True, False] and "127.0.0.1:9 refuses" in said[1]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server() as running:
        yield running


def test_a_server_without_a_world_lives_but_is_not_ready(server):
    there = Server("127.0.0.1", server.port)
    server.inject("unready", 1.5)
    assert tells_version(there) and not answers(there)
    require_a_server([there], 10)
    assert answers(there)


def test_a_restart_is_done_when_the_world_is_there(server):
    began_s = time.monotonic()
    command = f"{sys.executable} -m simulator.carla.loopback.control {{port}} unready 2 --host {{host}}"
    assert restart(Server("127.0.0.1", server.port), f"env PYTHONPATH={ROOT} {command}", 30)
    assert time.monotonic() - began_s > 2


def busy_street(client) -> None:
    """What a client of ours in the middle of a scene has on its server."""
    world = synchronous(client)
    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    blueprint.set_attribute("role_name", "hardcase")
    world.spawn_actor(blueprint, world.get_map().get_spawn_points()[0])


def test_the_check_up_leaves_a_server_alone_that_a_client_of_ours_holds(server):
    in_client(busy_street, server)
    address = f"localhost:{server.port}"
    claim = Pool(servers_of(address)).claim(0)
    try:
        before = server.state()
        text = _carla(address)
        after = server.state()
    finally:
        claim.close()
        server.reset()
    assert text == f"0.9.16 answers at {address}, in use by another client of ours"
    assert before["actors"] == after["actors"] == 1
    assert after["frame"] == before["frame"] and after["connections"] <= before["connections"]


def test_the_check_up_frees_the_server_afterwards(server):
    address = f"127.0.0.1:{server.port}"
    assert "a car was put before the cameras" in _carla(address)
    Pool(servers_of(address)).claim(0).close()


def test_the_check_up_of_a_server_that_is_not_there_says_so_and_lives():
    with pytest.raises(Unmet, match=r"no: 127\.0\.0\.1:9: .*refused"):
        _carla("127.0.0.1:9")


def test_a_server_that_is_named_is_needed(monkeypatch, capsys):
    for other in ("_pins", "_detector", "_renderer", "_gpu", "_prefect"):
        monkeypatch.setattr(f"flows.check.{other}", lambda: "works")
    monkeypatch.delenv("HARDCASE_SIMULATOR", raising=False)
    assert not check_up("127.0.0.1:9", None)
    assert "FAILS: no: 127.0.0.1:9" in capsys.readouterr().out
    assert check_up(None, None) and "no server is named" in capsys.readouterr().out
    monkeypatch.setenv("HARDCASE_SIMULATOR", "127.0.0.1:9")
    assert check_up(None, None), "the environment's may be for another day"
