"""The RPC functions of a CARLA 0.9.16 server, by their names on the wire: the world."""

from typing import TYPE_CHECKING

from dataset.errors import InputError
from simulator.carla.loopback import structs, wire
from simulator.carla.loopback.episode import Settings
from simulator.carla.loopback.records import Weather
from simulator.carla.loopback.rpc import Refused, answers

if TYPE_CHECKING:
    from simulator.carla.loopback.server import Server


class WorldFunctions:
    """Episode, settings, ticks, maps, weather, queries of the world."""

    def __init__(self, server: "Server"):
        self._server = server
        self._definitions = structs.definitions_array()
        self._traffic_managers: dict[int, str] = {}

    @property
    def _episode(self):
        return self._server.episode

    # --- episode

    @answers("value")
    def version(self) -> str:
        faults = self._server.faults
        return WRONG_VERSION if faults.strikes("wrong_version") else faults.rates.version

    @answers("value")
    def get_episode_info(self) -> list:
        return [self._episode.episode_id, [wire.token(wire.WORLD_STREAM, self._server.stream_port)]]

    @answers("value")
    def get_sensor_token(self, stream_id: int) -> list:
        return [wire.token(stream_id, self._server.stream_port)]

    @answers("value")
    def get_episode_settings(self) -> list:
        return structs.settings_array(self._episode.settings)

    @answers("value")
    def set_episode_settings(self, settings: list) -> int:
        self._server.apply(structs.settings(settings))
        return self._episode.ids.frame

    @answers("value")
    def tick_cue(self) -> int:
        return self._server.cue()

    # --- maps

    @answers("value")
    def get_available_maps(self) -> list[str]:
        return [f"/Game/Carla/Maps/{name}" for name in self._server.maps.names]

    @answers("void")
    async def load_new_episode(self, name: str, reset_settings: bool = True, layers: int = 0xFFFF) -> None:
        wanted = name.rsplit("/", 1)[-1] or self._episode.map_name
        try:
            await self._server.load(wanted, Settings() if reset_settings else self._episode.settings)
        except InputError as error:
            raise Refused(str(error)) from None

    @answers("void")
    def load_map_layer(self, layers: int) -> None:
        """The towns have one layer: what OpenDRIVE tells."""

    unload_map_layer = load_map_layer

    @answers("void")
    def copy_opendrive_to_file(self, opendrive: str, parameters: list) -> None:
        self._server.maps.keep(opendrive)

    @answers("value")
    def get_map_info(self) -> list:
        points = self._episode.town.spawn_points()
        return [f"Carla/Maps/{self._episode.map_name}", [structs.transform_array(t) for t in points]]

    @answers("value")
    def get_map_data(self) -> str:
        return self._episode.opendrive

    @answers("value")
    def get_required_files(self, folder: str = "", download: bool = True) -> list[str]:
        return []

    @answers("value")
    def request_file(self, name: str) -> bytes:
        raise Refused(f"no file '{name}': the loopback server lists none")

    @answers("value")
    def get_navigation_mesh(self) -> bytes:
        return b""

    # --- weather, lights of the town

    @answers("value")
    def get_weather_parameters(self) -> list[float]:
        return list(self._episode.weather)

    @answers("void")
    def set_weather_parameters(self, weather: list[float]) -> None:
        self._episode.weather = Weather(*weather)

    @answers("value")
    def query_lights_state(self, client: str) -> list:
        return []

    @answers("void")
    def update_lights_state(self, client: str, lights: list, discard: bool = False) -> None:
        """There are no lights that a client could change."""

    @answers("void")
    def update_day_night_cycle(self, client: str, on: bool) -> None:
        """Lamps follow the sun in any case."""

    # --- what is in the world

    @answers("value")
    def get_actor_definitions(self) -> list:
        return self._definitions

    @answers("value")
    def get_all_level_BBs(self, tag: int) -> list:
        actors = [structs.world_box_array(a) for a in self._episode.actors.values() if _shows(a, tag)]
        return actors + [structs.environment_box_array(o) for o in self._episode.environment if tag in (o.tag, ANY_TAG)]

    @answers("value")
    def get_environment_objects(self, tag: int) -> list:
        found = (o for o in self._episode.environment if tag in (o.tag, ANY_TAG))
        return [structs.environment_array(o) for o in found]

    @answers("void")
    async def enable_environment_objects(self, ids: list[int], on: bool) -> None:
        named = set(ids)
        await self._server.hide([o.prop for o in self._episode.environment if o.object_id in named], hidden=not on)

    @answers("value")
    def get_names_of_all_objects(self) -> list[str]:
        return []

    @answers("void")
    def apply_color_texture_to_objects(self, names: list[str], parameter: int, texture: list) -> None:
        """There are no named objects."""

    apply_float_color_texture_to_objects = apply_color_texture_to_objects

    @answers("void")
    def set_annotations_traverse_translucency(self, on: bool) -> None:
        """Nothing in the towns is translucent to the labels."""

    @answers("value")
    def cast_ray(self, start: list, end: list) -> list:
        return [[list(point), tag] for point, tag in self._server.cast(structs.vector(start), structs.vector(end))]

    @answers("value")
    def project_point(self, origin: list, direction: list, distance: float) -> list:
        start, way = structs.vector(origin), structs.vector(direction)
        x, y, z = (a + d * distance for a, d in zip(start, way, strict=True))
        hits = self._server.cast(start, (x, y, z))
        return [True, [list(hits[0][0]), hits[0][1]]] if hits else [False, [[0.0, 0.0, 0.0], 0]]

    # --- traffic lights: the towns have none

    @answers("void")
    def reset_all_traffic_lights(self) -> None: ...

    @answers("void")
    def freeze_all_traffic_lights(self, frozen: bool) -> None: ...

    @answers("void")
    def set_traffic_light_state(self, actor_id: int, state: int) -> None:
        raise Refused(f"actor {actor_id} is no traffic light")

    @answers("value")
    def get_light_boxes(self, actor_id: int) -> list:
        return []

    @answers("value")
    def get_group_traffic_lights(self, actor_id: int) -> list[int]:
        return []

    # --- the traffic manager, which runs in a client

    @answers("value")
    def is_traffic_manager_running(self, port: int) -> bool:
        return port in self._traffic_managers

    @answers("value")
    def get_traffic_manager_running(self, port: int) -> list:
        return [self._traffic_managers[port], port] if port in self._traffic_managers else ["", 0]

    @answers("value")
    def add_traffic_manager_running(self, manager: list) -> bool:
        host, port = manager
        is_new = port not in self._traffic_managers
        self._traffic_managers.setdefault(port, host)
        return is_new

    @answers("void")
    def destroy_traffic_manager(self, port: int) -> None:
        self._traffic_managers.pop(port, None)

    # --- only here

    @answers("value")
    async def loopback_fault(self, kind: str, amount: float) -> bool:
        try:
            await self._server.fault(kind, amount)
        except ValueError as error:
            raise Refused(str(error)) from None
        return True

    @answers("value")
    def loopback_state(self) -> dict:
        return self._server.state()


WRONG_VERSION = "0.9.15"


def _shows(actor, tag: int) -> bool:
    return actor.blueprint.asset is not None and (tag == ANY_TAG or tag in actor.blueprint.semantic_tags)


ANY_TAG = 255
