"""What a town's roads look like: asphalt, pavements with kerbs, painted lines."""

from collections.abc import Iterable

import numpy as np

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import PAVEMENT, ROAD, ROAD_LINE, TERRAIN, Assembly, Shape, surface, together
from simulator.embedded.mesh import PATTERNS, Material
from simulator.opendrive.network import Network
from simulator.opendrive.road import Road
from simulator.opendrive.strips import Strip, lane_strips, line_strips

KERB_M = 0.10  # height of pavements over the carriageway
LINE_LIFT_M = 0.006
KERB_TOP_M = 0.16  # width of the kerb stone
CARRIAGEWAY = {
    "driving",
    "bidirectional",
    "shoulder",
    "parking",
    "border",
    "stop",
    "biking",
    "entry",
    "exit",
    "onRamp",
    "offRamp",
}
RAISED = {"sidewalk", "median", "curb"}

ASPHALT = Material(m.srgb(84, 84, 84), 0.92, pattern=PATTERNS["asphalt"])
KERB = Material(m.srgb(158, 155, 148), 0.9)
WHITE = Material(m.srgb(200, 200, 194), 0.8)
YELLOW = Material(m.srgb(196, 152, 42), 0.8)


def is_carriageway(kind: str) -> bool:
    return kind in CARRIAGEWAY


def lanes_and_lines(network: Network, paving: Material, lawn: Material) -> Assembly:
    """Every lane's surface and every line of the network, in OpenDRIVE's world."""
    parts = Assembly()
    asphalt: list[Shape] = []
    raised: list[Shape] = []
    kerbs: list[Shape] = []
    green: list[Shape] = []
    lines: dict[str, list[Shape]] = {"white": [], "yellow": []}
    for road in network.roads.values():
        for strip in lane_strips(road):
            if is_carriageway(strip.kind):
                asphalt.append(band(strip.left_m, strip.right_m))
            elif strip.kind in RAISED:
                kerbs.extend(kerb_stones(strip))
                raised.append(band(strip.left_m, strip.right_m, KERB_M))
            elif strip.kind != "none":
                green.append(band(strip.left_m, strip.right_m))
        for strip in line_strips(road):
            color = "yellow" if strip.kind == "yellow" else "white"
            lines[color].append(band(strip.left_m, strip.right_m, LINE_LIFT_M))
    for shapes, material, tag in (
        (asphalt, ASPHALT, ROAD),
        (raised, paving, PAVEMENT),
        (kerbs, KERB, PAVEMENT),
        (green, lawn, TERRAIN),
        (lines["white"], WHITE, ROAD_LINE),
        (lines["yellow"], YELLOW, ROAD_LINE),
    ):
        if shapes:
            parts.add(together(shapes), material, tag)
    return parts


def band(left_m: np.ndarray, right_m: np.ndarray, lift_m: float = 0.0) -> Shape:
    """A surface between two edges (N, 3), facing up."""
    grid = np.stack([left_m, right_m], axis=1) + [0, 0, lift_m]
    shape = surface(grid, smooth=False)
    return shape._replace(faces=shape.faces[:, ::-1])


def kerb_stones(strip: Strip) -> Iterable[Shape]:
    """The upright face and the top stone along both edges of a raised lane."""
    for edge, other in ((strip.left_m, strip.right_m), (strip.right_m, strip.left_m)):
        top = edge + [0, 0, KERB_M]
        yield band(edge, top) if edge is strip.left_m else band(top, edge)
        across = other - edge
        width = np.linalg.norm(across, axis=1, keepdims=True)
        inner = top + across * np.minimum(KERB_TOP_M / np.maximum(width, 1e-6), 0.5) + [0, 0, 0.003]
        outer = top + [0, 0, 0.003]
        yield band(outer, inner) if edge is strip.left_m else band(inner, outer)
