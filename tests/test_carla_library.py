"""Which blueprint plays an actor: by attributes, size and appearance."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from simulator.carla.library import Library, Model, NoSuchModel, assets_of, choose_all
from simulator.scene import Actor


@dataclass
class Attribute:
    value: str | bool | int

    @property
    def type(self) -> str:
        return type(self.value).__name__.replace("str", "String").replace("bool", "Bool").replace("int", "Int")

    def as_str(self):
        return self.value

    as_bool = as_int = as_str


@dataclass
class Blueprint:
    id: str
    attributes: dict[str, Any] = field(default_factory=dict)

    def has_attribute(self, name: str) -> bool:
        return name in self.attributes

    def get_attribute(self, name: str) -> Attribute:
        return Attribute(self.attributes[name])


@pytest.mark.parametrize(
    ("blueprint", "asset"),
    [
        (Blueprint("vehicle.new.model", {"base_type": "van", "number_of_wheels": 4}), "van"),
        (Blueprint("vehicle.new.bike", {"base_type": "", "number_of_wheels": 2, "has_lights": False}), "cyclist"),
        (Blueprint("vehicle.new.moto", {"base_type": "", "number_of_wheels": 2, "has_lights": True}), "motorcyclist"),
        (Blueprint("vehicle.new.thing", {"number_of_wheels": 6}), "car"),
        (Blueprint("walker.pedestrian.0099"), "pedestrian"),
        (Blueprint("static.prop.trashcan07"), "bin"),
        (Blueprint("static.prop.kiosk_01"), "kiosk"),
    ],
)
def test_the_attributes_tell_what_a_blueprint_plays(blueprint, asset):
    assert asset in assets_of(blueprint)


def test_a_street_barrier_is_no_tree():
    assert set(assets_of(Blueprint("static.prop.streetbarrier"))) == {"barrier"}


def stocked(*models: Model) -> Library:
    """A library that has measured already."""
    shelf = Library.__new__(Library)
    shelf._models = {asset: [m for m in models if m.asset == asset] for asset in ("car", "tram", "bin", "pedestrian")}
    return shelf


def car(name: str, length_m: float) -> Model:
    return Model(f"vehicle.{name}", "car", (1.5, 1.8, length_m), (0, 0, 0))


def asked(length_m: float, seed: int = 0, asset: str = "car", category: str | None = "Car") -> Actor:
    return Actor(asset, 0, 20, 0, (1.5, 1.8, length_m), category, appearance_seed=seed)


SHELF = stocked(car("a", 3.9), car("b", 4.0), car("c", 4.1), car("d", 5.3))


def test_without_tolerance_the_nearest_size_is_taken():
    assert SHELF.choose(asked(4.02), 0.0, 0.4).blueprint_id == "vehicle.b"


def test_near_ties_are_drawn_by_the_appearance_and_far_ones_never():
    drawn = {SHELF.choose(asked(4.02, seed), 0.03, 0.4).blueprint_id for seed in range(60)}
    assert drawn == {"vehicle.a", "vehicle.b", "vehicle.c"}


def test_what_was_chosen_is_chosen_again_in_its_own_size():
    for seed in range(20):
        chosen = SHELF.choose(asked(4.02, seed), 0.03, 0.4)
        assert SHELF.choose(asked(chosen.dimensions_hwl_m[2], seed), 0.03, 0.4) == chosen


def test_clutter_unlike_anything_is_refused_but_a_labelled_car_takes_the_nearest():
    crate = Model("static.prop.bin", "bin", (1.0, 0.6, 0.6), (0, 0, 0))
    with pytest.raises(NoSuchModel, match="no prop is like a bin"):
        stocked(crate).choose(asked(6.0, asset="bin", category=None), 0.0, 0.4)
    assert SHELF.choose(asked(9.0), 0.0, 0.4).blueprint_id == "vehicle.d"


def test_a_missing_neighbour_is_left_out_a_missing_target_is_refused():
    actors = [asked(4.0), asked(15.0, asset="tram")]
    assert [m is None for m in choose_all(SHELF, actors, 0, 0.0, 0.4)] == [False, True]
    with pytest.raises(NoSuchModel, match="can play a tram"):
        choose_all(SHELF, actors, 1, 0.0, 0.4)
