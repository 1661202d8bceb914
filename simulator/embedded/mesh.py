"""Triangles with materials: what the asset makers hand to the renderer.

Model frame of an asset: x forward (its heading), y left, z up, metres; origin on the ground under its centre.
World frame of the renderer: X = right (scene x_m), Y = forward (scene z_m), Z = up; right-handed.
An actor with KITTI yaw r is turned by -r about Z.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Material(NamedTuple):
    """How a surface answers light. Colours are linear RGB, 0-1."""

    color: tuple[float, float, float]
    roughness: float = 0.9  # 0 mirror, 1 matt
    clearcoat: float = 0.0  # strength of a mirror-like layer on top (paint, wet asphalt), 0-1; 2 a pane's two faces
    metallic: float = 0.0
    emission: float = 0.0  # radiance factor at night (lamps, lit windows); 0 emits nothing
    pattern: int = 0  # procedural texture, see PATTERNS
    pattern_scale_m: float = 1.0


# Procedural textures that the renderer evaluates at the hit point, in the mesh's own frame.
PATTERNS = {
    "plain": 0,
    "asphalt": 1,  # speckle and patches
    "facade": 2,  # rows of windows, some lit at night
    "brick": 3,
    "leaves": 4,  # mottled green
    "grass": 5,
    "paving": 6,  # slabs with joints
    "stripes": 7,  # alternating colour and white, along z (barriers)
    "cloth": 8,  # fine mottling
    "glass": 9,  # reflects sky, dark inside
    "interior": 10,  # a lit room behind glass, of a shop where it is wider than a window of a home
    "cabin": 11,  # a pane of a car as high as the scale: seats, and light from the panes opposite
    "splashed": 12,  # dirt of the road up to the scale
}


@dataclass(frozen=True)
class Mesh:
    """A triangle soup in one frame. `tag` is CARLA's semantic tag of each face."""

    vertices_m: np.ndarray  # (V, 3) float32
    faces: np.ndarray  # (F, 3) int32
    material: np.ndarray  # (F,) int32, index into materials
    tag: np.ndarray  # (F,) uint8
    materials: tuple[Material, ...]
    smooth: np.ndarray | None = None  # (F,) bool, shade with interpolated vertex normals; None: all flat
    lamps: tuple["Lamp", ...] = field(default=())  # lights that this asset carries, in the same frame


@dataclass(frozen=True)
class Lamp:
    """A light source that shines at night."""

    position_m: tuple[float, float, float]
    color: tuple[float, float, float]
    intensity: float  # radiant intensity, arbitrary but one scale for all lamps (a headlight is 30, a street lamp 60)
    direction: tuple[float, float, float] | None = None  # None shines everywhere
    cone_deg: float = 35.0  # half angle, where it has a direction


def crossed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a x b, (..., 3) each: numpy's own takes twice as long over the few vectors of a shape."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def join(meshes: list[Mesh]) -> Mesh:
    """One mesh from several in the same frame; materials and lamps are kept."""
    vertex_offset, material_offset = 0, 0
    faces, material = [], []
    for mesh in meshes:
        faces.append(mesh.faces + vertex_offset)
        material.append(mesh.material + material_offset)
        vertex_offset += len(mesh.vertices_m)
        material_offset += len(mesh.materials)
    return Mesh(
        vertices_m=np.concatenate([m.vertices_m for m in meshes]).astype(np.float32),
        faces=np.concatenate(faces).astype(np.int32),
        material=np.concatenate(material).astype(np.int32),
        tag=np.concatenate([m.tag for m in meshes]).astype(np.uint8),
        materials=tuple(material for mesh in meshes for material in mesh.materials),
        smooth=np.concatenate([np.zeros(len(m.faces), bool) if m.smooth is None else m.smooth for m in meshes]),
        lamps=tuple(lamp for mesh in meshes for lamp in mesh.lamps),
    )


def placed(mesh: Mesh, x_m: float, z_m: float, yaw_rad: float, lift_m: float = 0.0) -> Mesh:
    """The mesh moved from its model frame to the world frame of the renderer, at a scene pose (KITTI yaw)."""
    cos, sin = np.cos(-yaw_rad), np.sin(-yaw_rad)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    offset = np.array([x_m, z_m, lift_m])

    def turned(vector):
        return tuple(float(c) for c in rotation @ np.asarray(vector))

    lamps = tuple(
        Lamp(
            position_m=tuple(float(c) for c in rotation @ np.asarray(lamp.position_m) + offset),  # type: ignore[arg-type]
            color=lamp.color,
            intensity=lamp.intensity,
            direction=None if lamp.direction is None else turned(lamp.direction),  # type: ignore[arg-type]
            cone_deg=lamp.cone_deg,
        )
        for lamp in mesh.lamps
    )
    vertices = (mesh.vertices_m @ rotation.T + offset).astype(np.float32)
    return Mesh(vertices, mesh.faces, mesh.material, mesh.tag, mesh.materials, mesh.smooth, lamps)
