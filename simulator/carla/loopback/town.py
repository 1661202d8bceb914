"""A town made from its OpenDRIVE file: streets with what lines them, in parts, as the painter needs them."""

from functools import cached_property, lru_cache

import numpy as np

from simulator.carla.unreal import Transform
from simulator.carla.loopback.streets import lanes_and_lines
from simulator.embedded.assets import materials as m
from simulator.embedded.assets.shapes import TERRAIN, panels
from simulator.embedded.mesh import PATTERNS, Material, Mesh
from simulator.embedded.stage import Stage
from simulator.embedded.world import start_warp
from simulator.opendrive.network import Network, network_of

SPAWN_EVERY_M = 12.0
SPAWN_LIFT_M = 0.5


class Town:
    """Made at once from the text; its surfaces are built when they are first asked for."""

    def __init__(self, xodr_text: str, name: str) -> None:
        self.name = name
        self.network: Network = network_of(xodr_text, f"map {name}")
        self._stages: dict = {}

    def stage(self, x_m: float, y_m: float, night: bool, device: str = "cpu") -> Stage:
        """What is seen from a place (Unreal's frame), on the device; kept for the next picture from there."""
        if device not in self._stages:
            self._stages[device] = Stage(self._mesh, device)
        return self._stages[device]

    @cached_property
    def _mesh(self) -> Mesh:
        lawn = Material(m.srgb(92, 100, 62), 1.0, pattern=PATTERNS["grass"])
        paving = Material(m.srgb(150, 146, 138), 0.95, pattern=PATTERNS["paving"], pattern_scale_m=0.6)
        parts = lanes_and_lines(self.network, paving, lawn)
        x0, y0, x1, y1 = self.network.bounds_m
        r = 900
        low = -0.03
        parts.add(
            panels([(x0 - r, y0 - r, low), (x1 + r, y0 - r, low), (x1 + r, y1 + r, low), (x0 - r, y1 + r, low)]),
            lawn,
            TERRAIN,
        )
        return parts.mesh()

    def spawn_points(self) -> list[Transform]:
        """Middles of driving lanes outside junctions, every SPAWN_EVERY_M, heading as traffic does."""
        points = []
        for road in self.network.roads.values():
            if road.junction is not None:
                continue
            for section in road.sections:
                for index, lane in enumerate(section.lanes):
                    if lane.kind != "driving" or section.end_m - section.start_m < 6:
                        continue
                    count = max(1, int((section.end_m - section.start_m) / SPAWN_EVERY_M))
                    s = section.start_m + (np.arange(count) + 0.5) * (section.end_m - section.start_m) / count
                    edges = road.edges_t_m(section, s)
                    inner = index + 1 if lane.number > 0 else index - 1
                    wide = np.abs(edges[:, index] - edges[:, inner]) > 2.0
                    middle = (edges[:, index] + edges[:, inner]) / 2
                    at = road.point_m(s, middle)
                    heading = np.degrees(road.course.pose(s)[2]) + (180 if lane.number > 0 else 0)
                    climb = np.degrees(np.arctan(road.elevation_m.slope(s))) * (-1 if lane.number > 0 else 1)
                    for (x, y, z), turn, pitch in zip(at[wide], heading[wide], climb[wide], strict=True):
                        yaw = float((-turn + 180) % 360 - 180)
                        points.append(Transform(float(x), float(-y), float(z + SPAWN_LIFT_M), float(pitch), yaw))
        return points
