"""The things that line a town's streets, each made once in a frame of its own and then set down many times.

A building's frame: origin at the middle of its front on the ground, x towards the road, y to the left, z up; the
others stand on their origin. Looks are those of the embedded simulator's places.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulator.embedded.assets import actor_mesh, vegetation
from simulator.embedded.assets import materials as m
from simulator.embedded.assets.materials import GALVANISED
from simulator.embedded.assets.shapes import (
    BUILDING,
    FENCE,
    GUARD_RAIL,
    POLE,
    STATIC,
    VEGETATION,
    Assembly,
    box,
    boxes,
    fitted,
    rod,
    together,
)
from simulator.embedded.mesh import PATTERNS, Lamp, Material, Mesh
from simulator.embedded.places.buildings import WALLS, house, town_house
from simulator.embedded.places.clearance import Clearance
from simulator.embedded.places.road import Road
from simulator.embedded.places.site import LAMP_HEAD, STREET_LIGHTS, Frame, Site
from simulator.scene import Actor, Place

VARIANTS = {"town house": 24, "house": 14, "block": 10, "tree": 9, "bush": 4, "bench": 2, "parked car": 8}
HOUSE_DEPTH_M, TOWN_HOUSE_DEPTH_M, BLOCK_DEPTH_M = 9.0, 13.0, 18.0
HEDGE_M = RAIL_M = FENCE_M = 4.0  # length of a piece
PARKED_HWL_M = ((1.47, 1.82, 4.19), (1.55, 1.79, 3.71), (1.41, 1.85, 4.70), (1.67, 1.86, 4.61))
LAMP_REACH_M = 3.4  # of a street lamp's arm, along its x


class Prop(NamedTuple):
    """One thing, set down; OpenDRIVE's world."""

    kind: str
    variant: int
    x_m: float
    y_m: float
    z_m: float
    yaw_rad: float
    spread: float = 1.0  # factor on x and y
    tall: float = 1.0  # factor on z


def house_width_m(kind: str, variant: int) -> float:
    """Width of the front of a building's variant."""
    low, high = {"town house": (9.0, 19.0), "house": (8.0, 13.0), "block": (16.0, 34.0)}[kind]
    return low + (high - low) * ((variant * 7) % VARIANTS[kind]) / (VARIANTS[kind] - 1)


@lru_cache(maxsize=256)
def prop_mesh(kind: str, variant: int, night: bool) -> Mesh:
    return MAKERS[kind](variant, night)


@lru_cache(maxsize=64)
def is_bushy(kind: str, variant: int) -> bool:
    """Whether a plant is wide below a quarter of its height, as conifers are."""
    vertices = prop_mesh(kind, variant, False).vertices_m
    low = vertices[vertices[:, 2] < 0.25]
    return bool(np.hypot(low[:, 0], low[:, 1]).max(initial=0.0) > 0.2)


def set_down(props: Sequence[Prop], night: bool) -> list[Mesh]:
    """One mesh for each kind and variant among the props."""
    groups: dict[tuple[str, int], list[Prop]] = {}
    for prop in props:
        groups.setdefault((prop.kind, prop.variant), []).append(prop)
    return [_copies(prop_mesh(*key, night), np.array([prop[2:] for prop in group])) for key, group in groups.items()]


def _copies(mesh: Mesh, where: np.ndarray) -> Mesh:
    """where (I, 6): x, y, z, yaw, spread, tall."""
    count = len(where)
    vertices = _moved(mesh.vertices_m, where).reshape(-1, 3)
    faces = mesh.faces[None] + len(mesh.vertices_m) * np.arange(count)[:, None, None]
    lamps = []
    for lamp in mesh.lamps:
        for x, y, z in _moved(np.array([lamp.position_m]), where)[:, 0].tolist():
            lamps.append(lamp_at(lamp, (x, y, z)))
    return Mesh(
        vertices_m=vertices.astype(np.float32),
        faces=faces.reshape(-1, 3).astype(np.int32),
        material=np.tile(mesh.material, count),
        tag=np.tile(mesh.tag, count),
        materials=mesh.materials,
        smooth=None if mesh.smooth is None else np.tile(mesh.smooth, count),
        lamps=tuple(lamps),
    )


def lamp_at(lamp: Lamp, position_m: tuple[float, float, float]) -> Lamp:
    """The same lamp elsewhere; those of props shine straight down."""
    return Lamp(position_m, lamp.color, lamp.intensity, lamp.direction, lamp.cone_deg)


