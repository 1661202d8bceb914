"""Lorries, buses and trams: rounded hulls with rows of windows on a chassis with wheels."""

from itertools import pairwise

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.bodywork import wheel
from simulator.embedded.assets.shapes import (
    BUS,
    TRAIN,
    TRUCK,
    Assembly,
    Shape,
    box,
    boxes,
    lathe,
    panels,
    rod,
    rounded_body,
)
from simulator.embedded.mesh import Lamp, Material, Mesh

CARGO_COLORS = {
    "default": [
        m.srgb(232, 232, 228),
        m.srgb(200, 202, 204),
        m.srgb(40, 70, 130),
        m.srgb(170, 34, 30),
        m.srgb(236, 190, 40),
        m.srgb(60, 110, 70),
    ],
    "stand-in": [
        m.srgb(214, 200, 170),
        m.srgb(110, 60, 40),
        m.srgb(40, 100, 110),
        m.srgb(90, 96, 100),
        m.srgb(200, 110, 40),
    ],
}  # fmt: skip
BUS_COLORS = {
    "default": [
        m.srgb(196, 30, 34),
        m.srgb(236, 180, 30),
        m.srgb(40, 90, 160),
        m.srgb(230, 230, 226),
        m.srgb(60, 130, 80),
    ],
    "stand-in": [
        m.srgb(30, 110, 116), m.srgb(120, 50, 100), m.srgb(224, 214, 190), m.srgb(206, 116, 40),
    ],
}  # fmt: skip


def _wheels(parts: Assembly, x_m: list[float], radius_m: float, half_width_m: float, tag: int) -> None:
    width = 0.3
    for x in x_m:
        for shape, material in wheel(radius_m, width, 6, m.GALVANISED):
            parts.both_sides(shape.moved((x, half_width_m - width / 2 - 0.03, radius_m)), material, tag)


def _lamps(
    parts: Assembly, x_front: float, x_rear: float, half_m: float, front_z: float, rear_z: float, tag: int
) -> None:
    """Headlights at the front and red lights at the rear, with one Lamp for both headlights."""
    head = box((x_front, half_m - 0.3, front_z), (0.04, 0.36, 0.2))
    parts.both_sides(head, m.HEADLIGHT, tag)
    parts.both_sides(box((x_rear, half_m - 0.22, rear_z), (0.04, 0.3, 0.14)), m.TAILLIGHT, tag)
    parts.lamp(Lamp((x_front + 0.15, 0.0, front_z), (1.0, 0.93, 0.82), 60.0, (0.997, 0.0, -0.08), 30.0))


def _glazing(
    x_from: float, x_to: float, y_m: float, low_m: float, high_m: float, count: int, gap_m: float = 0.09
) -> Shape:
    """A row of panes on the left side, from back to front."""
    edges = np.linspace(x_from, x_to, count + 1)
    low, high = edges[:-1] + gap_m / 2, edges[1:] - gap_m / 2
    y = np.full(count, y_m)
    corners = [(high, y, low_m), (low, y, low_m), (low, y, high_m), (high, y, high_m)]
    return panels(np.stack([np.stack(np.broadcast_arrays(*c), -1) for c in corners], 1))


def _screen(x_low: float, x_high: float, half_m: float, low_m: float, high_m: float) -> Shape:
    """A pane that faces forward where x_low, x_high are at the front (x > 0), else backward."""
    y = half_m if x_low > 0 else -half_m
    return panels([(x_low, -y, low_m), (x_low, y, low_m), (x_high, y, high_m), (x_high, -y, high_m)])


