"""What a server's blueprint library offers for the assets of a scene: read from its attributes, measured at run time.

No list of ids is kept here: a vehicle's kind is its `base_type` (or, where that is empty, its wheels and lights), a
walker is a walker, and a prop is known by a word in its id. How large a model is, and where its origin lies, no
attribute tells: each candidate is spawned once, high above the ground, and its bounding box is read.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.carla.connect import ROLE, Connection
from simulator.carla.errors import CaptureFailed
from simulator.casting import SIZES
from simulator.clutter import CLUTTER_SIZES
from simulator.scene import ACTOR_ASSETS, Actor

ASSET_OF_BASE_TYPE = {
    "car": "car", "van": "van", "truck": "truck", "bus": "bus", "train": "tram", "tram": "tram",
    "motorcycle": "motorcyclist", "bicycle": "cyclist",
}  # fmt: skip
WALKER, PROP = "walker.pedestrian.", "static.prop."
# Words that the id of a prop begins or ends with when it may play a piece of clutter; the first ones fit best.
WORDS_OF_CLUTTER: dict[str, tuple[str, ...]] = {
    "pole": ("pole", "lamp", "post"),
    "bin": ("bin", "trashcan", "garbagecontainer", "mailbox", "barrel"),
    "bollard": ("bollard", "cone", "gardenlamp"),
    "bush": ("bush", "hedge", "plantpot"),
    "tree": ("tree", "palm"),
    "container": ("container", "box"),
    "barrier": ("barrier", "fence"),
    "billboard": ("billboard", "advertisement", "trafficwarning", "maptable"),
    "hydrant": ("hydrant", "streetfountain"),
    "kiosk": ("kiosk", "foodcart", "vendingmachine", "busstop", "atm"),
}
WORD_PENALTY = 0.1  # for each further word of the list, in the unit of `misfit`
# Weights of height, width and length in the comparison: of people only the height says what they are, and how wide a
# rider's elbows are taken to be differs between label conventions.
WEIGHTS = {"pedestrian": (1.0, 0.0, 0.0), "cyclist": (0.6, 0.0, 0.4), "motorcyclist": (0.6, 0.0, 0.4)}
EVEN = (1 / 3, 1 / 3, 1 / 3)
EXACT = 1e-3  # a model this near is the one that is meant

MEASURED_AT_M = 1500.0  # height over the map's origin
SPACING_M = 40.0
SMALLEST_M = 0.02  # some two-wheelers' boxes have no extent (CARLA issues 3670, 5841, 7596)


@dataclass(frozen=True)
class Model:
    """A blueprint that can play an asset."""

    blueprint_id: str
    asset: str
    dimensions_hwl_m: tuple[float, float, float]
    origin_m: tuple[float, float, float]  # of the actor, forward, right and up from its underside's middle
    has_lights: bool = False
    penalty: float = 0.0


class NoSuchModel(Exception):
    """CARLA has nothing that can play an actor; the text says why."""


def assets_of(blueprint: Any) -> dict[str, float]:
    """What a blueprint (id, has_attribute, get_attribute) can play, with a penalty; empty where nothing of a scene."""
    if blueprint.id.startswith("vehicle."):
        asset = ASSET_OF_BASE_TYPE.get(str(_value(blueprint, "base_type")).lower())
        if asset is None:
            two_wheels = _value(blueprint, "number_of_wheels") == 2
            asset = "car" if not two_wheels else "motorcyclist" if _value(blueprint, "has_lights") else "cyclist"
        return {asset: 0.0}
    if blueprint.id.startswith(WALKER):
        return {"pedestrian": 0.0}
    if blueprint.id.startswith(PROP):
        name = re.sub(r"[_\d]+$", "", blueprint.id.removeprefix(PROP))
        return {
            asset: rank * WORD_PENALTY
            for asset, words in WORDS_OF_CLUTTER.items()
            for rank in [
                next((rank for rank, word in enumerate(words) if name.startswith(word) or name.endswith(word)), None)
            ]
            if rank is not None
        }
    return {}


def misfit(model: Model, actor: Actor) -> float:
    """How far a model's size is off an actor's: weighted mean of |log ratio|, so about a share."""
    weights = np.array(WEIGHTS.get(actor.asset, EVEN))
    ratios = np.log(np.array(model.dimensions_hwl_m) / np.array(actor.dimensions_hwl_m))
    return float(weights @ np.abs(ratios))


class Library:
    """The models of one server; what an asset needs is measured when it is first asked for."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._blueprints = connection.world.get_blueprint_library()
        self._candidates: dict[str, dict[str, float]] = {}  # asset -> blueprint id -> penalty
        for blueprint in self._blueprints:
            for asset, penalty in assets_of(blueprint).items():
                self._candidates.setdefault(asset, {})[blueprint.id] = penalty
        self._models: dict[str, list[Model]] = {}

    def counts(self) -> dict[str, int]:
        """Blueprints that can play each asset."""
        return {asset: len(self._candidates.get(asset, ())) for asset in (*ACTOR_ASSETS, *CLUTTER_SIZES)}

    def models(self, asset: str) -> list[Model]:
        """Every model that can play an asset, in the order of the ids."""
        if asset not in self._models:
            self._models[asset] = self._measure(asset)
        return self._models[asset]

    def choose(self, actor: Actor, tolerance: float, max_clutter_misfit: float) -> Model:
        """The model nearest in size; among near ones (within `tolerance`) drawn by the actor's appearance.

        The draw takes the lowest of hashes of (appearance_seed, id), so that asking for what was chosen, in its own
        size, chooses it again. Raises NoSuchModel.
        """
        models = self.models(actor.asset)
        if not models:
            raise NoSuchModel(f"CARLA has no actor that can play a {actor.asset.replace('_', ' ')}")
        misfits = np.array([misfit(model, actor) for model in models])
        total = misfits + [model.penalty for model in models]
        best = int(np.argmin(total))
        if actor.category is None and misfits[best] > max_clutter_misfit:
            h, w, length = actor.dimensions_hwl_m
            raise NoSuchModel(
                f"no prop is like a {actor.asset} of {h:.1f} x {w:.1f} x {length:.1f} m: the nearest, "
                f"{models[best].blueprint_id}, is off by {misfits[best]:.0%}"
            )
        reach = EXACT if total.min() <= EXACT else total.min() + tolerance
        near = [model for model, off in zip(models, total, strict=True) if off <= reach]
        return min(near, key=lambda model: _draw(actor.appearance_seed, model.blueprint_id))

    def blueprint(self, model: Model, appearance_seed: int) -> Any:
        """The blueprint to spawn, painted and manned by the appearance; its role says that it is ours."""
        blueprint = self._blueprints.find(model.blueprint_id)
        rng = np.random.default_rng([appearance_seed, 5])
        for name in ("color", "driver_id"):
            if blueprint.has_attribute(name):
                offered = list(blueprint.get_attribute(name).recommended_values)
                if offered:
                    blueprint.set_attribute(name, str(rng.choice(offered)))
        set_where_there(blueprint, {"role_name": ROLE, "is_invincible": "true", "speed": "0"})
        return blueprint

    def _measure(self, asset: str) -> list[Model]:
        """Spawns the candidates in one batch, reads their boxes after a tick, destroys them in one batch."""
        candidates = self._candidates.get(asset, {})
        connection, command = self._connection, self._connection.carla.command
        ids = list(candidates)
        blueprints = [self._blueprints.find(one) for one in ids]
        for blueprint in blueprints:
            set_where_there(blueprint, {"role_name": ROLE})
        responses = connection.apply(
            [
                command.SpawnActor(blueprint, sky_place(connection.carla, i)).then(
                    command.SetSimulatePhysics(command.FutureActor, False)
                )
                for i, blueprint in enumerate(blueprints)
            ]
        )
        spawned = {one: r.actor_id for one, r in zip(ids, responses, strict=True) if not r.has_error()}
        try:
            connection.tick()
            present = set(connection.alive(list(spawned.values())))
            models = []
            for actor in connection.world.get_actors([i for i in spawned.values() if i in present]):
                models.append(_model(asset, actor, candidates[actor.type_id]))
        finally:
            connection.destroy(list(spawned.values()))
        if candidates and not models:
            raise CaptureFailed(f"{connection.address}: none of {len(ids)} candidates for {asset} spawned", "spawn")
        return sorted(models, key=lambda model: model.blueprint_id)


