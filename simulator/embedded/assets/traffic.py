"""Traffic lights and signs, and the posts that carry them."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import (
    POLE,
    TRAFFIC_LIGHT,
    TRAFFIC_SIGN,
    Assembly,
    Shape,
    disc,
    panels,
    rod,
    rounded_body,
    surface,
    tube,
)
from simulator.embedded.mesh import Lamp, Material, Mesh

SIGN_RED, SIGN_BLUE = Material(m.srgb(190, 24, 30), 0.5, 0.15), Material(m.srgb(20, 74, 160), 0.5, 0.15)
SIGN_WHITE, SIGN_BLACK = Material(m.srgb(236, 236, 232), 0.5, 0.15), Material(m.srgb(20, 20, 20), 0.5)
SIGN_YELLOW = Material(m.srgb(246, 190, 20), 0.5, 0.15)
LENSES = (m.srgb(255, 30, 20), m.srgb(255, 150, 10), m.srgb(30, 230, 120))


def traffic_light(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """The head alone: housing, three hooded lenses of which one is lit; its pole is `support`."""
    rng = np.random.default_rng([seed, 61])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    black = Material(m.srgb(26, 28, 28) if asset_set == "default" else m.srgb(176, 134, 20), 0.7)
    back = -length / 2
    hood = min(0.45 * length, 0.22 * height)
    face = length / 2 - hood
    parts.add(
        rounded_body(
            [back, back + 0.02, face - 0.01, face], width / 2 * np.array([0.9, 1, 1, 0.97]), 0, height, 0.1 * width, 3
        ),
        black,
        TRAFFIC_LIGHT,
    )
    lit = int(rng.choice([0, 1, 2], p=[0.45, 0.1, 0.45]))
    radius = min(0.36 * width, 0.14 * height)
    for index, color in enumerate(LENSES):
        z = height * (5 - 2 * index) / 6
        if index == lit:
            lens = Material(color, 0.3, emission=6.0)
        else:
            lens = Material(m.scaled(color, 0.08), 0.2, clearcoat=0.5)
        parts.add(disc((face + 0.004, 0, z), radius, 16), lens, TRAFFIC_LIGHT)
        angle = np.radians(np.linspace(-20, 200, 12))
        arch = np.stack([np.cos(angle) * radius * 1.1, np.sin(angle) * radius * 1.1 + z], 1)
        reach = np.where(np.sin(angle) > 0.2, 1.0, 0.6)
        edges = [np.stack([np.broadcast_to(x, 12), arch[:, 0], arch[:, 1]], 1) for x in (face, face + hood * reach)]
        parts.add(surface(np.stack(edges), smooth=False), black, TRAFFIC_LIGHT)
    parts.lamp(Lamp((length / 2 + 0.05, 0.0, height * (5 - 2 * lit) / 6), LENSES[lit], 1.5, (1.0, 0.0, -0.1), 60.0))
    return parts.mesh()


def traffic_sign(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A plate of one of the usual outlines with border and symbol; its pole is `support`."""
    rng = np.random.default_rng([seed, 62])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    square = 0.75 < height / width < 1.35
    kinds = ["limit", "ban", "order", "warning", "stop", "priority"] if square else ["panel"]
    kind = m.drawn(kinds, rng, [4, 1.5, 3, 3, 1, 1] if square else None)
    shape = {"warning": _polygon(3, 90), "stop": _polygon(8, 22.5), "priority": _polygon(4, 90)}.get(
        kind, _polygon(24, 0)
    )
    if kind == "panel":
        shape = np.array([(1.0, -1), (1, 1), (-1, 1), (-1, -1)])
    shape = (shape - (shape.max(0) + shape.min(0)) / 2) / ((shape.max(0) - shape.min(0)) / 2)
    outline = shape * [width / 2, height / 2] + [0, height / 2]
    front = length / 2

    def plate(scale: float, depth_m: float, color: Material) -> None:
        middle = outline.mean(0)
        yz = middle + (outline - middle) * scale
        ring = np.arange(len(yz))
        vertices = np.concatenate([np.column_stack([np.full(len(yz), depth_m), yz]), [[depth_m, *middle]]])
        parts.add(
            Shape(vertices, np.stack([np.full(len(yz), len(yz)), ring, (ring + 1) % len(yz)], 1)), color, TRAFFIC_SIGN
        )

    slab = np.stack([np.column_stack([np.full(len(outline), x), outline]) for x in (-front, front - 0.004)])
    parts.add(_prism(slab), m.GALVANISED, TRAFFIC_SIGN)
    border, field = {
        "limit": (SIGN_RED, SIGN_WHITE),
        "ban": (SIGN_RED, SIGN_RED),
        "order": (SIGN_WHITE, SIGN_BLUE),
        "warning": (SIGN_RED, SIGN_WHITE if asset_set == "default" else SIGN_YELLOW),
        "stop": (SIGN_WHITE, SIGN_RED),
        "priority": (SIGN_WHITE, SIGN_YELLOW),
        "panel": (SIGN_WHITE, m.drawn([SIGN_BLUE, SIGN_YELLOW, SIGN_WHITE], rng)),
    }[kind]
    plate(1.0, front - 0.003, border)
    narrow, wide = (0.93, 0.76) if asset_set == "default" else (0.87, 0.84)
    plate(narrow if kind in ("order", "stop", "panel") else wide, front - 0.0015, field)
    ink = SIGN_WHITE if field in (SIGN_BLUE, SIGN_RED) else SIGN_BLACK
    if kind != "priority":
        _symbol(parts, kind, front, width, height, ink, rng)
    return parts.mesh()


