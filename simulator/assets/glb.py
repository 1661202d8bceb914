"""A GLB or glTF file as a Mesh of the renderer: its triangles, and colours in place of its textures.

The renderer knows materials by triangle and no pictures: a texture gives each triangle the colour at its middle,
rounded so that a model has some dozens of materials. Vertex colours count in the same way in a part that has no
material; where it has one they are not read, nor are light sources, animation and skinning.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from trimesh.visual.color import uv_to_color
from trimesh.visual.material import PBRMaterial

from dataset.errors import InputError
from simulator.assets.manifest import Model
from simulator.embedded.assets.materials import GLASS, car_paint
from simulator.embedded.assets.shapes import (
    BUS,
    CAR,
    DYNAMIC,
    MOTORCYCLE,
    PEDESTRIAN,
    POLE,
    RIDER,
    STATIC,
    TRAFFIC_LIGHT,
    TRAFFIC_SIGN,
    TRAIN,
    TRUCK,
    VEGETATION,
    fitted,
)
from simulator.embedded.mesh import Material, Mesh

MOST_FACES = 200_000
CREASE_RAD = 0.6  # neighbours at a larger angle meet in a sharp edge
SHADES = 12  # a channel's, of the colours that a texture is rounded to
OPAQUE_FROM = 0.6  # of alpha: what lets more through is glass
LARGEST_STRETCH = 1.6  # of one side against another when the model is made as large as the manifest says
TAGS = {
    "car": CAR, "van": CAR, "truck": TRUCK, "bus": BUS, "tram": TRAIN, "motorcyclist": MOTORCYCLE, "cyclist": RIDER,
    "pedestrian": PEDESTRIAN, "traffic_light": TRAFFIC_LIGHT, "traffic_sign": TRAFFIC_SIGN, "pole": POLE,
    "bush": VEGETATION, "tree": VEGETATION, "container": STATIC, "kiosk": STATIC, "billboard": STATIC,
    "hydrant": STATIC, "bollard": STATIC, "bin": DYNAMIC, "barrier": DYNAMIC,
}  # fmt: skip
# Rows: the file's axes that become forward, left and up. glTF has y up and is right-handed: left = up x forward.
AXES = {
    "+z": [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    "-z": [[0, 0, -1], [-1, 0, 0], [0, 1, 0]],
    "+x": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "-x": [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
}


def read_model(path: Path, model: Model) -> tuple[Mesh, frozenset[int]]:
    """The mesh at the manifest's size in the model frame (x forward, y left, z up), and its paintable materials.

    Raises InputError for a file that does not load, is too large, lacks a material that the manifest paints, or whose
    proportions are not the manifest's.
    """
    try:
        scene = trimesh.load(path, force="scene")
        parts = [one for one in scene.dump() if isinstance(one, trimesh.Trimesh) and len(one.faces)]  # type: ignore[union-attr]
    except Exception as error:  # trimesh lets through whatever its readers raise
        raise InputError(path, f"does not load ({error})", "export it anew as a GLB without extensions") from error
    faces = sum(len(part.faces) for part in parts)
    if not 0 < faces <= MOST_FACES:
        raise InputError(path, f"has {faces} triangles, 1 to {MOST_FACES} can be taken", "decimate it in a modeller")
    names = {_name(part) for part in parts} - {""}
    if unknown := [name for name in model.paint if name not in names]:
        problem = f"has no material {unknown[0]!r}; its materials: {', '.join(sorted(names)) or 'none that has a name'}"
        raise InputError(path, problem, "mend `paint` in models.yaml")
    vertices, corners, materials = [], [], []
    paintable: set[Material] = set()
    for part in parts:
        points, triangles = _creased(part)
        corners.append(triangles + sum(len(points) for points in vertices))
        vertices.append(points)
        found = _materials(part)
        materials += found
        if _name(part) in model.paint:
            paintable.update(found)
    turned = np.concatenate(vertices) @ np.array(AXES[model.forward], float).T
    _require_proportions(path, turned, model)
    table = {material: index for index, material in enumerate(dict.fromkeys(materials))}
    mesh = Mesh(
        turned.astype(np.float32),
        np.concatenate(corners).astype(np.int32),
        np.array([table[material] for material in materials], np.int32),
        np.full(faces, TAGS[model.asset], np.uint8),
        tuple(table),
        np.ones(faces, bool),
    )
    return fitted(mesh, model.size_hwl_m), frozenset(table[material] for material in paintable)


def painted(mesh: Mesh, paintable: frozenset[int], rng: np.random.Generator, asset_set: str) -> Mesh:
    """The mesh with one paint drawn for all materials that take one."""
    fresh = car_paint(asset_set, rng)
    return replace(mesh, materials=tuple(fresh if i in paintable else m for i, m in enumerate(mesh.materials)))


def _name(part: trimesh.Trimesh) -> str:
    return str(getattr(getattr(part.visual, "material", None), "name", "") or "")


def _creased(part: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and faces (F, 3) that share vertices only where the surface is smooth, whatever the file does."""
    points, same = np.unique(np.round(part.vertices, 6), axis=0, return_inverse=True)
    welded = trimesh.Trimesh(points, same.reshape(-1)[part.faces], process=False)
    smooth = welded.face_adjacency[welded.face_adjacency_angles < CREASE_RAD]
    links = coo_matrix((np.ones(len(smooth)), (smooth[:, 0], smooth[:, 1])), (len(welded.faces),) * 2)
    patches, patch = connected_components(links, directed=False)
    pairs, corners = np.unique(welded.faces * patches + patch[:, None], return_inverse=True)
    return points[pairs // patches], corners.reshape(-1, 3)


def _materials(part: trimesh.Trimesh) -> list[Material]:
    """Of each face."""
    visual: Any = part.visual
    material = getattr(visual, "material", None)
    count = len(part.faces)
    if material is None:  # colours of vertices or faces, linear
        return [_material(tuple(color), 0.8, 0.0) for color in _rounded(visual.face_colors[:, :3] / 255)]
    if not isinstance(material, PBRMaterial):
        material = material.to_pbr()
    factor = np.array([255, 255, 255, 255] if material.baseColorFactor is None else material.baseColorFactor) / 255
    if material.alphaMode == "BLEND" and factor[3] < OPAQUE_FROM:
        return [GLASS] * count
    roughness = 0.7 if material.roughnessFactor is None else float(material.roughnessFactor)
    metallic = 0.0 if material.metallicFactor is None else float(material.metallicFactor)
    texture, uv = material.baseColorTexture, getattr(visual, "uv", None)
    if texture is None or uv is None or not len(uv):
        return [_material(tuple(factor[:3]), roughness, metallic)] * count
    middle = np.asarray(uv)[part.faces].mean(axis=1)
    seen = _linear(uv_to_color(middle, texture)[:, :3] / 255) * factor[:3]
    return [_material(tuple(color), roughness, metallic) for color in _rounded(seen)]


def _material(color: Any, roughness: float, metallic: float) -> Material:
    red, green, blue = (float(np.clip(c, 0.003, 0.95)) for c in color)
    # glTF's metals reflect their surroundings sharply; the renderer's are paint-like, and a clearcoat stands for gloss
    return Material(
        (red, green, blue), max(roughness, 0.05), clearcoat=max(0.8 - roughness, 0.0), metallic=0.5 * metallic
    )


def _rounded(color: np.ndarray) -> np.ndarray:
    """Linear colours to SHADES a channel, evenly spread as one sees them."""
    return (np.round(np.sqrt(np.clip(color, 0, 1)) * (SHADES - 1)) / (SHADES - 1)) ** 2


def _linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _require_proportions(path: Path, vertices_m: np.ndarray, model: Model) -> None:
    """The axis that points ahead is easily mistaken; a car that is wider than long tells so."""
    length, width, height = np.ptp(vertices_m, axis=0)
    stretch = np.array(model.size_hwl_m) / np.maximum([height, width, length], 1e-9)
    if not stretch.max() / stretch.min() <= LARGEST_STRETCH:  # nor where a vertex is no number
        raise InputError(
            path,
            f"is {height:.3g} x {width:.3g} x {length:.3g} (h, w, l) with {model.forward} ahead, "
            f"which is not the shape of size_hwl_m {model.size_hwl_m}",
            "name the axis that points ahead in `forward`, or mend the size",
        )
