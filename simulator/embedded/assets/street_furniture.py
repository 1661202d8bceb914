"""Traffic lights and signs, and the clutter of a pavement: poles, bins, bollards, containers, hoardings."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import (
    POLE,
    STATIC,
    TRAFFIC_LIGHT,
    TRAFFIC_SIGN,
    WALL,
    Assembly,
    Shape,
    box,
    boxes,
    disc,
    lathe,
    loft,
    panels,
    rod,
    rounded_body,
    tube,
)
from simulator.embedded.mesh import Lamp, Material, Mesh

SIGN_RED, SIGN_BLUE = Material(m.srgb(190, 24, 30), 0.5, 0.15), Material(m.srgb(20, 74, 160), 0.5, 0.15)
SIGN_WHITE, SIGN_BLACK = Material(m.srgb(236, 236, 232), 0.5, 0.15), Material(m.srgb(20, 20, 20), 0.5)
SIGN_YELLOW = Material(m.srgb(246, 190, 20), 0.5, 0.15)
LENSES = (m.srgb(255, 30, 20), m.srgb(255, 150, 10), m.srgb(30, 230, 120))
BIN_COLORS = {
    "default": [m.srgb(48, 62, 50), m.srgb(40, 42, 44), m.srgb(30, 70, 120), m.srgb(200, 120, 20)],
    "stand-in": [m.srgb(120, 40, 34), m.srgb(140, 140, 132), m.srgb(90, 110, 40), m.srgb(60, 50, 80)],
}


def traffic_light(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """The head alone: housing, three hooded lenses of which one is lit; its pole is `support`."""
    rng = np.random.default_rng([seed, 61])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    black = Material(m.srgb(26, 28, 28) if asset_set == "default" else m.srgb(176, 134, 20), 0.7)
    back = -length / 2
    hood = min(0.45 * length, 0.22 * height)
    face = length / 2 - hood
    parts.add(rounded_body([back, back + 0.02, face - 0.01, face], width / 2 * np.array([0.9, 1, 1, 0.97]), 0, height, 0.1 * width, 3),
              black, TRAFFIC_LIGHT)  # fmt: skip
    lit = int(rng.choice([0, 1, 2], p=[0.45, 0.1, 0.45]))
    radius = min(0.36 * width, 0.14 * height)
    for index, color in enumerate(LENSES):
        z = height * (5 - 2 * index) / 6
        if index == lit:
            lens = Material(color, 0.3, emission=6.0)
        else:
            lens = Material(tuple(0.08 * c for c in color), 0.2, clearcoat=0.5)  # type: ignore[arg-type]
        parts.add(disc((face + 0.004, 0, z), radius, 16), lens, TRAFFIC_LIGHT)
        angle = np.radians(np.linspace(-20, 200, 12))
        arch = np.stack([np.cos(angle) * radius * 1.1, np.sin(angle) * radius * 1.1 + z], 1)
        reach = np.where(np.sin(angle) > 0.2, 1.0, 0.6)
        outer = np.stack([face + hood * reach, arch[:, 0], arch[:, 1]], 1)
        inner = np.stack([np.full(12, face), arch[:, 0], arch[:, 1]], 1)
        visor = np.stack([inner, outer])
        count = len(angle)
        quad = np.arange(count - 1)
        faces = np.concatenate(
            [np.stack([quad, quad + 1, quad + count + 1], 1), np.stack([quad, quad + count + 1, quad + count], 1)]
        )
        parts.add(Shape(visor.reshape(-1, 3), faces), black, TRAFFIC_LIGHT)
    parts.lamp(Lamp((length / 2 + 0.05, 0.0, height * (5 - 2 * lit) / 6), LENSES[lit], 1.5, (1.0, 0.0, -0.1), 60.0))
    return parts.mesh()


def traffic_sign(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A plate: round, triangular, rectangular, octagonal or a diamond, with border and symbol; its pole is `support`."""
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
        "limit": (SIGN_RED, SIGN_WHITE), "ban": (SIGN_RED, SIGN_RED), "order": (SIGN_WHITE, SIGN_BLUE),
        "warning": (SIGN_RED, SIGN_WHITE if asset_set == "default" else SIGN_YELLOW), "stop": (SIGN_WHITE, SIGN_RED),
        "priority": (SIGN_WHITE, SIGN_YELLOW), "panel": (SIGN_WHITE, m.drawn([SIGN_BLUE, SIGN_YELLOW, SIGN_WHITE], rng)),
    }[kind]  # fmt: skip
    plate(1.0, front - 0.003, border)
    plate(0.93 if kind in ("order", "stop", "panel") else 0.76, front - 0.0015, field)
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
        parts.add(panels([(x, y - wide, z - tall), (x, y + wide, z - tall), (x, y + wide, z + tall), (x, y - wide, z + tall)]),
                  ink, TRAFFIC_SIGN)  # fmt: skip

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


