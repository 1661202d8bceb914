"""Where on a map a scene's street may be: straight and flat lanes, found with the client's own OpenDRIVE map.

Pure of the server: it needs only carla.Map, which the client makes from the OpenDRIVE text.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.carla.unreal import Anchor
from simulator.randomise import PlaceKind, RandomisationConfig
from simulator.road import lane_offset_m
from simulator.scene import PLACES, MapSpot, Place, Scene

SPACING_M = 5.0  # between the places that are looked at
LOOKS_AHEAD_M = (15.0, 30.0, 45.0, 60.0, 80.0)
MAX_BEND_M = 0.02  # sideways, a metre ahead; and 0.3 m
MAX_RISE_M = 0.008  # a metre ahead; and 0.1 m
# Where CARLA's stretches have no such kind.
NEAREST_KIND: dict[str, PlaceKind] = {"junction": "urban", "car_park": "suburb"}
POOL = 48  # of the best places, one is drawn
NEAREST_REACH_M, FURTHEST_REACH_M = 25.0, 80.0


@dataclass(frozen=True)
class Stretches:
    """Places on the lanes of a map, as a struct of arrays of length N."""

    xyz_m: np.ndarray  # (N, 3), Unreal's frame, the lane's middle
    yaw_deg: np.ndarray  # (N,) of the lane
    straight_m: np.ndarray  # (N,) how far ahead the road stays straight and flat
    lanes: np.ndarray  # (N,) lanes of the road for both ways
    from_right: np.ndarray  # (N,) lanes to the right of this one that lead the same way
    lane_width_m: np.ndarray  # (N,)
    kind: np.ndarray  # (N,) index into PLACES, by lanes and pavements


def kinds_for_carla(config: RandomisationConfig) -> RandomisationConfig:
    """The same with shares of kinds that CARLA's towns lack given to the nearest: traffic is laid out by the kind."""
    places: dict[PlaceKind, float] = {}
    for kind, share in config.places.items():
        shown = NEAREST_KIND.get(kind, kind)
        places[shown] = places.get(shown, 0.0) + share
    return config.model_copy(update={"places": places})


def stretches_of(world_map: Any) -> Stretches:
    """Every place of a carla.Map that lies on a driving lane outside junctions."""
    rows = []
    for point in world_map.generate_waypoints(SPACING_M):
        if point.is_junction or str(point.lane_type) != "Driving":
            continue
        lanes, from_right, has_pavement = _cross_section(point)
        kind = ("suburb", "urban", "country", "highway")[(lanes > 2) + 2 * (not has_pavement)]
        at = point.transform
        rows.append(
            (
                at.location.x,
                at.location.y,
                at.location.z,
                at.rotation.yaw,
                _straight_m(point),
                lanes,
                from_right,
                point.lane_width,
                PLACES.index(kind),
            )
        )
    columns = np.array(rows, np.float64).reshape(-1, 9).T
    x, y, z, yaw, straight, lanes, from_right, width, kind = columns
    return Stretches(
        np.stack([x, y, z], axis=1), yaw, straight, lanes.astype(int), from_right.astype(int), width, kind.astype(int)
    )


def anchors_for(scene: Scene, stretches: Stretches, count: int) -> list[Anchor]:
    """Up to `count` anchors for a scene, the ones to try first in front; the same for the same scene and map.

    A scene that was drawn on a map's spot is shown there and nowhere else. For others comes first that the road is
    straight as far as the actors reach, then the kind of the place, the camera's lane and the number of lanes; among
    the places that suit best the scene's seeds draw.
    """
    place = scene.place
    if place.map is not None:
        return [_anchor_on(place.map)]
    if not len(stretches.yaw_deg):
        return []
    reach = float(np.clip(max((a.z_m for a in scene.actors), default=0) + 5, NEAREST_REACH_M, FURTHEST_REACH_M))
    lane, beside_m = camera_lane(place)
    wanted_from_right = place.lane_count - 1 - lane
    kind = PLACES.index(NEAREST_KIND.get(place.kind, place.kind))
    paved = {PLACES.index("urban"), PLACES.index("suburb")}
    same_paving = np.isin(stretches.kind, list(paved)) == (kind in paved)
    dislike = (
        8.0 * np.maximum(reach - stretches.straight_m, 0) / reach
        + 2.0 * (stretches.kind != kind)
        + 2.0 * ~same_paving
        + 1.0 * np.minimum(np.abs(stretches.from_right - wanted_from_right), 2)
        + 0.5 * np.minimum(np.abs(stretches.lanes - place.lane_count), 3)
    )
    rng = np.random.default_rng([place.seed, scene.seed, 6])
    shuffled = rng.permutation(len(dislike))
    pool = shuffled[np.argsort(dislike[shuffled], kind="stable")[:POOL]]
    pool = pool[rng.permutation(len(pool))]
    # The dislike still counts in whole units, so that a poor place is only taken when no good one is left.
    order = pool[np.argsort(np.floor(dislike[pool]), kind="stable")][:count]
    return [_anchor(stretches, int(i), beside_m, place.road_yaw_deg) for i in order]


