"""The clutter of a pavement: poles, bins, bollards, barriers, hoardings, hydrants. See also boxes_on_pavements."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import (
    POLE,
    STATIC,
    WALL,
    Assembly,
    box,
    boxes,
    lathe,
    loft,
    panels,
    rod,
    rounded_body,
)
from simulator.embedded.assets.traffic import SIGN_RED, SIGN_WHITE
from simulator.embedded.mesh import Material, Mesh

BIN_COLORS = {
    "default": [m.srgb(48, 62, 50), m.srgb(40, 42, 44), m.srgb(30, 70, 120), m.srgb(200, 120, 20)],
    "stand-in": [m.srgb(120, 40, 34), m.srgb(140, 140, 132), m.srgb(90, 110, 40), m.srgb(60, 50, 80)],
}


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
        rings = np.stack(
            [
                np.stack([d * np.array([1, -1, -1, 1]), h * np.array([1, 1, -1, -1]), np.full(4, level)], -1)
                for level, h, d in zip(z, half, deep, strict=True)
            ]
        )
        parts.add(loft(rings, smooth=False), color, STATIC)
        lid = rounded_body(
            [-length / 2, -0.45 * length, 0.45 * length, length / 2],
            width / 2 * np.array([0.9, 1, 1, 0.9]),
            0.88 * height,
            height * np.array([0.95, 1, 0.98, 0.93]),
            0.04,
            2,
        )
        parts.add(lid, Material(m.scaled(color.color, 0.6), 0.5), STATIC)
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
    color = m.drawn(
        [Material(m.srgb(44, 46, 48), 0.6), m.GALVANISED, Material(m.srgb(160, 150, 132)), SIGN_RED],
        rng,
        [4, 3, 2, 1] if asset_set == "default" else [1, 2, 4, 2],
    )
    parts.add(
        lathe(
            [
                (0, radius),
                (0.08 * height, radius),
                (0.1 * height, 0.8 * radius),
                (0.88 * height, 0.8 * radius),
                (0.95 * height, 0.65 * radius),
                (height, 0.1 * radius),
            ],
            14,
        ),
        color,
        STATIC,
    )
    parts.add(lathe([(0.72 * height, 0.83 * radius), (0.82 * height, 0.83 * radius)], 14), SIGN_WHITE, STATIC)
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
    parts.add(
        lathe(
            [
                (0, 1.3 * radius),
                (0.07 * height, 1.3 * radius),
                (0.08 * height, radius),
                (0.68 * height, radius),
                (0.7 * height, 1.25 * radius),
                (0.75 * height, 1.25 * radius),
                (0.9 * height, 0.8 * radius),
                (0.95 * height, 0.3 * radius),
                (height, 0.25 * radius),
            ],
            14,
        ),
        color,
        STATIC,
    )
    cap = lathe([(0, 0.5 * radius), (0.5 * width - 0.02, 0.5 * radius), (0.5 * width, 0.4 * radius)], 10, "y")
    parts.both_sides(cap.moved((0, 0, 0.52 * height)), color, STATIC)
    return parts.mesh()
