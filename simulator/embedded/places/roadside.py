"""What stands along a road: trees, hedges, fences, rails, banks, poles, cabinets. Each keeps the view free."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import FENCE, GUARD_RAIL, POLE, STATIC, TERRAIN, VEGETATION, WALL
from simulator.embedded.assets.vegetation import CROWN_FROM
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places.road import GROUND_M
from simulator.embedded.places.site import Frame, Site

NEAREST_TREE_M = 8.0  # ahead: a nearer one would be a wall of leaves at the picture's edge


def tree_at(site: Site, s: float, t: float, height_m: float, kind: str = "tree") -> None:
    spread = height_m * float(site.rng.uniform(0.55, 0.85))
    if 0 < s < NEAREST_TREE_M:
        return
    at = site.settle(s, t, spread / 2)
    if at is not None:
        site.plant(kind, site.road.point_m(s, at), height_m, spread)


def avenue(site: Site, distance_m: float, every_m: float, share: float) -> None:
    """Trees along both pavements, none of them a conifer."""
    height = float(site.rng.uniform(5, 10))
    for side in (-1, 1):
        for s in np.arange(-10, 170, every_m):
            if site.rng.uniform() < share:
                tall = height * float(site.rng.uniform(0.8, 1.2))
                tree_at(site, float(s), side * distance_m, tall, "broad tree")


def overhanging_trees(site: Site, distance_m: float, every_m: float, share: float) -> None:
    """A row of old trees along the kerbs whose crowns reach over the road and shade it, high above traffic."""
    rng = site.rng
    height, spread = float(rng.uniform(13.5, 16.0)), float(rng.uniform(6.0, 8.5))
    for side in (-1, 1):
        s = np.arange(float(rng.uniform(-12, -6)), 150, every_m)
        trunk = site.road.point_m(s, side * distance_m)
        tall = height * rng.uniform(0.94, 1.1, len(s))
        ok = site.clear.free(trunk, 0.45) & (rng.uniform(size=len(s)) < share)
        for xy, high in zip(trunk[ok], tall[ok], strict=True):
            if site.clear.free_overhead(xy, spread / 2, 0.9 * CROWN_FROM * high):
                site.plant("street tree", xy, float(high), spread)
                site.clear.take(xy[None], 0.3)


def street_clutter(site: Site, distance_m: float, count: int) -> None:
    """Cabinets, benches and planters at the kerb: low things that belong to no category."""
    rng = site.rng
    for s in rng.uniform(4, 110, count):
        side = 1 if rng.uniform() < 0.5 else -1
        t = site.settle(float(s), side * distance_m, 0.9)
        if t is None:
            continue
        frame = Frame(site.road.point_m(s, t), float(site.road.yaw_rad(s)))
        kind = rng.uniform()
        if kind < 0.35:
            site.boxes(frame, (0, 0, 0.6), (0.9, 0.35, 1.2), Material(m.srgb(112, 118, 112), 0.7), STATIC)
        elif kind < 0.7:
            wood, legs = Material(m.srgb(120, 84, 54), 0.8), [(-0.6, 0, 0.22), (0.6, 0, 0.22)]
            site.boxes(
                frame, [(0, 0, 0.46), (0, side * 0.22, 0.75)], [(1.7, 0.45, 0.06), (1.7, 0.06, 0.4)], wood, STATIC
            )
            site.boxes(frame, legs, (0.08, 0.4, 0.44), m.TRIM, STATIC)
        else:
            site.boxes(frame, (0, 0, 0.3), (1.4, 0.7, 0.6), Material(m.srgb(150, 146, 138)), STATIC)
            site.plant("bush", frame.origin[:2], 1.3, 1.1)


def boundary(
    site: Site, from_s: float, to_s: float, side: int, distance_m: float, hedge_share=0.45, fence_height_m=1.2
) -> None:
    """A hedge, a fence or a low wall in pieces of 2 m; a piece that may not stand there is left out."""
    rng, road = site.rng, site.road
    s = np.arange(from_s + 1, to_s, 2.0)
    if not len(s):
        return
    kind = rng.uniform()
    tall = float(rng.uniform(0.9, 1.7)) if kind < hedge_share else fence_height_m
    white = rng.uniform() < 0.5
    wood = Material(m.srgb(216, 212, 202) if white else m.srgb(118, 92, 66), 0.9)
    green = Material(m.varied(m.srgb(58, 80, 38), rng, 0.2), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=0.4)
    brick = Material(m.varied(m.srgb(150, 92, 74), rng), 1.0, pattern=PATTERNS["brick"])
    push = next(
        (
            p
            for p in (0.0, 2.0, 4.0, 6.0, 8.0)
            if site.clear.free(road.point_m(s, side * (distance_m + p)), 1.1).mean() > 0.6
        ),
        None,
    )
    if push is None:
        return
    t = side * (distance_m + push)
    at = road.point_m(s, t)
    free = site.clear.free(at, 1.1)
    beside = np.append(free[1:], False) | np.insert(free[:-1], 0, False)
    for xy, along, ok in zip(at, s, free & beside, strict=True):  # a single piece would be a block of green
        if not ok:
            continue
        frame = Frame(xy, float(road.yaw_rad(along)))
        if kind < hedge_share:
            bulge = rng.uniform(-0.06, 0.06, 2)
            site.boxes(
                frame, (0, 0, tall / 2 + bulge[0] / 2), (2.05, 0.8 + bulge[1], tall + bulge[0]), green, VEGETATION
            )
        elif kind < 0.8:
            pales = np.arange(-0.9, 1.0, 0.3)
            half = np.array([[-0.055, 0], [0.055, 0], [0.055, tall], [-0.055, tall]])
            corners = np.stack([pales[:, None] + half[:, 0], np.full((7, 4), 0.03), np.tile(half[:, 1], (7, 1))], -1)
            site.panels(frame, corners, wood, FENCE)
            site.boxes(frame, [(0, 0, 0.3 * tall), (0, 0, 0.75 * tall)], (2.0, 0.05, 0.08), wood, FENCE)
        else:
            site.boxes(frame, (0, 0, 0.4), (2.02, 0.25, 0.8), brick, WALL)


def guard_rail(site: Site, side: int, distance_m: float) -> None:
    """Steel rail on posts; it stands further off where the space by the lane is kept clear."""
    road = site.road
    s = np.arange(-18, 220, 4.0)
    t = side * distance_m
    for push in (0, 1, 2, 3, 4, 5, 6, 8):
        if site.clear.free(road.point_m(s[s > 0], side * (distance_m + push)), 0.3).mean() > 0.7:
            t = side * (distance_m + push)
            break
    at = road.point_m(s, t)
    for xy, along, ok in zip(at, s, site.clear.free(at, 2.1), strict=True):
        if ok:
            frame = Frame(xy, float(road.yaw_rad(along)))
            rails = [(0, 0, 0.68), (0, side * -0.04, 0.56), (0, 0, 0.46)]
            site.boxes(
                frame, rails, [(4.02, 0.05, 0.12), (4.02, 0.03, 0.12), (4.02, 0.05, 0.1)], m.GALVANISED, GUARD_RAIL
            )
            site.boxes(
                frame, [(-1, side * 0.08, 0.35), (1, side * 0.08, 0.35)], (0.1, 0.08, 0.7), m.GALVANISED, GUARD_RAIL
            )


def bank(site: Site, side: int, distance_m: float, lawn: Material) -> None:
    """A grassy slope along the road, in pieces, where it hides nothing."""
    road = site.road
    rise = float(site.rng.uniform(1.5, 5.0)) if site.rng.uniform() < 0.6 else 0.0
    if not rise:
        return
    pieces = np.arange(-20, 240, 5.0)
    across = np.array([0, 2, 4.5, 7, 10, 14])
    height = rise * np.array([0, 0.25, 0.7, 0.95, 1.0, 1.0]) + GROUND_M
    shift = next(
        (
            p
            for p in (0, 2, 4, 6, 8, 11, 15)
            if site.clear.free(road.point_m(pieces, side * (distance_m + p)), 2.0)[6:].mean() > 0.8
        ),
        18,
    )
    t = side * (distance_m + shift + across)
    points = road.point_m(pieces[:, None] + np.array([[0.0]]), t[None])
    ahead = road.point_m(pieces[:, None] + 5.0, t[None])
    ok = site.clear.free(points, 2.5).all(1) & site.clear.free(ahead, 2.5).all(1)
    z = np.broadcast_to(height, (len(pieces), len(t)))[..., None]
    near, far = np.concatenate([points, z], -1)[ok], np.concatenate([ahead, z], -1)[ok]
    quads = np.stack([near[:, :-1], near[:, 1:], far[:, 1:], far[:, :-1]], 2).reshape(-1, 4, 3)
    quads = quads if side > 0 else quads[:, ::-1]
    site.panels(Frame((0.0, 0.0), 0.0), quads, lawn, TERRAIN)


def gantry(site: Site, s: float, distance_m: float) -> None:
    """A portal over the road, beyond what is kept clear, without signs."""
    left, right = site.settle(s, -distance_m, 0.5), site.settle(s, distance_m, 0.5)
    if left is None or right is None:
        return
    if not site.clear.free_overhead(site.road.point_m(s, np.linspace(left, right, 24)), 0.5, 6.0).all():
        return
    frame = Frame(site.road.point_m(s, (left + right) / 2), float(site.road.yaw_rad(s)))
    span = right - left
    posts = [(0, -span / 2, 3.6), (0, span / 2, 3.6)]
    site.boxes(frame, posts, (0.4, 0.4, 7.2), m.GALVANISED, POLE)
    site.boxes(frame, [(0, 0, 7.1), (0, 0, 6.3)], (0.3, span, 0.16), m.GALVANISED, POLE)
    y = np.arange(-span / 2, span / 2, 1.2)
    site.boxes(frame, np.stack([np.zeros(len(y)), y, np.full(len(y), 6.7)], 1), (0.08, 0.08, 0.8), m.GALVANISED, POLE)