def _polygon(sides: int, first_deg: float) -> np.ndarray:
    angle = np.radians(first_deg) + np.arange(sides) * 2 * np.pi / sides
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def _prism(slab_m: np.ndarray) -> Shape:
    """The side and back of a plate between two outlines (2, N, 3), back first."""
    count = slab_m.shape[1]
    ring, other = np.arange(count), (np.arange(count) + 1) % count
    side = [np.stack([ring, other, other + count], 1), np.stack([ring, other + count, ring + count], 1)]
    back = np.stack([np.full(count, 2 * count), other, ring], 1)
    vertices = np.concatenate([slab_m.reshape(-1, 3), slab_m[0].mean(0)[None]])
    return Shape(vertices, np.concatenate([*side, back]))


def _symbol(parts: Assembly, kind: str, x: float, width: float, height: float, ink: Material, rng) -> None:
    """Dark or white bars that read as digits, an arrow or lines of text."""

    def bar(y: float, z: float, wide: float, tall: float) -> None:
        y, z, wide, tall = y * width, z * height, wide * width / 2, tall * height / 2
        parts.add(
            panels(
                [(x, y - wide, z - tall), (x, y + wide, z - tall), (x, y + wide, z + tall), (x, y - wide, z + tall)]
            ),
            ink,
            TRAFFIC_SIGN,
        )

    if kind == "limit":
        for y in (0.13, -0.13):
            for side in (1, -1):
                bar(y + side * 0.075, 0.5, 0.05, 0.34)
            for z in (0.34, 0.5, 0.66) if rng.uniform() < 0.5 else (0.34, 0.66):
                bar(y, z, 0.19, 0.05)
    elif kind == "ban":
        bar(0, 0.5, 0.66, 0.16)
    elif kind == "order":
        bar(0, 0.42, 0.13, 0.42)
        head = [(x, 0.22 * width, 0.6 * height), (x, 0, 0.84 * height), (x, -0.22 * width, 0.6 * height)]
        parts.add(Shape(np.array(head), np.array([[0, 2, 1]])), ink, TRAFFIC_SIGN)
    elif kind == "warning":
        bar(0, 0.42, 0.07, 0.24)
        bar(0, 0.22, 0.08, 0.07)
    elif kind == "stop":
        for y in (0.26, 0.09, -0.09, -0.26):
            bar(y, 0.5, 0.1, 0.28)
    else:
        lines = max(1, round(height / max(width, 1e-6) * 3))
        for line in range(lines):
            long = float(rng.uniform(0.4, 0.8))
            bar((0.8 - long) / 2, (line + 0.5) / lines, long, 0.42 / lines)


def support(height_m: float, width_m: float, length_m: float, lift_m: float) -> Mesh:
    """Post for a head or plate whose underside hangs `lift_m` over the ground; above 4.3 m an arm from the right."""
    parts = Assembly()
    x, top = -length_m / 2 - 0.04, lift_m + 0.9 * height_m
    if lift_m < 4.3:
        parts.add(rod((x, 0, 0), (x, 0, top), 0.045, 10), m.GALVANISED, POLE)
    else:
        side = -(width_m / 2 + 3.5)
        parts.add(tube([(x, side, 0), (x, side, top)], [0.13, 0.09], 10), m.GALVANISED, POLE)
        parts.add(rod((x, side, top - 0.1), (x, 0.2, top - 0.1), 0.05, 8), m.GALVANISED, POLE)
    return parts.mesh()
