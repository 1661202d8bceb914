"""Scenery that stays for many pictures, with actors that come and go: two trees, of which one is kept.

The frame is any right-handed one with Z up; the camera may stand anywhere in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import warp as wp

from simulator.embedded.kernels.records import Geometry, LampLight, SurfaceMaterial
from simulator.embedded.mesh import Lamp, Mesh, join
from simulator.embedded.world import FACES_A_LEAF, lamp_table, material_table, vertex_normals

FACE_FIELDS = ("corners", "instance", "material", "tag", "smooth")


class Standing(NamedTuple):
    """An actor's mesh, already in the stage's frame, and the pose that its procedural textures move with."""

    mesh: Mesh
    origin_m: tuple[float, float, float]
    turn_rad: float  # about Z, counter-clockwise


@dataclass(frozen=True)
class StagedWorld:
    """What the tracer needs; instance 0 is scenery, i + 1 is actor i. `kept` keeps the trees alive."""

    geometry: Any
    instance: np.ndarray  # (F,) int32
    tag: np.ndarray  # (F,) int32
    device: str
    kept: tuple


class Stage:
    """`scenery` on the device. Make one for a place and use it for every picture that is taken there."""

    def __init__(self, scenery: Mesh, device: str = "cpu") -> None:
        self.device = device
        self._lamps = scenery.lamps
        self._materials = material_table(scenery.materials)
        self._faces = _face_fields(scenery, 0)
        self._normals = vertex_normals(scenery.vertices_m, scenery.faces[self._faces["smooth"] > 0])
        self._points_m = scenery.vertices_m.astype(np.float32)
        self._tree, self._corners = _tree(scenery, device)

    @property
    def faces(self) -> int:
        return len(self._faces["tag"])

    def world(
        self, actors: Sequence[Standing], lamps_near_m: tuple[float, float], lit: Sequence[Lamp] = ()
    ) -> StagedWorld:
        """The scenery with `actors` as instances 1, 2, ...; of all lamps those nearest to a point on the ground."""
        faces, normals, materials, points_m = self._faces, self._normals, self._materials, self._points_m
        tree = corners = None
        if actors:
            own = [_face_fields(actor.mesh, number + 1) for number, actor in enumerate(actors)]
            whole = join([actor.mesh for actor in actors])
            tree, corners = _tree(whole, self.device)
            theirs = _face_fields(whole, 0)
            theirs["instance"] = np.concatenate([one["instance"] for one in own])
            theirs["corners"] += len(points_m)
            theirs["material"] += len(materials)
            smooth = whole.faces[theirs["smooth"] > 0]
            faces = {name: np.concatenate([faces[name], theirs[name]]) for name in FACE_FIELDS}
            normals = np.concatenate([normals, vertex_normals(whole.vertices_m, smooth)])
            materials = np.concatenate([materials, material_table(whole.materials)])
            points_m = np.concatenate([points_m, whole.vertices_m])
        lamps = [*lit, *self._lamps, *(lamp for actor in actors for lamp in actor.mesh.lamps)]
        poses = [(0.0, 0.0, 0.0, 0.0), *((*actor.origin_m, actor.turn_rad) for actor in actors)]

        def on_device(values: np.ndarray, dtype: Any) -> wp.array:
            return wp.array(values, dtype=dtype, device=self.device)

        geometry = Geometry()
        geometry.points = on_device(points_m, wp.vec3)
        geometry.tree = self._tree.id
        geometry.second_tree = 0 if tree is None else tree.id
        geometry.first_tree_faces = len(self._faces["tag"])
        for name in FACE_FIELDS:
            setattr(geometry, name, on_device(faces[name].reshape(-1), wp.int32))
        geometry.vertex_normal = on_device(normals, wp.vec3)
        geometry.materials = on_device(materials, SurfaceMaterial)
        geometry.poses = on_device(np.array(poses, np.float32), wp.vec4)
        geometry.lamps = on_device(lamp_table(lamps, lamps_near_m), LampLight)
        return StagedWorld(
            geometry, faces["instance"], faces["tag"], self.device, (self._tree, tree, self._corners, corners)
        )


def _face_fields(mesh: Mesh, instance: int) -> dict[str, np.ndarray]:
    count = len(mesh.faces)
    return {
        "corners": mesh.faces.astype(np.int32),
        "instance": np.full(count, instance, np.int32),
        "material": mesh.material.astype(np.int32),
        "tag": mesh.tag.astype(np.int32),
        "smooth": np.zeros(count, np.int32) if mesh.smooth is None else mesh.smooth.astype(np.int32),
    }


def _tree(mesh: Mesh, device: str) -> tuple[wp.Mesh, wp.array]:
    corners = wp.array(mesh.faces.reshape(-1), dtype=wp.int32, device=device)
    points = wp.array(mesh.vertices_m, dtype=wp.vec3, device=device)
    return wp.Mesh(points=points, indices=corners, bvh_constructor="cubql", bvh_leaf_size=FACES_A_LEAF), corners
