"""The RPC functions of a CARLA 0.9.16 server, by their names on the wire: single actors and batches."""

from simulator.carla.loopback import commands, structs
from simulator.carla.loopback.functions import WorldFunctions
from simulator.carla.loopback.rpc import Refused, answers


def _told(command: commands.Command):
    """The RPC function that gives one command to one actor."""

    @answers("void")
    def function(self: "Functions", actor_id: int, *arguments) -> None:
        commands.act(self._episode, command, actor_id, *arguments)

    return function


class Functions(WorldFunctions):
    """All RPC functions."""

    @answers("value")
    def get_spectator(self) -> list:
        return structs.actor_array(self._episode.spectator, self._server.stream_port)

    @answers("value")
    def get_actors_by_id(self, ids: list[int]) -> list:
        known = (self._episode.actors[i] for i in ids if i in self._episode.actors)
        return [structs.actor_array(actor, self._server.stream_port) for actor in known]

    @answers("value")
    def get_actor_bounding_box(self, actor_id: int) -> list:
        return structs.box_array(self._episode.actor(actor_id))

    @answers("value")
    def spawn_actor(self, description: list, transform: list) -> list:
        actor = commands.spawn(self._episode, description, transform)
        return structs.actor_array(actor, self._server.stream_port)

    @answers("value")
    def spawn_actor_with_parent(
        self, description: list, transform: list, parent_id: int, attachment: int = 0, socket: str = ""
    ) -> list:
        actor = commands.spawn(self._episode, description, transform, parent_id)
        return structs.actor_array(actor, self._server.stream_port)

    @answers("value")
    def destroy_actor(self, actor_id: int) -> bool:
        if not self._episode.destroy(actor_id):
            raise Refused(f"unable to destroy actor {actor_id}: actor not found")
        return True

    @answers("bare")
    def apply_batch(self, batch: list, do_tick: bool = False) -> list:
        responses = commands.batch(self._episode, batch)
        if do_tick:
            self._server.cue()
        return responses

    set_actor_transform = _told(commands.set_transform)
    set_actor_location = _told(commands.set_location)
    set_actor_target_velocity = _told(commands.set_velocity)
    set_actor_target_angular_velocity = _told(commands.set_angular_velocity)
    add_actor_impulse = _told(commands.push)
    add_actor_force = _told(commands.leave)
    add_actor_torque = _told(commands.leave)
    add_actor_angular_impulse = _told(commands.leave)
    set_actor_simulate_physics = _told(commands.set_physics)
    set_actor_enable_gravity = _told(commands.set_gravity)
    apply_control_to_vehicle = _told(commands.control_vehicle)
    apply_control_to_walker = _told(commands.control_walker)
    apply_physics_control = _told(commands.keep_vehicle_physics)
    set_vehicle_light_state = _told(commands.set_lights)

    @answers("void")
    def set_actor_collisions(self, actor_id: int, on: bool) -> None:
        self._episode.actor(actor_id).collides = bool(on)

    @answers("void")
    def enable_actor_constant_velocity(self, actor_id: int, velocity: list) -> None:
        actor = self._episode.actor(actor_id)
        actor.constant_velocity, actor.settled = structs.vector(velocity), False

    @answers("void")
    def disable_actor_constant_velocity(self, actor_id: int) -> None:
        self._episode.actor(actor_id).constant_velocity = None

    @answers("void")
    def set_actor_dead(self, actor_id: int) -> None:
        actor = self._episode.actor(actor_id)
        actor.physics = False

    @answers("void")
    def open_vehicle_door(self, actor_id: int, door: int) -> None:
        self._episode.actor(actor_id)

    @answers("void")
    def close_vehicle_door(self, actor_id: int, door: int) -> None:
        self._episode.actor(actor_id)

    @answers("value")
    def get_vehicle_light_state(self, actor_id: int) -> list[int]:
        return [self._episode.actor(actor_id).light_flags]

    @answers("value")
    def get_vehicle_light_states(self) -> list:
        vehicles = (a for a in self._episode.actors.values() if a.blueprint.is_vehicle)
        return [[a.actor_id, a.light_flags] for a in vehicles]

    @answers("value")
    def get_physics_control(self, actor_id: int) -> list:
        actor = self._episode.actor(actor_id)
        if not actor.blueprint.is_vehicle:
            raise Refused(f"actor {actor_id} is no vehicle")
        return actor.vehicle_physics or structs.physics_array(actor)
