"""The crossing road of a junction: where it is, and what drives, waits and walks at it.

It meets the camera's road square, `crossing_m` along it. Road coordinates: metres along the camera's road, and to the
right of its centre line. Along the crossing road one looks at what drives from the side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.casting import HUNG_ASSETS, SIZES, VEHICLE_ASSETS
from simulator.road import half_width_m, lane_offset_m, straight_coordinates_m, straight_point_m
from simulator.scene import Actor, Place

CROSSING_M = (12.0, 45.0)  # where along the camera's road a crossing road may be
LANE_WIDTH_M = 3.2
ZEBRA_M = 3.2  # middle of the zebra crossing, from the kerb of the crossed road
STOP_LINE_M = 6.2  # where vehicles wait, from the kerb of the crossed road
SET_BACK_M = 4.5  # corner buildings, from the kerb: what stands further aside is out of sight
CORNER_M = 5.0  # radius of the kerb at a corner
DRIVERS = ("car", "van", "truck", "bus", "cyclist", "motorcyclist")
LEAST_TURN_DEG = 65.0  # off the camera's road: such a vehicle crosses it


@dataclass(frozen=True)
class Crossing:
    """The crossing road: its middle along the camera's road, half its width, and how many lanes lead each way."""

    along_m: float
    half_m: float
    lanes_each_way: int


def crossing(place: Place) -> Crossing:
    """The crossing road of a place of the kind 'junction'; its width follows from the place's seed."""
    each = int(np.random.default_rng([place.seed, 91]).choice([1, 1, 1, 2]))
    return Crossing(place.crossing_m, each * LANE_WIDTH_M, each)


def is_square(actor: Actor, road_yaw_deg: float) -> bool:
    """Whether an actor heads across the camera's road, near enough."""
    return bool(abs(np.cos(actor.yaw_rad - np.radians(road_yaw_deg))) > np.sin(np.radians(LEAST_TURN_DEG)))


def crossing_of(vehicles: Sequence[Actor], road_yaw_deg: float) -> float | None:
    """Where a crossing road must be for the first of the vehicles that crosses the camera's within reach; else None."""
    for actor in vehicles:
        along, _ = straight_coordinates_m(Place(road_yaw_deg=road_yaw_deg), actor.x_m, actor.z_m)
        to_right = np.cos(actor.yaw_rad - np.radians(road_yaw_deg)) > 0  # it keeps to the near side
        middle = along + (LANE_WIDTH_M / 2 if to_right else -LANE_WIDTH_M / 2)
        if is_square(actor, road_yaw_deg) and CROSSING_M[0] <= middle <= CROSSING_M[1]:
            return middle
    return None


def suits(place: Place, actors: Sequence[Actor]) -> bool:
    """Whether vehicles within reach that are square to the camera's road are on the crossing one, and none bars it."""
    cross = crossing(place)
    for actor in actors:
        along, _ = straight_coordinates_m(place, actor.x_m, actor.z_m)
        square = actor.asset in VEHICLE_ASSETS and is_square(actor, place.road_yaw_deg)
        if square and along <= CROSSING_M[1] and abs(along - cross.along_m) >= cross.half_m:
            return False
    return not any(obstructs(actor, place) for actor in actors)


def stand_at_junction(
    asset: str, category: str | None, place: Place, reach_m: tuple[float, float], rng: np.random.Generator
) -> Actor | None:
    """An actor at the junction; None where this one is better met elsewhere along the road, as half of them are."""
    if asset not in (*DRIVERS, "pedestrian", *HUNG_ASSETS) or rng.random() > 0.6:
        return None
    dimensions = SIZES[asset].draw(rng)
    spot = _crossing_spot(asset, place, dimensions, rng)
    if spot is None:
        return None
    along, offset, turn, lift = spot
    x, z = straight_point_m(place, along, offset)
    if not reach_m[0] <= np.hypot(x, z) <= reach_m[1]:
        return None
    return Actor(
        *(asset, x, z, float(np.radians(place.road_yaw_deg) + turn), dimensions),
        category=category,
        lift_m=lift,
        appearance_seed=int(rng.integers(2**31)),
    )


