"""The cameras: which are due at a frame, painted by threads beside the server, sent as CARLA encodes them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from simulator.carla.loopback import wire
from simulator.carla.loopback.actors import Actor
from simulator.carla.loopback.episode import Episode
from simulator.carla.loopback.records import Body, Picture, View, Weather
from simulator.carla.loopback.streams import Streams

log = logging.getLogger(__name__)

PAINTING_THREADS = 2  # pictures painted at a time: a ray tracer on a CPU keeps one core busy
FRAMES_WAITING = 2  # so many may be painted or wait for it before the next frame is made
SLACK_S = 1e-4  # sums of steps do not meet a sensor's period exactly


class Paints(Protocol):
    """What `simulator.carla.loopback.painter.Painter` does."""

    def paint(self, view: View, bodies: Sequence[Body], weather: Weather, *, color: bool, frame: int) -> Picture: ...


@dataclass
class Shot:
    """One picture to paint, and the cameras that share it: the same pose, size and angle."""

    view: View
    sensors: list[Actor] = field(default_factory=list)

    @property
    def color(self) -> bool:
        return any(s.blueprint.id == "sensor.camera.rgb" for s in self.sensors)


class Cameras:
    """Paints for the cameras that somebody listens to, several pictures at a time; frames are sent in their order.

    `make_painter` is called in `thread`, which has one worker; its painter's `paint` in several threads at once.
    """

    def __init__(self, streams: Streams, make_painter: Callable[[Episode], Paints], thread: ThreadPoolExecutor):
        self._streams = streams
        self._make_painter = make_painter
        self._thread = thread
        self._painting = ThreadPoolExecutor(PAINTING_THREADS, "painting")
        self._painter: tuple[int, Paints] | None = None  # with its episode's id
        self._due_s: dict[int, float] = {}
        self._waiting: list[asyncio.Task] = []  # a frame each, the oldest first
        self.painted = 0

    async def prepare(self, episode: Episode) -> None:
        """Make the episode's painter now. Raises InputError for an absent device."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._make_painter_of, episode)

    def take(self, episode: Episode) -> None:
        """Have this frame painted for the cameras that are due. Returns at once."""
        if episode.settings.no_rendering:
            return
        shots = self._shots(episode)
        if not shots:
            return
        if self._painter is None or self._painter[0] != episode.episode_id:
            raise RuntimeError(f"no painter was prepared for episode {episode.episode_id}")
        painter, loop, ids = self._painter[1], asyncio.get_running_loop(), episode.ids
        scene = (episode.bodies(), episode.weather, ids.frame, ids.simulated_s)
        jobs = [loop.run_in_executor(self._painting, _messages, painter, shot, *scene) for shot in shots]
        before = self._waiting[-1] if self._waiting else None
        frame = loop.create_task(self._send(jobs, before))
        self._waiting.append(frame)
        frame.add_done_callback(self._finished)

    async def until_ready(self) -> None:
        """Wait while too many frames are waiting: the simulation runs no faster than it is painted, as in CARLA."""
        while len(self._waiting) >= FRAMES_WAITING:
            await asyncio.wait(self._waiting, return_when=asyncio.FIRST_COMPLETED)

    async def until_idle(self) -> None:
        if self._waiting:
            await asyncio.wait(self._waiting)

    def close(self) -> None:
        """Wait until the pictures that are being painted are finished; the painter and its town are given up."""
        self._painting.shutdown(cancel_futures=True)
        self._painter = None

    def _shots(self, episode: Episode) -> list[Shot]:
        shots: dict[View, Shot] = {}
        now_s = episode.ids.simulated_s
        alive = set()
        for sensor in episode.sensors():
            if sensor.blueprint.id not in wire.ENCODERS or not self._streams.listened(sensor.stream_id):
                continue
            alive.add(sensor.actor_id)
            due_s = self._due_s.get(sensor.actor_id, now_s)
            if now_s + SLACK_S < due_s:
                continue
            period_s = float(sensor.attributes.get("sensor_tick", 0) or 0)
            self._due_s[sensor.actor_id] = max(due_s, now_s - period_s) + period_s
            view = view_of(sensor)
            shots.setdefault(view, Shot(view)).sensors.append(sensor)
        self._due_s = {sensor_id: due_s for sensor_id, due_s in self._due_s.items() if sensor_id in alive}
        return list(shots.values())

    async def _send(self, jobs: Sequence[asyncio.Future], before: asyncio.Task | None) -> None:
        """Each picture when it is painted, but none before those of the frame before."""
        if before is not None:
            await asyncio.wait([before])
        for job in jobs:
            for stream_id, message in await job:
                self._streams.send_image(stream_id, message)
            self.painted += 1

    def _make_painter_of(self, episode: Episode) -> None:
        """In the one thread, with no picture being painted: one painter an episode."""
        if self._painter is None or self._painter[0] != episode.episode_id:
            self._painter = (episode.episode_id, self._make_painter(episode))

    def _finished(self, frame: asyncio.Task) -> None:
        self._waiting.remove(frame)
        if not frame.cancelled() and (error := frame.exception()) is not None:
            log.error("a frame could not be painted", exc_info=error)


def _messages(
    painter: Paints, shot: Shot, bodies: list[Body], weather: Weather, frame: int, time_s: float
) -> list[tuple[int, bytes]]:
    """In a painting thread: (stream id, encoded image) of each camera that shares the picture."""
    picture = painter.paint(shot.view, bodies, weather, color=shot.color, frame=frame)
    return [
        (
            sensor.stream_id,
            wire.image_message(sensor.blueprint.id, picture, shot.view.fov_deg, frame, time_s, shot.view.transform),
        )
        for sensor in shot.sensors
    ]


def view_of(sensor: Actor) -> View:
    """The camera that a sensor's attributes describe, at its pose now."""
    return View(
        width_px=int(sensor.attributes["image_size_x"]),
        height_px=int(sensor.attributes["image_size_y"]),
        fov_deg=float(sensor.attributes["fov"]),
        transform=sensor.transform,
    )
