"""Further traffic that makes sense: in lanes with their heading, parked at the kerb, on pavements, never colliding."""

from collections.abc import Sequence

import numpy as np

from simulator.car_park import stand_in_car_park
from simulator.casting import HUNG_ASSETS, SIZES, Casting
from simulator.clutter import CLUTTER_SIZES
from simulator.footprint import collides
from simulator.junction import obstructs, stand_at_junction
from simulator.map_street import stand_on_map
from simulator.preview import distance_m, is_within, whole_box
from simulator.road import PAVEMENT_WIDTH_M, half_width_m, lane_offset_m, point_m, yaw_along_rad
from simulator.scene import Actor, Place, SceneCamera

PARKED_ASSETS = ("car", "van")
PARKED_GAP_M = (0.5, 2.0)
EMPTY_SPACES = 0.2  # share of a row's
# A parked vehicle's middle beyond the kerb. Beside the camera's own lane it leaves room to drive past.
PARKED_OFFSET_M = {"own": (0.6, 1.2), "other": (-0.7, 0.9)}
MARGIN_M = 0.5  # kept free around everything that is added
OWN_LANE_CLEAR_M = 5.0  # nothing nearer stands before the camera's car


def stand(
    asset: str, category: str | None, place: Place, reach_m: tuple[float, float], rng: np.random.Generator
) -> Actor:
    """An actor where such things are found along the road, its distance log-uniform over `reach_m` (near, far)."""
    z = float(np.exp(rng.uniform(*np.log(reach_m))))
    size = SIZES[asset] if asset in SIZES else CLUTTER_SIZES[asset]
    dimensions = size.draw(rng)
    offset, yaw, lift = _spot(asset, place, z, dimensions, rng)
    x, z = point_m(place, z, offset)
    return Actor(
        asset=asset,
        x_m=float(x),
        z_m=float(z),
        yaw_rad=float(yaw),
        dimensions_hwl_m=dimensions,
        category=category,
        lift_m=float(lift),
        appearance_seed=int(rng.integers(2**31)),
    )


def _spot(
    asset: str, place: Place, z_m: float, dimensions_hwl_m: tuple[float, float, float], rng: np.random.Generator
) -> tuple[float, float, float]:
    """(offset from the centre line, yaw, lift) for a kind of thing."""
    kerb, pavement = half_width_m(place), PAVEMENT_WIDTH_M[place.kind]
    side = float(rng.choice([-1.0, 1.0]))
    along = yaw_along_rad(place, z_m, oncoming=side < 0)
    wobble = np.radians(rng.normal(0, 2.5))
    beside = kerb + rng.uniform(0.4, max(pavement, 1.5)) + dimensions_hwl_m[1] / 2
    if asset in HUNG_ASSETS:
        lift = rng.uniform(1.9, 2.6) if asset == "traffic_sign" else rng.uniform(2.2, 4.5)
        return side * (kerb + rng.uniform(0.3, 1.2)), along if side < 0 else along + np.pi, lift
    if asset in CLUTTER_SIZES:
        return side * beside, along + wobble, 0.0
    if asset == "pedestrian":
        if rng.random() < 0.15:  # crossing
            return rng.uniform(-kerb, kerb), rng.choice([0.0, np.pi]) + rng.normal(0, 0.3), 0.0
        return side * beside, along + rng.choice([0.0, np.pi]) + rng.normal(0, 0.5), 0.0
    if asset in ("cyclist",):
        return side * (kerb - rng.uniform(0.4, 1.0)), along + wobble, 0.0
    chance = rng.random()
    if (
        chance < 0.3 and place.kind in ("urban", "suburb") and asset in ("car", "van", "truck")
    ):  # parked, either way round
        inwards = dimensions_hwl_m[1] / 2 + rng.uniform(-1.6, 0.3)
        return side * (kerb - inwards), along + rng.choice([0.0, np.pi], p=[0.8, 0.2]) + wobble, 0.0
    if chance < 0.36 and place.kind != "highway":  # crossing or turning
        return rng.uniform(-kerb, kerb), rng.uniform(-np.pi, np.pi), 0.0
    lane = int(rng.integers(place.lane_count))
    offset = lane_offset_m(place, lane)
    return offset + rng.normal(0, 0.2), yaw_along_rad(place, z_m, oncoming=offset < -0.1) + wobble, 0.0


