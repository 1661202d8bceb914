"""A crossroads: the camera's street meets another, with rounded kerbs, stop lines, zebra crossings, corner houses."""

from dataclasses import replace

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import GROUND, PAVEMENT, ROAD, ROAD_LINE, surface
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places import ground, roadside, street_life
from simulator.embedded.places.buildings import find_room, house, town_house
from simulator.embedded.places.kinds import NEAR_PUSHES_M
from simulator.embedded.places.road import LINE_M, PAVEMENT_M, SIDE_ROAD_M, Road
from simulator.embedded.places.site import Frame, Site
from simulator.junction import CORNER_M, LANE_WIDTH_M, STOP_LINE_M, ZEBRA_M, crossing

REACH_M = 85.0  # how far the crossing road is lined, either way


def junction(site: Site) -> None:
    """Two streets of a town, or of a suburb with gardens, that cross ahead."""
    road, rng = site.road, site.rng
    gardens = bool(rng.uniform() < 0.4)
    lawn = ground.grass(site)
    inner = lawn if gardens else ground.slabs(site)._replace(color=m.varied(m.srgb(128, 124, 118), rng))
    if gardens:
        ground.terrain(site, lawn)
    else:
        ground.terrain(site, Material(m.srgb(120, 118, 112), pattern=PATTERNS["asphalt"]), GROUND)
    cross = crossing(road.place)
    low, high = cross.along_m - cross.half_m, cross.along_m + cross.half_m
    tar = ground.carriageway(site, 0.0, [(low - STOP_LINE_M - 1, high + STOP_LINE_M + 1)])
    width = float(rng.uniform(2.6, 4.5))
    ground.pavements(site, width, inner, ([(low, high)], [(low, high)]))
    other = site.along(_cross_road(road, cross.along_m, 2 * cross.lanes_each_way))
    middle = float(_along(other.road, road.point_m(cross.along_m, 0.0)))
    _crossing_road(other, middle, road.half_m, tar, ground.slabs(site))
    _corners(site, low, high, tar)
    zebra = bool(rng.uniform() < 0.75)
    for at, towards in ((low, 1), (high, -1)):
        _approach(site, at, towards, zebra)
    for sign in (-1, 1):
        _approach(other, middle + sign * road.half_m, -sign, zebra and bool(rng.uniform() < 0.8))

    front = road.half_m + float(rng.uniform(7, 10) if gardens else rng.uniform(4.2, 6.0))
    aside = cross.half_m + float(rng.uniform(7, 10) if gardens else rng.uniform(4.2, 6.0))
    deep = 9.0 if gardens else 13.0
    build = house if gardens else town_house
    for side in (-1, 1):
        for start, end in ((-18.0, low - aside + cross.half_m), (high + aside - cross.half_m, 200.0)):
            _row(site, build, start, end, side, front, deep, gardens, at_end=start < 0)
    # Along the crossing road the rows begin behind the houses of the camera's street.
    for side in (-1, 1):
        for start, end in (
            (middle - REACH_M, middle - front - deep - 1),
            (middle + front + deep + 1, middle + REACH_M),
        ):
            _row(other, build, start, end, side, aside, deep, gardens, at_end=end < middle)
    for index, s in enumerate([low - 5.0, high + 5.0, *np.arange(high + 28, 160, 26.0), *np.arange(low - 30, -8, -26)]):
        site.street_lamp(float(s), -1 if index % 2 else 1, road.half_m + 0.9, 7.0)
    roadside.street_clutter(site, road.half_m + 1.0, 10)
    mouth = (low - CORNER_M, high + CORNER_M)
    things = street_life.IN_SUBURBS if gardens else street_life.AT_THE_KERB
    street_life.furnish(site, things, road.half_m + 1.6, 26, [mouth])
    if not gardens:
        street_life.furnish(site, street_life.AT_THE_HOUSES, front - 1.3, 22, [mouth])
    distance = road.half_m + (1.6 if not gardens else front - road.half_m - 2.5)
    for side in (-1, 1):
        for s in [*np.arange(-8, low - 9, 12.0), *np.arange(high + 9, 170, 12.0)]:
            if rng.uniform() < 0.6:
                roadside.tree_at(site, float(s), side * distance, float(rng.uniform(5, 10)), "broad tree")
    ground.skyline(site, 26, 240, 420, 22.0 if gardens else 60.0)
    ground.wood(site, 20, 130, 260, 11.0)
    ground.hills(
        site, 18.0, Material(m.srgb(92, 106, 84), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=12.0), 430.0
    )


def _cross_road(road: Road, along_m: float, lanes: int) -> Road:
    """The crossing road as a road of its own, which runs to the right."""
    heading = float(road.heading_rad(along_m)) + np.pi / 2
    right = np.array([np.cos(heading), -np.sin(heading)])
    place = replace(
        road.place,
        lane_count=lanes,
        lane_width_m=LANE_WIDTH_M,
        camera_offset_m=float(-road.point_m(along_m, 0.0) @ right),
        road_yaw_deg=float(np.degrees(heading)),
        curvature_per_m=0.0,
    )
    return Road(place, first_m=-160.0)  # it runs to both sides


