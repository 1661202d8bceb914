"""The connection to a CARLA server: opened with one clear error, and the server left as it was found.

with Connection("localhost", 2000, CarlaConfig()) as connection:
    connection.load_map("Town03")
    frame = connection.tick()

While it is open the world is in synchronous mode, without parked vehicles (they would be seen and not labelled) and
without what a killed client of ours left behind. One client drives one server.
"""

import atexit
import contextlib
import re
import socket
import time
from collections.abc import Sequence
from typing import Any

from dataset.errors import InputError
from simulator.carla.config import CarlaConfig
from simulator.carla.errors import CaptureFailed
from simulator.carla.wheel import VERSION, import_carla

ROLE = "hardcase"  # role_name of every actor of ours: what a killed client leaves behind is known by it
HIDDEN_LABELS = ("Car", "Truck", "Bus", "Motorcycle", "Bicycle", "Rider", "Pedestrians")
RETRY_S = 0.5
CLOSE_TIMEOUT_S = 5.0


class Connection:
    """One client on one server. `close` puts everything back; it also runs when the process exits."""

    def __init__(self, host: str, port: int, config: CarlaConfig):
        """Raises InputError when there is no server, it does not answer in time, or it is of another version;
        CaptureFailed when it falls silent meanwhile.
        """
        self.carla = import_carla()
        self.address, self.config = f"{host}:{port}", config
        self.client = _client(self.carla, host, port, config)
        try:
            self.world = self.client.get_world()
            self._settings_found = self.world.get_settings()
            self._weather_found = self.world.get_weather()
        except RuntimeError as reason:
            raise InputError(self.address, f"the server answers, but has no world: {reason}", _LOADING) from None
        self.maps_loaded = self.ticks = 0
        self._hidden: list[int] = []
        self._open = True
        atexit.register(self.close)
        try:
            self._take_over()
        except RuntimeError as reason:
            self.close()
            raise lost(self.address, "making the world synchronous", reason) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def map_name(self) -> str:
        """The loaded map without its folder: Town03."""
        return short_name(self.world.get_map().name)

    def maps(self) -> dict[str, str]:
        """The server's maps: name without folder -> name."""
        return {short_name(path): path for path in sorted(self.client.get_available_maps())}

    def load_map(self, name: str) -> bool:
        """Loads a map unless it is there; tells whether it did: then every actor is gone.

        Raises InputError for a map that the server does not have.
        """
        if short_name(name) == self.map_name:
            return False
        known = self.maps()
        if short_name(name) not in known:
            raise InputError(self.address, f"no map {name!r}; it has {', '.join(known)}", "name one of those in maps")
        self._hidden = []
        self.client.set_timeout(self.config.load_timeout_s)
        try:
            self.world = self.client.load_world(known[short_name(name)], False)
        finally:
            self.client.set_timeout(self.config.rpc_timeout_s)
        self.maps_loaded += 1
        self._take_over()
        return True

    def tick(self) -> int:
        """One step of the world; the number of its frame."""
        self.ticks += 1
        return int(self.world.tick(self.config.rpc_timeout_s))

    def apply(self, commands: Sequence[Any]) -> list[Any]:
        """A batch of commands, done when this returns; their responses."""
        return list(self.client.apply_batch_sync(list(commands), False)) if commands else []

    def destroy(self, actor_ids: Sequence[int]) -> None:
        """Destroys actors in one batch; those that are gone already do not matter."""
        self.apply([self.carla.command.DestroyActor(actor_id) for actor_id in actor_ids])

    def alive(self, actor_ids: Sequence[int]) -> list[int]:
        """Which of the actors the latest snapshot has: an actor's own `is_alive` is not told by the server."""
        snapshot = self.world.get_snapshot()
        return [actor_id for actor_id in actor_ids if snapshot.has_actor(actor_id)]

    def close(self) -> None:
        """Leaves the server as it was found. Says nothing when the server is gone."""
        if not self._open:
            return
        self._open = False
        atexit.unregister(self.close)
        with contextlib.suppress(RuntimeError):
            self.client.set_timeout(CLOSE_TIMEOUT_S)
            self._remove_ours()
            if self._hidden:
                self.world.enable_environment_objects(set(self._hidden), True)
            self.world.set_weather(self._weather_found)
            self.world.apply_settings(self._settings_found, CLOSE_TIMEOUT_S)

    def _take_over(self) -> None:
        settings = self.world.get_settings()
        settings.synchronous_mode = True
        settings.no_rendering_mode = False  # with it on, cameras leak (CARLA issue 9834)
        settings.fixed_delta_seconds = self.config.fixed_delta_s
        settings.substepping = False
        settings.deterministic_ragdolls = True
        self.world.apply_settings(settings, self.config.rpc_timeout_s)
        self._remove_ours()
        self.tick()
        others = [actor for actor in self.world.get_actors() if actor.type_id.startswith(("vehicle.", "walker."))]
        if others:
            raise InputError(
                self.address,
                f"{len(others)} vehicles and walkers of another client are there, which would have no labels",
                "end the other client, or give this one a server of its own",
            )
        parked = [
            thing
            for label in HIDDEN_LABELS
            for thing in self.world.get_environment_objects(getattr(self.carla.CityObjectLabel, label))
        ]
        self._hidden = [thing.id for thing in parked]
        if self._hidden:
            self.world.enable_environment_objects(set(self._hidden), False)

    def _remove_ours(self) -> None:
        self.destroy([actor.id for actor in self.world.get_actors() if actor.attributes.get("role_name") == ROLE])


_LOADING = "wait until it has loaded its map, or raise connect_timeout_s"


def short_name(map_name: str) -> str:
    return map_name.rsplit("/", 1)[-1]


def _client(carla: Any, host: str, port: int, config: CarlaConfig) -> Any:
    """A client that has been answered by a server of our version."""
    address, deadline = f"{host}:{port}", time.monotonic() + config.connect_timeout_s
    _wait_for_port(host, port, deadline)
    client = carla.Client(host, port)
    client.set_timeout(min(config.rpc_timeout_s, config.connect_timeout_s))
    while True:
        try:
            version = client.get_server_version()
            break
        except RuntimeError as reason:
            if time.monotonic() > deadline:
                waited = f"it accepts connections but has not answered for {config.connect_timeout_s:g} s ({reason})"
                raise InputError(address, waited, _LOADING) from None
            time.sleep(RETRY_S)
    if not re.match(re.escape(VERSION) + r"\b", version):
        raise InputError(
            address,
            f"the server is CARLA {version}, this client speaks {VERSION} (tags and streams differ between versions)",
            f"start a server of CARLA {VERSION}",
        )
    client.set_timeout(config.rpc_timeout_s)
    return client


def _wait_for_port(host: str, port: int, deadline: float) -> None:
    while True:
        try:
            socket.create_connection((host, port), timeout=max(deadline - time.monotonic(), 0.1)).close()
            return
        except OSError as reason:
            if isinstance(reason, socket.gaierror) or time.monotonic() > deadline:
                raise InputError(
                    f"{host}:{port}",
                    f"no CARLA server is there ({reason})",
                    f"start one with ./CarlaUE4.sh -RenderOffScreen -carla-rpc-port={port}, or for a trial "
                    f"python -m simulator.carla.loopback --port {port}",
                ) from None
            time.sleep(RETRY_S)


def lost(address: str, doing: str, reason: RuntimeError) -> CaptureFailed:
    """The client library's own error, told with the server and what was asked of it."""
    return CaptureFailed(f"{address}: {doing}: {str(reason).strip()}")
