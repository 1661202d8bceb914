"""A car park before a large shop: painted bays, islands with trees and lamps, a trolley shelter, hedges all round."""

from dataclasses import replace

import numpy as np

from simulator.car_park import FIRST_M, Bay, CarPark
from simulator.car_park import car_park as layout_of
from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import BUILDING, FENCE, GROUND, PAVEMENT, ROAD, ROAD_LINE, STATIC, VEGETATION
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places import ground
from simulator.embedded.places.buildings import SHOP_BOARDS, WALLS, find_room, house, town_house, upright
from simulator.embedded.places.road import LINE_M, PATCH_M, ROAD_M, Road
from simulator.embedded.places.site import Frame, Site

KERB_M = 0.13  # height of an island's kerb
CANOPY_M = 3.2  # how far the shop's canopy stands out before its front
NEAR_PUSHES_M = (0, 2, 4, 7, 10, 14, 20, 28)


def car_park(site: Site) -> None:
    """The aisle is the place's road; it runs straight."""
    site = site.along(Road(replace(site.road.place, curvature_per_m=0.0)))
    road, rng = site.road, site.rng
    layout = layout_of(road.place)
    lawn = ground.grass(site)
    ground.terrain(site, lawn)
    tar = ground.asphalt(site)
    edge = layout.row_offsets_m[-1] + layout.row_depth_m / 2
    start, end = FIRST_M - 12.0, layout.to_m + 7.0
    site.add(road.strip(start, end, -edge - 7, edge + 7, ROAD_M), tar, ROAD)
    _lines(site, layout)
    for bay in layout.bays:
        if bay.use == "island":
            _island(site, bay, layout)
    sheltered = [bay for bay in layout.bays if bay.use == "shelter"]
    if sheltered:
        _trolley_shelter(site, sheltered, layout)
    _ticket_machine(site, layout)
    _shop(site, end + float(rng.uniform(5, 14)), edge)
    _surroundings(site, start, end, edge + 7.0)
    ground.wood(site, 40, 120, 260, 11.0)
    ground.skyline(site, 10, 260, 420, 30.0)
    ground.hills(
        site, 20.0, Material(m.varied(m.srgb(76, 92, 60), rng), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=12.0)
    )


def _lines(site: Site, layout: CarPark) -> None:
    """The lines between bays, where two rows stand back to back, and an arrow now and then in the aisle."""
    road, rng = site.road, site.rng
    half_s, half_t = layout.bay_width_m / 2, layout.row_depth_m / 2
    corners = []
    for bay in layout.bays:
        side = np.sign(bay.offset_m)
        for at in (-half_s, half_s) if bay.use != "island" else ():
            s = bay.along_m + at + np.array([-half_t, -half_t, half_t, half_t]) * layout.lean
            s = s + np.array([-0.05, 0.05, 0.05, -0.05])
            t = bay.offset_m + side * np.array([-half_t, -half_t, half_t, half_t])
            corners.append(road.point_m(s, t)[:: -int(side)])
    flat = np.array(corners)
    worn = ground.PAINT._replace(color=m.scaled(ground.PAINT.color, float(rng.uniform(0.6, 1.0))))
    lines = np.concatenate([flat, np.full((*flat.shape[:2], 1), LINE_M)], -1)
    site.panels(Frame((0.0, 0.0), 0.0), lines, worn, ROAD_LINE)
    t = (layout.row_offsets_m[0] + layout.row_offsets_m[1]) / 2
    for side in (-1, 1):
        site.add(road.strip(FIRST_M, layout.to_m, side * t - 0.06, side * t + 0.06, LINE_M + 0.001), worn, ROAD_LINE)
    for s in np.arange(float(rng.uniform(4, 12)), layout.to_m, 16.0):
        for t, way in ((road.half_m / 2, 1), (-road.half_m / 2, -1)):
            shaft = road.patches(np.array([s - way * 0.5]), np.array([t]), 1.6, 0.16, LINE_M)
            site.add(shaft, worn, ROAD_LINE)
            tip = road.point_m(s + way * np.array([0.3, 0.3, 1.3, 1.3]), t + way * np.array([-0.35, 0.35, 0.02, -0.02]))
            head = np.concatenate([tip[::-1], np.full((4, 1), LINE_M)], -1)
            site.panels(Frame((0.0, 0.0), 0.0), head, worn, ROAD_LINE)


