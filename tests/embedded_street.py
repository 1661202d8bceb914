"""A street of boxes for the renderer's tests: geometry whose projection a hand can work out."""

from dataclasses import replace

import numpy as np

from dataset.schema import Camera
from simulator.embedded.mesh import Lamp, Material, Mesh, join
from simulator.scene import SceneCamera

CAMERA = SceneCamera(Camera(500.0, 500.0, 320.0, 96.0, height_m=1.65), 640, 192)
ROAD, BUILDING, POLE, CAR, GROUND, VEGETATION = 1, 3, 6, 14, 25, 9


def box(
    size_xyz_m: tuple[float, float, float],
    centre_xy_m: tuple[float, float] = (0.0, 0.0),
    material: Material | None = None,
    tag: int = CAR,
    bottom_m: float = 0.0,
) -> Mesh:
    """A box that stands on `bottom_m`, corners shared by flat faces."""
    unit = np.array([[x, y, z] for z in (0, 1) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
    vertices = unit * size_xyz_m + [*centre_xy_m, bottom_m]
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    faces = np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))], np.int32)
    return Mesh(
        vertices.astype(np.float32),
        faces,
        np.zeros(12, np.int32),
        np.full(12, tag, np.uint8),
        (material or Material((0.5, 0.1, 0.1), clearcoat=0.5),),
    )


def ground(half_m: float = 300.0, pattern: int = 0) -> Mesh:
    corners = np.array([[-half_m, -50, 0], [half_m, -50, 0], [half_m, 600, 0], [-half_m, 600, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    materials = (Material((0.12, 0.12, 0.125), pattern=pattern),)
    return Mesh(corners, faces, np.zeros(2, np.int32), np.full(2, ROAD, np.uint8), materials)


def street() -> Mesh:
    """Ground, pavements, facades, a hedge, street lamps."""
    parts = [ground(pattern=1)]
    for side in (-1, 1):
        parts.append(box((4, 300, 0.15), (side * 7, 140), Material((0.3, 0.29, 0.28), pattern=6), GROUND))
        for k, (color, pattern) in enumerate((((0.55, 0.42, 0.3), 2), ((0.35, 0.16, 0.11), 3), ((0.6, 0.58, 0.52), 2))):
            for y in range(20 + 14 * k, 240, 42):
                material = Material(color, pattern=pattern, pattern_scale_m=3.0 if pattern == 2 else 1.0)
                parts.append(box((10, 13.5, 9 + 3 * k), (side * 14.5, y), material, BUILDING))
        for y in range(12, 200, 25):
            parts.append(box((0.12, 0.12, 6), (side * 5.6, y), Material((0.2, 0.2, 0.2)), POLE))
            head = box((0.5, 0.3, 0.12), (side * 5.1, y), Material((1.0, 0.85, 0.6), emission=8.0), POLE, 5.9)
            lamp = Lamp((side * 5.1, float(y), 5.8), (1.0, 0.78, 0.5), 60.0)
            parts.append(replace(head, lamps=(lamp,)))
    hedge = Material((0.07, 0.13, 0.03), pattern=4, pattern_scale_m=0.25)
    parts.append(box((0.8, 20, 1.2), (-8.6, 15), hedge, VEGETATION))
    return join(parts)
