"""A town made from its OpenDRIVE file: streets with what lines them, in parts, as the painter needs them."""

import math
from collections import OrderedDict
from collections.abc import Collection
from functools import cached_property
from threading import Lock

import numpy as np

from simulator.carla.loopback import parts
from simulator.carla.loopback.horizon import horizon
from simulator.carla.loopback.props import Prop, set_down
from simulator.carla.loopback.roadsides import Corners, corner_pavements
from simulator.carla.loopback.scenery import STYLES, plan, style_name_of
from simulator.carla.loopback.sounding import Sounding
from simulator.carla.loopback.streets import LAND, ground_mesh
from simulator.carla.unreal import Transform
from simulator.embedded.mesh import Mesh, join
from simulator.embedded.stage import Stage
from simulator.opendrive.coverage import Coverage
from simulator.opendrive.junction_fill import fill_junctions
from simulator.opendrive.network import network_of
from simulator.opendrive.spawning import spawn_poses
from simulator.opendrive.terrain import Terrain

SEEN_M = 220.0
NEAR_M = 12.0  # trees so close are the detailed ones
FACES_KEPT = 3_000_000  # of all stages together: 0.12 kB each
SOUNDINGS_KEPT = 256  # squares, each with what stands in it
REACH_M = 32.0  # nothing that stands in a square reaches further out of it


