"""The binary layouts of CARLA 0.9.16: stream tokens, the header of a sensor's message, images, the world snapshot.

All little-endian and packed. A wrong byte count here ends the client's process, so each layout states its size.
"""

import struct
from collections.abc import Iterable

import numpy as np

from simulator.carla.loopback.actors import Actor
from simulator.carla.loopback.records import Picture
from simulator.carla.unreal import Transform

TOKEN = struct.Struct("<IHBB16s")  # 24 bytes: stream id, port, protocol, kind of address, address
TCP, NO_ADDRESS = 1, 0  # without an address the client takes the host that it connected to
SENSOR_HEADER = struct.Struct("<QQd6f")  # 48 bytes: sensor type, frame, simulated time, pose
IMAGE_HEADER = struct.Struct("<IIf")
SNAPSHOT_HEADER = struct.Struct("<Qdf3ii")  # 36 bytes
ACTOR_HEAD = struct.Struct("<IB6f3f3f3f")  # 65 bytes of the 119 of an actor
ACTOR_UNION_BYTES = 54
VEHICLE_STATE = struct.Struct("<fffBBBifBBIB")
WALKER_STATE = struct.Struct("<3ffB")
ACTIVE = 1

WORLD_SNAPSHOT = 17
SENSOR_TYPES = {
    "sensor.camera.depth": 1,
    "sensor.camera.rgb": 13,
    "sensor.camera.semantic_segmentation": 14,
    "sensor.camera.instance_segmentation": 15,
}
WORLD_STREAM = 1
MAP_CHANGED = 1

DEPTH_RANGE_M = 1000.0
DEPTH_STEPS = (1 << 24) - 1


def token(stream_id: int, port: int) -> bytes:
    """Where the client finds a stream."""
    return TOKEN.pack(stream_id, port, TCP, NO_ADDRESS, b"")


def sensor_header(sensor_type: int, frame: int, time_s: float, transform: Transform) -> bytes:
    x, y, z, pitch, yaw, roll = transform
    return SENSOR_HEADER.pack(sensor_type, frame, time_s, x, y, z, pitch, yaw, roll)


def image_message(
    sensor_id: str, picture: Picture, fov_deg: float, frame: int, time_s: float, transform: Transform
) -> bytes:
    """One camera's picture as CARLA encodes it: B, G, R, A bytes."""
    pixels = ENCODERS[sensor_id](picture)
    height, width = pixels.shape[:2]
    header = sensor_header(SENSOR_TYPES[sensor_id], frame, time_s, transform)
    return header + IMAGE_HEADER.pack(width, height, fov_deg) + pixels.tobytes()


def _bgra(b: np.ndarray | int, g: np.ndarray | int, r: np.ndarray | int, shape: tuple[int, ...]) -> np.ndarray:
    pixels = np.empty((*shape, 4), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2], pixels[..., 3] = b, g, r, 255
    return pixels


def _rgb(picture: Picture) -> np.ndarray:
    if picture.rgb is None:
        raise ValueError("the painter was not asked for colour, yet a colour camera listens")
    pixels = np.empty((*picture.tag.shape, 4), np.uint8)
    pixels[..., :3] = picture.rgb[..., ::-1]
    pixels[..., 3] = 255
    return pixels


def _depth(picture: Picture) -> np.ndarray:
    """24 bits of depth over 1000 m, the lowest byte in red; sky is the farthest."""
    steps = np.minimum(picture.depth_m, DEPTH_RANGE_M).astype(np.float64) / DEPTH_RANGE_M * DEPTH_STEPS
    code = np.rint(steps).astype(np.uint32)
    return _bgra(code >> 16 & 255, code >> 8 & 255, code & 255, code.shape)


def _semantic(picture: Picture) -> np.ndarray:
    return _bgra(0, 0, picture.tag, picture.tag.shape)


def _instance(picture: Picture) -> np.ndarray:
    """Tag in red; the low 16 bits of the actor's id in green and blue, low byte first.

    Scenery has ids too, as Unreal's objects do: one a tag, in the upper half of the 16 bits. Sky has none.
    """
    tag = picture.tag.astype(np.uint32)
    scenery = np.where(tag == 11, 0, 0x8000 | tag * 331)
    code = np.where(picture.actor_id > 0, picture.actor_id & 0xFFFF, scenery)
    return _bgra(code >> 8 & 255, code & 255, picture.tag, tag.shape)


ENCODERS = {
    "sensor.camera.rgb": _rgb,
    "sensor.camera.depth": _depth,
    "sensor.camera.semantic_segmentation": _semantic,
    "sensor.camera.instance_segmentation": _instance,
}


def snapshot_message(
    actors: Iterable[Actor],
    *,
    episode_id: int,
    frame: int,
    time_s: float,
    wall_s: float,
    delta_s: float,
    map_changed: bool,
) -> bytes:
    """All actors at one frame: a sensor header, a snapshot header and 119 bytes an actor."""
    parts = [
        sensor_header(WORLD_SNAPSHOT, frame, time_s, Transform()),
        SNAPSHOT_HEADER.pack(episode_id, wall_s, delta_s, 0, 0, 0, MAP_CHANGED if map_changed else 0),
    ]
    for actor in actors:
        parts.append(
            ACTOR_HEAD.pack(
                actor.actor_id, ACTIVE, *actor.transform, *actor.velocity, *actor.angular_velocity_deg,
                *actor.acceleration,
            )
        )  # fmt: skip
        parts.append(_state(actor).ljust(ACTOR_UNION_BYTES, b"\0"))
    return b"".join(parts)


def _state(actor: Actor) -> bytes:
    if actor.blueprint.is_vehicle:
        c = actor.vehicle_control
        return VEHICLE_STATE.pack(
            c.throttle, c.steer, c.brake, c.hand_brake, c.reverse, c.manual_gear_shift, c.gear, SPEED_LIMIT_KM_H, 0, 0,
            0, 0,
        )  # fmt: skip
    if actor.blueprint.is_walker:
        walker = actor.walker_control
        return WALKER_STATE.pack(*walker.direction, walker.speed, walker.jump)
    return b""


SPEED_LIMIT_KM_H = 30.0
