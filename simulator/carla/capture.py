"""Cameras on the server, and their images by frame number.

The client's threads only put an image into a queue; what is read of it is read here. Images may come late, in another
order, or not at all.
"""

import queue
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from simulator.carla.connect import ROLE, Connection
from simulator.carla.errors import CaptureFailed
from simulator.carla.library import set_where_there
from simulator.carla.optics import WIDE, Lens
from simulator.carla.unreal import Transform

# Nothing that would make one picture depend on another, or move what is seen from where the pinhole puts it.
NEUTRAL = {
    "role_name": ROLE,
    "sensor_tick": "0.0",
    "lens_circle_multiplier": "0.0",
    "lens_k": "0.0",
    "lens_kcube": "0.0",
    "motion_blur_intensity": "0.0",
    "lens_flare_intensity": "0.0",
    "chromatic_aberration_intensity": "0.0",
    "chromatic_aberration_offset": "0.0",
    "blur_amount": "0.0",
    "exposure_mode": "histogram",
    "exposure_speed_up": "100.0",  # at once: the scene's own exposure is put in afterwards
    "exposure_speed_down": "100.0",
}
KINDS = {
    "rgb": "sensor.camera.rgb",
    "instance": "sensor.camera.instance_segmentation",
    "semantic": "sensor.camera.semantic_segmentation",
    "depth": "sensor.camera.depth",
    "wide": "sensor.camera.instance_segmentation",
}
ROUND_TRIPS = 3
SUBSCRIBED_WITHIN_S = 3.0
PICTURE = ("rgb", "instance", "semantic", "depth")


class ImageLost(CaptureFailed):
    """An image that did not come in time. `fresh`: nothing had come since its camera began to listen."""

    def __init__(self, what: str, fresh: bool = False):
        self.fresh = fresh
        super().__init__(what, "image lost")
        self.args = (what, fresh)


class Shot(NamedTuple):
    """A tick whose images are waited for."""

    names: tuple[str, ...]
    frame: int
    fresh: bool  # one of the cameras had sent nothing yet


class Feed:
    """One camera and the queue its images arrive in."""

    def __init__(self, connection: Connection, name: str, lens: Lens):
        blueprints = connection.world.get_blueprint_library()
        blueprint = blueprints.find(KINDS[name])
        size = {"image_size_x": str(lens.width_px), "image_size_y": str(lens.height_px), "fov": f"{lens.fov_deg:.7f}"}
        set_where_there(blueprint, NEUTRAL | size)
        self.name, self.lens, self._address = name, lens, connection.address
        self._sensor = connection.world.spawn_actor(blueprint, connection.carla.Transform())
        self.actor_id = int(self._sensor.id)
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._early: dict[int, Any] = {}
        self.listening = False
        self.fresh = False  # it listens, but nothing has come yet

    def listen(self) -> None:
        if not self.listening:
            self.listening = self.fresh = True
            self._sensor.listen(self._arrived.put)

    def stop(self) -> None:
        if self.listening:
            self.listening = self.fresh = False
            self._sensor.stop()

    def image(self, frame: int, deadline: float) -> np.ndarray:
        """(H, W, 4) uint8 of the frame. Raises CaptureFailed when it has not come by the deadline (monotonic)."""
        latest = None
        while frame not in self._early:
            try:
                image = self._arrived.get(timeout=max(deadline - time.monotonic(), 1e-3))
            except queue.Empty:
                seen = "none came" if latest is None else f"the last to come was of frame {latest}"
                what = f"{self._address}: no image of frame {frame} from the {self.name} camera ({seen})"
                raise ImageLost(what) from None
            latest, self.fresh = int(image.frame), False
            if latest >= frame:
                self._early[latest] = image
        image = self._early[frame]
        self._early = {at: kept for at, kept in self._early.items() if at > frame}
        pixels = np.frombuffer(image.raw_data, np.uint8).copy()  # raw_data does not keep its image alive
        if pixels.size != 4 * self.lens.width_px * self.lens.height_px:
            asked = f"{self.lens.width_px} x {self.lens.height_px}"
            raise CaptureFailed(
                f"{self._address}: the {self.name} camera sent {pixels.size // 4} pixels of frame {frame}, not {asked}",
                "image broken",
            )
        return pixels.reshape(self.lens.height_px, self.lens.width_px, 4)


class Rig:
    """All cameras of one lens, and the wide one: at one place, moved together, listened to when needed."""

    def __init__(self, connection: Connection, lens: Lens):
        self._connection = connection
        self._slowest_s = 0.0  # how long images were waited for at most
        self.feeds: dict[str, Feed] = {}
        try:
            for name in KINDS:
                self.feeds[name] = Feed(connection, name, WIDE if name == "wide" else lens)
        except BaseException:
            self.destroy()
            raise

    def listen(self, names: Iterable[str]) -> None:
        """These cameras send images, too, once `settle` has been called."""
        for name in names:
            self.feeds[name].listen()

    def settle(self) -> None:
        """Before a tick: the server should know who listens.

        The client subscribes on connections of its own, after `listen` has returned. Calls that wait for an answer give
        that the time of as many round trips; it is no guarantee, see `images`.
        """
        if any(feed.fresh for feed in self.feeds.values()):
            for _ in range(ROUND_TRIPS):
                self._connection.world.get_weather()

    def moves(self, pose: Transform) -> list[Any]:
        """Commands that put every camera there."""
        carla = self._connection.carla
        return [carla.command.ApplyTransform(feed.actor_id, at(carla, pose)) for feed in self.feeds.values()]

    def shoot(self, names: Sequence[str]) -> Shot:
        """Ticks; the images of that frame are on their way."""
        self.settle()
        fresh = any(self.feeds[name].fresh for name in names)
        return Shot(tuple(names), self._connection.tick(), fresh)

    def images(self, shot: Shot, timeout_s: float) -> dict[str, np.ndarray]:
        """A shot's images by camera, all of them within the time. Raises CaptureFailed.

        A camera that had just begun to listen may have been subscribed too late for its first frame: then ImageLost
        says that the same picture may be taken once more.
        """
        began_s = time.monotonic()
        # A server whose images are slow is given more time before they are taken for lost.
        patience_s = max(SUBSCRIBED_WITHIN_S, 3 * self._slowest_s) if shot.fresh else timeout_s
        deadline = began_s + min(timeout_s, patience_s)
        try:
            images = {name: self.feeds[name].image(shot.frame, deadline) for name in shot.names}
        except ImageLost as lost:
            lost.fresh = shot.fresh
            raise
        self._slowest_s = max(self._slowest_s, time.monotonic() - began_s)
        return images

    def stop(self) -> None:
        """No camera sends images any more; those on their way are lost."""
        for feed in self.feeds.values():
            feed.stop()

    def destroy(self) -> None:
        """Cameras that listen are stopped, and a tick passes first: a server may crash otherwise (CARLA 9246, 1821)."""
        if any(feed.listening for feed in self.feeds.values()):
            self.stop()
            self._connection.tick()
        self._connection.destroy([feed.actor_id for feed in self.feeds.values()])


def at(carla: Any, pose: Transform) -> Any:
    """carla.Transform of a pose."""
    return carla.Transform(
        carla.Location(pose.x_m, pose.y_m, pose.z_m), carla.Rotation(pose.pitch_deg, pose.yaw_deg, pose.roll_deg)
    )
