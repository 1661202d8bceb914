"""What pavements of towns are full of and no data set labels: shelters, racks, stalls, signs of shops, building works.

Each thing is a small builder in a frame whose x looks at the road; `furnish` scatters them where they hide nothing.
Racks for bicycles are empty: a parked bicycle is labelled by some data sets.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.boxes_on_pavements import POSTERS, container
from simulator.embedded.assets.shapes import FENCE, STATIC, VEGETATION, Shape, lathe, rods
from simulator.embedded.assets.street_furniture import bin_, bollard
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places.buildings import upright
from simulator.embedded.places.site import Frame, Site

BOX_COLORS = {
    "default": [m.srgb(160, 24, 26), m.srgb(226, 180, 30), m.srgb(30, 60, 120)],
    "stand-in": [m.srgb(36, 110, 70), m.srgb(226, 110, 24), m.srgb(70, 70, 76)],
}
CLOTHS = [m.srgb(178, 40, 36), m.srgb(222, 214, 196), m.srgb(34, 84, 60), m.srgb(30, 60, 110), m.srgb(214, 150, 40)]
DARK_WOOD = Material(m.srgb(104, 76, 52), 0.9)


def bus_shelter(site: Site, frame: Frame) -> None:
    """A roof on posts, glass behind, a bench, a poster at one end; open to the road."""
    rng = site.rng
    long, deep, tall = float(rng.uniform(3.0, 4.6)), 1.4, 2.45
    steel = m.drawn([m.GALVANISED, m.TRIM, Material(m.srgb(40, 70, 60), 0.5)], rng)
    site.boxes(frame, (0, 0, tall), (deep + 0.3, long + 0.2, 0.1), steel, STATIC)
    posts = [(x, y, tall / 2) for x in (-deep / 2, deep / 2 - 0.2) for y in (-long / 2, long / 2)]
    site.boxes(frame, posts, (0.08, 0.08, tall), steel, STATIC)
    site.boxes(frame, (-deep / 2, 0, 1.25), (0.03, long - 0.1, 1.7), m.GLASS, STATIC)
    site.boxes(frame, (-deep / 2 + 0.3, 0, 0.5), (0.35, long * 0.6, 0.06), DARK_WOOD, STATIC)
    site.boxes(frame, (-deep / 2 + 0.3, 0, 0.25), (0.06, long * 0.5, 0.44), steel, STATIC)
    end = long / 2 * float(rng.choice([-1, 1]))
    site.boxes(frame, (-0.05, end, 1.2), (1.2, 0.14, 1.9), steel, STATIC)
    poster = Material(m.varied(m.drawn(POSTERS, rng), rng), 0.4, 0.3, emission=0.8)
    for face in (-0.075, 0.075):
        site.boxes(frame, (-0.05, end + face, 1.25), (1.0, 0.01, 1.6), poster, STATIC)


def bicycle_racks(site: Site, frame: Frame) -> None:
    """Hoops of steel pipe in a row, square to the road."""
    count = int(site.rng.integers(3, 6))
    y = (np.arange(count) - (count - 1) / 2) * 0.85
    top = np.array([(x, at, 0.8) for at in y for x in (-0.38, 0.38)])
    foot = top * [1, 1, 0]
    pipes = rods(np.concatenate([foot, top[::2]]), np.concatenate([top, top[1::2]]), 0.03, 5)
    site.add(pipes._replace(vertices_m=frame.world(pipes.vertices_m)), m.GALVANISED, STATIC)


def phone_box(site: Site, frame: Frame) -> None:
    color = Material(m.varied(m.drawn(BOX_COLORS[site.asset_set], site.rng), site.rng), 0.4, 0.4)
    site.boxes(frame, [(0, 0, 0.1), (0, 0, 2.3)], [(0.95, 0.95, 0.2), (1.0, 1.0, 0.3)], color, STATIC)
    corners = [(x, y, 1.2) for x in (-0.44, 0.44) for y in (-0.44, 0.44)]
    site.boxes(frame, corners, (0.08, 0.08, 2.2), color, STATIC)
    site.boxes(frame, (0, 0, 1.2), (0.84, 0.84, 2.0), m.GLASS, STATIC)
    bars = [(0, 0, z) for z in (0.6, 1.0, 1.4, 1.8)]
    site.boxes(frame, bars, (0.88, 0.88, 0.03), color, STATIC)


def post_box(site: Site, frame: Frame) -> None:
    color = Material(m.varied(m.drawn(BOX_COLORS[site.asset_set], site.rng), site.rng), 0.4, 0.4)
    if site.rng.uniform() < 0.5:  # a pillar
        pillar = lathe([(0, 0.24), (0.12, 0.24), (0.14, 0.21), (1.3, 0.21), (1.36, 0.26), (1.46, 0.2), (1.5, 0.04)], 12)
        site.add(pillar._replace(vertices_m=frame.world(pillar.vertices_m)), color, STATIC)
    else:  # a box on a post
        site.boxes(frame, (0, 0, 0.35), (0.08, 0.08, 0.7), m.TRIM, STATIC)
        site.boxes(frame, (0, 0, 1.05), (0.35, 0.5, 0.75), color, STATIC)
    site.boxes(frame, (0.2, 0, 1.2), (0.05, 0.28, 0.05), m.TRIM, STATIC)


def advertising_column(site: Site, frame: Frame) -> None:
    """A thick round column pasted over with posters, under a little roof."""
    rng = site.rng
    body = lathe([(0, 0.62), (0.3, 0.62), (0.32, 0.56), (2.6, 0.56)], 14)
    roof = lathe([(2.6, 0.7), (2.75, 0.72), (2.95, 0.2), (3.1, 0.05)], 14)
    trim = Material(m.drawn([m.srgb(40, 60, 50), m.srgb(60, 62, 66)], rng), 0.6)
    site.add(body._replace(vertices_m=frame.world(body.vertices_m)), Material(m.srgb(190, 184, 170), 0.9), STATIC)
    site.add(roof._replace(vertices_m=frame.world(roof.vertices_m)), trim, STATIC)
    for turn in np.arange(6) * np.pi / 3 + 0.2:
        sheet = Frame(frame.origin[:2], frame.yaw_rad + float(turn))
        tall = float(rng.uniform(0.9, 1.7))
        poster = Material(m.varied(m.drawn(POSTERS, rng), rng, 0.3), 0.8)
        site.panels(sheet, upright(0.575, 0.0, 0.5 + tall / 2 + float(rng.uniform(0, 0.3)), 0.5, tall), poster, STATIC)


def kerb_railing(site: Site, frame: Frame) -> None:
    """Guard railing: two rails on posts, thin bars between them."""
    long = float(site.rng.uniform(5.0, 8.0))
    skin = m.drawn([m.GALVANISED, m.TRIM, Material(m.srgb(34, 60, 46), 0.6)], site.rng)
    site.boxes(frame, [(0, 0, 1.02), (0, 0, 0.2)], (0.05, long, 0.05), skin, FENCE)
    y = np.linspace(-long / 2, long / 2, int(long / 1.6) + 1)
    site.boxes(frame, np.stack([0 * y, y, 0 * y + 0.52], 1), (0.06, 0.06, 1.04), skin, FENCE)
    y = np.arange(-long / 2 + 0.16, long / 2, 0.16)
    site.panels(frame, upright(0.0, y, np.full(len(y), 0.6), 0.022, 0.8), skin, FENCE)


def bollards(site: Site, frame: Frame) -> None:
    post = bollard(int(site.rng.integers(4)), site.asset_set, (0.95, 0.2, 0.2))
    for y in (-3.0, -1.5, 0.0, 1.5, 3.0):
        at = frame.world(np.array([0.0, y, 0.0]))
        site.add_model(post, Frame(at[:2], frame.yaw_rad))


def a_board(site: Site, frame: Frame) -> None:
    """A folding board before a shop."""
    color = Material(m.varied(m.drawn(POSTERS, site.rng), site.rng, 0.3), 0.7)
    turned = Frame(frame.origin[:2], frame.yaw_rad + float(site.rng.choice([-1, 1])) * np.pi / 2)
    for side in (-1, 1):
        corners = [(side * 0.28, -0.3, 0.0), (side * 0.28, 0.3, 0.0), (0.02, 0.3, 1.05), (0.02, -0.3, 1.05)]
        site.panels(turned, corners, DARK_WOOD, STATIC)
        sheet = [(side * 0.265, -0.25, 0.12), (side * 0.265, 0.25, 0.12), (side * 0.055, 0.25, 1.0)]
        out = np.array([side * 0.02, 0, 0])
        site.panels(turned, np.array([*sheet, (side * 0.055, -0.25, 1.0)]) + out, color, STATIC)


def cafe_tables(site: Site, frame: Frame) -> None:
    """Round tables with chairs, under a parasol."""
    rng = site.rng
    cloth = Material(m.varied(m.drawn(CLOTHS, rng), rng), 0.9, pattern=PATTERNS["cloth"])
    seat = m.drawn([DARK_WOOD, m.TRIM, Material(m.srgb(150, 120, 80), 0.8)], rng)
    for y in (-1.3, 1.3):
        table = lathe([(0, 0.2), (0.03, 0.2), (0.04, 0.03), (0.7, 0.03), (0.71, 0.36), (0.74, 0.36)], 8)
        site.add(table._replace(vertices_m=frame.world(table.vertices_m + [0, y, 0])), m.STEEL, STATIC)
        for side in (-1, 1):
            at = y + side * 0.65
            back = (0, at + side * 0.2, 0.68)
            site.boxes(frame, [(0, at, 0.45), back], [(0.42, 0.42, 0.05), (0.42, 0.04, 0.42)], seat, STATIC)
            legs = [(x, at + d, 0.22) for x in (-0.18, 0.18) for d in (-0.18, 0.18)]
            site.boxes(frame, legs, (0.03, 0.03, 0.45), seat, STATIC)
    shade = lathe([(2.1, 1.45), (2.14, 1.4), (2.5, 0.7), (2.75, 0.03)], 8)._replace(smooth=False)
    pole = lathe([(0, 0.25), (0.06, 0.25), (0.07, 0.03), (2.4, 0.03)], 6)
    site.add(shade._replace(vertices_m=frame.world(shade.vertices_m)), cloth, STATIC)
    site.add(pole._replace(vertices_m=frame.world(pole.vertices_m)), m.GALVANISED, STATIC)


def market_stall(site: Site, frame: Frame) -> None:
    """Boards on trestles heaped with coloured crates, under a striped cloth."""
    rng = site.rng
    cloth = Material(m.varied(m.drawn(CLOTHS, rng), rng), 0.9, pattern=PATTERNS["stripes"], pattern_scale_m=0.3)
    posts = [(x, y, 1.1 + 0.15 * (x < 0)) for x in (-0.8, 0.8) for y in (-1.4, 1.4)]
    site.boxes(frame, posts, (0.05, 0.05, 2.3), m.GALVANISED, STATIC)
    roof = np.array([(1.2, -1.7, 2.05), (1.2, 1.7, 2.05), (-1.0, 1.7, 2.6), (-1.0, -1.7, 2.6)])
    flap = np.array([(1.2, -1.7, 1.8), (1.2, 1.7, 1.8), (1.2, 1.7, 2.05), (1.2, -1.7, 2.05)])
    site.panels(frame, np.stack([roof, flap]), cloth, STATIC)
    site.boxes(frame, (0.2, 0, 0.82), (1.3, 2.8, 0.06), DARK_WOOD, STATIC)
    site.panels(frame, upright(0.84, 0.0, 0.42, 2.8, 0.76), cloth._replace(pattern=PATTERNS["cloth"]), STATIC)
    for y in np.arange(-1.1, 1.2, 0.55):
        goods = m.varied(m.drawn([*POSTERS, m.srgb(90, 130, 40), m.srgb(200, 90, 30)], rng), rng, 0.3)
        skin = Material(goods, 0.9, pattern=PATTERNS["leaves"], pattern_scale_m=0.12)
        site.boxes(frame, [(0.5, y, 0.93), (-0.1, y, 1.0)], (0.5, 0.48, 0.18), skin, STATIC)


def goods_before_a_shop(site: Site, frame: Frame) -> None:
    """Crates, buckets of flowers and a rack along a shop's front."""
    rng = site.rng
    for y in np.arange(-1.6, 1.7, 0.62):
        kind, high = rng.uniform(), float(rng.uniform(0.3, 0.8))
        color = Material(m.varied(m.drawn(POSTERS, rng), rng, 0.3), 0.8)
        if kind < 0.55:
            site.boxes(frame, (0, y, high / 2), (0.5, 0.55, high), color, STATIC)
            fruit = color._replace(color=m.varied(m.drawn(CLOTHS, rng), rng, 0.3), pattern=PATTERNS["leaves"])
            site.boxes(frame, (0, y, high + 0.05), (0.42, 0.47, 0.1), fruit._replace(pattern_scale_m=0.12), STATIC)
        elif kind < 0.85:
            site.plant("bush", frame.world(np.array([0.0, y, 0.0]))[:2], high + 0.3, 0.5)
        else:
            site.boxes(frame, [(0, y, z) for z in (0.3, 0.8, 1.3)], (0.4, 0.5, 0.04), m.STEEL, STATIC)
            site.boxes(frame, (-0.1, y, 1.0), (0.15, 0.45, 0.7), color, STATIC)


