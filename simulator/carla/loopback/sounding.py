"""Rays into a town, for a server's questions about the ground and what is in the way."""

import numpy as np
import warp as wp

from simulator.embedded.kernels.sound import sound, sound_down
from simulator.embedded.mesh import Mesh
from simulator.embedded.world import start_warp

Point = tuple[float, float, float]
ABOVE_ALL_M = 500.0


class Sounding:
    """OpenDRIVE's frame. Always on the CPU: one ray is not worth the way to a GPU, nor a few hundred."""

    def __init__(self, mesh: Mesh) -> None:
        start_warp()
        self._tag = mesh.tag
        self._low, self._high = mesh.vertices_m.min(axis=0), mesh.vertices_m.max(axis=0)
        self._tree = wp.Mesh(
            points=wp.array(mesh.vertices_m, dtype=wp.vec3, device="cpu"),
            indices=wp.array(mesh.faces.reshape(-1), dtype=wp.int32, device="cpu"),
            bvh_constructor="sah",
        )
        self._distance_m = wp.zeros(1, dtype=wp.float32, device="cpu")
        self._face = wp.zeros(1, dtype=wp.int32, device="cpu")

    def touches(self, low_m: tuple[float, ...], high_m: tuple[float, ...]) -> bool:
        """Whether anything may lie over a rectangle of ground, by the boxes around both."""
        return all(a <= d and c <= b for a, b, c, d in zip(self._low, self._high, low_m, high_m, strict=False))

    def cast(self, origin: Point, direction: Point, distance_m: float) -> tuple[Point, int] | None:
        """The first point met and its tag."""
        start, way = np.asarray(origin, float), np.asarray(direction, float)
        way = way / max(float(np.linalg.norm(way)), 1e-9)
        inputs = [self._tree.id, wp.vec3(*start.tolist()), wp.vec3(*way.tolist()), float(distance_m)]
        wp.launch(sound, 1, [*inputs, self._distance_m, self._face], device="cpu")
        face = int(self._face.numpy()[0])
        if face < 0:
            return None
        x, y, z = (start + way * float(self._distance_m.numpy()[0])).tolist()
        return (x, y, z), int(self._tag[face])

    def heights_m(self, points: np.ndarray) -> np.ndarray:
        """Of the surface under each point (N, 3); where a point is below all, of the highest one. (N,) float32"""
        height = wp.zeros(len(points), dtype=wp.float32, device="cpu")
        origin = wp.array(np.ascontiguousarray(points, np.float32), dtype=wp.vec3, device="cpu")
        wp.launch(sound_down, len(points), [self._tree.id, origin, ABOVE_ALL_M, height], device="cpu")
        return height.numpy()

    def height_m(self, x_m: float, y_m: float) -> float:
        """Of the highest surface at a place; 0 where there is none."""
        met = self.cast((x_m, y_m, ABOVE_ALL_M), (0.0, 0.0, -1.0), 2 * ABOVE_ALL_M)
        return 0.0 if met is None else met[0][2]
