"""The server: two ports, one world, and the clock that steps it."""

import asyncio
import gc
import os
import resource
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dataset.errors import InputError
from simulator.carla.loopback import wire
from simulator.carla.loopback.actor_functions import Functions
from simulator.carla.loopback.actors import Vector
from simulator.carla.loopback.cameras import Cameras, Paints
from simulator.carla.loopback.episode import Episode, Ids, Settings
from simulator.carla.loopback.faults import Faults
from simulator.carla.loopback.maps import Maps
from simulator.carla.loopback.rpc import RpcPort
from simulator.carla.loopback.sight import hits
from simulator.carla.loopback.streams import Streams

if TYPE_CHECKING:
    from simulator.carla.loopback.props import Prop
    from simulator.carla.loopback.town import Town

FREE_RUNNING_S = 1 / 60  # the step of asynchronous mode on an idle machine
LONGEST_STEP_S = 0.1  # of simulated time, in asynchronous mode
CLOSE_S = 5.0  # at the end, for what is under way


class Server:
    """A CARLA server on `port` (RPC) and `port + 1` (streams); port 0 takes a free pair.

    make_town: (OpenDRIVE text, map name) -> Town; make_painter: Episode -> Painter, called in the towns' thread.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        maps: Maps,
        map_name: str,
        faults: Faults,
        make_town: Callable[[str, str], "Town"],
        make_painter: Callable[[Episode], Paints],
        first_actor_id: int = 1,
    ):
        self.maps, self.faults = maps, faults
        self._make_town = make_town
        opendrive = maps.opendrive(map_name)
        self._sockets = bound_pair(host, port, deaf=faults.rates.loading_s > 0)
        self.port, self.stream_port = (s.getsockname()[1] for s in self._sockets)
        self.streams = Streams(faults)
        # One thread for all towns and painters, so that its memory is one arena that does not grow from map to map.
        self._thread = ThreadPoolExecutor(1, "town")
        self.cameras = Cameras(self.streams, make_painter, self._thread)
        ids = Ids(next_actor=first_actor_id)
        self.episode = Episode(1, map_name, opendrive, make_town(opendrive, map_name), ids, faults)
        self._rpc = RpcPort(Functions(self), faults)
        self._cues = 0
        self._cued = asyncio.Event()
        self._busy = asyncio.Lock()  # a step or a map load
        self._listening: list[asyncio.Server] = []

    async def run(self, on_ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        await self.cameras.prepare(self.episode)
        await asyncio.sleep(self.faults.rates.loading_s)
        self.faults.be_unready(self.faults.rates.unready_s)
        await self._listen()
        clock = asyncio.create_task(self._clock())
        on_ready()
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({clock, stopped}, return_when=asyncio.FIRST_COMPLETED)
        clock.cancel()
        for listening in self._listening:
            listening.close()
        self._rpc.close()
        self.streams.close()
        await self._others_ended({clock, stopped})
        self.cameras.close()
        self._thread.shutdown()
        if clock in done:
            clock.result()

    def cue(self) -> int:
        """Ask for a frame; its number. In asynchronous mode the next one comes by itself."""
        if not self.episode.settings.synchronous:
            return self.episode.ids.frame + 1
        self._cues += 1
        self._cued.set()
        return self.episode.ids.frame + self._cues

    def apply(self, settings: Settings) -> None:
        self.episode.settings = settings
        self._cued.set()  # wakes the clock for the other mode

    async def load(self, map_name: str, settings: Settings) -> None:
        """A new episode; all actors are gone. Raises InputError for an unknown map or one that cannot be read."""
        async with self._busy:
            await self.cameras.until_idle()
            before = self.episode
            opendrive = self.maps.opendrive(map_name)
            if opendrive == before.opendrive:
                town = before.town
                await self._hide(town.props, hidden=False)
            else:
                loop = asyncio.get_running_loop()
                town = await loop.run_in_executor(self._thread, self._make_town, opendrive, map_name)
            self.episode = Episode(
                before.episode_id + 1, map_name, opendrive, town, before.ids, self.faults, settings, before.weather
            )
            await self.cameras.prepare(self.episode)
            del before, town
            gc.collect()  # a town is tens of megabytes: its episode's cycles are not left for later
        self._cued.set()

    async def hide(self, props: "list[Prop]", *, hidden: bool) -> None:
        """Between two frames: those before it are painted with what they were taken with."""
        async with self._busy:
            await self.cameras.until_idle()
            await self._hide(props, hidden=hidden)

    async def _hide(self, props: "list[Prop]", *, hidden: bool) -> None:
        town, loop = self.episode.town, asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, town.hide, props, hidden)

    def cast(self, start: Vector, end: Vector) -> list[tuple[Vector, int]]:
        return hits(self.episode, start, end)

    async def fault(self, kind: str, amount: float) -> None:
        if kind == "loading":
            self._deafen()
            self.faults.be_silent(amount)
            asyncio.get_running_loop().call_later(amount, lambda: asyncio.ensure_future(self._listen()))
        else:
            self.faults.order(kind, amount)

    def state(self) -> dict:
        """What a test asks: counts of what a client may have left behind."""
        kinds = [actor.blueprint.id for actor in self.episode.actors.values() if actor is not self.episode.spectator]
        return {
            "frame": self.episode.ids.frame,
            "episode": self.episode.episode_id,
            "map": self.episode.map_name,
            "synchronous": self.episode.settings.synchronous,
            "actors": sum(not kind.startswith("sensor.") for kind in kinds),
            "sensors": sum(kind.startswith("sensor.") for kind in kinds),
            "subscriptions": self.streams.subscriptions,
            "connections": self._rpc.connections,
            "painted": self.cameras.painted,
            "faults": dict(self.faults.happened),
            "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }

    async def _clock(self) -> None:
        loop = asyncio.get_running_loop()
        last_s = loop.time()
        while True:
            if self.episode.settings.synchronous:
                await self._cued.wait()
                if not self._cues:
                    self._cued.clear()
                    continue
            else:
                self._cues = 0
                await asyncio.sleep(max(0.0, last_s + FREE_RUNNING_S - loop.time()))
            await self.faults.until_answering()
            await self.cameras.until_ready()
            await self.streams.until_drained()
            now_s = loop.time()
            async with self._busy:
                self._step(min(now_s - last_s, LONGEST_STEP_S))
            last_s = now_s

    def _step(self, elapsed_s: float) -> None:
        episode = self.episode
        if self._cues:
            self._cues -= 1
        if self.faults.ends_now():
            os._exit(1)
        if self.faults.strikes("stall"):
            self.faults.be_silent(self.faults.rates.stall_s)
        delta_s = elapsed_s if episode.settings.fixed_delta_s is None else episode.settings.fixed_delta_s
        episode.step(delta_s)
        self.streams.send(wire.WORLD_STREAM, episode.snapshot(delta_s))
        self.cameras.take(episode)

    async def _others_ended(self, but: set[asyncio.Task]) -> None:
        """Connections that were closed, frames under way: cancelled by the loop's end they would be told as errors."""
        others = {task for task in asyncio.all_tasks() - but if task is not asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=CLOSE_S)

    async def _listen(self) -> None:
        for bound, serve in zip(self._sockets, (self._rpc.serve, self.streams.serve), strict=True):
            self._listening.append(await asyncio.start_server(serve, sock=bound))

    def _deafen(self) -> None:
        """Refuse new connections. The ports stay bound, so that nobody else takes them."""
        address = [s.getsockname() for s in self._sockets]
        for listening in self._listening:
            listening.close()
        self._listening.clear()
        self._sockets = tuple(_bound(*a[:2], deaf=True) for a in address)


def _bound(host: str, port: int, *, deaf: bool) -> socket.socket:
    """A socket on the port. A deaf one keeps the port, yet refuses connections until it listens."""
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        if not deaf:
            made.listen()
    except BaseException:
        made.close()
        raise
    return made


def bound_pair(host: str, port: int, *, deaf: bool) -> tuple[socket.socket, ...]:
    """Sockets on two neighbouring ports. Raises InputError when one is in use."""
    for _ in range(100):
        first = None
        try:
            first = _bound(host, port, deaf=deaf)
            return first, _bound(host, first.getsockname()[1] + 1, deaf=deaf)
        except (OSError, OverflowError) as error:
            if first is not None:
                first.close()
            if port:
                raise InputError(
                    f"{host}:{port}",
                    f"this port or {port + 1} cannot be taken ({error})",
                    "end what uses it, or choose another --port (0 finds a free pair)",
                ) from error
    raise InputError(host, "no two free neighbouring ports in 100 tries", "name one with --port")