def _frame(site: Site, bay: Bay) -> Frame:
    """The bay's frame: x into it, away from the aisle."""
    return Frame(site.road.point_m(bay.along_m, bay.offset_m), float(site.road.yaw_rad(0.0)) - bay.turn_rad)


def _island(site: Site, bay: Bay, layout: CarPark) -> None:
    """A bay with a kerb, earth and shrubs, a tree or a lamp; where it might hide somebody, only its outline is left."""
    frame, rng = _frame(site, bay), site.rng
    width, depth = layout.bay_width_m - 0.4, layout.row_depth_m - 0.3
    xy = frame.world(np.array([[x, 0.0, 0.0] for x in (-0.3 * depth, 0.0, 0.3 * depth)]))[:, :2]
    raised = bool(site.clear.free(xy, width / 2 + 0.4).all())
    top, soil_m = (KERB_M, KERB_M + 0.006) if raised else (PATCH_M, LINE_M)  # flat, it hides no more than a line does
    soil = (
        ground.grass(site) if rng.uniform() < 0.6 else Material(m.srgb(104, 86, 66), 1.0, pattern=PATTERNS["asphalt"])
    )
    site.boxes(frame, (0, 0, top / 2 - 0.02), (depth, width, top + 0.04), ground.KERB, PAVEMENT)
    site.boxes(frame, (0, 0, soil_m / 2 - 0.02), (depth - 0.3, width - 0.3, soil_m + 0.04), soil, GROUND)
    if not raised:
        return
    if rng.uniform() < 0.3:
        site.street_lamp(float(bay.along_m), 1 if bay.offset_m > 0 else -1, abs(bay.offset_m) + 0.4 * depth, 6.5)
    elif rng.uniform() < 0.8:
        height = float(rng.uniform(4.0, 7.5))
        if site.clear.free(xy[1], 0.3 * height):
            site.plant("broad tree", xy[1], height, 0.6 * height)
    for x in (-0.3, 0.3):
        if rng.uniform() < 0.7:
            site.plant("bush", frame.world(np.array([[x * depth, 0.0, 0.0]]))[0, :2], float(rng.uniform(0.5, 1.0)), 1.2)


def _trolley_shelter(site: Site, bays: list[Bay], layout: CarPark) -> None:
    """A glass roof on posts over rows of trolleys pushed into one another."""
    first = _frame(site, bays[0])
    middle = np.mean([_frame(site, bay).origin[:2] for bay in bays], axis=0)
    if not site.clear.free(middle, 3.6):
        return
    frame = Frame(middle, first.yaw_rad)
    long, wide = 0.92 * layout.row_depth_m, 2 * layout.bay_width_m - 0.7
    posts = [(x * long / 2, y * wide / 2, 1.15) for x in (-0.95, 0, 0.95) for y in (-1, 1)]
    site.boxes(frame, posts, (0.07, 0.07, 2.3), m.GALVANISED, STATIC)
    site.boxes(frame, (0, 0, 2.34), (long, wide + 0.3, 0.06), m.GLASS, STATIC)
    site.boxes(frame, [(0, -wide / 2, 0.95), (0, wide / 2, 0.95)], (long * 0.9, 0.03, 1.1), m.GLASS, STATIC)
    bumpers = [(0, y * wide / 2, z) for y in (-1, 1) for z in (0.35, 1.55, 2.27)]
    site.boxes(frame, bumpers, (long, 0.05, 0.07), m.GALVANISED, STATIC)
    handle = Material(m.drawn(SHOP_BOARDS[site.asset_set], site.rng), 0.5)
    for y in (-0.25 * wide, 0.25 * wide):  # each trolley stands 0.3 m behind the next
        x = np.arange(-0.42, float(site.rng.uniform(0.1, 0.42)), 0.3 / long) * long
        at = np.stack([x, np.full(len(x), y), np.zeros(len(x))], 1)
        for low, tall, across in ((0.98, 0.04, 0.52), (0.55, 0.04, 0.5), (0.14, 0.05, 0.48)):
            skin = handle if low > 0.9 else m.CHROME
            site.boxes(frame, at + [0, 0, low], (0.05, across, tall), skin, STATIC)
        site.boxes(frame, at + [0, 0.25, 0.55], (0.03, 0.03, 0.85), m.CHROME, STATIC)
        site.boxes(frame, at + [0, -0.25, 0.55], (0.03, 0.03, 0.85), m.CHROME, STATIC)


