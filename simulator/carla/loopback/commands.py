"""What a client tells actors to do: one by one, or as commands of a batch."""

from collections.abc import Callable
from typing import Any

from simulator.carla.loopback import structs
from simulator.carla.loopback.actors import Actor, VehicleControl, WalkerControl
from simulator.carla.loopback.episode import INVALID, Episode
from simulator.carla.loopback.motion import MASS_KG
from simulator.carla.loopback.rpc import Refused

FUTURE_ACTOR = 0  # in a follow-up: the actor that the command before it has spawned
SPAWN, DESTROY = 0, 1
UNKNOWN_TO_BATCHES = {3: "ackermann control", 20: "console"}


def spawn(episode: Episode, description: list, transform: list, parent_id: int | None = None) -> Actor:
    blueprint_id, attributes = structs.description(description)
    if blueprint_id.startswith("sensor.camera.") and not _has_pixels(attributes):
        raise Refused(INVALID)
    return episode.spawn(blueprint_id, attributes, structs.transform(transform), parent_id)


def _has_pixels(camera: dict[str, str]) -> bool:
    """Whether a camera's attributes make an image."""
    try:
        sides_px = [int(camera[side]) for side in ("image_size_x", "image_size_y")]
        return min(sides_px) > 0 and 0.0 < float(camera["fov"]) < 180.0
    except ValueError:
        return False


def control_vehicle(episode: Episode, actor: Actor, control: list) -> None:
    actor.vehicle_control = VehicleControl(*control)


def control_walker(episode: Episode, actor: Actor, control: list) -> None:
    direction, speed, jump = control
    actor.walker_control = WalkerControl(structs.vector(direction), float(speed), bool(jump))


def walker_state(episode: Episode, actor: Actor, transform: list, speed: float) -> None:
    """How CARLA's walker AI moves its walkers: a pose, and the speed that the animation shows."""
    episode.place(actor, structs.transform(transform))
    actor.walker_control = WalkerControl((1.0, 0.0, 0.0), 0.0, False)


def keep_vehicle_physics(episode: Episode, actor: Actor, physics: list) -> None:
    actor.vehicle_physics = physics


def set_transform(episode: Episode, actor: Actor, transform: list) -> None:
    episode.place(actor, structs.transform(transform))


def set_location(episode: Episode, actor: Actor, location: list) -> None:
    x, y, z = structs.vector(location)
    pose = actor.relative if actor.relative is not None else actor.transform
    episode.place(actor, pose._replace(x_m=x, y_m=y, z_m=z))


def set_velocity(episode: Episode, actor: Actor, velocity: list) -> None:
    actor.velocity = structs.vector(velocity)


def set_angular_velocity(episode: Episode, actor: Actor, velocity_deg: list) -> None:
    actor.angular_velocity_deg = structs.vector(velocity_deg)


def push(episode: Episode, actor: Actor, impulse: list) -> None:
    """An impulse in newton seconds, on the mass of a vehicle's physics control or 1500 kg."""
    mass_kg = MASS_KG if actor.vehicle_physics is None else max(1.0, float(actor.vehicle_physics[11]))
    x, y, z = (v + i / mass_kg for v, i in zip(actor.velocity, structs.vector(impulse), strict=True))
    actor.velocity = (x, y, z)


def leave(episode: Episode, actor: Actor, value: object) -> None:
    """Without effect: forces and torques in a kinematic model; autopilot, which a client's traffic manager sees to."""


def set_physics(episode: Episode, actor: Actor, on: bool) -> None:
    actor.physics = bool(on) and actor.parent is None


def set_gravity(episode: Episode, actor: Actor, on: bool) -> None:
    actor.gravity = bool(on)


def set_lights(episode: Episode, actor: Actor, flags: int | list) -> None:
    actor.light_flags = int(flags[0] if isinstance(flags, list) else flags)


Command = Callable[..., None]
ACTOR_COMMANDS: dict[int, Command] = {
    2: control_vehicle, 4: control_walker, 5: keep_vehicle_physics, 6: set_transform, 7: walker_state,
    8: set_velocity, 9: set_angular_velocity, 10: push, 11: leave, 12: leave, 13: leave, 14: set_physics,
    15: set_gravity, 16: leave, 17: leave, 18: set_lights, 19: set_location,
}  # fmt: skip


def act(episode: Episode, command: Command, actor_id: int, *arguments: Any) -> None:
    """One command to one actor. Raises Refused when there is no such actor."""
    actor = episode.actor(actor_id)
    actor.settled = False
    command(episode, actor, *arguments)


def batch(episode: Episode, commands: list) -> list:
    """Every command in turn; one response each: [[1, actor id]] or [[0, [message]]]. Follow-ups have none."""
    return [_response(episode, kind, body) for ((kind, body),) in commands]


def _response(episode: Episode, kind: int, body: list) -> list:
    try:
        return [[1, _run(episode, kind, body, future_id=FUTURE_ACTOR)]]
    except Refused as refusal:
        return [[0, [str(refusal)]]]


def _run(episode: Episode, kind: int, body: list, future_id: int) -> int:
    """The id of the actor that it was about."""
    if kind == SPAWN:
        description, transform, (has_parent, *parent), _attachment, _socket, follow_ups = body
        parent_id = _named(parent[0], future_id) if has_parent else None
        spawned = spawn(episode, description, transform, parent_id)
        for ((follow_up, follow_up_body),) in follow_ups:
            _run(episode, follow_up, follow_up_body, future_id=spawned.actor_id)
        return spawned.actor_id
    if kind in UNKNOWN_TO_BATCHES:
        raise Refused(f"the loopback server has no {UNKNOWN_TO_BATCHES[kind]}")
    if kind not in ACTOR_COMMANDS and kind != DESTROY:
        raise Refused(f"the loopback server has no command {kind}")
    actor_id = _named(body[0], future_id)
    if kind == DESTROY:
        if not episode.destroy(actor_id):
            raise Refused(f"unable to destroy actor {actor_id}: actor not found")
    else:
        act(episode, ACTOR_COMMANDS[kind], actor_id, *body[1:])
    return actor_id


def _named(actor_id: int, future_id: int) -> int:
    return future_id if actor_id == FUTURE_ACTOR else actor_id
