"""A client and a server that stand in for CARLA's where only the supervision is tested: they fail on demand.

The folder named by HARDCASE_FAKES holds, per port: `PORT.plan`, what the next captures do (a line each: abort,
segfault, hang, busy, capture, spawn, client, missing, input, bug, foreign, noisy, load and what happens then, die; none
left: a picture), and `PORT.log`, a line
for each picture.
"""

import ctypes
import fcntl
import os
import socket
import threading
import time
from pathlib import Path

from dataset.errors import InputError
from simulator.backend import Render
from simulator.carla.config import CarlaConfig
from simulator.carla.errors import CaptureFailed
from simulator.recreate import NotRecreatable
from simulator.scene import Scene
from tests.block_backend import render_blocks

FAKES = "HARDCASE_FAKES"
CLIENT = ("tests.carla_fakes", "FakeClient")


class FakeClient:
    """Stands in for CarlaBackend in the capture process."""

    def __init__(self, host: str, port: int, config: CarlaConfig):
        self._folder, self._port = Path(os.environ[FAKES]), port
        self.map_loads = 1
        self._lock = (self._folder / f"{port}.client").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._log("two clients at once")
        self._log(f"open {os.getpid()}")

    def render(self, scene: Scene) -> Render:
        step = self._next_step()
        if step == "abort":
            os.abort()
        if step == "segfault":
            ctypes.string_at(0)
        if step == "hang":
            ctypes.PyDLL(None).sleep(600)  # in C, with the interpreter's lock held, as CARLA's client waits
        if step == "noisy":  # so many threads that what hung stands far over the end of what it says
            for _ in range(40):
                threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            time.sleep(600)
        if step.startswith("load "):
            self.load_map(step.removeprefix("load "))
        if step == "foreign":
            raise Unpicklable("a mistake of ours")
        if step == "busy":
            time.sleep(600)
        if step in ("capture", "spawn"):
            raise CaptureFailed("an image never came", *(["spawn"] if step == "spawn" else []))
        if step == "client":
            raise RuntimeError("time-out of 10000ms while waiting for the simulator")
        if step == "missing":
            raise NotRecreatable("CARLA has no tram")
        if step == "input":
            raise InputError("simulator.carla.maps", "no map Town99", "choose another")
        if step == "bug":
            raise ZeroDivisionError("a mistake of ours")
        if step == "die":
            (self._folder / f"{self._port}.dead").touch()
            raise RuntimeError("time-out of 10000ms while waiting for the simulator")
        self._log(scene.scene_id)
        return render_blocks(scene)

    def load_map(self, then: str) -> None:
        """The name of the real one, which is known by its place in a traceback."""
        if then == "abort":
            os.abort()
        if then == "hang":
            time.sleep(600)
        self.map_loads += 1  # told with what follows
        raise CaptureFailed("an image never came", "image lost")

    def close(self) -> None:
        self._log("close")

    def _next_step(self) -> str:
        plan = self._folder / f"{self._port}.plan"
        steps = plan.read_text().splitlines() if plan.exists() else []
        if steps:
            plan.write_text("\n".join(steps[1:]))
        return steps[0] if steps else ""

    def _log(self, line: str) -> None:
        with (self._folder / f"{self._port}.log").open("a") as log:
            log.write(line + "\n")


class Unpicklable(RuntimeError):
    """Cannot be sent from one process to another."""

    def __reduce__(self):
        raise TypeError("no way")


class FakeServer:
    """Answers the question for its version while there is no file `PORT.dead`, else closes the connection."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def plan(self, *steps: str) -> None:
        (self._folder / f"{self.port}.plan").write_text("\n".join(steps))

    def planned(self) -> list[str]:
        return (self._folder / f"{self.port}.plan").read_text().splitlines()

    def log(self) -> list[str]:
        path = self._folder / f"{self.port}.log"
        return path.read_text().splitlines() if path.exists() else []

    def pictures(self) -> list[str]:
        return [line for line in self.log() if len(line) == 16]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                if not (self._folder / f"{self.port}.dead").exists():
                    connection.recv(100)
                    connection.sendall(b"\x94\x01\x00\xc0\x91\x92\x01\xa60.9.16")

    def close(self) -> None:
        self._listener.close()