def _ticket_machine(site: Site, layout: CarPark) -> None:
    """A pillar with a coloured head where two rows stand back to back."""
    rng = site.rng
    t = (layout.row_offsets_m[0] + layout.row_offsets_m[1]) / 2 * (1 if rng.uniform() < 0.5 else -1)
    s = float(rng.uniform(10, 30))
    if not site.clear.free(site.road.point_m(s, t), 0.4):
        return
    frame = Frame(site.road.point_m(s, t), float(rng.uniform(0, 6)))
    color = Material(m.drawn([m.srgb(40, 70, 130), m.srgb(60, 62, 64), m.srgb(210, 170, 30)], rng), 0.5, 0.2)
    site.boxes(frame, (0, 0, 0.8), (0.28, 0.42, 1.6), color, STATIC)
    site.boxes(frame, (0.15, 0, 1.2), (0.02, 0.3, 0.4), m.TRIM, STATIC)
    site.boxes(frame, (0, 0, 1.7), (0.34, 0.5, 0.2), Material(m.srgb(226, 226, 220), 0.6, emission=0.3), STATIC)


def _shop(site: Site, s: float, edge_m: float) -> None:
    """A long low hall that faces the camera: cladding, a row of glass under a canopy, a board without words."""
    rng, road = site.rng, site.road
    wide, deep, tall = float(rng.uniform(1.2, 1.8)) * edge_m, 34.0, float(rng.uniform(6.0, 9.0))
    yaw = float(road.yaw_rad(0.0)) + np.pi  # its front looks back along the aisle
    middle = float(rng.uniform(-0.25, 0.25)) * edge_m
    frame = Frame(road.point_m(s, middle), yaw)
    y = np.linspace(-wide / 2, wide / 2, 24)
    canopy = frame.world(np.stack([np.full(24, CANOPY_M / 2), y, np.zeros(24)], 1))[:, :2]
    if not site.clear.free(canopy, CANOPY_M / 2 + 0.4).all():
        return
    site.clear.take(frame.world(np.stack([np.full(24, -6.0), y, np.zeros(24)], 1))[:, :2], 6.0)
    clad = Material(m.varied(m.drawn([*WALLS[site.asset_set], m.srgb(190, 192, 194)], rng), rng), 0.7)
    band = Material(m.varied(m.drawn(SHOP_BOARDS[site.asset_set], rng), rng), 0.6, 0.15)
    site.boxes(frame, (-deep / 2, 0, tall / 2), (deep, wide, tall), clad, BUILDING)
    ribs = np.arange(-wide / 2 + 0.6, wide / 2, 1.2)
    rib = np.stack([np.full(len(ribs), 0.02), ribs, np.full(len(ribs), (tall + 3.4) / 2)], 1)
    site.boxes(frame, rib, (0.06, 0.08, tall - 3.6), clad._replace(color=m.scaled(clad.color, 0.8)), BUILDING)
    site.boxes(frame, (0.02, 0, tall - 0.3), (0.3, wide, 0.7), band, BUILDING)
    panes = int(wide * 0.55 / 2.4)
    at = (np.arange(panes) - (panes - 1) / 2) * 2.4
    glass = m.LIT_SHOP if site.night else m.GLASS
    site.panels(frame, upright(0.05, at, 1.65, 2.2, 2.6), glass, BUILDING)
    site.boxes(frame, (CANOPY_M / 2, 0, 3.35), (CANOPY_M, wide * 0.6, 0.25), band, BUILDING)
    posts = np.stack([np.full(panes // 3 + 1, 3.0), np.linspace(-0.28, 0.28, panes // 3 + 1) * wide], 1)
    site.boxes(frame, np.column_stack([posts, np.full(len(posts), 1.65)]), (0.16, 0.16, 3.3), m.GALVANISED, BUILDING)
    board = band._replace(color=m.scaled(band.color, 1.4), emission=0.6)
    site.boxes(frame, (0.2, 0, tall - 1.6), (0.25, 9.0, 1.5), board, BUILDING)
    letters = np.cumsum(rng.uniform(0.5, 0.9, 9))
    site.panels(
        frame,
        upright(0.335, letters - letters.mean(), tall - 1.6, rng.uniform(0.3, 0.45, 9), 0.8),
        Material(m.srgb(232, 230, 222), 0.6, emission=0.8),
        BUILDING,
    )


def _surroundings(site: Site, start: float, end: float, t_m: float) -> None:
    """Hedges and fences at the border, trees and buildings behind them: no bare horizon, whichever way one looks."""
    road, rng = site.road, site.rng
    green = Material(m.varied(m.srgb(58, 80, 38), rng, 0.2), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=0.4)
    tall = float(rng.uniform(1.0, 1.8))
    fenced = rng.uniform() < 0.35
    along = np.arange(start + 1.5, end, 3.0)
    across = np.arange(-t_m + 1.5, t_m, 3.0)
    yaw = float(road.yaw_rad(0.0))
    pieces = [(s, side * (t_m + 1.2), yaw) for side in (-1, 1) for s in along]
    pieces += [(s, t, yaw + np.pi / 2) for s in (start - 1.0, end + 1.0) for t in across]
    for s, t, turn in pieces:
        xy = road.point_m(s, t)
        if not site.clear.free(xy, 1.7):
            continue
        frame, height = Frame(xy, turn), tall + float(rng.uniform(-0.06, 0.06))
        if fenced:
            bars = np.array([(x, 0, 0.75) for x in np.arange(-1.4, 1.5, 0.35)])
            site.boxes(frame, bars, (0.04, 0.04, 1.5), m.STEEL, FENCE)
            site.boxes(frame, [(0, 0, 0.25), (0, 0, 1.4)], (3.0, 0.05, 0.06), m.STEEL, FENCE)
        else:
            site.boxes(frame, (0, 0, height / 2), (3.05, 1.0, height), green, VEGETATION)
    for side in (-1, 1):
        s = start
        while s < end + 60:
            width = float(rng.uniform(10, 18))
            build = house if rng.uniform() < 0.5 else town_house
            frame = find_room(site, s + width / 2, side, width, 11.0, t_m + float(rng.uniform(8, 16)), NEAR_PUSHES_M)
            if frame is not None:
                build(site, frame, width, 11.0)
            s += width + float(rng.uniform(2, 12))
        for s in np.arange(start, end + 40, 9.0):
            t = site.settle(float(s + rng.uniform(-3, 3)), side * (t_m + float(rng.uniform(3, 6))), 2.5)
            if t is not None and rng.uniform() < 0.75:
                site.plant("tree", road.point_m(float(s), t), float(rng.uniform(5, 10)), 5.0)
