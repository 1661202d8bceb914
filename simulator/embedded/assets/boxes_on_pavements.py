"""What stands about like a small house: shipping containers, skips of rubble, kiosks."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import STATIC, Assembly, box, boxes, ellipsoid, loft, panels, rounded_body
from simulator.embedded.assets.street_furniture import BIN_COLORS
from simulator.embedded.mesh import PATTERNS, Material, Mesh

SKIP_M = 1.8  # a container lower than this is an open skip
RUBBLE = [m.srgb(150, 140, 126), m.srgb(132, 92, 72), m.srgb(104, 84, 62), m.srgb(186, 182, 172)]
POSTERS = [m.srgb(220, 210, 190), m.srgb(210, 70, 60), m.srgb(80, 140, 190), m.srgb(236, 196, 60), m.srgb(60, 120, 80)]
GOODS = Material((0.2, 0.18, 0.15), 0.2, 0.6, emission=1.6, pattern=PATTERNS["interior"], pattern_scale_m=3.1)


def container(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A corrugated steel box, or a skip where it is lower than 1.8 m."""
    rng = np.random.default_rng([seed, 74])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    color = Material(
        m.varied(m.drawn(BIN_COLORS[asset_set] + [m.srgb(140, 50, 36), m.srgb(40, 80, 130)], rng), rng), 0.6, 0.1
    )
    if height < SKIP_M:
        _skip(parts, color, rng, dimensions_hwl_m)
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
    parts.add(boxes(frame[:, :3], frame[:, 3:]), Material(m.scaled(color.color, 0.7), 0.6), STATIC)
    bars = np.array([[length / 2 - 0.02, y * width, height / 2] for y in (-0.3, -0.1, 0.1, 0.3)])
    parts.add(boxes(bars, np.broadcast_to([0.04, 0.04, height * 0.9], bars.shape)), m.STEEL, STATIC)
    return parts.mesh()


def _skip(
    parts: Assembly, color: Material, rng: np.random.Generator, dimensions_hwl_m: tuple[float, float, float]
) -> None:
    """A trough with sloping ends, ribs and a rim, heaped with rubble; lugs for the lorry's chains."""
    height, width, length = dimensions_hwl_m
    rim = 0.84 * height
    outline = np.array([(-0.5, 0.6), (-0.36, 0.04), (0.36, 0.04), (0.5, 0.6), (0.5, 1.0), (-0.5, 1.0)]) * [length, rim]
    rings = np.stack([np.insert(outline, 1, side * 0.46 * width, axis=1) for side in (1, -1)])
    parts.add(loft(rings, smooth=False), color, STATIC)
    for side in (-1, 1):
        parts.add(box((0, side * 0.47 * width, rim - 0.05), (length, 0.05 * width, 0.1)), color, STATIC)
        parts.add(box((side * 0.49 * length, 0, rim - 0.05), (0.02 * length, 0.94 * width, 0.1)), color, STATIC)
        parts.add(box((side * 0.36 * length, 0, 0.03), (0.1, 0.8 * width, 0.06)), m.TRIM, STATIC)
    worn = Material(m.scaled(color.color, 0.6), 0.8)
    ribs = np.linspace(-0.3, 0.3, 5) * length
    centers = np.stack([ribs, np.full(5, 0.47 * width), np.full(5, 0.5 * rim)], 1)
    parts.both_sides(boxes(centers, np.broadcast_to([0.08, 0.03 * width, 0.84 * rim], (5, 3))), worn, STATIC)
    lugs = np.array([[-0.2 * length, 0.49 * width, 0.72 * rim], [0.2 * length, 0.49 * width, 0.72 * rim]])
    parts.both_sides(boxes(lugs, np.full((2, 3), (0.12, 0.02 * width, 0.12))), m.STEEL, STATIC)
    band = Material((0.75, 0.7, 0.62), 0.4, 0.3, pattern=PATTERNS["stripes"], pattern_scale_m=0.12)
    ends = np.array([[side * 0.36 * length, 0.485 * width, 0.42 * rim] for side in (-1, 1)])
    parts.both_sides(boxes(ends, np.full((2, 3), (0.1, 0.02 * width, 0.5 * rim))), band, STATIC)
    soil = Material(m.varied(RUBBLE[2], rng), 1.0, pattern=PATTERNS["asphalt"])
    parts.add(ellipsoid((0, 0, 0.88 * rim), (0.44 * length, 0.42 * width, 0.2 * height), 2, 0.12, rng), soil, STATIC)
    for _ in range(int(rng.integers(5, 10))):
        x, y = rng.uniform(-0.34, 0.34) * length, rng.uniform(-0.3, 0.3) * width
        lump = rng.uniform(0.06, 0.13, 3) * [length / 2, width, height]
        stone = Material(m.varied(m.drawn(RUBBLE, rng), rng), 1.0)
        parts.add(ellipsoid((x, y, 1.02 * rim), lump, 1, 0.25, rng)._replace(smooth=False), stone, STATIC)