def pole(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A post: steel or wood, tapered, with a base."""
    rng = np.random.default_rng([seed, 71])
    height, width, _ = dimensions_hwl_m
    parts = Assembly()
    wood = Material(m.srgb(104, 84, 66), 1.0)
    steel = Material(m.varied(m.drawn([m.srgb(120, 122, 124), m.srgb(46, 60, 54), m.srgb(40, 42, 44)], rng), rng), 0.5)
    radius = width / 2
    skin = wood if rng.uniform() < (0.3 if asset_set == "default" else 0.6) else steel
    parts.add(
        lathe([(0, radius), (0.08 * height, radius), (0.09 * height, 0.7 * radius), (height, 0.5 * radius)], 12),
        skin,
        POLE,
    )
    return parts.mesh()


def bin_(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A litter bin, or a wheeled bin where it is deeper than it is wide or taller than 0.95 m."""
    rng = np.random.default_rng([seed, 72])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    color = Material(m.varied(m.drawn(BIN_COLORS[asset_set], rng), rng), 0.5, clearcoat=0.15)
    if height > 0.95:
        z = np.array([0.08, 0.86, 0.9]) * height
        half = width / 2 * np.array([0.78, 0.96, 1.0])
        deep = length / 2 * np.array([0.72, 0.9, 1.0])
        rings = np.stack([np.stack([d * np.array([1, -1, -1, 1]), h * np.array([1, 1, -1, -1]), np.full(4, level)], -1)
                          for level, h, d in zip(z, half, deep, strict=True)])  # fmt: skip
        parts.add(loft(rings, smooth=False), color, STATIC)
        lid = rounded_body([-length / 2, -0.45 * length, 0.45 * length, length / 2], width / 2 * np.array([0.9, 1, 1, 0.9]),
                           0.88 * height, height * np.array([0.95, 1, 0.98, 0.93]), 0.04, 2)  # fmt: skip
        parts.add(lid, Material(tuple(0.6 * c for c in color.color), 0.5), STATIC)  # type: ignore[arg-type]
        wheels = lathe([(-0.03, 0.1 * height), (0.03, 0.1 * height)], 10, "y")
        parts.both_sides(wheels.moved((-0.36 * length, width * 0.38, 0.1 * height)), m.TYRE, STATIC)
        parts.add(
            rod(
                (-length / 2 + 0.02, width * 0.4, 0.93 * height),
                (-length / 2 + 0.02, -width * 0.4, 0.93 * height),
                0.02,
            ),
            m.TRIM,
            STATIC,
        )
        return parts.mesh()
    radius = width / 2
    parts.add(
        lathe(
            [(0, 0.8 * radius), (0.06 * height, 0.92 * radius), (0.72 * height, radius), (0.75 * height, 0.9 * radius)],
            16,
        ),
        color,
        STATIC,
    )
    parts.add(lathe([(0.74 * height, 0.8 * radius), (0.84 * height, 0.8 * radius)], 14), m.UNDERSIDE, STATIC)
    parts.add(
        lathe([(0.84 * height, radius), (0.95 * height, 0.85 * radius), (height, 0.3 * radius)], 16), color, STATIC
    )
    return parts.mesh()


def bollard(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A short post with a rounded head and a light band."""
    rng = np.random.default_rng([seed, 73])
    height, width, _ = dimensions_hwl_m
    parts = Assembly()
    radius = width / 2
    color = m.drawn([Material(m.srgb(44, 46, 48), 0.6), m.GALVANISED, Material(m.srgb(160, 150, 132)), SIGN_RED], rng,
                    [4, 3, 2, 1] if asset_set == "default" else [1, 2, 4, 2])  # fmt: skip
    parts.add(lathe([(0, radius), (0.08 * height, radius), (0.1 * height, 0.8 * radius), (0.88 * height, 0.8 * radius),
                     (0.95 * height, 0.65 * radius), (height, 0.1 * radius)], 14), color, STATIC)  # fmt: skip
    parts.add(lathe([(0.72 * height, 0.83 * radius), (0.82 * height, 0.83 * radius)], 14), SIGN_WHITE, STATIC)
    return parts.mesh()


def container(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A corrugated steel box, or a skip where it is lower than 1.8 m."""
    rng = np.random.default_rng([seed, 74])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    color = Material(
        m.varied(m.drawn(BIN_COLORS[asset_set] + [m.srgb(140, 50, 36), m.srgb(40, 80, 130)], rng), rng), 0.6, 0.1
    )
    if height < 1.8:
        rings = rounded_body([-length / 2, -0.34 * length, 0.34 * length, length / 2], width / 2, height * np.array([0.62, 0, 0, 0.62]),
                             height, 0.02, 2)  # fmt: skip
        parts.add(rings._replace(smooth=False), color, STATIC)
        inside = panels([(-0.45 * length, -0.44 * width, height), (0.45 * length, -0.44 * width, height),
                         (0.45 * length, 0.44 * width, height), (-0.45 * length, 0.44 * width, height)])  # fmt: skip
        parts.add(inside.moved((0, 0, 0.003)), m.UNDERSIDE, STATIC)
        return parts.mesh()
    parts.add(box((0, 0, height / 2), (length * 0.985, width * 0.96, height * 0.98)), color, STATIC)
    ribs = np.arange(-length / 2 + 0.2, length / 2 - 0.1, 0.28)
    centers = np.stack([ribs, np.full(len(ribs), width * 0.48), np.full(len(ribs), height / 2)], 1)
    parts.both_sides(boxes(centers, np.broadcast_to([0.12, 0.05, height * 0.86], centers.shape)), color, STATIC)
    edges = [
        (0, sy * width * 0.485, sz * (height - 0.08) + 0.04, length, 0.03 * width, 0.08)
        for sy in (-1, 1)
        for sz in (0, 1)
    ]
    edges += [
        (sx * (length / 2 - 0.05), sy * width * 0.485, height / 2, 0.1, 0.03 * width, height)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    frame = np.array(edges)
    parts.add(boxes(frame[:, :3], frame[:, 3:]), Material(tuple(0.7 * c for c in color.color), 0.6), STATIC)  # type: ignore[arg-type]
    bars = np.array([[length / 2 - 0.02, y * width, height / 2] for y in (-0.3, -0.1, 0.1, 0.3)])
    parts.add(boxes(bars, np.broadcast_to([0.04, 0.04, height * 0.9], bars.shape)), m.STEEL, STATIC)
    return parts.mesh()


def barrier(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A road-works board in red and white, or a concrete barrier."""
    rng = np.random.default_rng([seed, 75])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    half = width / 2
    if rng.uniform() < 0.45:  # a concrete profile along y, wide at its foot
        deep = length / 2 * np.array([1, 1, 0.6, 0.4, -0.4, -0.6, -1, -1])
        level = height * np.array([0, 0.1, 0.35, 1, 1, 0.35, 0.1, 0])
        rings = np.stack([np.stack([deep, np.full(8, y), level], -1) for y in (-half, half)])
        parts.add(loft(rings, smooth=False), Material(m.varied(m.srgb(168, 164, 156), rng), 1.0), WALL)
        return parts.mesh()
    stripes = 6
    edges = np.linspace(-half, half, stripes + 1)
    red = SIGN_RED if asset_set == "default" else Material(m.srgb(230, 120, 20), 0.5)
    boards = [(0.86 * height, 0.28 * height)] + ([(0.45 * height, 0.2 * height)] if rng.uniform() < 0.6 else [])
    for z, tall in boards:
        centers = np.stack([np.zeros(stripes), (edges[:-1] + edges[1:]) / 2, np.full(stripes, z)], 1)
        sizes = np.broadcast_to([0.05, width / stripes, tall], centers.shape)
        odd = np.arange(stripes) % 2 == 1
        parts.add(boxes(centers[odd], sizes[odd]), SIGN_WHITE, STATIC)
        parts.add(boxes(centers[~odd], sizes[~odd]), red, STATIC)
    for y in (-0.38 * width, 0.38 * width):
        parts.add(box((0, y, height / 2), (0.06, 0.06, height)), m.GALVANISED, STATIC)
        parts.add(box((0, y, 0.04), (length, 0.14, 0.08)), m.TRIM, STATIC)
    return parts.mesh()


def billboard(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A framed poster on two posts; its picture is a few coloured fields."""
    rng = np.random.default_rng([seed, 76])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    low = 0.38 * height if height > 2.2 else 0.1 * height
    parts.add(box((0, 0, (low + height) / 2), (length, width, height - low)), m.TRIM, STATIC)
    for side in (-0.35, 0.35):
        parts.add(rod((0, side * width, 0), (0, side * width, low + 0.1), min(0.08, length / 2), 8), m.STEEL, STATIC)
    colors = BIN_COLORS[asset_set] + [
        m.srgb(230, 224, 206),
        m.srgb(200, 60, 80),
        m.srgb(70, 150, 200),
        m.srgb(240, 200, 60),
    ]
    x, inner = length / 2, 0.93
    for depth, y0, y1, z0, z1 in [(0.002, -0.5, 0.5, 0, 1)] + [
        (0.004 + 0.002 * i, *np.sort(rng.uniform(-0.48, 0.48, 2)), *np.sort(rng.uniform(0.03, 0.97, 2)))
        for i in range(4)
    ]:
        y0, y1 = y0 * width * inner, y1 * width * inner
        z0, z1 = (low + height) / 2 + (np.array([z0, z1]) - 0.5) * (height - low) * inner
        field = Material(m.varied(m.drawn(colors, rng), rng), 0.6, 0.1, emission=0.5)
        at = x + depth
        parts.add(panels([(at, y0, z0), (at, y1, z0), (at, y1, z1), (at, y0, z1)]), field, STATIC)
    return parts.mesh()


def hydrant(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A fire hydrant with a dome and two side caps."""
    rng = np.random.default_rng([seed, 77])
    height, width, _ = dimensions_hwl_m
    parts = Assembly()
    choices = (
        [m.srgb(176, 28, 26), m.srgb(214, 160, 24)]
        if asset_set == "default"
        else [m.srgb(60, 90, 130), m.srgb(196, 190, 170)]
    )
    color = Material(m.varied(m.drawn(choices, rng), rng), 0.5, 0.2)
    radius = 0.33 * width
    parts.add(lathe([(0, 1.3 * radius), (0.07 * height, 1.3 * radius), (0.08 * height, radius), (0.68 * height, radius),
                     (0.7 * height, 1.25 * radius), (0.75 * height, 1.25 * radius), (0.9 * height, 0.8 * radius),
                     (0.95 * height, 0.3 * radius), (height, 0.25 * radius)], 14), color, STATIC)  # fmt: skip
    cap = lathe([(0, 0.5 * radius), (0.5 * width - 0.02, 0.5 * radius), (0.5 * width, 0.4 * radius)], 10, "y")
    parts.both_sides(cap.moved((0, 0, 0.52 * height)), color, STATIC)
    return parts.mesh()


def kiosk(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A booth with a counter window, posters and an overhanging roof."""
    rng = np.random.default_rng([seed, 78])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    color = Material(m.varied(m.drawn(BIN_COLORS[asset_set] + [m.srgb(200, 190, 160)], rng), rng), 0.6, 0.15)
    deep, half = 0.86 * length, 0.43 * width
    parts.add(box((0, 0, 0.46 * height), (deep, 2 * half, 0.92 * height)), color, STATIC)
    roof = rounded_body([-length / 2, -0.48 * length, 0.48 * length, length / 2], width / 2 * np.array([0.96, 1, 1, 0.96]),
                        0.9 * height, height * np.array([0.97, 1, 1, 0.97]), 0.05, 3)  # fmt: skip
    parts.add(roof, Material(tuple(0.5 * c for c in color.color), 0.6), STATIC)  # type: ignore[arg-type]
    glass = m.GLASS._replace(emission=0.8)
    window = panels([(deep / 2, -0.7 * half, 0.42 * height), (deep / 2, 0.7 * half, 0.42 * height),
                     (deep / 2, 0.7 * half, 0.8 * height), (deep / 2, -0.7 * half, 0.8 * height)])  # fmt: skip
    parts.add(window.moved((0.006, 0, 0)), glass, STATIC)
    parts.add(box((deep / 2 + 0.03 * length, 0, 0.4 * height), (0.06 * length, 1.5 * half, 0.04)), m.STEEL, STATIC)
    poster = m.drawn([m.srgb(220, 210, 190), m.srgb(210, 70, 60), m.srgb(80, 140, 190)], rng)
    side = panels([(0.35 * deep, half, 0.25 * height), (-0.35 * deep, half, 0.25 * height),
                   (-0.35 * deep, half, 0.78 * height), (0.35 * deep, half, 0.78 * height)])  # fmt: skip
    parts.both_sides(side.moved((0, 0.006, 0)), Material(poster, 0.5, 0.2, emission=0.4), STATIC)
    return parts.mesh()
