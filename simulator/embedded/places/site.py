"""A building site: collects the parts of a place by material, so that thousands of boxes become a few arrays."""

from collections import defaultdict
from collections.abc import Callable
from copy import copy
from functools import lru_cache, partial

import numpy as np

from simulator.embedded.assets import vegetation
from simulator.embedded.assets.materials import GALVANISED
from simulator.embedded.assets.shapes import POLE, Assembly, Shape, boxes, fitted, panels, rod, together
from simulator.embedded.mesh import Lamp, Material, Mesh
from simulator.embedded.places.clearance import Clearance
from simulator.embedded.places.road import Road

AssetMaker = Callable[[int, str, tuple[float, float, float]], Mesh]
STREET_LIGHTS = ((1.0, 0.74, 0.42), (1.0, 0.86, 0.66), (0.92, 0.96, 1.0))  # sodium vapour, warm and cold LEDs
WINTER = 0.15  # share of the places whose trees have no leaves
PLANTS = {
    "tree": vegetation.tree,
    "broad tree": partial(vegetation.tree, conifers=False),
    "street tree": vegetation.street_tree,
    "bare tree": vegetation.bare_tree,
    "bush": vegetation.bush,
}
LAMP_HEAD = Material((0.8, 0.78, 0.7), 0.4, emission=7.0)


class Site:
    """What a place is being built on: its road, what must stay free, and all parts so far."""

    def __init__(self, road: Road, clear: Clearance, asset_set: str, night: bool, rng: np.random.Generator):
        self.road, self.clear, self.asset_set, self.night, self.rng = road, clear, asset_set, night, rng
        self._boxes: dict[tuple[Material, int], list[np.ndarray]] = defaultdict(list)
        self._panels: dict[tuple[Material, int], list[np.ndarray]] = defaultdict(list)
        self._shapes: list[tuple[Shape, Material, int]] = []
        self._plants: dict[tuple[str, int, int], list[tuple]] = defaultdict(list)
        self._lamps: list[Lamp] = []
        # In the order in which they were thought of: what a spawned generator draws depends on those spawned before it.
        self._street_light = STREET_LIGHTS[int(rng.spawn(1)[0].integers(len(STREET_LIGHTS)))]
        self.winter = bool(rng.spawn(1)[0].uniform() < WINTER)

    def along(self, road: Road) -> "Site":
        """The same site seen from another road: what is built there is part of this one."""
        other = copy(self)
        other.road = road
        return other

    def drawing_apart(self) -> "Site":
        """The same site with a generator of its own: what is added through it draws nothing from this one's.

        Ground that it takes is taken here too: what is settled afterwards makes way, and what stands already does not.
        """
        other = copy(self)
        other.rng = self.rng.spawn(1)[0]
        return other

    def add(self, shape: Shape, material: Material, tag: int) -> None:
        """A shape in the world frame."""
        self._shapes.append((shape, material, tag))

    def boxes(self, frame: "Frame", centers_m, sizes_m, material: Material, tag: int) -> None:
        """Cuboids (N, 3) in a local frame."""
        centers, sizes = np.atleast_2d(np.asarray(centers_m, float)), np.atleast_2d(np.asarray(sizes_m, float))
        centers, sizes = np.broadcast_arrays(centers, sizes)
        yaw = np.full((len(centers), 1), frame.yaw_rad)
        self._boxes[material, tag].append(np.concatenate([frame.world(centers), sizes, yaw], 1))

    def panels(self, frame: "Frame", corners_m, material: Material, tag: int) -> None:
        """Quadrilaterals (N, 4, 3) in a local frame."""
        self._panels[material, tag].append(frame.world(np.asarray(corners_m, float).reshape(-1, 4, 3)))

    def add_model(self, make: AssetMaker, variant: int, size_hwl_m: tuple[float, float, float], frame: "Frame") -> None:
        """An asset of a known size, in a local frame."""
        for shape, material, tag in _model(make, variant, self.asset_set, size_hwl_m):
            self.add(shape._replace(vertices_m=frame.world(shape.vertices_m)), material, tag)

    def plant(self, kind: str, xy_m, height_m: float, spread_m: float) -> None:
        """A plant of the kinds of PLANTS. Those near the camera are more detailed; in winter most trees are bare."""
        detail = 2 if kind != "bush" and np.hypot(*xy_m) < 24 else 1
        variant = int(self.rng.integers(5))
        if self.winter and kind != "bush" and variant:
            kind = "bare tree"
        self._plants[kind, variant, detail].append((*xy_m, spread_m, height_m, float(self.rng.uniform(0, 2 * np.pi))))

    def settle(self, s: float, t: float, radius_m: float, pushes_m=(0, 1, 2, 4, 6, 9, 12)) -> float | None:
        """The first t, moved away from the road step by step, at which a circle is free; None if there is none."""
        outward = np.sign(t) if t else 1.0
        tried = t + outward * np.asarray(pushes_m, float)
        ok = self.clear.free(self.road.point_m(s, tried), radius_m)
        return float(tried[np.argmax(ok)]) if ok.any() else None

    def street_lamp(self, s: float, side: int, distance_m: float, height_m: float) -> None:
        """A lamp post whose arm reaches towards the road, wherever it may stand."""
        t = self.settle(s, side * distance_m, 2.2)  # the arm turns with it
        if t is None:
            return
        x, y = self.road.point_m(s, t)
        frame = Frame((float(x), float(y)), float(self.road.yaw_rad(s)))
        foot, top = np.array([0, 0, 0]), np.array([0, 0, height_m])
        arm = np.array([0, side * 1.6, height_m + 0.25])
        post = together([rod(foot, top, 0.08, 7), rod(top, arm, 0.05, 5)])
        self.add(post._replace(vertices_m=frame.world(post.vertices_m)), GALVANISED, POLE)
        head = arm + [0, side * 0.2, -0.02]
        self.boxes(frame, head, (0.22, 0.7, 0.12), GALVANISED, POLE)
        self.boxes(frame, head - [0, 0, 0.07], (0.16, 0.5, 0.03), LAMP_HEAD, POLE)
        if self.night:
            x, y, z = (float(c) for c in frame.world(head - [0, 0, 0.15]))
            self._lamps.append(Lamp((x, y, z), self._street_light, 60.0, (0.0, 0.0, -1.0), 68.0))

    def mesh(self) -> Mesh:
        parts = Assembly()
        for shape, material, tag in self._shapes:
            parts.add(shape, material, tag)
        for (material, tag), rows in self._boxes.items():
            every = np.concatenate(rows)
            parts.add(boxes(every[:, :3], every[:, 3:6], every[:, 6]), material, tag)
        for (material, tag), corners in self._panels.items():
            parts.add(panels(np.concatenate(corners)), material, tag)
        for (kind, variant, detail), where in self._plants.items():
            for shape, material, tag in _plant_template(kind, variant, detail, self.asset_set):
                parts.add(_instances(shape, np.array(where)), material, tag)
        for lamp in self._lamps:
            parts.lamp(lamp)
        return parts.mesh()


