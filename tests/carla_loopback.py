"""A loopback server in its own process, and the real carla client in another: a fault of either cannot end pytest."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.carla.loopback import control

ROOT = Path(__file__).parents[1]

CALL = """
import importlib, json, os, sys
import carla
module, name, port, arguments = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
client = carla.Client("127.0.0.1", port, 1)
client.set_timeout(20.0)
answer = getattr(importlib.import_module(module), name)(client, **arguments)
print("\\nANSWER " + json.dumps(answer), flush=True)
os._exit(0)  # the library's threads may abort a process that ends while a sensor listens
"""

# The client library closes a stream twice in about one of a hundred map loads, and aborts: no fault of a server.
CLIENT_RACE = "close: Bad file descriptor"


class ClientRaced(Exception):
    """The client library aborted in a call that cannot be repeated by itself."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    process: subprocess.Popen

    def state(self) -> dict[str, Any]:
        return control.state(self.port)

    def reset(self) -> None:
        """A new episode: asynchronous, no actors, whatever a test that failed has left."""
        control.call(self.port, "load_new_episode", "", True, 0xFFFF)

    def inject(self, kind: str, amount: float) -> None:
        control.inject(self.port, kind, amount)


@contextmanager
def running_server(*options: str) -> Iterator[Running]:
    """A loopback server while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator.carla.loopback", "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), f"the server said {line!r} and ended with {process.poll()}"
        yield Running(int(line.rsplit(":", 1)[1]), process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def in_client(
    function: Callable[..., Any], server: Running, timeout_s: float = 60, tries: int = 3, **arguments: Any
) -> Any:
    """What `function(client, **arguments)` returns (as JSON) in a process of its own with the real carla client.

    Repeated on a server that was reset where the client library aborts; ClientRaced after the last of `tries`.
    """
    command = client_command(function, server, **arguments)
    for _ in range(tries):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s)
        if CLIENT_RACE not in done.stderr:
            break
        server.reset()
    else:
        raise ClientRaced(f"{function.__name__}: {done.stderr[-300:]}")
    assert done.returncode == 0, f"{function.__name__} ended with {done.returncode}: {done.stderr[-3000:]}"
    return json.loads(done.stdout.rsplit("ANSWER ", 1)[1])


def undisturbed(body: Callable[[], Any]) -> Any:
    """What `body` returns, done anew from its beginning where a client that it runs with `tries=1` aborted."""
    for _ in range(2):
        try:
            return body()
        except ClientRaced:
            continue
    return body()


def client_command(function: Callable[..., Any], server: Running, **arguments: Any) -> list[str]:
    """The command that runs `function` with the real client."""
    return [sys.executable, "-c", CALL, function.__module__, function.__name__, str(server.port), json.dumps(arguments)]


def synchronous(client: Any, delta_s: float = 0.05) -> Any:
    """The world in synchronous mode."""
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, delta_s
    world.apply_settings(settings)
    return world


def asynchronous(world: Any) -> None:
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = False, None
    world.apply_settings(settings)


def camera(world: Any, kind: str, transform: Any, parent: Any = None, **attributes: object) -> Any:
    """A small camera, spawned."""
    blueprint = world.get_blueprint_library().find(f"sensor.camera.{kind}")
    for name, value in ({"image_size_x": 160, "image_size_y": 90} | attributes).items():
        blueprint.set_attribute(name, str(value))
    return world.spawn_actor(blueprint, transform, attach_to=parent)
