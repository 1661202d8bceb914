"""CARLA's structs as msgpack arrays, both ways."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.carla.loopback import wire
from simulator.carla.loopback.actors import Actor, Vector
from simulator.carla.loopback.blueprints import Blueprint, library
from simulator.carla.loopback.episode import Settings
from simulator.carla.loopback.motion import FULL_STEER_DEG, MASS_KG
from simulator.carla.unreal import Transform

if TYPE_CHECKING:
    from simulator.carla.loopback.environment import EnvironmentObject


def vector(raw: Sequence[float]) -> Vector:
    x, y, z = raw[:3]
    return (float(x), float(y), float(z))


def transform(raw: Sequence[Sequence[float]]) -> Transform:
    """[[x, y, z], [pitch, yaw, roll]]"""
    return Transform(*vector(raw[0]), *vector(raw[1]))


def transform_array(t: Transform) -> list:
    return [[t.x_m, t.y_m, t.z_m], [t.pitch_deg, t.yaw_deg, t.roll_deg]]


def settings(raw: list) -> Settings:
    has_delta, *delta = raw[2]
    fixed_delta_s = float(delta[0]) if has_delta and float(delta[0]) > 0 else None
    return Settings(bool(raw[0]), bool(raw[1]), fixed_delta_s, *raw[3:11])


def settings_array(s: Settings) -> list:
    fixed_delta = [False] if s.fixed_delta_s is None else [True, s.fixed_delta_s]
    return [
        s.synchronous, s.no_rendering, fixed_delta, s.substepping, s.max_substep_s, s.max_substeps,
        s.max_culling_distance_m, s.deterministic_ragdolls, s.tile_stream_distance_m, s.actor_active_distance_m,
        s.spectator_as_ego,
    ]  # fmt: skip


def definitions_array() -> list:
    """The whole blueprint library; uids count from 1."""
    return [
        [uid, b.id, ",".join(b.tags), [a.on_the_wire() for a in b.attributes]]
        for uid, b in enumerate(library().values(), start=1)
    ]


def description(raw: list) -> tuple[str, dict[str, str]]:
    """(blueprint id, attributes) of an ActorDescription; attributes that it leaves out keep their defaults."""
    _, blueprint_id, given = raw
    blueprint: Blueprint | None = library().get(blueprint_id)
    defaults = {} if blueprint is None else {a.id: a.value for a in blueprint.attributes}
    return blueprint_id, defaults | {name: value for name, _, value in given}


def actor_array(actor: Actor, stream_port: int) -> list:
    blueprint = actor.blueprint
    kinds = {a.id: a.on_the_wire()[1] for a in blueprint.attributes}
    attributes = [[name, kinds.get(name, 4), value] for name, value in actor.attributes.items()]
    parent_id = 0 if actor.parent is None else actor.parent.actor_id
    token = wire.token(actor.stream_id, stream_port) if actor.stream_id else b""
    described = [0, blueprint.id, attributes]
    return [actor.actor_id, parent_id, described, box_array(actor), bytes(blueprint.semantic_tags), token]


def box_array(actor: Actor) -> list:
    """Its bounding box relative to its origin."""
    return [list(actor.box_center_m), list(actor.extent_m), [0.0, 0.0, 0.0], actor.actor_id]


def world_box_array(actor: Actor) -> list:
    """Its bounding box in the world."""
    box = actor.box
    return [list(box.center_m), list(box.extent_m), [0.0, box.yaw_deg, 0.0], actor.actor_id]


def environment_box_array(thing: "EnvironmentObject") -> list:
    """Its bounding box in the world; it is no actor."""
    return [list(thing.center_m), list(thing.extent_m), [0.0, thing.transform.yaw_deg, 0.0], 0]


def environment_array(thing: "EnvironmentObject") -> list:
    place = transform_array(thing.transform)
    return [place, environment_box_array(thing), thing.object_id, thing.name, thing.tag]


def physics_array(actor: Actor) -> list:
    """VehiclePhysicsControl of an ordinary vehicle of that size."""
    length, width, height = actor.extent_m
    steered = (FULL_STEER_DEG, FULL_STEER_DEG, 0.0, 0.0)
    places = ((1, -1), (1, 1), (-1, -1), (-1, 1))
    wheels = [
        [3.5, 0.25, steer, 0.35, 1500.0, 3000.0, 2.0, 17.0, 1000.0, [along * 0.6 * length, side * 0.8 * width, 0.35]]
        for steer, (along, side) in zip(steered, places, strict=True)
    ]
    return [
        [[0.0, 400.0], [1900.0, 500.0], [5750.0, 400.0]], 5750.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 4.0,
        [[4.0, 0.5, 0.65], [2.5, 0.5, 0.65], [1.6, 0.5, 0.65], [1.0, 0.5, 0.65]], MASS_KG, 0.3,
        [0.0, 0.0, height / 2], [[0.0, 1.0], [120.0, 0.5]], wheels, False,
    ]  # fmt: skip
