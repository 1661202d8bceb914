"""A car park: its bays beside the aisle the camera is in and behind them, and who stands, drives and walks there.

Road coordinates: the aisle is the place's road; metres along it and to the right of its middle. The layout follows
from the place alone, so that the cars stand in the very bays that are painted on the ground.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator.casting import HUNG_ASSETS, SIZES
from simulator.clutter import CLUTTER_SIZES
from simulator.footprint import collides
from simulator.preview import is_within
from simulator.road import half_width_m, straight_point_m
from simulator.scene import Actor, Place, SceneCamera

BAY_ASSETS = ("car", "van")
IN_BAYS = 0.85  # share of cars and vans
EMPTY_BAYS = 0.22  # share, among the nearest that are filled first
FIRST_M = -14.0  # where the rows begin, along the aisle
LARGE_CLUTTER = ("container", "kiosk", "billboard")  # stands in a bay, as containers for bottles and clothes do


@dataclass(frozen=True)
class Bay:
    """A bay's middle; `turn_rad` is the heading of a car driven in, from the aisle's to the right."""

    along_m: float
    offset_m: float
    turn_rad: float
    row: int  # 0 beside the aisle, 1 back to back with it, 2 and 3 beyond the next aisle
    use: str  # 'cars', 'island' or 'shelter'


@dataclass(frozen=True)
class CarPark:
    """`row_offsets_m`: middle of each row from the middle of the aisle, the same on both sides."""

    bays: tuple[Bay, ...]
    bay_width_m: float  # along the aisle
    row_depth_m: float  # across the aisle
    row_offsets_m: tuple[float, ...]
    lean: float  # metres that lines run on along the aisle, for each metre away from it
    to_m: float  # where the rows end


@lru_cache(maxsize=64)
def car_park(place: Place) -> CarPark:
    """The layout of a place of the kind 'car_park': bays square to the aisle, or slanted the way one drives."""
    rng = np.random.default_rng([place.seed, 92])
    slant = np.radians(float(rng.choice([0.0, 0.0, 0.0, 18.0, 28.0])))
    width, length = float(rng.uniform(2.4, 2.7)), 5.0
    pitch, depth = float(width / np.cos(slant)), float(length * np.cos(slant) + 0.6 * width * np.sin(slant))
    aisle = half_width_m(place)
    first = aisle + depth / 2
    beyond = aisle + 2 * depth + 6.0 + depth / 2
    rows = (first, first + depth, beyond, beyond + depth)
    count = int(rng.integers(18, 32))
    every, phase = int(rng.integers(7, 12)), int(rng.integers(7))
    shelter = int(rng.integers(8, 14)) if rng.random() < 0.7 else -9
    shelter_side = float(rng.choice([-1.0, 1.0]))
    lean, bays = float(np.tan(slant)), []
    for side in (-1.0, 1.0):
        for row, offset in enumerate(rows):
            for i in range(count):
                along = FIRST_M + (i + 0.5) * pitch + (offset - first) * lean
                sheltered = row == 0 and side == shelter_side and i in (shelter, shelter + 1)
                ends = i % every == phase and row in (0, 1)
                use = "shelter" if sheltered else "island" if ends else "cars"
                bays.append(Bay(float(along), side * offset, float(side * (np.pi / 2 - slant)), row, use))
    return CarPark(tuple(bays), pitch, depth, rows, lean, FIRST_M + count * pitch)


def in_bay(
    asset: str, category: str | None, place: Place, bay: Bay, dimensions_hwl_m, rng: np.random.Generator
) -> Actor:
    """A vehicle as a hasty driver leaves it: nose or tail first, not quite in the middle, not quite straight."""
    out = np.pi if rng.random() < 0.35 else 0.0
    aside, deep = np.clip(rng.normal(0, [0.12, 0.2]), -0.3, 0.3)
    x, z = straight_point_m(place, bay.along_m + aside, bay.offset_m + deep)
    turn = bay.turn_rad + out + np.radians(np.clip(rng.normal(0, 1.2), -3, 3))
    return Actor(
        *(asset, x, z, float(np.radians(place.road_yaw_deg) - np.pi / 2 + turn), dimensions_hwl_m),
        category=category,
        appearance_seed=int(rng.integers(2**31)),
    )


def fill_bays(
    camera: SceneCamera,
    place: Place,
    wanted: Sequence[tuple[str, str | None]],
    rng: np.random.Generator,
    *,
    reach_m: tuple[float, float],
) -> tuple[tuple[Actor, ...], list[tuple[str, str | None]]]:
    """Most of the cars and vans among the `wanted` in the bays nearest to the camera, and those still wanted."""
    joins = [asset in BAY_ASSETS and rng.random() < IN_BAYS for asset, _ in wanted]
    line = [pair for pair, one in zip(wanted, joins, strict=True) if one]
    bays = [bay for bay in car_park(place).bays if bay.use == "cars"]
    # The first row fills first, the rows behind it are seen between its cars.
    rank = [abs(bay.along_m) + 9.0 * bay.row + rng.normal(0, 5.0) for bay in bays]
    present: list[Actor] = []
    for index in np.argsort(rank):
        if not line:
            break
        asset, category = line[0]
        actor = in_bay(asset, category, place, bays[int(index)], SIZES[asset].draw(rng), rng)
        if is_within(camera, actor, reach_m) and rng.random() >= EMPTY_BAYS and not collides(actor, present):
            present.append(actor)
            line.pop(0)
    return tuple(present), [pair for pair, one in zip(wanted, joins, strict=True) if not one] + line


def stand_in_car_park(
    asset: str, category: str | None, place: Place, reach_m: tuple[float, float], rng: np.random.Generator
) -> Actor | None:
    """An actor where such things are found on a car park; None for what is not: trams, buses, traffic lights."""
    if asset in ("tram", "bus", "traffic_light"):
        return None
    size = SIZES[asset] if asset in SIZES else CLUTTER_SIZES[asset]
    dimensions, wanted_m = size.draw(rng), float(np.exp(rng.uniform(*np.log(reach_m))))
    layout, aisle = car_park(place), half_width_m(place)
    wanted_m = min(wanted_m, layout.to_m - 3)
    if asset in LARGE_CLUTTER or (asset in BAY_ASSETS and rng.random() < IN_BAYS):
        near = sorted((b for b in layout.bays if b.use == "cars"), key=lambda b: abs(b.along_m - wanted_m))[:16]
        weights = np.array([(0.6, 0.3, 0.15, 0.1)[bay.row] for bay in near])
        return in_bay(
            asset, category, place, near[int(rng.choice(len(near), p=weights / weights.sum()))], dimensions, rng
        )
    along, offset, turn, lift = wanted_m, 0.0, 0.0, 0.0
    side, kerb = float(rng.choice([-1.0, 1.0])), aisle + layout.row_depth_m  # where two rows stand back to back
    if asset == "pedestrian":
        if rng.random() < 0.4:  # between two cars, on the line
            along = FIRST_M + round((wanted_m - FIRST_M) / layout.bay_width_m) * layout.bay_width_m
            offset = side * (aisle + rng.uniform(0.2, layout.row_depth_m - 0.5))
            along += (abs(offset) - layout.row_offsets_m[0]) * layout.lean
            turn = np.pi / 2 * float(rng.choice([-1, 1])) + rng.normal(0, 0.2)
        else:  # along the aisle, mostly at its edge
            offset, turn = side * min(abs(rng.normal(aisle - 0.7, 0.9)), aisle), float(rng.choice([0.0, np.pi]))
            turn += rng.normal(0, 0.5)
    elif asset in HUNG_ASSETS or asset in CLUTTER_SIZES:
        offset, turn = side * kerb, np.pi if asset in HUNG_ASSETS else rng.normal(0, 0.1)
        lift = float(rng.uniform(1.9, 2.4)) if asset in HUNG_ASSETS else 0.0
    else:  # drives slowly along the aisle, on the right
        oncoming = rng.random() < 0.5
        offset, turn = (-1 if oncoming else 1) * aisle / 2 + rng.normal(0, 0.15), np.pi if oncoming else 0.0
        turn += np.radians(rng.normal(0, 3))
    x, z = straight_point_m(place, along, offset)
    return Actor(
        *(asset, x, z, float(np.radians(place.road_yaw_deg) - np.pi / 2 + turn), dimensions),
        category=category,
        lift_m=lift,
        appearance_seed=int(rng.integers(2**31)),
    )
