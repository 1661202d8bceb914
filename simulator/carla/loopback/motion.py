"""How actors move in one step: a kinematic bicycle for vehicles, a straight walk for walkers, gravity for both.

Nothing bumps into anything: boxes are looked at only where something is spawned.
"""

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from simulator.carla.loopback.actors import ZERO, Actor, Vector, VehicleControl
from simulator.carla.loopback.geometry import attached, heading_of, rotation_of
from simulator.carla.unreal import Transform

GRAVITY_M_S2 = 9.81
FULL_THROTTLE_M_S2 = 4.0
FULL_BRAKE_M_S2 = 8.0
HAND_BRAKE_M_S2 = 5.0
ROLLING_M_S2 = 0.3  # what a vehicle loses when it coasts
TOP_SPEED_M_S = 50.0
FULL_STEER_DEG = 35.0
MASS_KG = 1500.0  # of a vehicle, where an impulse meets it
WHEELBASE_SHARE = 0.6  # of the length
STILL_M_S = 0.02
JUMP_M_S = 4.2
CONTACT_M = 1e-4
STEP_UP_M = 0.6  # what is higher than this above the feet is a ceiling, a bridge perhaps, and no kerb


class Ground(Protocol):
    """What a town tells of its surfaces."""

    def heights_m(self, points: np.ndarray) -> np.ndarray: ...


def step(actors: Iterable[Actor], delta_s: float, ground: Ground) -> None:
    """Move all actors by `delta_s`. A parent must come before what is attached to it."""
    carried = []
    moving: list[tuple[Actor, Vector]] = []  # with the velocity before
    for actor in actors:
        if actor.parent is not None:
            carried.append(actor)
        elif actor.physics and not actor.settled and delta_s > 0:
            moving.append((actor, actor.velocity))
            _steer(actor, delta_s)
            _advance(actor, delta_s)
    for (actor, before), heights in zip(moving, _ground_heights([a for a, _ in moving], ground), strict=True):
        _fall(actor, delta_s, heights)
        x, y, z = ((v - u) / delta_s for u, v in zip(before, actor.velocity, strict=True))
        actor.acceleration = (x, y, z)
        at_rest = actor.velocity == before == ZERO and actor.angular_velocity_deg == ZERO
        actor.settled = at_rest and not _driven(actor)
    for actor in carried:
        if actor.parent is not None and actor.relative is not None:
            actor.transform = attached(actor.parent.transform, actor.relative)
            actor.velocity = actor.parent.velocity


def _ground_heights(actors: list[Actor], ground: Ground) -> np.ndarray:
    """(N, 3): under the middle, in front and on the right of each actor, by its feet: a bridge above is no ground."""
    points = []
    for actor in actors:
        t, (length, width, _), (ahead_x, ahead_y) = actor.transform, actor.extent_m, heading_of(actor.transform)
        z = t.z_m - actor.origin_height_m + STEP_UP_M
        points.append((t.x_m, t.y_m, z))
        points.append((t.x_m + length * ahead_x, t.y_m + length * ahead_y, z))
        points.append((t.x_m - width * ahead_y, t.y_m + width * ahead_x, z))
    return ground.heights_m(np.array(points)).reshape(-1, 3).astype(float) if points else np.zeros((0, 3))


def standing_m(actor: Actor, ground: Ground) -> float:
    """The height of its origin when it stands on the ground."""
    return float(_ground_heights([actor], ground)[0, 0]) + actor.origin_height_m


def _steer(actor: Actor, delta_s: float) -> None:
    if actor.blueprint.is_vehicle:
        _drive(actor, delta_s)
    elif actor.blueprint.is_walker:
        _walk(actor)
    else:
        _turn(actor, delta_s)


def _driven(actor: Actor) -> bool:
    """Whether something will move it in the next step although it stands."""
    on_throttle = actor.vehicle_control.throttle > 0 and not actor.vehicle_control.hand_brake
    return on_throttle or actor.walker_control.speed > 0 or actor.constant_velocity is not None