def _along(road: Road, xy: np.ndarray) -> float:
    """How far along a straight road a point is."""
    heading = float(road.heading_rad(0.0))
    return float((xy - road.point_m(0.0, 0.0)) @ np.array([np.sin(heading), np.cos(heading)]))


def _crossing_road(site: Site, middle: float, gap_m: float, tar: Material, flag: Material) -> None:
    """Asphalt, kerbs, pavements and lines on both sides of the camera's street."""
    road = site.road
    for start, end in ((middle - REACH_M, middle - gap_m + 0.1), (middle + gap_m - 0.1, middle + REACH_M)):
        site.add(road.strip(start, end, -road.half_m, road.half_m, SIDE_ROAD_M), tar, ROAD)
        far_end = (start, end - CORNER_M) if end < middle else (start + CORNER_M, end)
        for side in (-1, 1):
            near, far = sorted((side * road.half_m, side * (road.half_m + 3.2)))
            site.add(road.strip(*far_end, near, far, PAVEMENT_M + 0.002), flag, PAVEMENT)
            near, far = sorted((side * road.half_m, side * (road.half_m + 0.3)))
            site.add(road.strip(*far_end, near, far, PAVEMENT_M + 0.004), ground.KERB, PAVEMENT)
        s = np.arange(start + 2, end - 2, 8.0)
        s = s[np.abs(s - middle) > gap_m + STOP_LINE_M + 2]
        if len(s):
            site.add(road.patches(s, np.zeros(len(s)), 3.0, 0.13, LINE_M), ground.PAINT, ROAD_LINE)


def _corners(site: Site, low: float, high: float, tar: Material) -> None:
    """Asphalt in the four corners, between both kerbs and the arc that joins them, and the kerb along the arc."""
    road = site.road
    turn = np.linspace(0, np.pi / 2, 9)
    for side in (-1, 1):
        for edge, away in ((low, -1), (high, 1)):

            def at(radius: np.ndarray | float, edge=edge, away=away, side=side) -> np.ndarray:
                s = edge + away * (CORNER_M - radius * np.cos(turn))
                t = side * (road.half_m + CORNER_M - radius * np.sin(turn))
                return road.point_m(s, t)

            corner = np.broadcast_to(road.point_m(edge, side * road.half_m), (9, 2))
            for inside, outside, z, material, tag in (
                (corner, at(CORNER_M), PAVEMENT_M + 0.006, tar, ROAD),
                (at(CORNER_M), at(CORNER_M - 0.3), PAVEMENT_M + 0.008, ground.KERB, PAVEMENT),
            ):
                grid = np.stack([inside, outside] if side * away < 0 else [outside, inside])
                band = np.concatenate([grid, np.full((2, 9, 1), z)], -1)
                site.add(_facing_up(band), material, tag)


def _facing_up(grid_m: np.ndarray):
    """A flat band as triangles that look up, without those of no area at a corner's tip."""
    shape = surface(grid_m, smooth=False)
    corner = shape.vertices_m[shape.faces]
    up = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])[:, 2]
    shape = shape._replace(faces=np.where(up[:, None] < 0, shape.faces[:, ::-1], shape.faces))
    return shape.part(np.abs(up) > 1e-6)


def _approach(site: Site, kerb_s: float, towards: int, zebra: bool) -> None:
    """Stop line and zebra crossing of an arm; `towards` 1: its traffic drives along the road, to the kerb `kerb_s`."""
    if zebra:
        site.add(site.road.zebra(kerb_s - towards * ZEBRA_M, 3.0), ground.PAINT, ROAD_LINE)
    site.add(site.road.stop_line(kerb_s - towards * STOP_LINE_M, towards, 0.4), ground.PAINT, ROAD_LINE)


def _row(
    site: Site,
    build,
    start: float,
    end: float,
    side: int,
    front_m: float,
    deep_m: float,
    gardens: bool,
    *,
    at_end: bool,
) -> None:
    """Houses from `start` to `end`; the row is flush with the end that is the junction's corner."""
    rng = site.rng
    s = start
    widths = []
    while s < end - 8:
        widths.append(float(rng.uniform(8, 12) if gardens else rng.uniform(10, 20)))
        s += widths[-1] + (float(rng.uniform(3, 6)) if gardens else 0.0)
    if not widths:
        return
    gap = (s - start - sum(widths)) / len(widths)
    s = end - (s - start) if at_end else start
    for width in widths:
        frame = find_room(site, s + width / 2, side, width, deep_m, front_m, NEAR_PUSHES_M)
        if frame is not None:
            build(site, frame, width, deep_m, all_round=True)
            site.clear.take(_middles(frame, width, deep_m), 1.9)
        if gardens:
            roadside.boundary(site, s, s + width, side, front_m - 4.5)
        s += width + gap


def _middles(frame: Frame, width_m: float, deep_m: float) -> np.ndarray:
    """Points inside a house, so that another of the other street's row does not stand in it."""
    y = np.arange(-width_m / 2 + 3.5, width_m / 2 - 3, 3.0)
    x = np.array([-4.0, -deep_m + 4.0])
    points = np.stack([*np.meshgrid(x, y), np.zeros((len(y), 2))], -1).reshape(-1, 3)
    return frame.world(points)[:, :2]