def bins(site: Site, frame: Frame) -> None:
    """Wheeled bins put out for collection."""
    for y in np.arange(int(site.rng.integers(2, 5))) * 0.75 - 0.9:
        at = frame.world(np.array([float(site.rng.normal(0, 0.08)), y, 0.0]))
        wheeled = bin_(int(site.rng.integers(5)), site.asset_set, (1.08, 0.58, 0.72))
        site.add_model(wheeled, Frame(at[:2], frame.yaw_rad + float(site.rng.normal(0, 0.15))))


def skip(site: Site, frame: Frame) -> None:
    trough = container(int(site.rng.integers(4)), site.asset_set, (1.4, 1.8, 3.6))
    site.add_model(trough, Frame(frame.origin[:2], frame.yaw_rad + np.pi / 2))


def hoarding(site: Site, frame: Frame) -> None:
    """Building works closed off: boards or mesh fence on feet, heaps of sand and bricks behind."""
    rng = site.rng
    long = float(rng.uniform(5.0, 8.0))
    if rng.uniform() < 0.5:
        color = Material(
            m.varied(m.drawn([m.srgb(40, 70, 120), m.srgb(200, 196, 184), m.srgb(60, 90, 66)], rng), rng), 0.8
        )
        site.boxes(frame, (0.6, 0, 1.0), (0.05, long, 2.0), color, STATIC)
        y = np.arange(-long / 2, long / 2 + 0.1, 1.2)
        site.boxes(frame, np.stack([0 * y + 0.56, y, 0 * y + 1.0], 1), (0.08, 0.08, 2.05), DARK_WOOD, STATIC)
        for y in rng.uniform(-0.4, 0.4, 3) * long:
            poster = Material(m.varied(m.drawn(POSTERS, rng), rng, 0.3), 0.8)
            site.panels(frame, upright(0.635, y, rng.uniform(0.9, 1.3), 0.7, 1.0), poster, STATIC)
    else:
        y = np.arange(-long / 2, long / 2 + 0.1, 0.2)
        site.panels(frame, upright(0.6, y, np.full(len(y), 1.0), 0.018, 1.9), m.GALVANISED, FENCE)
        rails = [(0.6, 0, z) for z in (0.1, 1.0, 1.95)]
        site.boxes(frame, rails, (0.04, long, 0.04), m.GALVANISED, FENCE)
        feet = np.arange(-long / 2, long / 2 + 0.1, long / 3)
        site.boxes(frame, np.stack([0 * feet + 0.6, feet, 0 * feet + 0.07], 1), (0.6, 0.22, 0.14), m.TRIM, STATIC)
    sand = Material(m.varied(m.srgb(176, 152, 112), rng), 1.0, pattern=PATTERNS["asphalt"])
    heap = lathe([(0, 1.1), (0.35, 0.75), (0.7, 0.25), (0.8, 0.05)], 9)._replace(smooth=False)
    site.add(heap._replace(vertices_m=frame.world(heap.vertices_m + [-0.7, 0.2 * long, 0])), sand, STATIC)
    brick = Material(m.srgb(150, 80, 62), 1.0, pattern=PATTERNS["brick"])
    site.boxes(frame, (-0.5, -0.25 * long, 0.45), (0.9, 1.1, 0.9), brick, STATIC)


