"""Primitive solids in numpy, and the assembly that joins them into a Mesh.

Every function works in metres in the model frame (x forward, y left, z up) and returns outward-facing triangles.
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import trimesh

from simulator.embedded.mesh import Lamp, Material, Mesh, crossed

# CARLA 0.9.16 semantic tags.
ROAD, PAVEMENT, BUILDING, WALL, FENCE, POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN = range(1, 9)
VEGETATION, TERRAIN, SKY, PEDESTRIAN, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = range(9, 20)
STATIC, DYNAMIC, OTHER, WATER, ROAD_LINE, GROUND, BRIDGE, RAIL_TRACK, GUARD_RAIL = range(20, 29)


class Shape(NamedTuple):
    """Bare triangles: vertices (V, 3) float64, faces (F, 3) int, and whether to shade them as a smooth surface."""

    vertices_m: np.ndarray
    faces: np.ndarray
    smooth: bool = False

    def moved(self, offset_m) -> "Shape":
        return self._replace(vertices_m=self.vertices_m + np.asarray(offset_m, float))

    def mirrored(self) -> "Shape":
        """The same on the other side: y becomes -y."""
        return self._replace(vertices_m=self.vertices_m * [1, -1, 1], faces=self.faces[:, ::-1])

    def turned(self, yaw_rad: float = 0.0, pitch_rad: float = 0.0) -> "Shape":
        """Turned about y by pitch (positive: nose down), then about z by yaw (positive: to the left)."""
        cos, sin = np.cos(pitch_rad), np.sin(pitch_rad)
        pitch = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
        yaw = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        return self._replace(vertices_m=self.vertices_m @ (yaw @ pitch).T)

    def part(self, face_mask: np.ndarray) -> "Shape":
        """Some of the faces, with only the vertices they use: its edge to the rest becomes a crease."""
        used, faces = np.unique(self.faces[face_mask], return_inverse=True)
        return self._replace(vertices_m=self.vertices_m[used], faces=faces.reshape(-1, 3))


def together(shapes: list[Shape]) -> Shape:
    """Several shapes of one material as one; smooth if the first is."""
    offsets = np.cumsum([0] + [len(s.vertices_m) for s in shapes[:-1]])
    faces = np.concatenate([s.faces + o for s, o in zip(shapes, offsets, strict=True)])
    return Shape(np.concatenate([s.vertices_m for s in shapes]), faces, shapes[0].smooth)


@lru_cache(maxsize=256)
def grid_faces(rows: int, columns: int, wrap: bool = False) -> np.ndarray:
    """Triangles of a (rows, columns) grid, row by row: (2 * quads, 3). `wrap` joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    a = row * columns + column
    b = row * columns + (column + 1) % columns
    c, d = b + columns, a + columns
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    faces.flags.writeable = False
    return faces


def surface(grid_m: np.ndarray, smooth: bool = True) -> Shape:
    """An open surface over a grid of points (rows, columns, 3); face 2k and 2k+1 belong to quad k, row by row."""
    rows, columns = grid_m.shape[:2]
    return Shape(grid_m.reshape(-1, 3), grid_faces(rows, columns), smooth)


def loft(rings_m: np.ndarray, smooth: bool = True) -> Shape:
    """A closed solid through rings of points (N, K, 3), its two ends capped by fans; turned outward by its volume."""
    count, sides = rings_m.shape[:2]
    skin = grid_faces(count, sides, wrap=True)
    # The caps get vertices of their own, so that the edge to the skin stays sharp.
    ring = np.arange(sides)
    around = np.stack([ring, (ring + 1) % sides], 1)
    first = count * sides
    near = np.concatenate([np.full((sides, 1), first + sides), first + around[:, ::-1]], 1)
    second = first + sides + 1
    far = np.concatenate([np.full((sides, 1), second + sides), second + around], 1)
    vertices = np.concatenate(
        [rings_m.reshape(-1, 3), rings_m[0], rings_m[0].mean(0)[None], rings_m[-1], rings_m[-1].mean(0)[None]]
    )
    faces = np.concatenate([skin, near, far])
    corner = vertices[faces] - vertices.mean(0)
    volume = np.einsum("ij,ij->i", corner[:, 0], crossed(corner[:, 1], corner[:, 2])).sum()
    faces = faces if volume > 0 else faces[:, ::-1]
    return without_slivers(Shape(vertices, faces, smooth))