def obstructs(actor: Actor, place: Place) -> bool:
    """Whether something stands on the crossing road, off the camera's, that neither drives along it nor walks."""
    cross = crossing(place)
    along, aside = straight_coordinates_m(place, actor.x_m, actor.z_m)
    if actor.asset == "pedestrian" or abs(aside) <= half_width_m(place):
        return False
    if actor.asset in VEHICLE_ASSETS:
        return abs(along - cross.along_m) < cross.half_m and not is_square(actor, place.road_yaw_deg)
    return abs(along - cross.along_m) < cross.half_m + max(actor.dimensions_hwl_m[1:]) / 2 + 0.5


def _crossing_spot(
    asset: str, place: Place, dimensions_hwl_m: tuple[float, float, float], rng: np.random.Generator
) -> tuple[float, float, float, float] | None:
    """(along, offset, turn, lift): turn 0 drives to the right, -pi/2 away from the camera."""
    cross, kerb = crossing(place), half_width_m(place)
    length = dimensions_hwl_m[2]
    side = float(rng.choice([-1.0, 1.0]))
    near_kerb = cross.along_m - cross.half_m
    if asset in HUNG_ASSETS:  # at the stop line before or the corner behind, towards the camera or the crossing road
        lift = float(rng.uniform(1.9, 2.6) if asset == "traffic_sign" else rng.uniform(2.2, 3.4))
        along, beside = near_kerb - STOP_LINE_M, rng.uniform(0.4, 1.0)
        if rng.random() < 0.5:
            behind, beside = _behind_the_arc(rng, (0.4, 0.8), (35.0, 80.0))
            along = cross.along_m + cross.half_m + behind
        return along, side * (kerb + beside), np.pi / 2 if rng.random() < 0.75 else 0.0, lift
    if asset == "pedestrian":
        if rng.random() < 0.55:  # on a zebra crossing over the camera's road
            along = near_kerb - ZEBRA_M if rng.random() < 0.7 else cross.along_m + cross.half_m + ZEBRA_M
            turn = float(rng.choice([0.0, np.pi])) + rng.normal(0, 0.15)
            return along + rng.normal(0, 0.7), rng.uniform(-kerb - 0.8, kerb + 0.8), turn, 0.0
        before, beside = _behind_the_arc(rng, (0.5, 2.5), (20.0, 70.0))  # waiting at a corner
        return near_kerb - before, side * (kerb + beside), rng.uniform(-np.pi, np.pi), 0.0
    if rng.random() < 0.25:  # waiting at the line on the camera's road, seen from behind or from the front
        oncoming = rng.random() < 0.5
        lanes = [lane_offset_m(place, lane) for lane in range(place.lane_count)]
        own = [offset for offset in lanes if (offset < -0.1) == oncoming] or lanes
        back = STOP_LINE_M + length / 2 + rng.uniform(0.1, 1.0)
        along = cross.along_m + cross.half_m + back if oncoming else near_kerb - back
        return along, float(rng.choice(own)), np.pi / 2 if oncoming else -np.pi / 2, 0.0
    # On the crossing road, to the right on its near side or to the left on the far side.
    to_right = rng.random() < 0.5
    lane = (0.5 + rng.integers(cross.lanes_each_way)) * LANE_WIDTH_M
    if asset == "cyclist":
        lane = cross.half_m - 0.7
    along = cross.along_m + (-lane if to_right else lane) + rng.normal(0, 0.1)
    furthest = (kerb + SET_BACK_M) * cross.along_m / max(near_kerb - SET_BACK_M, 4.0) - length / 2
    if rng.random() < 0.45:  # waiting at its line
        offset = kerb + STOP_LINE_M + length / 2 + rng.uniform(0.1, 1.0)
        offset = -offset if to_right else offset
    else:
        offset = rng.uniform(-furthest, furthest)
    if abs(offset) > furthest:
        offset = float(rng.uniform(-kerb, kerb))
    return along, offset, (0.0 if to_right else np.pi) + np.radians(rng.normal(0, 1.5)), 0.0


def _behind_the_arc(
    rng: np.random.Generator, inside_m: tuple[float, float], turn_deg: tuple[float, float]
) -> tuple[float, float]:
    """A spot on the pavement of a corner: metres from the crossing road's kerb line and from that of the camera's.

    `inside_m`: so far from the rounded kerb; `turn_deg`: 0 at the crossing road, 90 at the camera's.
    """
    radius, turn = CORNER_M - rng.uniform(*inside_m), np.radians(rng.uniform(*turn_deg))
    return float(CORNER_M - radius * np.cos(turn)), float(CORNER_M - radius * np.sin(turn))
