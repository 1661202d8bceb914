"""The four kinds of street, each a short story of what stands along the road."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import FENCE, GROUND, GUARD_RAIL, PAVEMENT, POLE, STATIC, VEGETATION, WALL
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places import ground
from simulator.embedded.places.buildings import find_room, house, town_house
from simulator.embedded.places.site import Frame, Site

NEAR_PUSHES_M = (0, 1, 2, 3, 4, 5, 6.5, 8, 10, 12, 15, 18, 22, 27, 33)


def urban(site: Site) -> None:
    """A street canyon: closed rows of houses with shops, pavements, lamps, trees, a junction and a crossing."""
    road, rng = site.road, site.rng
    inner = ground.slabs(site)._replace(color=m.varied(m.srgb(128, 124, 118), rng))
    ground.terrain(site, Material(m.srgb(120, 118, 112), pattern=PATTERNS["asphalt"]), GROUND)
    junctions = _junctions(site, 0.6, rng.uniform(24, 110))
    gaps = tuple([(s - w / 2, s + w / 2) for s, sides, w in junctions if side in sides] for side in (-1, 1))
    every_gap = [(s - w / 2, s + w / 2) for s, _, w in junctions]
    tar = ground.carriageway(site, 0.0, every_gap)
    ground.pavements(site, float(rng.uniform(2.6, 4.5)), inner, gaps)  # type: ignore[arg-type]
    for s, sides, width in junctions:
        for side in sides:
            ground.side_road(site, s, side, width, tar, inner)
    for s in [j[0] - j[2] / 2 - 4 for j in junctions] or ([float(rng.uniform(18, 70))] if rng.uniform() < 0.5 else []):
        site.add(road.crossing(s), ground.PAINT, ground.ROAD_LINE)

    front = road.half_m + float(rng.uniform(4.0, 6.5))
    for side in (-1, 1):
        s = -18.0 + float(rng.uniform(0, 6))
        while s < 215:
            width = float(rng.uniform(9, 21))
            blocked = [
                (low - 3.5, high + 3.5) for low, high in gaps[side > 0] if s < high + 3.5 and s + width > low - 3.5
            ]
            if blocked:
                s = blocked[0][1]
                continue
            frame = find_room(site, s + width / 2, side, width, 13.0, front, NEAR_PUSHES_M)
            if frame is not None:
                town_house(site, frame, width - (0.0 if rng.uniform() < 0.85 else 1.5), 13.0)
            s += width
    for index, s in enumerate(np.arange(-8, 170, 24.0)):
        site.street_lamp(float(s), -1 if index % 2 else 1, road.half_m + 0.9, 7.5)
    _avenue(site, road.half_m + 1.6, float(rng.uniform(9, 20)), 0.75)
    _street_clutter(site, road.half_m + 1.0, 12)
    ground.skyline(site, 26, 240, 420, 60.0)
    ground.hills(
        site, 16.0, Material(m.srgb(108, 116, 104), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=12.0), 460.0
    )


def suburb(site: Site) -> None:
    """Detached houses in gardens behind hedges and fences, verges with trees."""
    road, rng = site.road, site.rng
    lawn = ground.grass(site)
    ground.terrain(site, lawn)
    junctions = _junctions(site, 0.5, rng.uniform(30, 120))
    gaps = tuple([(s - w / 2, s + w / 2) for s, sides, w in junctions if side in sides] for side in (-1, 1))
    tar = ground.carriageway(site, 0.0, [(s - w / 2, s + w / 2) for s, _, w in junctions])
    ground.pavements(site, float(rng.uniform(1.8, 2.6)), lawn, gaps)  # type: ignore[arg-type]
    for s, sides, width in junctions:
        for side in sides:
            ground.side_road(site, s, side, width, tar, ground.slabs(site))
    front = road.half_m + float(rng.uniform(8, 12))
    boundary = road.half_m + 2.9
    for side in (-1, 1):
        s = -16.0 + float(rng.uniform(0, 8))
        while s < 210:
            width, plot = float(rng.uniform(8, 13)), float(rng.uniform(3, 8))
            if any(s < high + 5 and s + width + plot > low - 5 for low, high in gaps[side > 0]):
                s += 4
                continue
            frame = find_room(site, s + width / 2, side, width, 9.0, front + float(rng.uniform(0, 2)), NEAR_PUSHES_M)
            if frame is not None:
                house(site, frame, width, 9.0)
                drive = road.patches(
                    np.array([s + width + 1.0]), np.array([side * (road.half_m + 7)]), 2.8, 12.0, 0.024
                )
                site.add(drive, ground.slabs(site), PAVEMENT)
            _boundary(site, s, s + width + plot - 3.2, side, boundary)
            if rng.uniform() < 0.8:
                _tree_at(
                    site,
                    s + float(rng.uniform(0, width)),
                    side * (front - float(rng.uniform(1.5, 4))),
                    float(rng.uniform(3.5, 9)),
                )
            if rng.uniform() < 0.7:
                _tree_at(site, s + float(rng.uniform(0, width)), side * (front + 14), float(rng.uniform(7, 13)))
            s += width + plot
    for index, s in enumerate(np.arange(2, 150, 32.0)):
        site.street_lamp(float(s), 1 if index % 2 else -1, road.half_m + 0.7, 6.0)
    ground.wood(site, 46, 130, 260, 11.0)
    ground.hills(
        site, 22.0, Material(m.varied(m.srgb(74, 92, 58), rng), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=12.0)
    )


def highway(site: Site) -> None:
    """Lanes with hard shoulders, guard rails, grassy banks, tall lamps, a gantry far ahead, woods."""
    road, rng = site.road, site.rng
    lawn = ground.grass(site)
    ground.terrain(site, lawn)
    shoulder = float(rng.uniform(2.2, 3.2))
    ground.carriageway(site, shoulder, [])
    edge = road.half_m + shoulder
    for side in (-1, 1):
        _guard_rail(site, side, edge + 0.6)
        _bank(site, side, edge + 4.0, lawn)
        for s in np.arange(0, 210, 7.0):
            if rng.uniform() < 0.6:
                _tree_at(
                    site,
                    float(s + rng.uniform(0, 6)),
                    side * (edge + float(rng.uniform(9, 26))),
                    float(rng.uniform(3, 10)),
                )
    if rng.uniform() < 0.6:
        _gantry(site, float(rng.uniform(site.clear.depth_m + 12, site.clear.depth_m + 60)), edge + 1.5)
    for index, s in enumerate(np.arange(5, 200, 40.0)):
        site.street_lamp(float(s), -1 if index % 2 else 1, edge + 1.6, 10.0)
    ground.wood(site, 60, 120, 280, 12.0)
    ground.hills(
        site, 34.0, Material(m.varied(m.srgb(78, 94, 62), rng), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=14.0)
    )
    if rng.uniform() < 0.4:
        ground.skyline(site, 14, 300, 430, 45.0)


def country(site: Site) -> None:
    """A narrow road between fields: hedges, single trees, fences, wooden poles with a line, a farm, hills."""
    road, rng = site.road, site.rng
    lawn = ground.grass(site)
    ground.terrain(site, lawn)
    ground.carriageway(site, 0.4, [])
    dirt = Material(m.srgb(116, 100, 74), 1.0, pattern=PATTERNS["asphalt"], pattern_scale_m=2.0)
    for side in (-1, 1):
        near, far = sorted((side * (road.half_m + 0.4), side * (road.half_m + 1.1)))
        site.add(road.strip(ground.FROM_S, 220.0, near, far, -0.004), dirt, ground.TERRAIN)
        colors = [m.srgb(150, 138, 72), m.srgb(104, 118, 54), m.srgb(128, 104, 74), m.srgb(84, 104, 50)]
        s = -20.0
        while s < 270:
            long = float(rng.uniform(40, 110))
            near, far = sorted((side * (road.half_m + 5.5), side * (road.half_m + 160)))
            crop = Material(
                m.varied(m.drawn(colors, rng), rng),
                1.0,
                pattern=PATTERNS["grass"],
                pattern_scale_m=float(rng.uniform(1, 3)),
            )
            site.add(road.strip(s, min(s + long, 290), near, far, -0.02), crop, ground.TERRAIN)
            if rng.uniform() < 0.5:
                _boundary(site, s, s + long * 0.8, side, road.half_m + 4.2, hedge_share=0.6, fence_height_m=1.1)
            s += long
        for s in np.arange(-5, 220, 13.0):
            if rng.uniform() < 0.55:
                _tree_at(
                    site,
                    float(s + rng.uniform(0, 10)),
                    side * (road.half_m + float(rng.uniform(4, 14))),
                    float(rng.uniform(5, 13)),
                )
    side = 1 if rng.uniform() < 0.5 else -1
    for s in np.arange(0, 230, 35.0):
        t = site.settle(float(s), side * (road.half_m + 3.0), 0.3)
        if t is not None:
            _wooden_pole(site, float(s), t)
    for _ in range(3):
        s, side = float(rng.uniform(60, 200)), 1 if rng.uniform() < 0.5 else -1
        frame = find_room(site, s, side, 14.0, 9.0, road.half_m + float(rng.uniform(20, 50)), (0, 8, 16, 30))
        if frame is not None:
            house(site, frame, 14.0, 9.0)
    ground.wood(site, 60, 110, 300, 12.0)
    ground.hills(
        site, 42.0, Material(m.varied(m.srgb(82, 100, 62), rng), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=14.0)
    )


def _junctions(site: Site, chance: float, s: float) -> list[tuple[float, tuple[int, ...], float]]:
    """Side roads as (s, sides, width); none where they would cut a bend."""
    if site.rng.uniform() > chance:
        return []
    sides = [(1,), (-1,), (-1, 1)][int(site.rng.integers(3))]
    return [(float(s), sides, float(site.rng.uniform(6.0, 8.0)))]


def _tree_at(site: Site, s: float, t: float, height_m: float) -> None:
    spread = height_m * float(site.rng.uniform(0.55, 0.85))
    at = site.settle(s, t, spread / 2)
    if at is not None:
        site.plant("tree", site.road.point_m(s, at), height_m, spread)


def _avenue(site: Site, distance_m: float, every_m: float, share: float) -> None:
    """Trees along both pavements."""
    height = float(site.rng.uniform(5, 10))
    for side in (-1, 1):
        for s in np.arange(-10, 170, every_m):
            if site.rng.uniform() < share:
                _tree_at(site, float(s), side * distance_m, height * float(site.rng.uniform(0.8, 1.2)))


def _street_clutter(site: Site, distance_m: float, count: int) -> None:
    """Cabinets, benches and planters at the kerb: low things that belong to no category."""
    rng = site.rng
    for s in rng.uniform(4, 110, count):
        side = 1 if rng.uniform() < 0.5 else -1
        t = site.settle(float(s), side * distance_m, 0.9)
        if t is None:
            continue
        frame = Frame(tuple(site.road.point_m(s, t)), float(site.road.yaw_rad(s)))  # type: ignore[arg-type]
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


def _boundary(
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
    for xy, along, ok in zip(at, s, site.clear.free(at, 1.1), strict=True):
        if not ok:
            continue
        frame = Frame(tuple(xy), float(road.yaw_rad(along)))
        if kind < hedge_share:
            bulge = rng.uniform(-0.06, 0.06, 2)
            site.boxes(
                frame, (0, 0, tall / 2 + bulge[0] / 2), (2.05, 0.8 + bulge[1], tall + bulge[0]), green, VEGETATION
            )
        elif kind < 0.8:
            pales = np.arange(-0.9, 1.0, 0.3)
            centers = np.stack([pales, np.zeros(7), np.full(7, tall / 2)], 1)
            site.boxes(frame, centers, (0.11, 0.03, tall), wood, FENCE)
            site.boxes(frame, [(0, 0, 0.3 * tall), (0, 0, 0.75 * tall)], (2.0, 0.05, 0.08), wood, FENCE)
        else:
            site.boxes(frame, (0, 0, 0.4), (2.02, 0.25, 0.8), brick, WALL)


def _guard_rail(site: Site, side: int, distance_m: float) -> None:
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
            frame = Frame(tuple(xy), float(road.yaw_rad(along)))
            rails = [(0, 0, 0.68), (0, side * -0.04, 0.56), (0, 0, 0.46)]
            site.boxes(
                frame, rails, [(4.02, 0.05, 0.12), (4.02, 0.03, 0.12), (4.02, 0.05, 0.1)], m.GALVANISED, GUARD_RAIL
            )
            site.boxes(
                frame, [(-1, side * 0.08, 0.35), (1, side * 0.08, 0.35)], (0.1, 0.08, 0.7), m.GALVANISED, GUARD_RAIL
            )


def _bank(site: Site, side: int, distance_m: float, lawn: Material) -> None:
    """A grassy slope along the road, in pieces, where it hides nothing."""
    road = site.road
    rise = float(site.rng.uniform(1.5, 5.0)) if site.rng.uniform() < 0.6 else 0.0
    if not rise:
        return
    pieces = np.arange(-20, 240, 5.0)
    across = np.array([0, 2, 4.5, 7, 10, 14])
    height = rise * np.array([0, 0.25, 0.7, 0.95, 1.0, 1.0]) + ground.GROUND_M
    shift = next((p for p in (0, 2, 4, 6, 8, 11, 15)
                  if site.clear.free(road.point_m(pieces, side * (distance_m + p)), 2.0)[6:].mean() > 0.8), 18)  # fmt: skip
    t = side * (distance_m + shift + across)
    points = road.point_m(pieces[:, None] + np.array([[0.0]]), t[None])
    ahead = road.point_m(pieces[:, None] + 5.0, t[None])
    ok = site.clear.free(points, 2.5).all(1) & site.clear.free(ahead, 2.5).all(1)
    z = np.broadcast_to(height, (len(pieces), len(t)))[..., None]
    near, far = np.concatenate([points, z], -1)[ok], np.concatenate([ahead, z], -1)[ok]
    quads = np.stack([near[:, :-1], near[:, 1:], far[:, 1:], far[:, :-1]], 2).reshape(-1, 4, 3)
    quads = quads if side > 0 else quads[:, ::-1]
    site.panels(Frame((0.0, 0.0), 0.0), quads, lawn, ground.TERRAIN)


def _gantry(site: Site, s: float, distance_m: float) -> None:
    """A portal over the road, beyond what is kept clear, without signs."""
    feet = [site.settle(s, side * distance_m, 0.5) for side in (-1, 1)]
    if feet[0] is None or feet[1] is None:
        return
    left, right = feet
    frame = Frame(tuple(site.road.point_m(s, (left + right) / 2)), float(site.road.yaw_rad(s)))  # type: ignore[arg-type]
    span = right - left
    posts = [(0, -span / 2, 3.6), (0, span / 2, 3.6)]
    site.boxes(frame, posts, (0.4, 0.4, 7.2), m.GALVANISED, POLE)
    site.boxes(frame, [(0, 0, 7.1), (0, 0, 6.3)], (0.3, span, 0.16), m.GALVANISED, POLE)
    y = np.arange(-span / 2, span / 2, 1.2)
    site.boxes(frame, np.stack([np.zeros(len(y)), y, np.full(len(y), 6.7)], 1), (0.08, 0.08, 0.8), m.GALVANISED, POLE)


def _wooden_pole(site: Site, s: float, t: float) -> None:
    frame = Frame(tuple(site.road.point_m(s, t)), float(site.road.yaw_rad(s)))  # type: ignore[arg-type]
    wood = Material(m.srgb(92, 76, 62), 1.0)
    site.boxes(frame, [(0, 0, 4.0), (0, 0, 7.4)], [(0.2, 0.2, 8.0), (0.12, 1.8, 0.12)], wood, POLE)
