"""The blueprint library: what a client can spawn, with the real ids, tags and attributes."""

import zlib
from dataclasses import dataclass
from functools import cache

from simulator.carla.loopback.catalogue import (
    PROPS,
    VEHICLES,
    WALKER_SIZES_HWL_M,
    Prop,
    Vehicle,
    Walker,
    walkers,
)
from simulator.carla.loopback.sensor_attributes import SENSORS

ATTRIBUTE_TYPES: dict[str, int] = {"bool": 1, "int": 2, "float": 3, "str": 4, "color": 5}

# CARLA 0.9.16's semantic tags of what can be spawned. The rider of a two-wheeler is 13.
TAG_OF_ASSET = {
    "car": 14, "van": 14, "truck": 15, "bus": 16, "tram": 17, "motorcyclist": 18, "cyclist": 19, "pedestrian": 12,
    "traffic_light": 7, "traffic_sign": 8, "pole": 6, "bush": 9, "tree": 9, "barrier": 28,
}  # fmt: skip
DYNAMIC_TAG = 21


@dataclass(frozen=True)
class Attribute:
    """What a client can read, and where `modifiable` set, before it spawns."""

    id: str
    kind: str  # one of ATTRIBUTE_TYPES
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = False
    restricted: bool = False  # to the recommended values

    def on_the_wire(self) -> list:
        kind = ATTRIBUTE_TYPES[self.kind]
        return [self.id, kind, self.value, list(self.recommended), self.modifiable, self.restricted]


@dataclass(frozen=True)
class Blueprint:
    """Something that can be spawned, and the embedded simulator's shape for it."""

    id: str
    tags: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    asset: str | None  # None for what cannot be seen
    dimensions_hwl_m: tuple[float, float, float]
    appearance_seed: int

    @property
    def is_vehicle(self) -> bool:
        return self.id.startswith("vehicle.")

    @property
    def is_walker(self) -> bool:
        return self.id.startswith("walker.")

    @property
    def is_prop(self) -> bool:
        return self.id.startswith("static.")

    @property
    def is_sensor(self) -> bool:
        return self.id.startswith("sensor.")

    @property
    def semantic_tags(self) -> tuple[int, ...]:
        """CARLA's tags of what it shows."""
        if self.asset is None:
            return ()
        tag = TAG_OF_ASSET.get(self.asset, DYNAMIC_TAG)
        return (13, tag) if self.asset in ("motorcyclist", "cyclist") else (tag,)

    def default(self, attribute_id: str) -> str | None:
        return next((a.value for a in self.attributes if a.id == attribute_id), None)


@cache
def library() -> dict[str, Blueprint]:
    """Every blueprint by id, in the order of the ids. Always the same."""
    blueprints = [
        *(_vehicle(v) for v in VEHICLES),
        *(_walker(w) for w in walkers()),
        *(_prop(p) for p in PROPS),
        *(_sensor(sensor_id) for sensor_id in SENSORS),
        _unseen("controller.ai.walker"),
    ]
    return {b.id: b for b in sorted(blueprints, key=lambda b: b.id)}


def spectator_blueprint() -> Blueprint:
    """The one actor that nobody spawns: the window's own camera."""
    return _unseen("spectator")


def _seed(blueprint_id: str) -> int:
    return zlib.crc32(blueprint_id.encode())


def _tags(blueprint_id: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(blueprint_id.split(".")))


def _fixed(attribute_id: str, value: bool | int | float | str) -> Attribute:
    return Attribute(attribute_id, type(value).__name__, _text(value))


def _open(attribute_id: str, value: bool | int | float | str, recommended: tuple[str, ...] = ()) -> Attribute:
    return Attribute(attribute_id, type(value).__name__, _text(value), recommended, modifiable=True)


def _text(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _vehicle(v: Vehicle) -> Blueprint:
    paint = (Attribute("color", "color", v.colors[0], v.colors, modifiable=True),) if v.colors else ()
    rider = (_open("driver_id", 0, ("0", "1", "2", "3")),) if v.wheels == 2 else ()
    attributes = (
        _open("role_name", "autopilot", ("autopilot", "scenario", "ego_vehicle")),
        *paint,
        *rider,
        _open("sticky_control", True),
        _open("terramechanics", False),
        _fixed("object_type", ""),
        _fixed("base_type", v.base_type),
        _fixed("special_type", v.special_type),
        _fixed("number_of_wheels", v.wheels),
        _fixed("generation", v.generation),
        _fixed("has_dynamic_doors", v.doors),
        _fixed("has_lights", v.lights),
    )
    return Blueprint(v.id, _tags(v.id), attributes, v.asset, v.dimensions_hwl_m, _seed(v.id))


def _walker(w: Walker) -> Blueprint:
    blueprint_id = f"walker.pedestrian.{w.number:04}"
    walk, run = ("1.1", "2.2") if w.age == "child" else ("1.4", "3.0")
    attributes = (
        _open("role_name", "pedestrian"),
        _open("is_invincible", True),
        Attribute("speed", "float", walk, ("0.0", walk, run), modifiable=True),
        _fixed("gender", w.gender),
        _fixed("age", w.age),
        _fixed("generation", w.generation),
        _fixed("can_use_wheelchair", False),
        _open("use_wheelchair", False),
    )
    size = WALKER_SIZES_HWL_M[w.age]
    return Blueprint(blueprint_id, _tags(blueprint_id), attributes, "pedestrian", size, _seed(blueprint_id))


def _prop(p: Prop) -> Blueprint:
    blueprint_id = f"static.prop.{p.name}"
    attributes = (_open("role_name", "prop"), _fixed("size", p.size))
    return Blueprint(blueprint_id, _tags(blueprint_id), attributes, p.asset, p.dimensions_hwl_m, _seed(blueprint_id))


def _sensor(sensor_id: str) -> Blueprint:
    attributes = tuple(_open(name, default) for name, default in SENSORS[sensor_id].items())
    attributes = (_open("role_name", "front"), *attributes)
    return Blueprint(sensor_id, _tags(sensor_id), attributes, None, (0.0, 0.0, 0.0), 0)


def _unseen(blueprint_id: str) -> Blueprint:
    return Blueprint(blueprint_id, _tags(blueprint_id), (_open("role_name", "default"),), None, (0.0, 0.0, 0.0), 0)
