"""The actors of a scene on the server: spawned in one batch, put where they belong, destroyed in one batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.carla.capture import at
from simulator.carla.connect import Connection
from simulator.carla.errors import CaptureFailed
from simulator.carla.library import Library, Model, sky_place
from simulator.carla.masks import colliding
from simulator.carla.unreal import Anchor, Transform
from simulator.scene import Actor

SPAWN_TRIES = 3
ALONE_AT_M = 400.0  # over the ground: nothing of a town is near


class Troupe:
    """The actors of one scene. `clear` destroys whatever of them is there."""

    def __init__(self, connection: Connection, library: Library):
        self._connection, self._library = connection, library
        self.actor_ids: list[int] = []
        self._gone: list[int] = []  # destroyed, not yet seen to be gone

    def spawn(self, models: Sequence[Model], actors: Sequence[Actor]) -> None:
        """Each in a place of its own in the sky, without physics. Raises CaptureFailed.

        A spawn that fails is tried again elsewhere; an actor whose lower 16 bits another one has is replaced.
        """
        ids: dict[int, int] = {}
        for attempt in range(SPAWN_TRIES):
            missing = [i for i in range(len(models)) if i not in ids]
            if not missing:
                break
            responses = self._connection.apply(
                [self._spawn_command(models[i], actors[i].appearance_seed, i + attempt * len(models)) for i in missing]
            )
            for i, response in zip(missing, responses, strict=True):
                if not response.has_error():
                    ids[i] = int(response.actor_id)
                    self.actor_ids.append(ids[i])
            order = sorted(ids)
            twice = [order[k] for k in colliding([ids[i] for i in order])]
            self._destroy([ids.pop(i) for i in twice])
        missing = [models[i].blueprint_id for i in range(len(models)) if i not in ids]
        if missing:
            raise CaptureFailed(
                f"{self._connection.address}: {len(missing)} of {len(models)} actors did not spawn in {SPAWN_TRIES} "
                f"tries: {', '.join(sorted(set(missing)))}",
                "spawn",
            )
        self.actor_ids = [ids[i] for i in range(len(models))]

    def poses(self, anchor: Anchor, models: Sequence[Model], actors: Sequence[Actor]) -> list[Transform]:
        """Where each actor's origin belongs, so that its underside's middle is where the scene says."""
        return [_origin(anchor, model, actor) for model, actor in zip(models, actors, strict=True)]

    def moves(self, poses: Sequence[Transform], alone: Sequence[int] = ()) -> list[Any]:
        """Commands that put the actors at their poses, those `alone` so far up that nothing else is near."""
        carla = self._connection.carla
        return [
            carla.command.ApplyTransform(actor_id, at(carla, lifted(pose) if i in alone else pose))
            for i, (actor_id, pose) in enumerate(zip(self.actor_ids, poses, strict=True))
        ]

    def lights(self, models: Sequence[Model]) -> list[Any]:
        """Commands that light the vehicles that have lamps, as drivers do at night."""
        carla = self._connection.carla
        state = carla.VehicleLightState(carla.VehicleLightState.Position | carla.VehicleLightState.LowBeam)
        return [
            carla.command.SetVehicleLightState(actor_id, state)
            for actor_id, model in zip(self.actor_ids, models, strict=True)
            if model.has_lights
        ]

    def clear(self) -> None:
        ids, self.actor_ids = self.actor_ids, []
        self._destroy(ids)

    def verify_gone(self) -> None:
        """After a tick: nothing that was destroyed is still there. Raises CaptureFailed."""
        left, self._gone = self._connection.alive(self._gone), []
        if left:
            self._destroy(left)
            raise CaptureFailed(f"{self._connection.address}: {len(left)} destroyed actors are still there", "destroy")

    def _destroy(self, actor_ids: list[int]) -> None:
        self.actor_ids = [one for one in self.actor_ids if one not in actor_ids]
        self._gone += actor_ids
        self._connection.destroy(actor_ids)

    def _spawn_command(self, model: Model, appearance_seed: int, place: int) -> Any:
        carla = self._connection.carla
        blueprint = self._library.blueprint(model, appearance_seed)
        spawn = carla.command.SpawnActor(blueprint, sky_place(carla, place))
        future = carla.command.FutureActor
        spawn = spawn.then(carla.command.SetSimulatePhysics(future, False))
        if model.blueprint_id.startswith("walker."):
            spawn = spawn.then(carla.command.SetEnableGravity(future, False))
        return spawn


def lifted(pose: Transform) -> Transform:
    return pose._replace(z_m=pose.z_m + ALONE_AT_M)


def _origin(anchor: Anchor, model: Model, actor: Actor) -> Transform:
    pose = anchor.transform_of(actor.x_m, actor.z_m, actor.yaw_rad, actor.lift_m)
    forward, right, up = model.origin_m
    cos, sin = np.cos(np.radians(pose.yaw_deg)), np.sin(np.radians(pose.yaw_deg))
    return pose._replace(
        x_m=float(pose.x_m + forward * cos - right * sin),
        y_m=float(pose.y_m + forward * sin + right * cos),
        z_m=pose.z_m + up,
    )
