"""The world as the ray tracer sees it: one tree over all triangles, and what each triangle is made of.

Scenery's faces come first, then those of each actor, so that a range of faces is one actor alone (its silhouette).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import warp as wp

from simulator.embedded.kernels.records import Geometry, LampLight, SurfaceMaterial
from simulator.embedded.mesh import Lamp, Material, Mesh, crossed, join, placed

FACES_A_LEAF = 4  # cuBQL builds such a tree in two fifths of the time that Warp's own takes; rays need 4% more
MAX_LAMPS = 48  # those nearest to the camera; further ones light nothing that is seen


def start_warp() -> None:
    """Set Warp up for this process: compiled kernels are kept between processes in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hardcase" / "warp"
    wp.config.kernel_cache_dir = str(cache)
    wp.config.enable_backward = False
    wp.config.log_level = wp.LOG_ERROR  # a missing CUDA driver is no news
    wp.init()


class Pose(NamedTuple):
    """Where an actor stands in the level frame of the scene, see simulator/scene.py."""

    x_m: float
    z_m: float
    yaw_rad: float
    lift_m: float = 0.0


@dataclass(frozen=True)
class World:
    """Geometry on the device. `mesh` and the arrays in `geometry` live as long as this object."""

    mesh: wp.Mesh
    geometry: Any  # Geometry; a warp struct's fields are not known to a type checker
    vertices_m: np.ndarray  # (V, 3) world frame
    faces: np.ndarray  # (F, 3)
    instance: np.ndarray  # (F,) int32, 0 = scenery, i + 1 = actor i
    tag: np.ndarray  # (F,) uint8
    vertex_ranges: list[tuple[int, int]]  # of each instance
    face_ranges: list[tuple[int, int]]
    device: str


def build_world(
    scenery: Mesh, actors: Sequence[tuple[Mesh, Pose]], device: str = "cpu", ego_lamps: Sequence[Lamp] = ()
) -> World:
    """The tree over `scenery` (world frame) and `actors` (model frame, each with its pose)."""
    parts = [scenery, *(placed(mesh, *pose) for mesh, pose in actors)]
    whole = join(parts)
    instance = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.faces) for part in parts])
    smooth = np.zeros(len(whole.faces), bool) if whole.smooth is None else whole.smooth

    def on_device(values: np.ndarray, dtype: Any) -> wp.array:
        return wp.array(values, dtype=dtype, device=device)

    corners = on_device(whole.faces.reshape(-1), wp.int32)
    points = on_device(whole.vertices_m, wp.vec3)
    mesh = wp.Mesh(points=points, indices=corners, bvh_constructor="cubql", bvh_leaf_size=FACES_A_LEAF)
    poses = [(0.0, 0.0, 0.0, 0.0), *((p.x_m, p.z_m, p.lift_m, -p.yaw_rad) for _, p in actors)]
    geometry = Geometry()
    geometry.points = points
    geometry.tree = mesh.id
    geometry.first_tree_faces = len(whole.faces)
    geometry.corners = corners
    geometry.vertex_normal = on_device(vertex_normals(whole.vertices_m, whole.faces[smooth]), wp.vec3)
    geometry.instance = on_device(instance, wp.int32)
    geometry.material = on_device(whole.material.astype(np.int32), wp.int32)
    geometry.tag = on_device(whole.tag.astype(np.int32), wp.int32)
    geometry.smooth = on_device(smooth.astype(np.int32), wp.int32)
    geometry.materials = on_device(material_table(whole.materials), SurfaceMaterial)
    geometry.poses = on_device(np.array(poses, np.float32), wp.vec4)
    geometry.lamps = on_device(lamp_table([*ego_lamps, *whole.lamps]), LampLight)
    return World(
        mesh=mesh,
        geometry=geometry,
        vertices_m=whole.vertices_m,
        faces=whole.faces,
        instance=instance,
        tag=whole.tag,
        vertex_ranges=_ranges([len(part.vertices_m) for part in parts]),
        face_ranges=_ranges([len(part.faces) for part in parts]),
        device=device,
    )


def _ranges(counts: list[int]) -> list[tuple[int, int]]:
    ends = np.cumsum(counts).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


def vertex_normals(vertices_m: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted normals of the vertices (V,3), from the given faces alone."""
    points_m = np.ascontiguousarray(vertices_m.T)  # numbers of one axis side by side
    corner = faces.reshape(-1).astype(np.intp)
    a, b, c = (points_m[:, corner[i::3]] for i in range(3))
    area_normal = crossed((b - a).T, (c - a).T)
    total = np.stack([np.bincount(corner, np.repeat(axis, 3), len(vertices_m)) for axis in area_normal.T], axis=1)
    length = np.sqrt(np.einsum("ij,ij->i", total, total))[:, None]
    return (total / np.where(length > 0, length, 1)).astype(np.float32)


def material_table(materials: Sequence[Material]) -> np.ndarray:
    """Rows for the kernels."""
    table = np.zeros(len(materials), SurfaceMaterial.numpy_dtype())  # type: ignore[attr-defined]
    for name in Material._fields:
        table[name] = [getattr(material, name) for material in materials]
    return table


def lamp_table(lamps: Sequence[Lamp], near_m: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Rows for the kernels of the lamps nearest to a point on the ground."""
    x, y = near_m
    nearest = sorted(lamps, key=lambda lamp: float(np.hypot(lamp.position_m[0] - x, lamp.position_m[1] - y)))
    nearest = nearest[:MAX_LAMPS]
    table = np.zeros(len(nearest), LampLight.numpy_dtype())  # type: ignore[attr-defined]
    for row, lamp in zip(table, nearest, strict=True):
        row["position"] = lamp.position_m
        row["intensity"] = np.array(lamp.color) * lamp.intensity
        direction = np.array(lamp.direction if lamp.direction is not None else (0.0, 0.0, -1.0))
        row["direction"] = direction / np.linalg.norm(direction)
        row["cos_cone"] = -2.0 if lamp.direction is None else np.cos(np.radians(lamp.cone_deg))
    return table
