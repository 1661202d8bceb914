"""A town's meshes cut into squares of ground, so that a picture needs only those nearby."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from simulator.embedded.mesh import Mesh

PART_M = 64.0
Square = tuple[int, int]


def square_of(x_m: float, y_m: float) -> Square:
    return int(np.floor(x_m / PART_M)), int(np.floor(y_m / PART_M))


def cut(mesh: Mesh) -> dict[Square, Mesh]:
    """The mesh by the squares that its faces' middles lie in; nothing is cut in two."""
    middle = mesh.vertices_m[mesh.faces][..., :2].mean(axis=1)
    keys = np.floor(middle / PART_M).astype(int)
    squares, which = np.unique(keys, axis=0, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(len(squares) + 1))
    smooth = np.zeros(len(mesh.faces), bool) if mesh.smooth is None else mesh.smooth
    found = {}
    for number, (i, j) in enumerate(squares.tolist()):
        mine = order[bounds[number] : bounds[number + 1]]
        used, faces = np.unique(mesh.faces[mine], return_inverse=True)
        found[i, j] = replace(
            mesh,
            vertices_m=mesh.vertices_m[used],
            faces=faces.reshape(-1, 3).astype(np.int32),
            material=mesh.material[mine],
            tag=mesh.tag[mine],
            smooth=smooth[mine],
            lamps=(),
        )
    return found


def near(squares: Iterable[Square], center: Square, reach_m: float) -> list[Square]:
    """Squares of which a part lies within reach of any point of the central one."""
    steps = reach_m / PART_M
    return [
        (i, j) for i, j in squares if np.hypot(max(abs(i - center[0]) - 1, 0), max(abs(j - center[1]) - 1, 0)) <= steps
    ]
