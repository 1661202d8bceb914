"""Things before the houses of towns that no data set labels: boards, tables, stalls, goods, shrubs, scaffolding, ivy.

Each is built in a frame whose x looks at the road.
"""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.boxes_on_pavements import POSTERS
from simulator.embedded.assets.shapes import STATIC, VEGETATION, Shape, lathe
from simulator.embedded.mesh import PATTERNS, Material
from simulator.embedded.places.buildings import upright
from simulator.embedded.places.kerbside import DARK_WOOD
from simulator.embedded.places.site import Frame, Site

CLOTHS = [m.srgb(178, 40, 36), m.srgb(222, 214, 196), m.srgb(34, 84, 60), m.srgb(30, 60, 110), m.srgb(214, 150, 40)]


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


def shrubs(site: Site, frame: Frame) -> None:
    for y in site.rng.uniform(-1.2, 1.2, 4):
        tall = float(site.rng.uniform(0.6, 1.7))
        site.plant("bush", frame.world(np.array([0.0, y, 0.0]))[:2], tall, float(site.rng.uniform(0.8, 1.5)))


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
