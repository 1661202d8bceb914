"""Streets of a real map: where the camera may stand on an OpenDRIVE map, and where traffic stands about it.

The camera stands in the middle of a driving lane and looks along it; the ground ahead must be nearly level, as scenes
have flat ground. What stands on a slight slope is lifted to it.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dataset.errors import InputError
from simulator.casting import HUNG_ASSETS, SIZES, VEHICLE_ASSETS
from simulator.clutter import CLUTTER_SIZES
from simulator.opendrive.lane_points import lane_points_of
from simulator.scene import Actor, MapSpot

LOOKS_M = 90.0
NEAREST_M, FURTHEST_M = 1.0, 150.0
HALF_VIEW_RAD = np.radians(50)
MOST_RISE_M = 0.5
DRAWS = 400
NEAR_ENOUGH = 0.2  # of the logarithm of a distance that was drawn
KERB_M = 0.1  # of the towns' pavements over their roads


def draw_spot(file: str, rng: np.random.Generator) -> MapSpot:
    """A place for the camera. Raises InputError for a map that is level nowhere."""
    points = lane_points_of(file)
    lanes = np.flatnonzero((points.kind == "driving") & ~points.in_junction)
    for index in rng.permutation(lanes)[:DRAWS].tolist():
        x, y, z = points.xyz_m[index].tolist()
        spot = MapSpot(file, x, y, z, float(points.heading_rad[index]))
        x_m, z_m, rise_m = level_from_map(spot, points.xyz_m)
        ahead = (z_m > -5) & (np.hypot(x_m, z_m) < LOOKS_M) & (np.abs(np.arctan2(x_m, z_m)) < HALF_VIEW_RAD)
        if ahead.sum() > 20 and np.abs(rise_m[ahead]).max() <= MOST_RISE_M:
            return spot
    raise InputError(file, f"{DRAWS} lanes were tried, none lies level for {LOOKS_M:g} m", "name a flatter map")


def level_from_map(spot: MapSpot, xyz_m: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """OpenDRIVE's points (N, 3) -> x to the right, z ahead and height over the spot, each (N,)."""
    dx, dy, rise = (xyz_m - [spot.x_m, spot.y_m, spot.z_m]).T
    cos, sin = np.cos(spot.heading_rad), np.sin(spot.heading_rad)
    return dx * sin - dy * cos, dx * cos + dy * sin, rise


def yaw_from_map(spot: MapSpot, heading_rad: np.ndarray) -> np.ndarray:
    """OpenDRIVE's heading -> KITTI's rotation_y in the level frame."""
    return -np.pi / 2 - (heading_rad - spot.heading_rad)


class _Ahead(NamedTuple):
    """The lane points before the camera, in its level frame, each (N,)."""

    x_m: np.ndarray
    z_m: np.ndarray
    rise_m: np.ndarray
    yaw_rad: np.ndarray
    width_m: np.ndarray
    distance_m: np.ndarray
    kind: np.ndarray


@lru_cache(maxsize=16)
def _ahead(spot: MapSpot) -> _Ahead:
    points = lane_points_of(spot.file)
    x, z, rise = level_from_map(spot, points.xyz_m)
    distance = np.hypot(x, z)
    seen = (np.abs(np.arctan2(x, z)) < HALF_VIEW_RAD) & (distance < FURTHEST_M) & (distance > NEAREST_M)
    seen &= np.abs(rise) < MOST_RISE_M
    yaw = yaw_from_map(spot, points.heading_rad)
    return _Ahead(*(column[seen] for column in (x, z, rise, yaw, points.width_m, distance, points.kind)))


def stand_on_map(
    asset: str, category: str | None, spot: MapSpot, reach_m: tuple[float, float], rng: np.random.Generator
) -> Actor | None:
    """An actor where such things are found on the map, its distance log-uniform over `reach_m`; None where none is."""
    ahead = _ahead(spot)
    dimensions = (SIZES[asset] if asset in SIZES else CLUTTER_SIZES[asset]).draw(rng)
    distance = float(np.exp(rng.uniform(*np.log(reach_m))))
    kind = _lane_kind(asset, rng)
    if asset == "pedestrian" and not (ahead.kind == "sidewalk").any():
        return None  # nobody walks on a motorway
    near = np.flatnonzero((ahead.kind == kind) & (np.abs(np.log(ahead.distance_m / distance)) < NEAR_ENOUGH))
    if not len(near):
        return None
    chosen = int(rng.choice(near))
    x, z, rise, yaw, width = (float(column[chosen]) for column in ahead[:5])
    across, turn, lift = _on_lane(asset, kind, width, dimensions, rng)
    # To the right of a heading (cos r, -sin r) in (x, z) lies (-sin r, -cos r).
    return Actor(
        asset,
        x - across * float(np.sin(yaw)),
        z - across * float(np.cos(yaw)),
        yaw + turn,
        dimensions,
        category=category,
        lift_m=rise + lift,
        appearance_seed=int(rng.integers(2**31)),
    )


def _lane_kind(asset: str, rng: np.random.Generator) -> str:
    if asset in VEHICLE_ASSETS:
        return "parking" if asset in ("car", "van") and rng.random() < 0.3 else "driving"
    return "driving" if asset == "pedestrian" and rng.random() < 0.15 else "sidewalk"


def _on_lane(
    asset: str, kind: str, width_m: float, dimensions_hwl_m: tuple[float, float, float], rng: np.random.Generator
) -> tuple[float, float, float]:
    """(metres right of the lane's middle, turn off its heading, height over the road)."""
    wobble = float(np.radians(rng.normal(0, 2)))
    free = max((width_m - dimensions_hwl_m[1]) / 2, 0.0)
    raised = KERB_M if kind == "sidewalk" else 0.0
    if asset in HUNG_ASSETS:  # they face those who come
        return float(rng.uniform(-free, free)), np.pi, raised + float(rng.uniform(2.0, 4.0))
    if asset == "cyclist":
        return 0.8 * free, wobble, raised
    if asset == "pedestrian":
        return float(rng.uniform(-free, free)), float(rng.choice([0, np.pi]) + rng.normal(0, 0.5)), raised
    aside = float(np.clip(rng.normal(0, 0.2), -free, free)) if kind != "sidewalk" else float(rng.uniform(-free, free))
    return aside, wobble, raised