def without_slivers(shape: Shape) -> Shape:
    """The shape without triangles that have no area, as where two points of a ring coincide."""
    corner = shape.vertices_m[shape.faces]
    area = np.linalg.norm(crossed(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) / 2
    return shape.part(area > 1e-8)


def tube(path_m, radii_m, sides: int = 6, smooth: bool = True) -> Shape:
    """A pipe along a path (N, 3) with a radius at every point (scalar or (N,))."""
    path = np.asarray(path_m, float)
    radii = np.broadcast_to(np.asarray(radii_m, float), len(path))
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    helper = np.eye(3)[np.argmin(np.abs(tangent).max(0))]
    across = crossed(tangent, helper)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = crossed(tangent, across)
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.cos(angle)[None, :, None] * across[:, None] + np.sin(angle)[None, :, None] * up[:, None]
    return loft(path[:, None] + ring * radii[:, None, None], smooth)


def limb(start_m, end_m, start_radius_m: float, end_radius_m: float, sides: int = 8) -> Shape:
    """A tapered rod with rounded ends (arms, legs)."""
    start, end = np.asarray(start_m, float), np.asarray(end_m, float)
    length = max(float(np.linalg.norm(end - start)), 1e-6)
    direction = (end - start) / length
    sine = np.sin(np.radians([12, 50]))
    cosine = np.cos(np.radians([12, 50]))
    along = np.concatenate([-cosine * start_radius_m, [0, length / 2, length], length + cosine[::-1] * end_radius_m])
    middle = (start_radius_m + end_radius_m) / 2
    radii = np.concatenate([sine * start_radius_m, [start_radius_m, middle, end_radius_m], sine[::-1] * end_radius_m])
    return tube(start + along[:, None] * direction, radii, sides)


def rod(start_m, end_m, radius_m: float, sides: int = 6) -> Shape:
    """A straight cylinder with flat ends."""
    return rods(np.asarray(start_m, float)[None], np.asarray(end_m, float)[None], radius_m, sides)


def rods(starts_m: np.ndarray, ends_m: np.ndarray, radius_m: float, sides: int = 6) -> Shape:
    """Many straight cylinders at once: from (N, 3) to (N, 3)."""
    unit = _unit_rod(sides)
    axis = ends_m - starts_m
    direction = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    helper = np.eye(3)[np.argmin(np.abs(direction), axis=1)]
    across = crossed(direction, helper)
    across *= radius_m / np.linalg.norm(across, axis=1, keepdims=True)
    frames = np.stack([axis, across, crossed(direction, across)], axis=1)  # (N, 3, 3), rows along, across, up
    vertices = unit.vertices_m @ frames + starts_m[:, None]
    faces = unit.faces + len(unit.vertices_m) * np.arange(len(axis))[:, None, None]
    return Shape(vertices.reshape(-1, 3), faces.reshape(-1, 3), unit.smooth)


@lru_cache(maxsize=16)
def _unit_rod(sides: int) -> Shape:
    """From the origin to (1, 0, 0), of radius 1."""
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.stack([np.zeros(sides), np.cos(angle), np.sin(angle)], axis=1)
    return loft(np.stack([ring, ring + [1, 0, 0]]))


def lathe(profile_m, sides: int = 16, axis: str = "z") -> Shape:
    """A solid of revolution. profile (N, 2): position along the axis, radius. Axis z, or y for wheels."""
    profile = np.asarray(profile_m, float)
    angle = np.arange(sides) * 2 * np.pi / sides
    along = np.broadcast_to(profile[:, :1], (len(profile), sides))
    u, v = profile[:, 1:] * np.cos(angle), profile[:, 1:] * np.sin(angle)
    return loft(np.stack([u, v, along] if axis == "z" else [u, along, v], -1))


def box(center_m, size_m) -> Shape:
    """A cuboid by its centre and full size."""
    return boxes(np.asarray(center_m, float)[None], np.asarray(size_m, float)[None])


_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
    + [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)


def boxes(centers_m: np.ndarray, sizes_m: np.ndarray, yaw_rad: np.ndarray | float = 0.0) -> Shape:
    """Many cuboids at once: centres (N, 3), sizes (N, 3) and headings (N,)."""
    corners = _CORNERS * np.asarray(sizes_m, float)[:, None]
    yaw = np.broadcast_to(np.asarray(yaw_rad, float), len(corners))[:, None]
    x = corners[..., 0] * np.cos(yaw) - corners[..., 1] * np.sin(yaw)
    y = corners[..., 0] * np.sin(yaw) + corners[..., 1] * np.cos(yaw)
    vertices = np.stack([x, y, corners[..., 2]], -1) + np.asarray(centers_m, float)[:, None]
    faces = _BOX_FACES + 8 * np.arange(len(corners))[:, None, None]
    return Shape(vertices.reshape(-1, 3), faces.reshape(-1, 3))


def panels(corners_m) -> Shape:
    """Flat quadrilaterals (N, 4, 3) or one (4, 3), corners counter-clockwise seen from outside."""
    corners = np.asarray(corners_m, float).reshape(-1, 4, 3)
    first = 4 * np.arange(len(corners))[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]], 1).reshape(-1, 3)
    return Shape(corners.reshape(-1, 3), faces)


def disc(center_m, radius_m: float, sides: int = 16, normal: str = "x") -> Shape:
    """A flat polygon facing +x, +y or +z."""
    angle = np.arange(sides) * 2 * np.pi / sides
    u, v, flat = np.cos(angle) * radius_m, np.sin(angle) * radius_m, np.zeros(sides)
    order = {"x": [flat, u, v], "y": [v, flat, u], "z": [u, v, flat]}[normal]
    rim = np.stack(order, -1)
    ring = np.arange(sides)
    faces = np.stack([np.full(sides, sides), ring, (ring + 1) % sides], 1)
    return Shape(np.concatenate([rim, [[0, 0, 0]]]) + np.asarray(center_m, float), faces)


