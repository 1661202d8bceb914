"""What a ray meets: actors' boxes and the town."""

import math

import numpy as np

from simulator.carla.loopback.actors import Actor, Vector
from simulator.carla.loopback.blueprints import DYNAMIC_TAG
from simulator.carla.loopback.episode import Episode
from simulator.carla.loopback.geometry import rotation_of


def hits(episode: Episode, start: Vector, end: Vector) -> list[tuple[Vector, int]]:
    """Points from `start` to `end` where something solid is entered, nearest first, with their semantic tags."""
    way = np.subtract(end, start)
    length = float(np.linalg.norm(way))
    if not math.isfinite(length) or length == 0:
        return []
    direction = way / length
    found: list[tuple[float, int]] = []
    for actor in episode.actors.values():
        if actor.is_solid and (distance := _into_box(actor, np.asarray(start), direction)) is not None:
            found.append((distance, (actor.blueprint.semantic_tags or (DYNAMIC_TAG,))[-1]))
    x, y, z = (float(c) for c in direction)
    town = episode.town.cast(start, (x, y, z), length)
    points = [(d, (_at(start, direction, d), tag)) for d, tag in found if d <= length]
    if town is not None:
        points.append((math.dist(start, town[0]), (town[0], town[1])))
    return [hit for _, hit in sorted(points, key=lambda p: p[0])]


def _at(start: Vector, direction: np.ndarray, distance: float) -> Vector:
    x, y, z = (float(s + distance * d) for s, d in zip(start, direction, strict=True))
    return (x, y, z)


def _into_box(actor: Actor, start: np.ndarray, direction: np.ndarray) -> float | None:
    """Distance to where the ray enters the actor's box (slab method); None where it misses or starts inside."""
    axes = rotation_of(actor.transform)
    t = actor.transform
    origin = axes.T @ (start - (t.x_m, t.y_m, t.z_m)) - actor.box_center_m
    way = axes.T @ direction
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (-np.asarray(actor.extent_m) - origin) / way, (np.asarray(actor.extent_m) - origin) / way
    near, far = np.nanmax(np.minimum(low, high)), np.nanmin(np.maximum(low, high))
    return float(near) if 0 <= near <= far else None