def shrubs(site: Site, frame: Frame) -> None:
    for y in site.rng.uniform(-1.2, 1.2, 4):
        tall = float(site.rng.uniform(0.6, 1.7))
        site.plant("bush", frame.world(np.array([0.0, y, 0.0]))[:2], tall, float(site.rng.uniform(0.8, 1.5)))


class Thing(NamedTuple):
    """A builder, the radius it needs, and how often it is drawn."""

    build: Callable[[Site, Frame], None]
    radius_m: float
    weight: float


AT_THE_KERB = (
    Thing(bus_shelter, 2.4, 1.0),
    Thing(bicycle_racks, 2.0, 1.2),
    Thing(phone_box, 0.7, 0.6),
    Thing(post_box, 0.35, 1.0),
    Thing(advertising_column, 0.75, 0.6),
    Thing(kerb_railing, 4.1, 1.5),
    Thing(bollards, 3.2, 1.5),
    Thing(bins, 1.3, 1.0),
    Thing(skip, 2.1, 0.4),
    Thing(hoarding, 4.2, 0.5),
)
AT_THE_HOUSES = (
    Thing(a_board, 0.5, 1.2),
    Thing(cafe_tables, 2.5, 1.2),
    Thing(market_stall, 1.9, 0.7),
    Thing(goods_before_a_shop, 2.0, 1.5),
    Thing(bins, 1.3, 1.0),
    Thing(shrubs, 1.9, 0.8),
)
IN_SUBURBS = (
    Thing(bins, 1.3, 2.0),
    Thing(bus_shelter, 2.4, 0.5),
    Thing(post_box, 0.35, 1.0),
    Thing(shrubs, 1.9, 3.0),
    Thing(skip, 2.1, 0.5),
    Thing(hoarding, 4.2, 0.4),
)


