"""The simulated world between two map loads: its actors, weather and settings, and one step of it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from simulator.carla.loopback import motion, wire
from simulator.carla.loopback.actors import ZERO, Actor
from simulator.carla.loopback.blueprints import Blueprint, library, spectator_blueprint
from simulator.carla.loopback.faults import Faults
from simulator.carla.loopback.geometry import attached, overlap
from simulator.carla.loopback.records import Body, Weather
from simulator.carla.loopback.rpc import Refused
from simulator.carla.unreal import Transform

if TYPE_CHECKING:
    from simulator.carla.loopback.environment import EnvironmentObject
    from simulator.carla.loopback.town import Town

COLLISION = "Spawn failed because of collision at spawn position"
INVALID = "Spawn failed because of invalid actor description"
# TaggedComponent and the skeletal meshes of CARLA 0.9.16 wait so long; there only in the tagged images.
APPEAR_AFTER_FRAMES = 3
SPAWN_GAP_M = 0.02  # boxes may come this close: neighbours bumper to bumper are no collision


@dataclass(frozen=True)
class Settings:
    """CARLA's EpisodeSettings, in the order of the wire."""

    synchronous: bool = False
    no_rendering: bool = False
    fixed_delta_s: float | None = None
    substepping: bool = True
    max_substep_s: float = 0.01
    max_substeps: int = 10
    max_culling_distance_m: float = 0.0
    deterministic_ragdolls: bool = True
    tile_stream_distance_m: float = 3000.0
    actor_active_distance_m: float = 2000.0
    spectator_as_ego: bool = True


@dataclass
class Ids:
    """Numbers that never come back while the server runs, over all episodes."""

    next_actor: int = 1
    next_stream: int = wire.WORLD_STREAM + 1
    frame: int = 0
    simulated_s: float = 0.0


@dataclass
class Episode:
    """One map with what was spawned into it."""

    episode_id: int
    map_name: str
    opendrive: str
    town: "Town"
    ids: Ids
    faults: Faults
    settings: Settings = field(default_factory=Settings)
    weather: Weather = field(default_factory=Weather)
    actors: dict[int, Actor] = field(default_factory=dict)
    map_changed: bool = True  # told once, in the first snapshot

    def __post_init__(self) -> None:
        self.spectator = self._add(spectator_blueprint(), {}, Transform(z_m=10.0))

    def actor(self, actor_id: int) -> Actor:
        """Raises Refused when there is none."""
        if actor_id not in self.actors:
            raise Refused(f"unable to find actor {actor_id}: actor not found")
        return self.actors[actor_id]

    def spawn(
        self, blueprint_id: str, attributes: dict[str, str], transform: Transform, parent_id: int | None = None
    ) -> Actor:
        """A new actor; `transform` is relative to the parent where there is one. Raises Refused."""
        blueprint = library().get(blueprint_id)
        if blueprint is None:
            raise Refused(INVALID)
        if self.faults.strikes("spawn_failures"):
            raise Refused(COLLISION)
        parent = None if parent_id is None else self.actor(parent_id)
        pose = transform if parent is None else attached(parent.transform, transform)
        actor = Actor(-1, blueprint, attributes, pose, physics=blueprint.is_vehicle or blueprint.is_walker)
        if blueprint.is_walker and parent is None:  # Unreal lifts the capsule out of the ground
            pose = pose._replace(z_m=max(pose.z_m, motion.standing_m(actor, self.town)))
            actor.transform = pose
        if parent is None and not blueprint.is_prop and self._blocked(actor):
            raise Refused(COLLISION)
        actor = self._add(blueprint, attributes, pose)
        if parent is not None:
            actor.parent, actor.relative = parent, transform
            actor.physics = False
            parent.children.append(actor)
        return actor

    def destroy(self, actor_id: int) -> bool:
        """Take an actor away. What was attached to it stays where it is, on its own, as Unreal leaves it."""
        actor = self.actors.pop(actor_id, None)
        if actor is None:
            return False
        if actor.parent is not None:
            actor.parent.children.remove(actor)
        for child in actor.children:
            child.parent = child.relative = None
            child.velocity = ZERO
        return True

    def place(self, actor: Actor, transform: Transform) -> None:
        """Set a pose: in the world, or of an attached actor relative to its parent."""
        if actor.parent is None:
            actor.transform = transform
        else:
            actor.relative, actor.transform = transform, attached(actor.parent.transform, transform)
        actor.settled = False
        self._carry(actor)

    def step(self, delta_s: float) -> None:
        """The next frame."""
        self.ids.frame += 1
        self.ids.simulated_s += delta_s
        motion.step(self.actors.values(), delta_s, self.town)

    def snapshot(self, delta_s: float) -> bytes:
        """All actors now, as it goes over the wire."""
        message = wire.snapshot_message(
            self.actors.values(),
            episode_id=self.episode_id,
            frame=self.ids.frame,
            time_s=self.ids.simulated_s,
            wall_s=time.monotonic(),
            delta_s=delta_s,
            map_changed=self.map_changed,
        )
        self.map_changed = False
        return message

    def bodies(self) -> list[Body]:
        """What a camera can see. As in Unreal, vehicles and walkers are not there in their first frames."""
        grown = self.ids.frame - APPEAR_AFTER_FRAMES
        return [
            actor.body()
            for actor in self.actors.values()
            if actor.blueprint.asset is not None and (actor.born_frame < grown or actor.blueprint.is_prop)
        ]

    @cached_property
    def environment(self) -> "list[EnvironmentObject]":
        """What lines the streets."""
        from simulator.carla.loopback.environment import environment_of  # late: it imports the renderer's shapes

        return environment_of(self.town.props)

    def sensors(self) -> Iterable[Actor]:
        return (actor for actor in self.actors.values() if actor.stream_id)

    def _add(self, blueprint: Blueprint, attributes: dict[str, str], transform: Transform) -> Actor:
        actor = Actor(self.ids.next_actor, blueprint, attributes, transform)
        actor.physics = blueprint.is_vehicle or blueprint.is_walker
        actor.born_frame = self.ids.frame
        self.ids.next_actor += 1
        if blueprint.is_sensor:
            actor.stream_id = self.ids.next_stream
            self.ids.next_stream += 1
        self.actors[actor.actor_id] = actor
        return actor

    def _blocked(self, new: Actor) -> bool:
        if not new.is_solid:
            return False
        box = new.box
        slim = box._replace(extent_m=tuple(max(0.01, e - SPAWN_GAP_M) for e in box.extent_m))
        return any(overlap(slim, other.box) for other in self.actors.values() if other.is_solid)

    def _carry(self, actor: Actor) -> None:
        for child in actor.children:
            if child.relative is not None:
                child.transform = attached(actor.transform, child.relative)
                self._carry(child)
