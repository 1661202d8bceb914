"""What closes the view beyond a town: ground to the distance, a ring of hills, roofs of a city."""

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import BUILDING, TERRAIN, Assembly, boxes, panels, surface
from simulator.embedded.mesh import PATTERNS, Material, Mesh
from simulator.embedded.places.buildings import WALLS
from simulator.opendrive.terrain import Terrain

FAR_M = 1200.0
CITY_M = (30.0, 160.0)  # how far beyond the land a city's blocks stand


def horizon(terrain: Terrain, ground: Material, hills_m: float, blocks: int, rng: np.random.Generator) -> Mesh:
    """In OpenDRIVE's world; seen from everywhere in the town."""
    rows, columns = terrain.shape
    corners = terrain.nodes_m(slice(0, rows, rows - 1), slice(0, columns, columns - 1))
    low, high = corners[0, 0, :2], corners[-1, -1, :2]
    rim = np.concatenate([terrain.height_m[0], terrain.height_m[-1], terrain.height_m[:, 0], terrain.height_m[:, -1]])
    level = float(np.median(rim))
    parts = Assembly()
    parts.add(panels(_plain(low, high, level, float(terrain.height_m.min()) - 0.4)), ground, TERRAIN)
    parts.add(surface(_hills(low, high, level, hills_m, rng)[:, ::-1], smooth=True), _woods(rng), TERRAIN)
    for _ in range(blocks):
        color = m.varied(m.drawn(WALLS["default"], rng), rng, 0.2)
        wall = Material(color, 0.9, pattern=PATTERNS["facade"], pattern_scale_m=float(rng.choice([3.0, 3.3, 3.6])))
        tall = 8 + 45 * float(rng.uniform(0.25, 1.0)) ** 2
        side, along = int(rng.integers(4)), float(rng.uniform(-0.1, 1.1))
        beyond = float(rng.uniform(*CITY_M))
        x, y = low + (high - low) * along
        at = [(x, low[1] - beyond), (x, high[1] + beyond), (low[0] - beyond, y), (high[0] + beyond, y)][side]
        size = np.array([[rng.uniform(16, 40), rng.uniform(16, 40), tall]])
        parts.add(boxes(np.array([[*at, level + tall / 2]]), size, float(rng.normal(0, 0.1))), wall, BUILDING)
    return parts.mesh()


def _plain(low: np.ndarray, high: np.ndarray, level: float, floor: float) -> np.ndarray:
    """A flat ring from the land's border outward, and a floor under it all, which no gap shows the sky through."""
    inner = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    away = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    outer = [(x + dx * FAR_M, y + dy * FAR_M) for (x, y), (dx, dy) in zip(inner, away, strict=True)]
    ring = [
        [(*inner[i], level), (*outer[i], level), (*outer[(i + 1) % 4], level), (*inner[(i + 1) % 4], level)]
        for i in range(4)
    ]
    return np.array([*ring, [(x, y, floor) for x, y in inner]])


def _hills(low: np.ndarray, high: np.ndarray, level: float, height_m: float, rng: np.random.Generator) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 97)
    wave = sum(rng.uniform(0.3, 1) / k**0.7 * np.sin(k * angle + rng.uniform(0, 6)) for k in (2, 3, 5, 8, 13))
    crest = height_m * (0.55 + 0.35 * wave / np.abs(wave).max())
    profile = np.array([(0.0, 0.0), (0.35, 0.45), (0.75, 0.9), (1.0, 1.0)])
    middle, half = (low + high) / 2, (high - low) / 2
    # an ellipse round the corners of the land, 180 m off them
    radius = half * np.sqrt(2) + 180
    out = profile[:, :1] * 260
    x = middle[0] + (radius[0] + out) * np.sin(angle)
    y = middle[1] + (radius[1] + out) * np.cos(angle)
    return np.stack([x, y, level - 0.5 + profile[:, 1:] * crest], -1)


def _woods(rng: np.random.Generator) -> Material:
    color = m.varied(m.srgb(82, 100, 66), rng)
    return Material(color, 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=12.0)