def _moved(points: np.ndarray, where: np.ndarray) -> np.ndarray:
    x, y, z, yaw, spread, tall = where.T[:, :, None]
    px, py, pz = points.T[:, None, :].astype(float)
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.stack([x + spread * (px * cos - py * sin), y + spread * (px * sin + py * cos), z + tall * pz], -1)


def _site(variant: int, night: bool, salt: int) -> Site:
    place = Place()
    return Site(Road(place), Clearance(place, ()), "default", night, np.random.default_rng([variant, salt]))


def _town_house(variant: int, night: bool) -> Mesh:
    site = _site(variant, night, 1)
    town_house(site, Frame((0, 0), 0.0), house_width_m("town house", variant), TOWN_HOUSE_DEPTH_M, all_round=True)
    site.boxes(Frame((0, 0), 0.0), *_plinth(house_width_m("town house", variant), TOWN_HOUSE_DEPTH_M))
    return site.mesh()


def _house(variant: int, night: bool) -> Mesh:
    site = _site(variant, night, 2)
    house(site, Frame((0, 0), 0.0), house_width_m("house", variant), HOUSE_DEPTH_M, all_round=True)
    site.boxes(Frame((0, 0), 0.0), *_plinth(house_width_m("house", variant), HOUSE_DEPTH_M))
    return site.mesh()


def _plinth(width_m: float, depth_m: float) -> tuple:
    """A footing into sloping ground."""
    wall = Material(m.srgb(128, 124, 118), 0.95, pattern=PATTERNS["asphalt"], pattern_scale_m=3.0)
    return (-depth_m / 2, 0, -1.0), (depth_m - 0.02, width_m - 0.02, 2.2), wall, BUILDING


def _block(variant: int, _: bool) -> Mesh:
    rng = np.random.default_rng([variant, 3])
    width, tall = house_width_m("block", variant), float(rng.uniform(10, 34))
    color = m.varied(m.drawn(WALLS["default"], rng), rng, 0.2)
    wall = Material(color, 0.9, pattern=PATTERNS["facade"], pattern_scale_m=float(rng.choice([3.0, 3.3, 3.6])))
    parts = Assembly()
    parts.add(box((-BLOCK_DEPTH_M / 2, 0, tall / 2 - 1), (BLOCK_DEPTH_M, width, tall + 2)), wall, BUILDING)
    rim = Material(m.scaled(color, 0.8), 0.9)
    parts.add(box((-BLOCK_DEPTH_M / 2, 0, tall + 0.2), (BLOCK_DEPTH_M + 0.5, width + 0.5, 0.5)), rim, BUILDING)
    return parts.mesh()


def _tree(variant: int, _: bool) -> Mesh:
    """Of height 1 within a circle of diameter 1."""
    return _unit(vegetation.tree(variant, "default", (8.0, 6.0, 6.0), 1))


def _fine_tree(variant: int, _: bool) -> Mesh:
    """The same tree for the foreground."""
    return _unit(vegetation.tree(variant, "default", (8.0, 6.0, 6.0), 2))


def _bush(variant: int, _: bool) -> Mesh:
    return _unit(vegetation.bush(variant, "default", (1.2, 1.6, 1.6), 1))


def _unit(mesh: Mesh) -> Mesh:
    mesh = fitted(mesh, (1.0, 1.0, 1.0))
    vertices = mesh.vertices_m.copy()
    vertices[:, :2] /= 2 * np.linalg.norm(vertices[:, :2], axis=1).max()
    return Mesh(vertices, mesh.faces, mesh.material, mesh.tag, mesh.materials, mesh.smooth)


def _lamp(variant: int, night: bool) -> Mesh:
    """Its arm reaches along x: 0 for streets, 1 for highways."""
    tall = (7.5, 10.0)[variant]
    parts = Assembly()
    head = np.array([LAMP_REACH_M + 0.2, 0, tall + 0.23])
    post = [rod((0, 0, -0.5), (0, 0, tall), 0.08, 7), rod((0, 0, tall), head, 0.05, 5)]
    parts.add(together(post), GALVANISED, POLE)
    parts.add(box(head, (0.7, 0.22, 0.12)), GALVANISED, POLE)
    parts.add(box(head - [0, 0, 0.07], (0.5, 0.16, 0.03)), LAMP_HEAD, POLE)
    if night:
        x, y, z = (head - [0, 0, 0.15]).tolist()
        parts.lamp(Lamp((x, y, z), STREET_LIGHTS[0], 60.0 + 30.0 * variant, (0.0, 0.0, -1.0), 68.0))
    return parts.mesh()