def truck(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """Box lorry, tanker or flatbed; above 10.5 m of length a tractor with a semi-trailer."""
    rng = np.random.default_rng([seed, 41])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    half, front, rear = width / 2, length / 2, -length / 2
    cab_paint = m.paint(m.varied(m.drawn(CARGO_COLORS[asset_set], rng), rng))
    semi = length > 10.5
    kind = m.drawn(["box", "tanker", "flatbed"], rng, [5, 1.5, 2] if asset_set == "default" else [3, 2, 3])
    radius = min(0.5, 0.16 * height)
    cab_m = min(2.2, 0.3 * length)
    cab_top = height * (0.93 if kind == "box" or semi else 1.0) if height > 2.6 else height
    _cab(parts, front, cab_m, half, radius, cab_top, cab_paint, asset_set)
    deck = 2 * radius + 0.12
    bed_front = front - cab_m - (0.55 if semi else 0.12)
    parts.add(box(((rear + front - 0.5) / 2, 0, deck - 0.16), (length - 0.7, 0.9, 0.26)), m.UNDERSIDE, TRUCK)
    axles = [front - 0.62 * cab_m]
    axles += [rear + 0.16 * length, rear + 0.16 * length - 2.15 * radius] if semi else [rear + 0.24 * length]
    if semi:
        axles += [front - cab_m - 0.75]
    axles = [max(a, rear + radius + 0.05) for a in axles]
    _wheels(parts, axles, radius, half * 0.985, TRUCK)
    cargo = Material(m.varied(m.drawn(CARGO_COLORS[asset_set], rng), rng), 0.55, clearcoat=0.25)
    {"box": _box_cargo, "tanker": _tank_cargo, "flatbed": _flat_cargo}[kind](
        parts, rear, bed_front, half, deck, height, cargo, rng
    )
    guard_x = (axles[1] + radius + axles[0] - radius - 0.6) / 2
    guard = box((guard_x, half * 0.96, deck - 0.45), (max(axles[0] - axles[1] - 2 * radius - 1.0, 0.3), 0.04, 0.32))
    parts.both_sides(guard, m.STEEL, TRUCK)
    parts.add(box((rear + 0.08, 0, deck - 0.3), (0.08, width * 0.9, 0.14)), m.TRIM, TRUCK)
    parts.add(
        panels(
            [
                (rear, 0.26, deck - 0.35),
                (rear, -0.26, deck - 0.35),
                (rear, -0.26, deck - 0.24),
                (rear, 0.26, deck - 0.24),
            ]
        ),
        m.PLATE,
        TRUCK,
    )
    _lamps(parts, front - 0.03, rear + 0.03, half, 2 * radius - 0.25, deck - 0.28, TRUCK)
    return parts.mesh()


def _cab(
    parts: Assembly, front: float, cab_m: float, half: float, radius: float, top: float, paint: Material, asset_set: str
):
    """A cab over the engine: windscreen, side windows, grille, bumper, mirrors."""
    low = 0.55 * radius
    slope = 0.02 if asset_set == "default" else 0.09
    arch = 2 * radius + 0.06
    x = front + np.array([-1.0, -0.98, -0.34, -0.31, -0.06, -0.015, 0.0]) * cab_m
    tops = top - np.array([0.03, 0, 0, 0, 0.03 + slope * top, 0.1 + slope * top, 0.2 + slope * top])
    lows = [arch, arch, arch, low, low, low, low + 0.06]
    parts.add(
        rounded_body(x, half * np.array([0.96, 0.97, 0.97, 0.97, 0.97, 0.95, 0.92]), lows, tops, 0.14), paint, TRUCK
    )
    parts.add(box((front - 0.6 * cab_m, 0, arch / 2 + 0.1), (0.6 * cab_m, half * 1.3, arch - 0.3)), m.UNDERSIDE, TRUCK)
    belt, eave = 0.52 * top + 0.1, 0.52 * top + 0.1 + 0.29 * min(top, 3.0)
    parts.add(_screen(front + 0.012, front + 0.012, half * 0.86, belt, min(eave, top * 0.86)), m.GLASS, TRUCK)
    parts.both_sides(
        _glazing(front - 0.62 * cab_m, front - 0.08 * cab_m, half * 0.975, belt, min(eave, top * 0.86), 1),
        m.GLASS,
        TRUCK,
    )
    parts.add(_screen(front + 0.01, front + 0.01, half * 0.55, low + 0.42, belt - 0.18), m.TRIM, TRUCK)
    parts.add(box((front - 0.08, 0, low + 0.16), (0.2, half * 1.94, 0.34)), m.TRIM, TRUCK)
    parts.both_sides(box((front - 0.1, half - 0.05, (belt + eave) / 2), (0.1, 0.1, 0.5)), m.TRIM, TRUCK)
    plate = [(front + 0.025, -0.26, low + 0.1), (front + 0.025, 0.26, low + 0.1)]
    parts.add(panels([*plate, (front + 0.025, 0.26, low + 0.21), (front + 0.025, -0.26, low + 0.21)]), m.PLATE, TRUCK)


def _box_cargo(
    parts: Assembly, rear: float, front: float, half: float, deck: float, top: float, cargo: Material, rng
) -> None:
    body = rounded_body([rear + 0.02, front], half * 0.995, deck, top, 0.04, 2)
    parts.add(body, cargo, TRUCK)
    trim = Material(m.scaled(cargo.color, 0.6), 0.5)
    ribs = np.arange(rear + 0.6, front - 0.3, 1.2)
    centers = np.stack([ribs, np.full(len(ribs), half * 0.995), np.full(len(ribs), (deck + top) / 2)], 1)
    if rng.uniform() < 0.5 and len(ribs):
        parts.both_sides(boxes(centers, np.broadcast_to([0.05, 0.012, top - deck - 0.1], centers.shape)), trim, TRUCK)
    else:  # a coloured band with a sign on the side
        z, tall = deck + 0.6 * (top - deck), 0.22 * (top - deck)
        band = Material(m.varied(m.drawn(CARGO_COLORS["default"], rng), rng), 0.5, clearcoat=0.25)
        parts.both_sides(_glazing(rear + 0.6, front - 0.6, half * 0.995 + 0.004, z - tall, z + tall, 1), band, TRUCK)
    for y in (0.0, half * 0.9, -half * 0.9):
        parts.add(box((rear + 0.012, y, (deck + top) / 2), (0.02, 0.03, top - deck - 0.2)), trim, TRUCK)


def _tank_cargo(
    parts: Assembly, rear: float, front: float, half: float, deck: float, top: float, cargo: Material, rng
) -> None:
    x = np.array([rear + 0.02, rear + 0.1, rear + 0.3, front - 0.3, front - 0.1, front])
    share = np.array([0.5, 0.85, 1.0, 1.0, 0.85, 0.5])
    middle, tall = (deck + top) / 2, (top - deck) / 2
    steel = Material((0.5, 0.51, 0.53), 0.25, clearcoat=0.4, metallic=0.6)
    body = rounded_body(x, half * 0.99 * share, middle - tall * share, middle + tall * share, 0.9 * min(half, tall), 5)
    parts.add(body, steel if rng.uniform() < 0.6 else cargo, TRUCK)
    parts.add(box(((rear + front) / 2, 0, deck), (front - rear - 0.4, 1.0, 0.3)), m.TRIM, TRUCK)


def _flat_cargo(
    parts: Assembly, rear: float, front: float, half: float, deck: float, top: float, cargo: Material, rng
) -> None:
    wood = Material(m.srgb(140, 110, 76))
    parts.add(box(((rear + front) / 2, 0, deck + 0.02), (front - rear, half * 1.99, 0.14)), m.TRIM, TRUCK)
    parts.both_sides(box(((rear + front) / 2, half * 0.98, deck + 0.32), (front - rear, 0.05, 0.5)), cargo, TRUCK)
    parts.add(box((front - 0.04, 0, (deck + top * 0.9) / 2), (0.08, half * 1.9, top * 0.9 - deck)), cargo, TRUCK)
    x = rear + 0.8
    while x < front - 1.6:
        size = np.array(
            [rng.uniform(0.9, 1.5), rng.uniform(0.6, 0.95) * 2 * half * 0.9, rng.uniform(0.3, 0.85) * (top - deck)]
        )
        load = m.drawn([wood, Material(m.srgb(120, 122, 124)), cargo], rng)
        parts.add(box((x + size[0] / 2, 0, deck + 0.09 + size[2] / 2), size), load, TRUCK)
        x += size[0] + rng.uniform(0.1, 0.8)
    parts.add(rod((front - 0.04, half * 0.9, deck), (front - 0.04, half * 0.9, top), 0.03), m.STEEL, TRUCK)


def bus(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A city bus: band of windows, doors on the right, destination sign, roof unit; two decks above 3.9 m."""
    rng = np.random.default_rng([seed, 42])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    half, front, rear = width / 2 * 0.985, length / 2, -length / 2
    color = m.paint(m.varied(m.drawn(BUS_COLORS[asset_set], rng), rng))
    low, radius = 0.3, min(0.48, 0.16 * height)
    unit = height * 0.06
    top = height - unit
    x = np.array([rear, rear + 0.06, rear + 0.3, front - 0.4, front - 0.1, front - 0.02])
    rounder = 0.22 if asset_set == "default" else 0.1
    parts.add(
        rounded_body(
            x,
            half * np.array([0.95, 0.985, 1, 1, 0.97, 0.92]),
            low + np.array([0.1, 0.02, 0, 0, 0, 0.05]),
            top - np.array([0.12, 0.03, 0, 0, 0.08, 0.2]),
            rounder,
        ),
        color,
        BUS,
    )
    parts.add(
        rounded_body([rear + 0.2 * length, front - 0.25 * length], half * 0.7, top - 0.1, height, 0.1, 2),
        m.TRIM if rng.uniform() < 0.4 else Material((0.6, 0.6, 0.6)),
        BUS,
    )
    decks = [(0.42 * top, 0.82 * top)] if top < 3.7 else [(0.27 * top, 0.45 * top), (0.62 * top, 0.86 * top)]
    glass = m.GLASS._replace(emission=0.5)
    for belt, eave in decks:
        panes = max(3, int(length / 1.5))
        parts.both_sides(_glazing(rear + 0.35, front - 0.45, half + 0.006, belt, eave, panes), glass, BUS)
        parts.add(_screen(rear - 0.004, rear - 0.004, half * 0.8, belt + 0.2, eave), glass, BUS)
        parts.add(_screen(front - 0.005, front - 0.012, half * 0.88, belt - 0.12, eave), m.GLASS, BUS)
    sign_z = decks[-1][1] + 0.09
    parts.add(
        _screen(front - 0.02, front - 0.06, half * 0.6, sign_z, sign_z + 0.2),
        Material((0.75, 0.36, 0.04), emission=2.5),
        BUS,
    )
    for door_x in (front - 0.95, (front + rear) / 2 - 0.4):
        door = _glazing(door_x - 0.6, door_x + 0.6, half + 0.012, low + 0.1, decks[0][1], 2, 0.05).mirrored()
        parts.add(door, glass, BUS)
    skirt = Material(m.scaled(color.color, 0.35), 0.5, clearcoat=0.3)
    parts.both_sides(_glazing(rear + 0.3, front - 0.4, half + 0.003, low + 0.05, low + 0.3, 1), skirt, BUS)
    axles = [front - 0.225 * length, rear + 0.26 * length]
    for axle in axles:
        arch = lathe([(0, radius * 1.14), (0.012, radius * 1.14)], 18, "y")
        parts.both_sides(arch.moved((axle, half - 0.004, radius * 1.16)), m.UNDERSIDE, BUS)
    _wheels(parts, axles, radius, half + 0.055, BUS)
    _lamps(parts, front - 0.025, rear + 0.005, half, 0.3 * min(top, 3.0) - 0.1, 0.36 * min(top, 3.0), BUS)
    plate = [(front + 0.0, -0.26, low + 0.2), (front + 0.0, 0.26, low + 0.2)]
    parts.add(panels([*plate, (front, 0.26, low + 0.31), (front, -0.26, low + 0.31)]), m.PLATE, BUS)
    parts.both_sides(box((front - 0.05, width / 2 - 0.06, 0.62 * top), (0.08, 0.12, 0.34)), m.TRIM, BUS)
    return parts.mesh()


def tram(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A tram of one or more sections with bellows, a rounded nose at both ends and a pantograph."""
    rng = np.random.default_rng([seed, 43])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    half, front = width / 2 * 0.992, length / 2
    color = m.paint(m.varied(m.drawn(BUS_COLORS[asset_set], rng), rng))
    upper = m.paint(m.srgb(225, 224, 216) if asset_set == "default" else m.srgb(60, 62, 66))
    top, low = height * 0.88, 0.22
    belt, eave = 0.42 * top, 0.8 * top
    sections = max(1, round(length / 8))
    edges = np.linspace(-front, front, sections + 1)
    for index, (start, end) in enumerate(pairwise(edges)):
        nose, tail = index == sections - 1, index == 0
        inset = 0.25 if sections > 1 else 0.0
        x = np.array(
            [
                start + (0 if tail else inset),
                start + (0.25 if tail else inset + 0.01),
                start + (1.1 if tail else inset + 0.02),
                end - (1.1 if nose else inset + 0.02),
                end - (0.25 if nose else inset + 0.01),
                end - (0 if nose else inset),
            ]
        )
        taper = np.array([0.72, 0.86, 1, 1, 0.86, 0.72])
        taper[:3] = taper[:3] if tail else 1
        taper[3:] = taper[3:] if nose else 1
        drop = np.array([0.55, 0.16, 0, 0, 0.16, 0.55]) * np.array([tail] * 3 + [nose] * 3)
        parts.add(rounded_body(x, half * taper, low, belt - 0.02 + 0 * drop, 0.06), color, TRAIN)
        parts.add(rounded_body(x, half * taper * 0.995, belt - 0.05, top - drop, 0.2), upper, TRAIN)
        panes = max(2, int((end - start) / 1.4))
        glazed = (start + (1.1 if tail else 0.4), end - (1.1 if nose else 0.4))
        parts.both_sides(_glazing(*glazed, half + 0.006, belt, eave, panes), m.GLASS._replace(emission=0.5), TRAIN)
        parts.add(box(((start + end) / 2, 0, 0.18), (0.6 * (end - start), half * 1.7, 0.3)), m.UNDERSIDE, TRAIN)
        for wheel_x in ((3 * start + end) / 4, (start + 3 * end) / 4):
            parts.both_sides(lathe([(0, 0.3), (0.1, 0.3)], 14, "y").moved((wheel_x, 0.7, 0.3)), m.STEEL, TRAIN)
        if not nose:
            bellows = rounded_body([end - 0.3, end + 0.3], half * 0.86, low + 0.1, top - 0.12, 0.1, 2)
            parts.add(bellows, m.TRIM, TRAIN)
    for sign in (1, -1):
        parts.add(
            _screen(sign * (front + 0.004), sign * (front - 0.2), half * 0.68, belt + 0.02, eave - 0.1), m.GLASS, TRAIN
        )
        light = m.HEADLIGHT if sign > 0 else m.TAILLIGHT
        parts.both_sides(box((sign * (front - 0.02), half * 0.5, belt - 0.3), (0.08, 0.2, 0.14)), light, TRAIN)
    parts.add(box((front - 0.2, 0, eave + 0.04), (0.2, 1.1, 0.18)), Material((0.75, 0.36, 0.04), emission=2.5), TRAIN)
    parts.lamp(Lamp((front + 0.1, 0.0, belt - 0.3), (1.0, 0.93, 0.82), 50.0, (0.997, 0.0, -0.08), 28.0))
    parts.add(box((0.1 * length, 0, top + 0.05), (0.3 * length, half * 1.2, 0.16)), m.STEEL, TRAIN)
    foot, joint, bow = (
        np.array([-0.5, 0, top]),
        np.array([0.5, 0, (top + height) / 2]),
        np.array([-0.3, 0, height - 0.02]),
    )
    for y in (0.35, -0.35):
        parts.add(rod(foot + [0, y, 0], joint + [0, y, 0], 0.025), m.TRIM, TRAIN)
        parts.add(rod(joint + [0, y, 0], bow + [0, y, 0], 0.02), m.TRIM, TRAIN)
    parts.add(box(bow, (0.12, 1.5, 0.04)), m.TRIM, TRAIN)
    return parts.mesh()