def kiosk(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """A booth: plinth, posts, a counter with goods behind glass, an awning, a sign, posters, a door at the back."""
    rng = np.random.default_rng([seed, 78])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    color = Material(m.varied(m.drawn(BIN_COLORS[asset_set] + [m.srgb(200, 190, 160)], rng), rng), 0.6, 0.15)
    trim = Material(m.scaled(color.color, 0.5), 0.6)
    deep, half = 0.84 * length, 0.43 * width
    parts.add(box((0, 0, 0.46 * height), (deep, 2 * half, 0.92 * height)), color, STATIC)
    parts.add(box((0, 0, 0.04 * height), (1.03 * deep, 2.05 * half, 0.08 * height)), m.UNDERSIDE, STATIC)
    posts = np.array([[x * deep / 2, half, 0.46 * height] for x in (-1, 0, 1)])
    parts.both_sides(boxes(posts, np.full((3, 3), (0.07, 0.05, 0.92 * height))), trim, STATIC)
    roof = rounded_body(
        [-length / 2, -0.48 * length, 0.48 * length, length / 2],
        width / 2 * np.array([0.96, 1, 1, 0.96]),
        0.91 * height,
        height * np.array([0.98, 1, 1, 0.98]),
        0.05,
        3,
    )
    parts.add(roof, trim, STATIC)
    front = deep / 2
    _front_panels(parts, front + 0.006, half, height, rng)
    parts.add(box((front + 0.03 * length, 0, 0.4 * height), (0.06 * length, 1.6 * half, 0.04)), m.STEEL, STATIC)
    striped = Material(m.drawn(POSTERS, rng), 0.9, pattern=PATTERNS["cloth"])
    reach = length / 2
    high, low = 0.78 * height, 0.7 * height
    awning = [(reach, -0.85 * half, low), (reach, 0.85 * half, low), (front, 0.85 * half, high)]
    parts.add(panels([*awning, (front, -0.85 * half, high)]), striped, STATIC)
    for x in (-0.29, 0.05):  # posters between the posts
        for z in (0.28, 0.52):
            corners = np.array([(x + 0.2, 0, z), (x, 0, z), (x, 0, z + 0.2), (x + 0.2, 0, z + 0.2)])
            sheet = panels(corners * [deep, 0, height] + [0, half + 0.01, 0])
            parts.both_sides(sheet, Material(m.varied(m.drawn(POSTERS, rng), rng), 0.5, 0.2), STATIC)
    parts.add(box((-front, 0, 0.42 * height), (0.03, 0.8 * half, 0.76 * height)), trim, STATIC)
    parts.add(box((-front - 0.02, 0.28 * half, 0.42 * height), (0.05, 0.03, 0.14)), m.STEEL, STATIC)
    return parts.mesh()


def _front_panels(parts: Assembly, x_m: float, half_m: float, height_m: float, rng: np.random.Generator) -> None:
    """Two panes with goods behind them, and a sign with a line of lettering over them."""

    def facing(y0: float, y1: float, z0: float, z1: float, x: float = x_m):
        y0, y1, z0, z1 = y0 * half_m, y1 * half_m, z0 * height_m, z1 * height_m
        return panels([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)])

    for y0, y1 in ((-0.78, -0.03), (0.03, 0.78)):
        parts.add(facing(y0, y1, 0.42, 0.76), GOODS, STATIC)
    sign = Material(m.varied(m.drawn(POSTERS, rng), rng), 0.5, 0.2, emission=0.5)
    parts.add(facing(-0.9, 0.9, 0.79, 0.9), sign, STATIC)
    letters = np.cumsum(rng.uniform(0.07, 0.13, 10)) - 0.55
    for y in letters:
        parts.add(facing(float(y), float(y) + 0.05, 0.815, 0.875, x_m + 0.004), m.LETTERING, STATIC)
    parts.add(facing(-0.9, 0.9, 0.12, 0.36), Material(m.drawn(POSTERS, rng), 0.6, 0.1), STATIC)