def _wooden_pole(_: int, __: bool) -> Mesh:
    parts = Assembly()
    wood = Material(m.srgb(92, 76, 62), 1.0)
    parts.add(boxes(np.array([(0, 0, 3.8), (0, 0, 7.4)]), np.array([(0.2, 0.2, 8.4), (0.12, 1.8, 0.12)])), wood, POLE)
    return parts.mesh()


def _guard_rail(_: int, __: bool) -> Mesh:
    """A piece along y; the rail's face looks along x."""
    parts = Assembly()
    rails = np.array([(0, 0, 0.68), (0.04, 0, 0.56), (0, 0, 0.46)])
    sizes = np.array([(0.05, RAIL_M + 0.02, 0.12), (0.03, RAIL_M + 0.02, 0.12), (0.05, RAIL_M + 0.02, 0.1)])
    posts = np.array([(-0.08, -RAIL_M / 4, 0.2), (-0.08, RAIL_M / 4, 0.2)])
    parts.add(boxes(rails, sizes), GALVANISED, GUARD_RAIL)
    parts.add(boxes(posts, np.array([(0.08, 0.1, 1.0)] * 2)), GALVANISED, GUARD_RAIL)
    return parts.mesh()


def _hedge(variant: int, _: bool) -> Mesh:
    """A piece along y."""
    rng = np.random.default_rng([variant, 4])
    green = Material(m.varied(m.srgb(58, 80, 38), rng, 0.2), 1.0, pattern=PATTERNS["leaves"], pattern_scale_m=0.4)
    tall = 1.0 + 0.25 * variant
    parts = Assembly()
    for along in (-1.0, 1.0):
        bulge = rng.uniform(-0.06, 0.06, 2)
        size = (0.8 + bulge[0], HEDGE_M / 2 + 0.05, tall + 0.6 + bulge[1])
        parts.add(box((0, along * HEDGE_M / 4, tall / 2 - 0.3), size), green, VEGETATION)
    return parts.mesh()


def _fence(variant: int, _: bool) -> Mesh:
    """Pales on two rails, a piece along y."""
    wood = Material((m.srgb(216, 212, 202), m.srgb(118, 92, 66))[variant % 2], 0.9)
    pales = np.arange(-FENCE_M / 2 + 0.1, FENCE_M / 2, 0.25)
    centers = np.stack([np.full(len(pales), 0.03), pales, np.full(len(pales), 0.5)], 1)
    parts = Assembly()
    parts.add(boxes(centers, np.array([(0.02, 0.11, 1.1)] * len(pales))), wood, FENCE)
    parts.add(boxes(np.array([(0, 0, 0.3), (0, 0, 0.8)]), np.array([(0.05, FENCE_M, 0.08)] * 2)), wood, FENCE)
    return parts.mesh()


def _bench(variant: int, _: bool) -> Mesh:
    """A bench or a cabinet, its front along x."""
    parts = Assembly()
    if variant == 0:
        wood = Material(m.srgb(120, 84, 54), 0.8)
        plank = boxes(np.array([(0, 0, 0.46), (-0.22, 0, 0.75)]), np.array([(0.45, 1.7, 0.06), (0.06, 1.7, 0.4)]))
        parts.add(plank, wood, STATIC)
        parts.add(boxes(np.array([(0, -0.6, 0.12), (0, 0.6, 0.12)]), np.array([(0.4, 0.08, 0.64)] * 2)), m.TRIM, STATIC)
    else:
        parts.add(box((0, 0, 0.5), (0.35, 0.9, 1.4)), Material(m.srgb(112, 118, 112), 0.7), STATIC)
    return parts.mesh()


def _parked_car(variant: int, _: bool) -> Mesh:
    """Its front along x, its lights off."""
    size = PARKED_HWL_M[variant % len(PARKED_HWL_M)]
    mesh = actor_mesh(Actor("car", 0.0, 0.0, 0.0, size, appearance_seed=variant), "default")
    return replace(mesh, materials=tuple(one._replace(emission=0.0) for one in mesh.materials), lamps=())


MAKERS: dict[str, Callable[[int, bool], Mesh]] = {
    "town house": _town_house,
    "house": _house,
    "block": _block,
    "tree": _tree,
    "fine tree": _fine_tree,
    "bush": _bush,
    "lamp": _lamp,
    "wooden pole": _wooden_pole,
    "guard rail": _guard_rail,
    "hedge": _hedge,
    "fence": _fence,
    "bench": _bench,
    "parked car": _parked_car,
}
