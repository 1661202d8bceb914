"""Cameras on the server, and their images by frame number.

The client's threads only put an image into a queue; what is read of it is read here. Images may come late, in another
order, or not at all.
"""

import queue
import time
from collections.abc import Iterable, Sequence
from typing import Any

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
ROUND_TRIPS = 4
PICTURE = ("rgb", "instance", "semantic", "depth")


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
        self._listening = False

    def listen(self) -> bool:
        """Whether it did not listen before."""
        if self._listening:
            return False
        self._listening = True
        self._sensor.listen(self._arrived.put)
        return True

    def stop(self) -> None:
        if self._listening:
            self._listening = False
            self._sensor.stop()

    def image(self, frame: int, deadline: float) -> np.ndarray:
        """(H, W, 4) uint8 of the frame. Raises CaptureFailed when it has not come by the deadline (monotonic)."""
        latest = None
        while frame not in self._early:
            try:
                image = self._arrived.get(timeout=max(deadline - time.monotonic(), 1e-3))
            except queue.Empty:
                seen = "none came" if latest is None else f"the last to come was of frame {latest}"
                raise CaptureFailed(
                    f"{self._address}: no image of frame {frame} from the {self.name} camera ({seen})", "image lost"
                ) from None
            latest = int(image.frame)
            if latest >= frame:
                self._early[latest] = image
        image = self._early[frame]
        self._early = {at: kept for at, kept in self._early.items() if at > frame}
        pixels = np.frombuffer(image.raw_data, np.uint8)
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
        self.feeds: dict[str, Feed] = {}
        try:
            for name in KINDS:
                self.feeds[name] = Feed(connection, name, WIDE if name == "wide" else lens)
        except BaseException:
            self.destroy()
            raise

    def listen(self, names: Iterable[str]) -> None:
        """Exactly these cameras send images."""
        wanted, begun = set(names), False
        for name, feed in self.feeds.items():
            if name in wanted:
                begun |= feed.listen()
            else:
                feed.stop()
        if begun:
            # The client subscribes on a connection of its own after `listen` has returned, so a tick now could come before
            # the server knows. Calls that wait for an answer give the subscription the time of as many round trips.
            for _ in range(ROUND_TRIPS):
                self._connection.world.get_weather()

    def moves(self, pose: Transform) -> list[Any]:
        """Commands that put every camera there."""
        carla = self._connection.carla
        return [carla.command.ApplyTransform(feed.actor_id, at(carla, pose)) for feed in self.feeds.values()]

    def images(self, names: Sequence[str], frame: int, timeout_s: float) -> dict[str, np.ndarray]:
        """The frame's images by camera; all of them within the time."""
        deadline = time.monotonic() + timeout_s
        return {name: self.feeds[name].image(frame, deadline) for name in names}

    def stop(self) -> None:
        self.listen(())

    def destroy(self) -> None:
        """Cameras that listen are stopped first: a server may crash otherwise (CARLA issues 9246, 1821)."""
        self.stop()
        self._connection.destroy([feed.actor_id for feed in self.feeds.values()])


def at(carla: Any, pose: Transform) -> Any:
    """carla.Transform of a pose."""
    return carla.Transform(
        carla.Location(pose.x_m, pose.y_m, pose.z_m), carla.Rotation(pose.pitch_deg, pose.yaw_deg, pose.roll_deg)
    )