def _drive(actor: Actor, delta_s: float) -> None:
    """Speed along the heading from throttle and brake; the heading turns as a bicycle's with the same wheelbase."""
    ahead_x, ahead_y = heading_of(actor.transform)
    vertical = actor.velocity[2]
    if actor.constant_velocity is not None:
        actor.velocity = _world_velocity(actor.transform, actor.constant_velocity)
        speed = actor.velocity[0] * ahead_x + actor.velocity[1] * ahead_y
    else:
        speed = _speed_after(actor.velocity[0] * ahead_x + actor.velocity[1] * ahead_y, actor.vehicle_control, delta_s)
        actor.velocity = (speed * ahead_x, speed * ahead_y, vertical)
    steer = math.radians(FULL_STEER_DEG * max(-1.0, min(1.0, actor.vehicle_control.steer)))
    if abs(speed) > STILL_M_S and steer:
        turn_deg_s = math.degrees(speed * math.tan(steer) / (WHEELBASE_SHARE * 2 * actor.extent_m[0]))
        actor.angular_velocity_deg = (0.0, 0.0, turn_deg_s)
    else:  # tyres end a turn that nothing steers
        turn_deg_s = actor.angular_velocity_deg[2]
        actor.angular_velocity_deg = ZERO
    actor.transform = actor.transform._replace(yaw_deg=_wrapped(actor.transform.yaw_deg + turn_deg_s * delta_s))


def _speed_after(speed: float, control: VehicleControl, delta_s: float) -> float:
    sign = -1.0 if control.reverse or control.gear < 0 else 1.0
    throttle = 0.0 if control.hand_brake else max(0.0, min(1.0, control.throttle))
    pushed = speed + sign * throttle * FULL_THROTTLE_M_S2 * (1 - min(1.0, abs(speed) / TOP_SPEED_M_S)) * delta_s
    slowing = FULL_BRAKE_M_S2 * max(0.0, min(1.0, control.brake)) + (HAND_BRAKE_M_S2 if control.hand_brake else 0.0)
    if not throttle:
        slowing += ROLLING_M_S2
    slowed = math.copysign(max(0.0, abs(pushed) - slowing * delta_s), pushed)
    return 0.0 if not throttle and abs(slowed) < STILL_M_S else slowed


def _walk(actor: Actor) -> None:
    """A walker walks the way its control says and faces it."""
    control = actor.walker_control
    x, y, _ = control.direction
    norm = math.hypot(x, y)
    vertical = actor.velocity[2]
    if control.jump and actor.gravity:
        vertical, control.jump = JUMP_M_S, False
    if norm and control.speed:
        actor.velocity = (x / norm * control.speed, y / norm * control.speed, vertical)
        actor.transform = actor.transform._replace(yaw_deg=math.degrees(math.atan2(y, x)))
    else:
        actor.velocity = (0.0, 0.0, vertical)


def _turn(actor: Actor, delta_s: float) -> None:
    roll, pitch, yaw = (rate * delta_s for rate in actor.angular_velocity_deg)
    t = actor.transform
    actor.transform = t._replace(
        pitch_deg=t.pitch_deg + pitch, yaw_deg=_wrapped(t.yaw_deg + yaw), roll_deg=t.roll_deg + roll
    )


def _advance(actor: Actor, delta_s: float) -> None:
    vx, vy, _ = actor.velocity
    if vx or vy:
        t = actor.transform
        actor.transform = t._replace(x_m=t.x_m + vx * delta_s, y_m=t.y_m + vy * delta_s)


def _fall(actor: Actor, delta_s: float, heights_m: np.ndarray) -> None:
    """Down to the ground, or along it; a vehicle leans as the ground below it does."""
    t, (vx, vy, vz) = actor.transform, actor.velocity
    below, ahead, right = heights_m.tolist()
    resting_z = below + actor.origin_height_m
    if actor.gravity:
        vz -= GRAVITY_M_S2 * delta_s
    z = t.z_m + vz * delta_s
    if z > resting_z + CONTACT_M:
        actor.transform, actor.velocity = t._replace(z_m=z), (vx, vy, vz)
        return
    actor.transform, actor.velocity = t._replace(z_m=resting_z), (vx, vy, 0.0)
    if actor.blueprint.is_vehicle:
        length, width, _ = actor.extent_m
        pitch, roll = math.atan2(ahead - below, length), math.atan2(below - right, width)
        actor.transform = actor.transform._replace(pitch_deg=math.degrees(pitch), roll_deg=math.degrees(roll))


def _world_velocity(transform: Transform, local: Vector) -> Vector:
    x, y, z = (float(c) for c in rotation_of(transform) @ local)
    return (x, y, z)


def _wrapped(angle_deg: float) -> float:
    return (angle_deg + 180) % 360 - 180