def add_traffic(
    camera: SceneCamera,
    place: Place,
    actors: Sequence[Actor],
    wanted: Sequence[tuple[str, str | None]],
    rng: np.random.Generator,
    *,
    reach_m: tuple[float, float],
    target: int | None,
    draws: int = 6,
) -> tuple[Actor, ...]:
    """`actors` and as many of the `wanted` (asset, category) as find a place within `draws` each.

    None stands in another or before the camera's own car; none is seen over, or in front of, the target.
    """
    present = list(actors)
    kept_free = None if target is None else whole_box(camera, actors[target])
    target_m = 0.0 if target is None else distance_m(actors[target])
    for asset, category in wanted:
        for _ in range(draws):
            actor = _standing(asset, category, place, reach_m, rng)
            if (
                actor is None
                or actor.z_m < reach_m[0] / 2
                or (abs(actor.x_m) < 2.2 and actor.z_m < OWN_LANE_CLEAR_M + _half_length(actor))
            ):
                continue
            box = whole_box(camera, actor)
            if box is None or box[2] <= 0 or box[0] >= camera.width_px or collides(actor, present, MARGIN_M):
                continue
            nearer = distance_m(actor) - _half_length(actor) < target_m
            if kept_free is not None and nearer and _touches(box, kept_free):
                continue
            present.append(actor)
            break
    return tuple(present)


def _standing(
    asset: str, category: str | None, place: Place, reach_m: tuple[float, float], rng: np.random.Generator
) -> Actor | None:
    if place.map is not None:
        return stand_on_map(asset, category, place.map, reach_m, rng)
    if place.kind == "car_park":
        return stand_in_car_park(asset, category, place, reach_m, rng)
    if place.kind == "junction":
        actor = stand_at_junction(asset, category, place, reach_m, rng) or stand(asset, category, place, reach_m, rng)
        return None if obstructs(actor, place) else actor
    return stand(asset, category, place, reach_m, rng)


def park(
    camera: SceneCamera,
    place: Place,
    wanted: Sequence[tuple[str, str | None]],
    rng: np.random.Generator,
    *,
    reach_m: tuple[float, float],
) -> tuple[tuple[Actor, ...], list[tuple[str, str | None]]]:
    """Most of the cars among the `wanted` in a row at one kerb or both, one behind the other, and those still wanted.

    Such rows are what a town's street mostly shows of cars: near ones cut by the border, far ones hidden to the rear
    window. None stands nearer or further than `reach_m`; one that would not be seen is left for elsewhere.
    """
    joins = [asset in PARKED_ASSETS and rng.random() < 0.75 for asset, _ in wanted]
    waiting = [pair for pair, one in zip(wanted, joins, strict=True) if one]
    present: list[Actor] = []
    sides = [(-1.0,), (1.0,), (-1.0, 1.0)][int(rng.integers(3))]
    for index, side in enumerate(sides):
        count = int(np.ceil(len(waiting) / (len(sides) - index)))
        line, waiting = waiting[:count], waiting[count:]
        beyond_m = rng.uniform(*PARKED_OFFSET_M["own" if side > 0 else "other"])
        z = rng.uniform(2.0, 18.0)
        while line and z < reach_m[1]:
            dimensions = SIZES[line[0][0]].draw(rng)
            z += dimensions[2] / 2
            against = side < 0 if rng.random() < 0.85 else side > 0
            x, at_z = point_m(place, z, side * (half_width_m(place) + beyond_m) + rng.normal(0, 0.08))
            yaw = yaw_along_rad(place, z, oncoming=against) + np.radians(rng.normal(0, 1.5))
            actor = Actor(
                *(line[0][0], float(x), float(at_z), float(yaw), dimensions),
                category=line[0][1],
                appearance_seed=int(rng.integers(2**31)),
            )
            if is_within(camera, actor, reach_m) and rng.random() >= EMPTY_SPACES and not collides(actor, present):
                present.append(actor)
                line.pop(0)
            z += dimensions[2] / 2 + rng.uniform(*PARKED_GAP_M)
        waiting = line + waiting
    elsewhere = [pair for pair, one in zip(wanted, joins, strict=True) if not one]
    return tuple(present), elsewhere + waiting


def labelled_mix(casting: Casting, mix: dict[str, float]) -> tuple[list[tuple[str, str]], np.ndarray]:
    """The assets of a mix that the data set labels, as (asset, category), and their shares.

    What it does not label must not stand about: the detector would be taught that it is background.
    """
    pairs = [
        (asset, category) for asset in mix if mix[asset] > 0 and (category := casting.category_of(asset)) is not None
    ]
    shares = np.array([mix[asset] for asset, _ in pairs])
    return pairs, shares / shares.sum() if len(pairs) else shares


def _half_length(actor: Actor) -> float:
    return max(actor.dimensions_hwl_m[1:]) / 2


def _touches(a, b, gap_px: float = 2.0) -> bool:
    return a[0] < b[2] + gap_px and b[0] < a[2] + gap_px and a[1] < b[3] + gap_px and b[1] < a[3] + gap_px
