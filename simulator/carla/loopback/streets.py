"""What a town's ground looks like: asphalt, pavements with kerbs, painted lines, verges, bridges, terrain."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from simulator.carla.loopback.bridges import decks, skirts, verges
from simulator.carla.loopback.roadsides import Corners
from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import (
    BRIDGE,
    PAVEMENT,
    ROAD,
    ROAD_LINE,
    TERRAIN,
    WALL,
    Assembly,
    Shape,
    panels,
    surface,
    together,
)
from simulator.embedded.mesh import PATTERNS, Material, Mesh
from simulator.opendrive.coverage import CARRIAGEWAY, FREE, RAISED, Coverage, cover_of
from simulator.opendrive.network import Network
from simulator.opendrive.strips import Strip, line_strips
from simulator.opendrive.terrain import Terrain

KERB_M = 0.10  # height of pavements over the carriageway
KERB_TOP_M = 0.16  # width of the kerb stone
LINE_LIFT_M = 0.006
FLAT_M = 0.02  # how far the terrain may be off where it is drawn in larger squares
PART_NODES = 16  # nodes along the side of a part of the terrain
FAR_M = 900.0

ASPHALT = Material(m.srgb(84, 84, 84), 0.92, pattern=PATTERNS["asphalt"])
KERB = Material(m.srgb(158, 155, 148), 0.9)
CONCRETE = Material(m.srgb(150, 148, 142), 0.95, pattern=PATTERNS["asphalt"], pattern_scale_m=3.0)
PAVING = Material(m.srgb(150, 146, 138), 0.95, pattern=PATTERNS["paving"], pattern_scale_m=0.6)
LAWN = Material(m.srgb(92, 100, 62), 1.0, pattern=PATTERNS["grass"])
CROPS = [
    Material(m.srgb(*color), 1.0, pattern=PATTERNS["grass"], pattern_scale_m=scale)
    for color, scale in (((138, 128, 82), 2.0), ((104, 118, 54), 1.4), ((128, 104, 74), 2.5), ((84, 104, 50), 1.0))
]
YARD = Material(m.srgb(122, 119, 112), pattern=PATTERNS["asphalt"], pattern_scale_m=2.0)
LAND = {
    "urban": [LAWN, YARD],
    "town": [LAWN],
    "suburb": [LAWN],
    "highway": [LAWN, LAWN, CROPS[1]],
    "country": [LAWN, *CROPS],
}
LINES = {"white": Material(m.srgb(200, 200, 194), 0.8), "yellow": Material(m.srgb(196, 152, 42), 0.8)}


def ground_mesh(
    network: Network, coverage: Coverage, terrain: Terrain, fill: np.ndarray, corners: Corners, grounds: list[Material]
) -> Mesh:
    """Everything one stands on, in OpenDRIVE's world. `fill` and `corners` complete the junctions.

    The first of `grounds` lies along the roads; with more than one, the land is laid out in fields of all of them.
    """
    ground = grounds[0]
    shapes: dict[tuple[Material, int], list[Shape]] = defaultdict(list)
    shapes[ASPHALT, ROAD].append(panels(fill))
    shapes[PAVING, PAVEMENT].append(panels(corners.behind_m + [0, 0, KERB_M]))
    for strip in corners.strips:
        _raise(shapes, strip)
        outer = strip.left_m if strip.lane > 0 else strip.right_m
        shapes[KERB, PAVEMENT].append(band(outer + [0, 0, KERB_M], outer - [0, 0, 0.6]))
    for road in network.roads.values():
        for strip in network.lanes[road.id]:
            cover = cover_of(strip.kind)
            if cover == CARRIAGEWAY:
                shapes[ASPHALT, ROAD].append(band(strip.left_m, strip.right_m))
            elif cover == RAISED:
                _raise(shapes, strip)
            elif cover != FREE:
                shapes[ground, TERRAIN].append(band(strip.left_m, strip.right_m))
        for strip in line_strips(road):
            paint = LINES["yellow" if strip.kind == "yellow" else "white"]
            shapes[paint, ROAD_LINE].append(band(strip.left_m, strip.right_m, LINE_LIFT_M))
        shapes[ground, TERRAIN].extend(verges(road, coverage, terrain))
        shapes[KERB, PAVEMENT].extend(skirts(road))
        for shape, is_parapet in decks(road, terrain):
            shapes[CONCRETE, WALL if is_parapet else BRIDGE].append(shape)
    for shape, field in _terrain(terrain):
        shapes[grounds[field % len(grounds)], TERRAIN].append(shape)
    parts = Assembly()
    for (material, tag), found in shapes.items():
        parts.add(together(found), material, tag)
    return parts.mesh()


def _raise(shapes: dict[tuple[Material, int], list[Shape]], strip: Strip) -> None:
    """A pavement's slabs, and kerb stones along both of its edges."""
    shapes[PAVING, PAVEMENT].append(band(strip.left_m, strip.right_m, KERB_M))
    for edge, other in ((strip.left_m, strip.right_m), (strip.right_m, strip.left_m)):
        top = edge + [0, 0, KERB_M]
        across = other - edge
        width = np.linalg.norm(across, axis=1, keepdims=True)
        stone = top + [0, 0, 0.003]
        inner = stone + across * np.minimum(KERB_TOP_M / np.maximum(width, 1e-6), 0.5)
        is_left = edge is strip.left_m
        shapes[KERB, PAVEMENT].append(band(edge, top) if is_left else band(top, edge))
        shapes[KERB, PAVEMENT].append(band(stone, inner) if is_left else band(inner, stone))


def band(left_m: np.ndarray, right_m: np.ndarray, lift_m: float = 0.0) -> Shape:
    """A surface between two edges (N, 3), facing up where the first lies to the left."""
    grid = np.stack([right_m, left_m], axis=1) + [0, 0, lift_m]
    return surface(grid, smooth=False)


def _terrain(terrain: Terrain) -> Iterator[tuple[Shape, int]]:
    """The land in squares, with the number of the field that each belongs to."""
    rows, columns = terrain.shape
    for row in range(0, rows - 1, PART_NODES):
        for column in range(0, columns - 1, PART_NODES):
            part = terrain.nodes_m(
                slice(row, min(row + PART_NODES + 1, rows)), slice(column, min(column + PART_NODES + 1, columns))
            )
            part = _thinned(part)
            i, j = row // PART_NODES // 2, column // PART_NODES // 3
            yield surface(part[:, ::-1], smooth=False), (i * 7 + j * 13 + i * j * 5) % 11


def _thinned(nodes_m: np.ndarray) -> np.ndarray:
    """Every eighth, fourth or second of the nodes (rows, columns, 3), where the others lie between them anyway."""
    for step in (PART_NODES, PART_NODES // 2, PART_NODES // 4, PART_NODES // 8):
        if (nodes_m.shape[0] - 1) % step == 0 and (nodes_m.shape[1] - 1) % step == 0:
            few = nodes_m[::step, ::step]
            known = np.arange(0, nodes_m.shape[0], step), np.arange(0, nodes_m.shape[1], step)
            down = [np.interp(np.arange(nodes_m.shape[0]), known[0], column) for column in few[..., 2].T]
            every = [np.interp(np.arange(nodes_m.shape[1]), known[1], row) for row in np.array(down).T]
            if np.abs(np.array(every) - nodes_m[..., 2]).max() < FLAT_M:
                return few
    return nodes_m