@lru_cache(maxsize=8)
def _sphere(subdivisions: int) -> tuple[np.ndarray, np.ndarray]:
    sphere = trimesh.creation.icosphere(subdivisions)
    return np.array(sphere.vertices), np.array(sphere.faces)


def ellipsoid(center_m, radii_m, subdivisions: int = 2, rough: float = 0.0, rng: np.random.Generator | None = None):
    """An ellipsoid of 20 * 4^subdivisions faces; `rough` moves its vertices in and out by that share at random."""
    vertices, faces = _sphere(subdivisions)
    if rough:
        if rng is None:
            raise ValueError("a rough ellipsoid needs a random generator")
        vertices = vertices * (1 + rough * rng.uniform(-1, 1, (len(vertices), 1)))
    return Shape(vertices * np.asarray(radii_m, float) + np.asarray(center_m, float), faces, smooth=True)


def rounded_ring(half_width_m, low_m, high_m, corner_m, points: int = 4) -> np.ndarray:
    """Rounded rectangles in the yz plane, one for each entry of the (broadcast) arguments: (N, 4 * points, 2)."""
    half, low, high, corner = np.broadcast_arrays(half_width_m, low_m, high_m, corner_m)
    corner = np.minimum(corner, np.minimum(half, (high - low) / 2) * 0.999)
    angle = np.linspace(0, np.pi / 2, points)
    y, z = [], []
    for quarter, (side, level) in enumerate([(1, 1), (-1, 1), (-1, 0), (1, 0)]):
        turn = angle + quarter * np.pi / 2
        y.append(side * (half - corner)[:, None] + corner[:, None] * np.cos(turn))
        z.append(np.where(level, high - corner, low + corner)[:, None] + corner[:, None] * np.sin(turn))
    return np.stack([np.concatenate(y, 1), np.concatenate(z, 1)], -1)


def rounded_body(x_m, half_width_m, low_m, high_m, corner_m, points: int = 4) -> Shape:
    """A closed hull of rounded rectangles along x (bus bodies, cabs): all arguments (N,) or scalars."""
    x = np.asarray(x_m, float)
    half, low, high, corner = (
        np.broadcast_to(np.asarray(v, float), len(x)) for v in (half_width_m, low_m, high_m, corner_m)
    )
    ring = rounded_ring(half, low, high, corner, points)
    return loft(np.concatenate([np.broadcast_to(x[:, None, None], (*ring.shape[:2], 1)), ring], -1))


class Assembly:
    """Shapes with their material and tag, on the way to a Mesh."""

    def __init__(self) -> None:
        self._shapes: list[Shape] = []
        self._materials: dict[Material, int] = {}
        self._material: list[int] = []
        self._tag: list[int] = []
        self._lamps: list[Lamp] = []

    def add(self, shape: Shape, material: Material, tag: int) -> None:
        if len(shape.faces):
            self._shapes.append(shape)
            self._material.append(self._materials.setdefault(material, len(self._materials)))
            self._tag.append(tag)

    def both_sides(self, shape: Shape, material: Material, tag: int) -> None:
        """The shape and its mirror image across the plane y = 0."""
        self.add(shape, material, tag)
        self.add(shape.mirrored(), material, tag)

    def lamp(self, lamp: Lamp) -> None:
        self._lamps.append(lamp)

    def mesh(self) -> Mesh:
        counts = [len(s.faces) for s in self._shapes]
        whole = together(self._shapes)
        return Mesh(
            vertices_m=whole.vertices_m.astype(np.float32),
            faces=whole.faces.astype(np.int32),
            material=np.repeat(np.array(self._material, np.int32), counts),
            tag=np.repeat(np.array(self._tag, np.uint8), counts),
            materials=tuple(self._materials),
            smooth=np.repeat(np.array([s.smooth for s in self._shapes], bool), counts),
            lamps=tuple(self._lamps),
        )


def fitted(mesh: Mesh, dimensions_hwl_m: tuple[float, float, float]) -> Mesh:
    """The mesh stretched so that its bounding box is length x width x height, centred, standing on the ground."""
    height, width, length = dimensions_hwl_m
    low, high = mesh.vertices_m.min(0).astype(float), mesh.vertices_m.max(0).astype(float)
    scale = np.array([length, width, height]) / np.maximum(high - low, 1e-6)
    offset = np.array([-length / 2, -width / 2, 0.0]) - low * scale
    lamps = tuple(
        replace(lamp, position_m=tuple(float(c) for c in scale * np.asarray(lamp.position_m) + offset))
        for lamp in mesh.lamps
    )
    vertices = (mesh.vertices_m * scale + offset).astype(np.float32)
    return Mesh(vertices, mesh.faces, mesh.material, mesh.tag, mesh.materials, mesh.smooth, lamps)