def sky_place(carla: Any, index: int) -> Any:
    """A place of its own in the sky, for what is to be spawned without touching anything."""
    row, column = divmod(index, 16)
    return carla.Transform(carla.Location(SPACING_M * column, SPACING_M * row, MEASURED_AT_M))


def set_where_there(blueprint: Any, values: dict[str, str]) -> None:
    """Sets the attributes that this version's blueprint has."""
    for name, value in values.items():
        if blueprint.has_attribute(name) and blueprint.get_attribute(name).is_modifiable:
            blueprint.set_attribute(name, value)


def _model(asset: str, actor: Any, penalty: float) -> Model:
    box = actor.bounding_box
    extent = np.array([box.extent.z, box.extent.y, box.extent.x], float)
    lights = str(actor.attributes.get("has_lights", "")).lower() == "true"
    if not np.isfinite(extent).all() or extent.min() < SMALLEST_M / 2:
        size = (SIZES if asset in SIZES else CLUTTER_SIZES)[asset]
        return Model(actor.type_id, asset, (size.height_m, size.width_m, size.length_m), (0, 0, 0), lights, penalty)
    # The origin from the underside's middle; the box's middle is given from the origin.
    origin = (-float(box.location.x), -float(box.location.y), float(extent[0] - box.location.z))
    h, w, length = (float(2 * side) for side in extent)
    return Model(actor.type_id, asset, (h, w, length), origin, lights, penalty)


def _value(blueprint: Any, name: str) -> str | bool | int | None:
    """An attribute's value; None where this version's blueprint does not have it."""
    if not blueprint.has_attribute(name):
        return None
    attribute = blueprint.get_attribute(name)
    kind = str(attribute.type)
    return attribute.as_bool() if kind == "Bool" else attribute.as_int() if kind == "Int" else attribute.as_str()


def _draw(seed: int, blueprint_id: str) -> bytes:
    return hashlib.sha256(f"{seed} {blueprint_id}".encode()).digest()


def choose_all(
    library: Library, actors: Sequence[Actor], target: int | None, tolerance: float, max_clutter_misfit: float
) -> list[Model | None]:
    """A model for each actor, None where CARLA has none; the target's must be there. Raises NoSuchModel."""
    models: list[Model | None] = []
    for i, actor in enumerate(actors):
        try:
            models.append(library.choose(actor, tolerance / 2 if i == target else tolerance, max_clutter_misfit))
        except NoSuchModel:
            if i == target:
                raise
            models.append(None)
    return models