def camera_lane(place: Place) -> tuple[int, float]:
    """The lane of a place its camera is in, 0 the leftmost, and how far right of that lane's middle it is."""
    lane = round(place.camera_offset_m / place.lane_width_m + (place.lane_count - 1) / 2)
    lane = int(np.clip(lane, 0, place.lane_count - 1))
    beside_m = place.camera_offset_m - lane_offset_m(place, lane)
    return lane, float(np.clip(beside_m, -place.lane_width_m / 2, place.lane_width_m / 2))


def map_of(scene: Scene, maps: tuple[str, ...]) -> str | None:
    """The map a scene is shown on: the one it was drawn on, else one of `maps`, or None for what is loaded.

    All scenes that answer one failure have the same, further tries too; of others the place's seed decides. A server
    takes up to a minute to change maps: who has the choice takes scenes of one map together.
    """
    if scene.place.map is not None:
        return Path(scene.place.map.file).stem
    if not maps:
        return None
    key = f"place {scene.place.seed}" if scene.request is None else f"failure {scene.request.failure_id}"
    return maps[int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % len(maps)]


def _anchor(stretches: Stretches, i: int, beside_m: float, road_yaw_deg: float) -> Anchor:
    x, y, z = stretches.xyz_m[i].tolist()
    road = np.radians(stretches.yaw_deg[i])
    # Right of a heading (cos, sin) is (-sin, cos): Unreal's yaw runs clockwise seen from above.
    return Anchor(
        x_m=float(x - beside_m * np.sin(road)),
        y_m=float(y + beside_m * np.cos(road)),
        z_m=z,
        yaw_deg=float((stretches.yaw_deg[i] - road_yaw_deg + 180) % 360 - 180),
    )


def _anchor_on(spot: MapSpot) -> Anchor:
    """Unreal's y and yaw run the other way than OpenDRIVE's."""
    return Anchor(spot.x_m, -spot.y_m, spot.z_m, float((-np.degrees(spot.heading_rad) + 180) % 360 - 180))


def _straight_m(point: Any) -> float:
    at = point.transform.location
    yaw = np.radians(point.transform.rotation.yaw)
    forward, right = (np.cos(yaw), np.sin(yaw)), (-np.sin(yaw), np.cos(yaw))
    reached = 0.0
    for ahead in LOOKS_AHEAD_M:
        for further in point.next(ahead):
            to = further.transform.location
            dx, dy, dz = to.x - at.x, to.y - at.y, to.z - at.z
            along, aside = dx * forward[0] + dy * forward[1], dx * right[0] + dy * right[1]
            straight = abs(aside) <= 0.3 + MAX_BEND_M * ahead and abs(along - ahead) <= 1 + 0.05 * ahead
            if straight and abs(dz) <= 0.1 + MAX_RISE_M * ahead:
                reached = ahead
                break
        if reached < ahead:
            break
    return reached


def _cross_section(point: Any) -> tuple[int, int, bool]:
    """(driving lanes both ways, those to the right of this one, whether there is a pavement on either side)."""
    right, right_pavement = _outwards(point)
    own, left = 1, point.get_left_lane()
    while left is not None and left.lane_id * point.lane_id > 0:
        own += str(left.lane_type) == "Driving"
        left = left.get_left_lane()
    across, left_pavement = 0, False
    if left is not None:  # the other way's innermost lane: its right is our left
        across, left_pavement = _outwards(left)
        across += str(left.lane_type) == "Driving"
    return own + right + across, right, right_pavement or left_pavement


def _outwards(point: Any) -> tuple[int, bool]:
    """(driving lanes to the right of this one, whether there is a pavement)."""
    driving, pavement = 0, False
    lane = point.get_right_lane()
    while lane is not None and lane.lane_id * point.lane_id > 0:
        driving += str(lane.lane_type) == "Driving"
        pavement |= str(lane.lane_type) == "Sidewalk"
        lane = lane.get_right_lane()
    return driving, pavement