def furnish(site: Site, things: tuple[Thing, ...], distance_m: float, tries: int) -> None:
    """Up to `tries` of the things along both sides, more of them near the camera, none in another or in the way."""
    site = site.drawing_apart()  # a street is otherwise the one it was
    rng, weight = site.rng, np.array([one.weight for one in things])
    chosen = rng.choice(len(things), tries, p=weight / weight.sum())
    s, side = np.exp(rng.uniform(np.log(4.0), np.log(95.0), tries)), rng.choice([-1, 1], tries)
    radius = np.array([things[i].radius_m for i in chosen])
    at = site.road.point_m(s, side * distance_m)
    yaw = site.road.yaw_rad(s) + side * np.pi / 2
    for i in np.flatnonzero(site.clear.free(at, radius)):
        if site.clear.untaken(at[i], radius[i]):
            things[chosen[i]].build(site, Frame(at[i], float(yaw[i])))
            site.clear.take(at[i], radius[i])


def scaffolding(site: Site, frame: Frame, width_m: float, height_m: float) -> None:
    """Tubes, planks and ladders before a front, sometimes behind netting."""
    rng = site.rng
    y = np.linspace(-width_m / 2 + 0.3, width_m / 2 - 0.3, max(3, int(width_m / 2.4)))
    levels = np.arange(2.1, height_m, 2.0)
    posts = [(x, at, height_m / 2) for x in (0.2, 1.05) for at in y]
    site.boxes(frame, posts, (0.05, 0.05, height_m), m.GALVANISED, STATIC)
    site.boxes(frame, [(0.62, 0, z) for z in levels], (0.8, width_m - 0.4, 0.05), DARK_WOOD, STATIC)
    rails = [(1.05, 0, z + up) for z in levels for up in (0.5, 1.0)]
    site.boxes(frame, rails, (0.04, width_m - 0.4, 0.04), m.GALVANISED, STATIC)
    if rng.uniform() < 0.4:
        net = Material(m.varied(m.drawn([m.srgb(60, 110, 80), m.srgb(170, 172, 170)], rng), rng), 1.0)
        low = float(levels[0])
        tall = height_m - low
        net = net._replace(pattern=PATTERNS["cloth"])
        site.panels(frame, upright(1.1, 0.0, low + tall / 2, width_m - 0.3, tall), net, STATIC)


def ivy(site: Site, frame: Frame, width_m: float, height_m: float) -> None:
    """Leaves that climb a front: ragged triangles in a patch, denser below."""
    rng = site.rng
    count = 90
    y = float(rng.uniform(-0.3, 0.3)) * width_m + rng.normal(0, 0.12 * width_m, count)
    z = height_m * rng.uniform(0, 1, count) ** 1.6
    inside = np.abs(y) < width_m / 2 - 0.2
    size = 0.55 * rng.uniform(0.6, 1.3, (count, 1, 1))
    corners = np.stack([rng.uniform(0.06, 0.2, count), y, z], 1)[:, None] + size * (
        rng.uniform(-1, 1, (count, 3, 3)) * [0.06, 1, 1]
    )
    corners = np.maximum(corners[inside], [0.05, -np.inf, 0.0])
    flat = Shape(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3))
    green = Material(m.varied(m.srgb(54, 78, 36), rng, 0.25), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=0.25)
    site.add(flat._replace(vertices_m=frame.world(flat.vertices_m)), green, VEGETATION)
