"""Trees and bushes: displaced blobs with ragged leaves at their outline, conifers from stacked cones."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import VEGETATION, Assembly, Shape, ellipsoid, lathe, tube
from simulator.embedded.mesh import PATTERNS, Material, Mesh

BARK = Material(m.srgb(92, 74, 58), 1.0)
GREENS = {
    "default": [m.srgb(62, 84, 34), m.srgb(78, 98, 44), m.srgb(50, 72, 36), m.srgb(96, 104, 48)],
    "stand-in": [m.srgb(120, 110, 44), m.srgb(88, 96, 64), m.srgb(134, 92, 40), m.srgb(72, 88, 60)],
}


def leaves(asset_set: str, rng: np.random.Generator) -> Material:
    color = m.varied(m.drawn(GREENS[asset_set], rng), rng, 0.25)
    return Material(color, 0.95, pattern=PATTERNS["leaves"], pattern_scale_m=0.25)


def foliage(center_m, radii_m, rng: np.random.Generator, tufts: int = 60, subdivisions: int = 2) -> Shape:
    """A crown: a rough blob and triangles that stand out of it, so that its outline is not smooth."""
    center, radii = np.asarray(center_m, float), np.asarray(radii_m, float)
    blob = ellipsoid(center, radii * 0.93, subdivisions, rough=0.13, rng=rng)
    outward = rng.standard_normal((tufts, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    size = 0.28 * radii.mean() * rng.uniform(0.6, 1.2, (tufts, 1, 1))
    corners = (center + outward * radii * 0.97)[:, None] + size * rng.uniform(-1, 1, (tufts, 3, 3))
    first = len(blob.vertices_m)
    faces = np.concatenate([blob.faces, first + np.arange(3 * tufts).reshape(-1, 3)])
    return Shape(np.concatenate([blob.vertices_m, corners.reshape(-1, 3)]), faces, smooth=False)


def tree(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float], detail: int = 2) -> Mesh:
    """A broad-leaved tree or a conifer. `detail` 1 is for the distance: a fifth of the triangles."""
    rng = np.random.default_rng([seed, 51])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    green = leaves(asset_set, rng)
    if rng.uniform() < (0.25 if asset_set == "default" else 0.45):
        _conifer(parts, height, width, green, rng, detail)
        return parts.mesh()
    trunk = 0.022 * height
    crown_low = float(rng.uniform(0.22, 0.38)) * height
    bend = rng.uniform(-0.03, 0.03, (2, 2)) * height
    path = [(0, 0, 0), (*bend[0], crown_low), (*bend[1], 0.75 * height)]
    parts.add(tube(path, [1.35 * trunk, trunk, 0.4 * trunk], 7 if detail > 1 else 4), BARK, VEGETATION)
    blobs = int(rng.integers(6, 9)) if detail > 1 else 3
    shade = green._replace(color=tuple(0.62 * c for c in green.color))
    for index in range(blobs):
        turn, level = 2.4 * index + rng.uniform(0, 0.6), index / max(blobs - 1, 1)
        out = 0.27 * (1 - 0.75 * level)
        share = float(rng.uniform(0.21, 0.29)) * (1.15 if detail == 1 else 1)
        tall = share * (height - crown_low) * 0.95
        center = (
            out * length * np.cos(turn),
            out * width * np.sin(turn),
            crown_low + tall * 0.75 + level * 0.72 * (height - crown_low - tall),
        )
        crown = foliage(center, (share * length, share * width, tall), rng, 70 if detail > 1 else 14, detail)
        parts.add(crown, green if index % 3 else shade, VEGETATION)
    return parts.mesh()


def _conifer(
    parts: Assembly, height: float, width: float, green: Material, rng: np.random.Generator, detail: int
) -> None:
    parts.add(tube([(0, 0, 0), (0, 0, 0.5 * height)], [0.02 * height, 0.012 * height], 6), BARK, VEGETATION)
    dark = green._replace(color=tuple(0.55 * c for c in green.color))
    tiers, sides = (7, 13) if detail > 1 else (4, 7)
    for tier in range(tiers):
        low, radius = (0.1 + 0.78 * tier / tiers) * height, 0.5 * width * (1 - 0.88 * tier / tiers)
        top = min(low + 1.9 * 0.78 * height / tiers, height)
        cone = lathe(
            [(low, 0.05), (low - 0.02 * height, radius), (low + 0.35 * (top - low), 0.6 * radius), (top, 0.01)], sides
        )
        rough = cone.vertices_m * (1 + rng.uniform(-0.13, 0.13, (len(cone.vertices_m), 1)) * [1, 1, 0.12])
        parts.add(cone._replace(vertices_m=rough, smooth=False), dark, VEGETATION)


def bush(seed: int, asset_set: str, dimensions_hwl_m: tuple[float, float, float], detail: int = 2) -> Mesh:
    """A low shrub of several blobs."""
    rng = np.random.default_rng([seed, 52])
    height, width, length = dimensions_hwl_m
    parts = Assembly()
    green = leaves(asset_set, rng)
    shade = green._replace(color=tuple(0.65 * c for c in green.color))
    for index in range(5 if detail > 1 else 2):
        turn = 1.3 * index + rng.uniform(0, 1)
        center = (0.2 * length * np.cos(turn), 0.2 * width * np.sin(turn), height * rng.uniform(0.4, 0.55))
        radii = np.array([0.32 * length, 0.32 * width, 0.42 * height]) * rng.uniform(0.85, 1.1)
        parts.add(
            foliage(center, radii, rng, 45 if detail > 1 else 10, detail), green if index % 2 else shade, VEGETATION
        )
    return parts.mesh()
