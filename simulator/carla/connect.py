"""The connection to a CARLA server: opened with one clear error, and the server left as it was found.

with Connection("localhost", 2000, CarlaConfig()) as connection:
    connection.load_map("Town03")
    frame = connection.tick()

While it is open the world is in synchronous mode, without parked vehicles (they would be seen and not labelled) and
without what a killed client of ours left behind. What a killed one had found is put back by the next (found.py). The
map that was loaded last stays. One client drives one server.
"""

import atexit
import re
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from dataset.errors import InputError
from simulator.carla.config import CarlaConfig
from simulator.carla.errors import CaptureFailed
from simulator.carla.found import find, leave_note, notes_in
from simulator.carla.wheel import VERSION, import_carla

ROLE = "hardcase"  # role_name of every actor of ours: what a killed client leaves behind is known by it
HIDDEN_LABELS = ("Car", "Truck", "Bus", "Motorcycle", "Bicycle", "Rider", "Pedestrians")
RETRY_S = 0.5
CLOSE_TIMEOUT_S = 6.0  # for all of it
LAST_TICK_S = 2.0
LARGE_MAP = re.compile(r"Town1[1-5](_Opt)?")


class Connection:
    """One client on one server. `close` puts everything back; it also runs when the process exits."""

    def __init__(self, host: str, port: int, config: CarlaConfig):
        """Raises InputError when there is no server, it is not ready in time, of another version, or stays on a large
        map; CaptureFailed when it falls silent meanwhile.
        """
        self.carla = import_carla()
        self.address, self.config = f"{host}:{port}", config
        self.client, self.world = _ready(self.carla, host, port, config)
        self.maps_loaded = self.ticks = 0
        self._hidden: list[int] = []
        self._found = None
        self._open = True
        atexit.register(self.close)
        try:
            self._found = find(self.world)
            if not config.maps:
                self._refuse_large(self.map_name)
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

        Raises InputError for a map that the server does not have, or a large one.
        """
        self._refuse_large(short_name(name))
        if short_name(name) == self.map_name:
            return False
        known = self.maps()
        if short_name(name) not in known:
            raise InputError(self.address, f"no map {name!r}; it has {', '.join(known)}", "name one of those in maps")
        # The note of what was found goes with the map: who is killed while the next one loads leaves things as found.
        self._put_back()
        self.maps_loaded += 1  # also one that never comes has cost the server memory
        self.client.set_timeout(self.config.load_timeout_s)
        try:
            self.world = self.client.load_world(known[short_name(name)], False)
        finally:
            self.client.set_timeout(self.config.rpc_timeout_s)
        self._hidden = []  # they were the other map's
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
        ends_s = time.monotonic() + CLOSE_TIMEOUT_S
        # The settings before the rest: a server that stays synchronous stands still.
        steps = (self._last_tick, self._put_back, self._show_hidden, self._remove_ours)
        if all([self._done(step, ends_s) for step in steps]):
            self._done(self._remove_note, ends_s)  # else the next client has it to do

    def _done(self, step: Callable[[], None], ends_s: float) -> bool:
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            return False
        try:
            self.client.set_timeout(left_s)
            step()
        except RuntimeError:
            return False
        return True

    def _last_tick(self) -> None:
        """Between the cameras' stop and their end: servers have crashed without (CARLA issues 9246, 1821, 9152)."""
        self.world.tick(LAST_TICK_S)

    def _put_back(self) -> None:
        """Settings and weather. Raises RuntimeError where that fails, or what was found is not known."""
        if self._found is None:
            raise RuntimeError("the server was not looked at")
        try:
            self.world.apply_settings(self._found.settings_of(self.carla), CLOSE_TIMEOUT_S)
        finally:
            self.world.set_weather(self._found.weather_of(self.carla))

    def _show_hidden(self) -> None:
        if self._hidden:
            self.world.enable_environment_objects(set(self._hidden), True)

    def _remove_note(self) -> None:
        self.destroy([note.id for note in notes_in(self.world)])

    def _take_over(self) -> None:
        assert self._found is not None
        leave_note(self.carla, self.world, self._found)
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

    def _refuse_large(self, map_name: str) -> None:
        if LARGE_MAP.fullmatch(map_name):
            raise InputError(
                self.address,
                f"{map_name} is a large map, on which instance ids are wrong (CARLA issues 9391, 9491)",
                "name others in simulator.carla.maps, or load one of Town01 to Town07 or Town10HD",
            )

    def _remove_ours(self) -> None:
        self.destroy([actor.id for actor in self.world.get_actors() if actor.attributes.get("role_name") == ROLE])


def short_name(map_name: str) -> str:
    return map_name.rsplit("/", 1)[-1]


def _ready(carla: Any, host: str, port: int, config: CarlaConfig) -> tuple[Any, Any]:
    """A client that has been answered by a server of our version, and the server's world.

    A server that starts, or loads a map, refuses connections, is silent, or tells its version but has no world yet.
    """
    address, deadline = f"{host}:{port}", time.monotonic() + config.connect_timeout_s
    _wait_for_port(host, port, deadline)
    client = carla.Client(host, port)
    client.set_timeout(min(config.rpc_timeout_s, config.connect_timeout_s))
    version = _insisted(client.get_server_version, address, "it accepts connections but has not answered", deadline)
    if not re.match(re.escape(VERSION) + r"\b", version):
        raise InputError(
            address,
            f"the server is CARLA {version}, this client speaks {VERSION} (tags and streams differ between versions)",
            f"start a server of CARLA {VERSION}",
        )
    world = _insisted(client.get_world, address, f"CARLA {VERSION} answers but has had no world", deadline)
    client.set_timeout(config.rpc_timeout_s)
    return client, world


def _insisted(ask: Callable[[], Any], address: str, otherwise: str, deadline: float) -> Any:
    """The answer, asked for until the deadline (monotonic). Raises InputError."""
    began_s = time.monotonic()
    while True:
        try:
            return ask()
        except RuntimeError as reason:
            if time.monotonic() > deadline:
                waited_s = time.monotonic() - began_s
                said = str(reason).strip().splitlines()
                raise InputError(
                    address,
                    f"{otherwise} for {waited_s:.1f} s ({said[0] if said else type(reason).__name__})",
                    "wait until it has loaded its map, or raise connect_timeout_s",
                ) from None
            time.sleep(RETRY_S)


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