class Frame:
    """A local frame on the ground: x along `yaw_rad`, y to the left of it, z up."""

    def __init__(self, origin_xy_m: np.ndarray | tuple[float, float], yaw_rad: float):
        self.origin = np.array([*origin_xy_m, 0.0])
        self.yaw_rad = yaw_rad
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        self._turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])

    def world(self, points_m: np.ndarray) -> np.ndarray:
        return points_m @ self._turn.T + self.origin


@lru_cache(maxsize=64)
def _plant_template(kind: str, variant: int, detail: int, asset_set: str) -> list[tuple[Shape, Material, int]]:
    """A plant of unit height within a circle of unit diameter, split by material and shading."""
    size = (1.2, 1.6, 1.6) if kind == "bush" else (8.0, 6.0, 6.0)
    mesh = fitted(PLANTS[kind](variant, asset_set, size, detail), (1.0, 1.0, 1.0))
    vertices = mesh.vertices_m.astype(float)
    vertices[:, :2] /= 2 * np.linalg.norm(vertices[:, :2], axis=1).max()
    return _parts(mesh, vertices)


@lru_cache(maxsize=64)
def _model(make: AssetMaker, variant: int, asset_set: str, size_hwl_m: tuple[float, float, float]):
    mesh = make(variant, asset_set, size_hwl_m)
    return _parts(mesh, mesh.vertices_m.astype(float))


def _parts(mesh: Mesh, vertices_m: np.ndarray) -> list[tuple[Shape, Material, int]]:
    """A mesh split by material and shading, each part with one tag."""
    shading = np.zeros(len(mesh.faces), bool) if mesh.smooth is None else mesh.smooth
    return [
        (Shape(vertices_m, mesh.faces, smooth).part(chosen), material, int(mesh.tag[chosen][0]))
        for index, material in enumerate(mesh.materials)
        for smooth in (False, True)
        if (chosen := (mesh.material == index) & (shading == smooth)).any()
    ]


def _instances(shape: Shape, where: np.ndarray) -> Shape:
    """Copies of a unit shape; where (I, 5): x, y, spread, height, turn."""
    x, y, spread, height, turn = where.T[:, :, None]
    px, py, pz = shape.vertices_m.T[:, None, :]
    cos, sin = np.cos(turn), np.sin(turn)
    vertices = np.stack([x + spread * (px * cos - py * sin), y + spread * (px * sin + py * cos), height * pz], -1)
    faces = shape.faces[None] + len(shape.vertices_m) * np.arange(len(where))[:, None, None]
    return Shape(vertices.reshape(-1, 3), faces.reshape(-1, 3), shape.smooth)
