"""The kinds of street that are one road, each a short story of what stands along it."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import GROUND, PAVEMENT, ROAD_LINE, TERRAIN
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places import bridges, ground, roadside, shop_fronts, street_life, wires
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
        site.add(road.crossing(s), ground.PAINT, ROAD_LINE)

    bridges.overpass(site, 0.15, road.half_m + 4.6, None)
    front = road.half_m + float(rng.uniform(4.0, 6.5))
    apart = site.drawing_apart()
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
                dress(apart, frame, width, 0.07, 0.05)
            s += width
    for index, s in enumerate(np.arange(-8, 170, 24.0)):
        site.street_lamp(float(s), -1 if index % 2 else 1, road.half_m + 0.9, 7.5)
    if rng.uniform() < 0.35:
        roadside.overhanging_trees(site, road.half_m + 1.1, float(rng.uniform(8, 13)), 0.85)
    else:
        roadside.avenue(site, road.half_m + 1.6, float(rng.uniform(9, 20)), 0.75)
    roadside.street_clutter(site, road.half_m + 1.0, 12)
    street_life.furnish(site, street_life.AT_THE_KERB, road.half_m + 1.6, 30, every_gap)
    street_life.furnish(site, street_life.AT_THE_HOUSES, front - 1.4, 28, every_gap)
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
    every_gap = [(s - w / 2, s + w / 2) for s, _, w in junctions]
    tar = ground.carriageway(site, 0.0, every_gap)
    ground.pavements(site, float(rng.uniform(1.8, 2.6)), lawn, gaps)  # type: ignore[arg-type]
    for s, sides, width in junctions:
        for side in sides:
            ground.side_road(site, s, side, width, tar, ground.slabs(site))
    bridges.overpass(site, 0.12, road.half_m + 4.0, lawn)
    front = road.half_m + float(rng.uniform(8, 12))
    boundary = road.half_m + 2.9
    houses, apart = [], site.drawing_apart()
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
                dress(apart, frame, width, 0.02, 0.12)
                houses.append(frame)
                drive = road.patches(
                    np.array([s + width + 1.0]), np.array([side * (road.half_m + 7)]), 2.8, 12.0, 0.024
                )
                site.add(drive, ground.slabs(site), PAVEMENT)
            roadside.boundary(site, s, s + width + plot - 3.2, side, boundary)
            if rng.uniform() < 0.8:
                roadside.tree_at(
                    site,
                    s + float(rng.uniform(0, width)),
                    side * (front - float(rng.uniform(1.5, 4))),
                    float(rng.uniform(3.5, 9)),
                )
            if rng.uniform() < 0.7:
                roadside.tree_at(site, s + float(rng.uniform(0, width)), side * (front + 14), float(rng.uniform(7, 13)))
            s += width + plot
    for index, s in enumerate(np.arange(2, 150, 32.0)):
        site.street_lamp(float(s), 1 if index % 2 else -1, road.half_m + 0.7, 6.0)
    if rng.uniform() < 0.5:
        wires.line_of_poles(site, 1 if rng.uniform() < 0.5 else -1, road.half_m + 0.7, 28.0, 8.5, houses)
    street_life.furnish(site, street_life.IN_SUBURBS, road.half_m + 1.7, 22, every_gap)
    street_life.furnish(site, street_life.IN_SUBURBS, front - 2.5, 16, every_gap)
    ground.wood(site, 34, 130, 260, 11.0)
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
        roadside.guard_rail(site, side, edge + 0.6)
    bridges.overpass(site, 0.45, edge + 3.0, lawn)
    for side in (-1, 1):
        roadside.bank(site, side, edge + 4.0, lawn)
        for s in np.arange(0, 210, 7.0):
            if rng.uniform() < 0.6:
                roadside.tree_at(
                    site,
                    float(s + rng.uniform(0, 6)),
                    side * (edge + float(rng.uniform(9, 26))),
                    float(rng.uniform(3, 10)),
                )
    if rng.uniform() < 0.6:
        roadside.gantry(site, float(rng.uniform(site.clear.depth_m + 12, site.clear.depth_m + 60)), edge + 1.5)
    for index, s in enumerate(np.arange(5, 200, 40.0)):
        site.street_lamp(float(s), -1 if index % 2 else 1, edge + 1.6, 10.0)
    ground.wood(site, 48, 120, 280, 12.0)
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
    bridges.overpass(site, 0.22, road.half_m + 3.5, lawn)
    dirt = Material(m.srgb(116, 100, 74), 1.0, pattern=PATTERNS["asphalt"], pattern_scale_m=2.0)
    for side in (-1, 1):
        near, far = sorted((side * (road.half_m + 0.4), side * (road.half_m + 1.1)))
        site.add(road.strip(ground.FROM_S, 220.0, near, far, -0.004), dirt, TERRAIN)
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
            site.add(road.strip(s, min(s + long, 290), near, far, -0.02), crop, TERRAIN)
            if rng.uniform() < 0.5:
                roadside.boundary(site, s, s + long * 0.8, side, road.half_m + 4.2, hedge_share=0.6, fence_height_m=1.1)
            s += long
        for s in np.arange(-5, 220, 13.0):
            if rng.uniform() < 0.55:
                roadside.tree_at(
                    site,
                    float(s + rng.uniform(0, 10)),
                    side * (road.half_m + float(rng.uniform(4, 14))),
                    float(rng.uniform(5, 13)),
                )
    wires.line_of_poles(site, 1 if rng.uniform() < 0.5 else -1, road.half_m + 3.0, 35.0, 8.0)
    for _ in range(3):
        s, side = float(rng.uniform(60, 200)), 1 if rng.uniform() < 0.5 else -1
        frame = find_room(site, s, side, 14.0, 9.0, road.half_m + float(rng.uniform(20, 50)), (0, 8, 16, 30))
        if frame is not None:
            house(site, frame, 14.0, 9.0)
    ground.wood(site, 48, 110, 300, 12.0)
    ground.hills(
        site, 42.0, Material(m.varied(m.srgb(82, 100, 62), rng), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=14.0)
    )


def dress(site: Site, frame: Frame, width_m: float, works: float, climbers: float) -> None:
    """Scaffolding before some fronts that are near, ivy on others."""
    draw = site.rng.uniform()
    if np.hypot(*frame.origin[:2]) > 85:
        return
    if draw < works:
        shop_fronts.scaffolding(site, frame, width_m, float(site.rng.uniform(6, 11)))
    elif draw < works + climbers:
        shop_fronts.ivy(site, frame, width_m, float(site.rng.uniform(2.5, 5.5)))


def _junctions(site: Site, chance: float, s: float) -> list[tuple[float, tuple[int, ...], float]]:
    """Side roads as (s, sides, width); none where they would cut a bend."""
    if site.rng.uniform() > chance:
        return []
    sides = [(1,), (-1,), (-1, 1)][int(site.rng.integers(3))]
    return [(float(s), sides, float(site.rng.uniform(6.0, 8.0)))]
