"""Hiding a wanted share of a target: which neighbours to leave out, and what to push in front of it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simulator.casting import SIZES, Casting
from simulator.clutter import CLUTTER_SIZES
from simulator.footprint import collides
from simulator.preview import Preview, distance_m, hidden_share, sight, whole_box
from simulator.scene import Actor, SceneCamera

# Solid things, as tall as a car or taller; vehicles only where the data set labels them.
OCCLUDERS = ("container", "kiosk", "van", "car", "truck", "bush")


def thin_out(camera: SceneCamera, actors: list[Actor], target: int, wanted: float, tolerance: float) -> list[Actor]:
    """Leaves out the neighbours that hide most of the target, until no more than wanted + tolerance is hidden.

    The target stays, and is always the first of the returned actors.
    """
    chosen = [actors[target], *(actor for i, actor in enumerate(actors) if i != target)]
    while len(chosen) > 1 and sight(camera, chosen, 0).occlusion > wanted + tolerance:
        shares = [hidden_share(camera, chosen[0], actor) for actor in chosen[1:]]
        del chosen[1 + int(np.argmax(shares))]
    return chosen


def push_in_front(
    camera: SceneCamera, actors: Sequence[Actor], wanted: float, casting: Casting, rng: np.random.Generator
) -> Actor | None:
    """An occluder that hides `wanted` of actors[0], together with the others, from its left or right.

    Draws what it is, how far before the target it stands and the side it comes from; then slides it inwards until the
    preview shows the wanted share (bisection: the share grows as it moves in). None when nothing fits in 24 draws.
    """
    target = actors[0]
    box = whole_box(camera, target)
    if box is None:
        return None
    preview = Preview(camera, actors, 0)
    for _ in range(24):
        nearness = rng.uniform(0.45, 0.9)
        side = rng.choice([-1.0, 1.0])
        # Here its middle hides the target's middle; it comes from where it just misses the target.
        drawn = replace(_draw(target, casting, rng), x_m=target.x_m * nearness, z_m=target.z_m * nearness)
        reach_m = 0.5 * (box[2] - box[0]) / camera.intrinsics.fx_px * drawn.z_m + max(drawn.dimensions_hwl_m)

        def at(offset_m: float, drawn=drawn, side=side) -> Actor:
            return replace(drawn, x_m=drawn.x_m + side * offset_m)

        inner_m, outer_m = 0.0, reach_m
        if distance_m(drawn) >= distance_m(target) or preview.occlusion(at(inner_m)) < wanted:
            continue
        for _ in range(9):
            half_m = (inner_m + outer_m) / 2
            inner_m, outer_m = (half_m, outer_m) if preview.occlusion(at(half_m)) >= wanted else (inner_m, half_m)
        if abs(preview.occlusion(at(outer_m)) - wanted) <= 0.04 and not collides(at(outer_m), actors, 0.15):
            return at(outer_m)
    return None


def _draw(target: Actor, casting: Casting, rng: np.random.Generator) -> Actor:
    """Something tall enough to stand before the target, turned along the road or across."""
    label, asset = None, "container"
    for _ in range(8):
        asset = str(rng.choice(OCCLUDERS))
        label = casting.category_of(asset)
        if asset in CLUTTER_SIZES or label is not None:
            break
        asset = "container"
    size = SIZES[asset] if asset in SIZES else CLUTTER_SIZES[asset]
    dimensions = size.draw(rng)
    if asset in CLUTTER_SIZES:  # clutter comes in every size: as tall as needed
        grown = max(1.0, (target.lift_m + target.dimensions_hwl_m[0]) * 1.1 / dimensions[0])
        dimensions = (dimensions[0] * grown, dimensions[1], dimensions[2])
    return Actor(
        asset=asset,
        x_m=0.0,
        z_m=0.0,
        yaw_rad=float(rng.choice([-np.pi / 2, np.pi / 2]) + rng.normal(0, np.radians(4))),
        dimensions_hwl_m=dimensions,
        category=label if asset in SIZES else None,
        appearance_seed=int(rng.integers(2**31)),
    )
