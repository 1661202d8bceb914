"""Trees and bushes: displaced blobs with ragged leaves at their outline, conifers from stacked cones, bare branches."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import VEGETATION, Assembly, Shape, ellipsoid, loft, rods, tube, without_slivers
from simulator.embedded.mesh import PATTERNS, Material, Mesh

CROWN_FROM = 0.4  # of a street tree's height: its lowest leaves
BARK = Material(m.srgb(92, 74, 58), 1.0)
GREENS = {
    "default": [m.srgb(62, 84, 34), m.srgb(78, 98, 44), m.srgb(50, 72, 36), m.srgb(96, 104, 48)],
    "stand-in": [m.srgb(120, 110, 44), m.srgb(88, 96, 64), m.srgb(134, 92, 40), m.srgb(72, 88, 60)],
}


def leaves(asset_set: str, rng: np.random.Generator) -> Material:
    color = m.varied(m.drawn(GREENS[asset_set], rng), rng, 0.25)
    return Material(color, 0.95, pattern=PATTERNS["leaves"], pattern_scale_m=0.25)


def foliage(
    center_m, radii_m, rng: np.random.Generator, tufts: int, subdivisions: int, ragged: float = 0.26
) -> list[Shape]:
    """A crown: a rough blob and flat triangles, `ragged` of its size, that stand out of it and break its outline."""
    center, radii = np.asarray(center_m, float), np.asarray(radii_m, float)
    blob = ellipsoid(center, radii * 0.92, subdivisions, rough=0.12 if subdivisions > 1 else 0.2, rng=rng)
    blob = blob._replace(smooth=subdivisions > 1)  # a coarse one would look like a balloon
    outward = rng.standard_normal((tufts, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    size = ragged * radii.mean() * rng.uniform(0.5, 1.1, (tufts, 1, 1))
    corners = (center + outward * radii * 0.95)[:, None] + size * rng.uniform(-1, 1, (tufts, 3, 3))
    return [blob, Shape(corners.reshape(-1, 3), np.arange(3 * tufts).reshape(-1, 3))]


def tree(
    seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float], detail: int = 2, conifers: bool = True
) -> Mesh:
    """A broad-leaved tree or a conifer. `detail` 1 is for the distance: a fifth of the triangles."""
    rng = np.random.default_rng([seed, 51])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    green = leaves(asset_set, rng)
    if rng.uniform() < (0.25 if asset_set == "default" else 0.45) and conifers:
        _conifer(parts, height, width, green, rng, detail)
        return parts.mesh()
    trunk = 0.022 * height
    crown_low = float(rng.uniform(0.22, 0.38)) * height
    bend = rng.uniform(-0.03, 0.03, (2, 2)) * height
    path = [(0, 0, 0), (*bend[0], crown_low), (*bend[1], 0.75 * height)]
    parts.add(tube(path, [1.35 * trunk, trunk, 0.4 * trunk], 7 if detail > 1 else 4), BARK, VEGETATION)
    blobs = int(rng.integers(6, 9)) if detail > 1 else 4
    shade = green._replace(color=m.scaled(green.color, 0.62))
    for index in range(blobs):
        turn, level = 2.4 * index + rng.uniform(0, 0.6), index / max(blobs - 1, 1)
        out = 0.27 * (1 - 0.75 * level)
        share = float(rng.uniform(0.21, 0.29)) * (1.4 if detail == 1 else 1)
        tall = share * (height - crown_low) * 0.95
        center = (
            out * length * np.cos(turn),
            out * width * np.sin(turn),
            crown_low + tall * 0.75 + level * 0.72 * (height - crown_low - tall),
        )
        radii = (share * length, share * width, tall)
        for crown in foliage(center, radii, rng, 120 if detail > 1 else 30, detail):
            parts.add(crown, green if index % 3 else shade, VEGETATION)
    return parts.mesh()


def _conifer(parts: Assembly, height: float, width: float, green: Material, rng: np.random.Generator, detail: int):
    """Overlapping whorls of branches: cones whose rims are jagged and hang at the tips."""
    parts.add(tube([(0, 0, 0), (0, 0, 0.5 * height)], [0.02 * height, 0.012 * height], 6), BARK, VEGETATION)
    red, lush, blue = green.color
    dark = green._replace(color=m.scaled((min(red, 0.75 * lush), lush, blue), 0.5))  # needles do not turn
    tiers, points = (13, 15) if detail > 1 else (6, 8)
    sides = 2 * points
    for tier in range(tiers):
        share = tier / tiers
        low, radius = (0.08 + 0.84 * share) * height, 0.5 * width * (1 - 0.93 * share**0.9)
        top = min(low + 2.4 * 0.84 * height / tiers, height)
        angle = np.arange(sides) * 2 * np.pi / sides + rng.uniform(0, 1)
        tip = np.where(np.arange(sides) % 2 == 0, rng.uniform(0.8, 1.08, sides), rng.uniform(0.45, 0.7, sides))
        rings = [(0.12 * radius * np.ones(sides), np.full(sides, low + 0.3 * (top - low)))]
        rings += [
            (tip * radius, low - 0.12 * (top - low) * tip),
            (0.4 * radius * np.ones(sides), np.full(sides, low + 0.55 * (top - low))),
        ]
        rings += [(np.full(sides, 0.02 * width), np.full(sides, top))]
        whorl = [np.stack([r * np.cos(angle), r * np.sin(angle), z], -1) for r, z in rings]
        shade = dark if tier % 2 else dark._replace(color=m.scaled(dark.color, 1.2))
        parts.add(loft(np.array(whorl), smooth=False), shade, VEGETATION)


def street_tree(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float], detail: int = 2) -> Mesh:
    """A broad-leaved tree whose lower branches were cut, so that traffic passes below: no leaf under CROWN_FROM."""
    rng = np.random.default_rng([seed, 53])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    green = leaves(asset_set, rng)
    shade = green._replace(color=m.scaled(green.color, 0.6))
    trunk, low = 0.018 * height, CROWN_FROM * height
    lean = rng.uniform(-0.02, 0.02, 2) * height
    parts.add(
        tube([(0, 0, 0), (*lean, low), (0, 0, 0.8 * height)], [1.3 * trunk, trunk, 0.4 * trunk], 6), BARK, VEGETATION
    )
    count = 8 if detail > 1 else 5
    for index in range(count):
        turn, level = 2.4 * index + rng.uniform(0, 0.6), float(index / (count - 1))
        out = 0.3 * (1 - 0.7 * level**1.5)
        radii = rng.uniform(0.17, 0.23) * np.array([length, width, 0.62 * height]) * (1.2 if detail == 1 else 1.0)
        center = (out * length * np.cos(turn), out * width * np.sin(turn), low + 0.1 * height + level * 0.34 * height)
        if detail > 1 and index < 6:
            branch = [(0, 0, low - 0.02 * height), center]
            parts.add(tube(branch, [0.5 * trunk, 0.2 * trunk], 4), BARK, VEGETATION)
        for crown in foliage(center, radii, rng, 90 if detail > 1 else 32, detail, ragged=0.5):
            cut = crown._replace(vertices_m=np.maximum(crown.vertices_m, [-np.inf, -np.inf, low]))
            parts.add(without_slivers(cut), green if index % 3 else shade, VEGETATION)
    return parts.mesh()


def bare_tree(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float], detail: int = 2) -> Mesh:
    """A broad-leaved tree in winter: a trunk, branches that fork twice, and twigs as thin triangles."""
    rng = np.random.default_rng([seed, 54])
    height, width, _ = dimensions_hwl_m
    parts = Assembly()
    bark = BARK._replace(
        color=m.varied(m.drawn([m.srgb(84, 72, 62), m.srgb(104, 96, 86), m.srgb(66, 58, 52)], rng), rng)
    )
    trunk, low = 0.02 * height, float(rng.uniform(0.25, 0.36)) * height
    spread = width / height
    parts.add(
        tube([(0, 0, 0), (0, 0, low), (0, 0, 0.6 * height)], [1.4 * trunk, trunk, 0.5 * trunk], 6), bark, VEGETATION
    )
    starts = np.column_stack([np.zeros((7, 2)), np.linspace(low, 0.6 * height, 7)])
    ends = starts + _outward(7, rng) * height * np.linspace(0.34, 0.2, 7)[:, None] * [spread, spread, 1.0]
    for share, forks, radius in ((0.6, 4, 0.42), (0.4, 4, 0.2)):
        parts.add(rods(starts, ends, radius * trunk, 4 if detail > 1 else 3), bark, VEGETATION)
        at = rng.uniform(0.35, 1.0, (len(starts), forks, 1))
        from_m = (starts[:, None] + at * (ends - starts)[:, None]).reshape(-1, 3)
        along = np.repeat(ends - starts, forks, axis=0) * share
        length = np.linalg.norm(along, axis=1, keepdims=True)
        starts, ends = from_m, from_m + 0.6 * along + 0.75 * length * _outward(len(from_m), rng)
        if detail == 1:
            break
    twigs = 7 if detail > 1 else 10
    root = np.repeat(starts, twigs, axis=0) + rng.uniform(0, 1, (len(starts) * twigs, 1)) * np.repeat(
        ends - starts, twigs, axis=0
    )
    tip = root + rng.uniform(0.05, 0.12, (len(root), 1)) * height * _outward(len(root), rng)
    wide = 0.006 * height * rng.normal(0, 1, (len(root), 3))
    corners = np.stack([root, root + wide, tip], 1)
    corners[..., 2] = np.clip(corners[..., 2], 0.6 * low, height)
    parts.add(without_slivers(Shape(corners.reshape(-1, 3), np.arange(3 * len(root)).reshape(-1, 3))), bark, VEGETATION)
    return parts.mesh()


def _outward(count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (N, 3) that lead away from a trunk and upwards, spread round it by the golden angle."""
    turn = 2.4 * np.arange(count) + rng.uniform(0, 6.3) + rng.normal(0, 0.4, count)
    rise = rng.uniform(0.35, 1.0, count)
    out = np.sqrt(1 - 0.8 * rise**2)
    return np.stack([out * np.cos(turn), out * np.sin(turn), 0.9 * rise], 1)


def bush(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float], detail: int = 2) -> Mesh:
    """A low shrub of several blobs."""
    rng = np.random.default_rng([seed, 52])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    green = leaves(asset_set, rng)
    shade = green._replace(color=m.scaled(green.color, 0.65))
    for index in range(6 if detail > 1 else 3):
        turn = 1.3 * index + rng.uniform(0, 1)
        center = (0.2 * length * np.cos(turn), 0.2 * width * np.sin(turn), height * rng.uniform(0.3, 0.52))
        radii = np.array([0.34 * length, 0.34 * width, 0.42 * height]) * rng.uniform(0.85, 1.1)
        for leafage in foliage(center, radii, rng, 70 if detail > 1 else 18, detail):
            above = leafage._replace(vertices_m=np.maximum(leafage.vertices_m, [-np.inf, -np.inf, 0.0]))
            parts.add(without_slivers(above), green if index % 2 else shade, VEGETATION)
    return parts.mesh()