class Town:
    """Made at once from the text; its surfaces are built when they are first asked for. Unreal's frame outside."""

    def __init__(self, xodr_text: str | bytes, name: str) -> None:
        self.name = name
        self.network = network_of(xodr_text, f"map {name}")
        self._stages: OrderedDict[tuple, Stage] = OrderedDict()
        self._soundings: OrderedDict[parts.Square, Sounding | None] = OrderedDict()
        self._hidden: frozenset[Prop] = frozenset()
        self._staging = Lock()  # painters ask for stages from several threads

    def spawn_points(self) -> list[Transform]:
        """Middles of driving lanes outside junctions, half a metre above the road, heading as traffic does."""
        return [
            Transform(x, -y, z, pitch, float((-turn + 180) % 360 - 180))
            for x, y, z, turn, pitch in spawn_poses(self.network)
        ]

    def ground_m(self, x_m: float, y_m: float) -> float:
        """Height of the highest road, pavement or ground at a place."""
        return self._sounding.height_m(x_m, -y_m)

    def heights_m(self, points: np.ndarray) -> np.ndarray:
        """Height of the surface under each point (N, 3); where a point is below all, of the highest one. (N,)"""
        return self._sounding.heights_m(points * (1, -1, 1))

    def cast(
        self, origin: tuple[float, float, float], direction: tuple[float, float, float], distance_m: float
    ) -> tuple[tuple[float, float, float], int] | None:
        """The first point of ground or scenery on a ray, and its semantic tag; None where none lies that near."""
        (ox, oy, oz), (dx, dy, dz) = origin, direction
        start, way = (ox, -oy, oz), (dx, -dy, dz)
        share = distance_m / max(math.hypot(dx, dy, dz), 1e-9)
        end = (ox + share * dx, -(oy + share * dy))
        soundings = [self._sounding, *self._standing_about(start[:2], end)]
        met = [hit for one in soundings if (hit := one.cast(start, way, distance_m)) is not None]
        if not met:
            return None
        (x, y, z), tag = min(met, key=lambda hit: math.dist(hit[0], start))
        return (x, -y, z), tag

    def _standing_about(self, start: tuple[float, float], end: tuple[float, float]) -> list[Sounding]:
        """What stands about a way over the ground, a sounding a square."""
        low = tuple(map(min, zip(start, end, strict=True)))
        high = tuple(map(max, zip(start, end, strict=True)))
        (i0, j0), (i1, j1) = (
            parts.square_of(x + grown, y + grown) for (x, y), grown in ((low, -REACH_M), (high, REACH_M))
        )
        squares = [(i, j) for i in range(i0, i1 + 1) for j in range(j0, j1 + 1) if (i, j) in self._props]
        found = [one for square in squares if (one := self._standing(square)) is not None]
        return [one for one in found if one.touches(low, high)]

    def _standing(self, square: parts.Square) -> Sounding | None:
        """What stands in a square and is not hidden: as in CARLA, a ray goes through what is."""
        kept = self._soundings
        if square not in kept:
            shown = self._shown(square)
            kept[square] = Sounding(join(set_down(shown, night=False))) if shown else None
            while len(kept) > SOUNDINGS_KEPT:
                kept.popitem(last=False)
        kept.move_to_end(square)
        return kept[square]

    def _shown(self, square: parts.Square) -> list[Prop]:
        return [prop for prop in self._props[square] if prop not in self._hidden]

    def stage(self, x_m: float, y_m: float, night: bool, device: str = "cpu") -> Stage:
        """What is seen from a place, on the device; the last ones are kept."""
        center = parts.square_of(x_m, -y_m)
        key = (center, night, device, self._hidden)
        with self._staging:
            if key not in self._stages:
                self._stages[key] = Stage(self._seen_from(center, night), device)
                while len(self._stages) > 1 and sum(stage.faces for stage in self._stages.values()) > FACES_KEPT:
                    self._stages.popitem(last=False)
            self._stages.move_to_end(key)
            return self._stages[key]

    def surroundings(self, x_m: float, y_m: float, night: bool) -> Mesh:
        """Ground and scenery about a place, in squares; OpenDRIVE's world."""
        return self._seen_from(parts.square_of(x_m, y_m), night)

    def _seen_from(self, center: parts.Square, night: bool) -> Mesh:
        seen = [self._ground[square] for square in parts.near(self._ground, center, SEEN_M)]
        props = [
            prop._replace(kind="fine tree") if prop.kind == "tree" and _is_near(prop, center) else prop
            for square in parts.near(self._props, center, SEEN_M)
            for prop in self._shown(square)
        ]
        return join([*seen, *set_down(props, night), self._horizon])

    @cached_property
    def coverage(self) -> Coverage:
        return Coverage(self.network)

    @cached_property
    def terrain(self) -> Terrain:
        _ = self._junctions  # they cover ground, too
        return Terrain(self.coverage)

    @cached_property
    def _junctions(self) -> tuple[np.ndarray, Corners]:
        """In this order: the pavements see what has been filled."""
        fill = fill_junctions(self.network, self.coverage)
        return fill, corner_pavements(self.network, self.coverage)

    @cached_property
    def _ground_mesh(self) -> Mesh:
        return ground_mesh(self.network, self.coverage, self.terrain, *self._junctions, LAND[style_name_of(self.name)])

    @cached_property
    def _ground(self) -> dict[parts.Square, Mesh]:
        return parts.cut(self._ground_mesh)

    @cached_property
    def props(self) -> list[Prop]:
        """What lines the streets; OpenDRIVE's world."""
        return plan(self.name, self.network, self.coverage, self.terrain)

    def hide(self, props: Collection[Prop], hidden: bool) -> None:
        """Leave some of `props` out of all pictures, and out of the way of rays, from now on, or show them again."""
        before = self._hidden
        self._hidden = before.union(props) if hidden else before.difference(props)
        if self._hidden != before:
            self._soundings = OrderedDict()  # another one: rays may be cast meanwhile

    @cached_property
    def _props(self) -> dict[parts.Square, list[Prop]]:
        found: dict[parts.Square, list[Prop]] = {}
        for prop in self.props:
            found.setdefault(parts.square_of(prop.x_m, prop.y_m), []).append(prop)
        return found

    @cached_property
    def _horizon(self) -> Mesh:
        style = style_name_of(self.name)
        rng = np.random.default_rng(len(self.name))
        return horizon(self.terrain, LAND[style][0], STYLES[style].hills_m, STYLES[style].city, rng)

    @cached_property
    def _sounding(self) -> Sounding:
        return Sounding(self._ground_mesh)


def _is_near(prop: Prop, square: parts.Square) -> bool:
    """Whether it stands within NEAR_M of the square."""
    gaps = [abs(at / parts.PART_M - index - 0.5) - 0.5 for at, index in zip((prop.x_m, prop.y_m), square, strict=True)]
    return max(gaps) * parts.PART_M < NEAR_M
