"""The course of a road over the ground: OpenDRIVE's plan view of lines, arcs, spirals and polynomials."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


class Piece(NamedTuple):
    """One `<geometry>`: where it starts and how it goes on.

    Curvature goes linearly from `curvature_per_m` to `end_curvature_per_m` (lines, arcs, spirals). A polynomial
    piece has `u` and `v`, cubic coefficients of its local coordinates by p in 0 to `p_end`.
    """

    s_m: float
    x_m: float
    y_m: float
    heading_rad: float
    length_m: float
    curvature_per_m: float = 0.0
    end_curvature_per_m: float = 0.0
    u: tuple[float, float, float, float] | None = None
    v: tuple[float, float, float, float] | None = None
    p_end: float = 0.0


class Course:
    """The reference line; OpenDRIVE's frame: x, y in metres, heading counter-clockwise from +x."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(sorted(pieces, key=lambda piece: piece.s_m))
        self.starts_m = np.array([piece.s_m for piece in self.pieces])
        rows = [piece[:7] for piece in self.pieces]
        self._table = np.array(rows, float)

    def pose(self, s_m: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y and heading at s, each of s's shape."""
        s = np.asarray(s_m, float)
        index = np.clip(np.searchsorted(self.starts_m, s, side="right") - 1, 0, None)
        start, x0, y0, heading0, length, from_k, to_k = np.moveaxis(self._table[index], -1, 0)
        along = s - start
        bend = (to_k - from_k) / np.maximum(length, 1e-9)
        # sinc form: exact for lines and arcs alike
        half = 0.5 * from_k * along
        chord = along * np.sinc(half / np.pi)
        u, v = chord * np.cos(half), chord * np.sin(half)
        turn = along * (from_k + 0.5 * bend * along)
        if (spiral := bend != 0).any():
            u, v = np.array(u), np.array(v)
            u[spiral], v[spiral] = _clothoid(along[spiral], from_k[spiral], bend[spiral])
        for number, piece in enumerate(self.pieces):
            if piece.u is not None and (mine := index == number).any():
                u, v, turn = np.array(u), np.array(v), np.array(turn)
                u[mine], v[mine], turn[mine] = _polynomial(piece, along[mine])
        cos, sin = np.cos(heading0), np.sin(heading0)
        return x0 + u * cos - v * sin, y0 + u * sin + v * cos, heading0 + turn

    def curvature(self, s_m: np.ndarray) -> np.ndarray:
        """Per metre, positive to the left."""
        index = np.clip(np.searchsorted(self.starts_m, s_m, side="right") - 1, 0, None)
        start, _, _, _, length, from_k, to_k = self._table[index].T
        bent = from_k + (to_k - from_k) * (s_m - start) / np.maximum(length, 1e-9)
        for number, piece in enumerate(self.pieces):
            if piece.u is not None and (mine := index == number).any():
                before, after = self.pose(s_m[mine] - 0.05)[2], self.pose(s_m[mine] + 0.05)[2]
                bent[mine] = (after - before) / 0.1
        return bent


def _clothoid(along: np.ndarray, curvature: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integrals of cos and sin of the heading, by Gauss-Legendre quadrature."""
    at = along[..., None] * (0.5 + 0.5 * _NODES)
    heading = at * (curvature[..., None] + 0.5 * bend[..., None] * at)
    scale = 0.5 * along
    return scale * (np.cos(heading) @ _WEIGHTS), scale * (np.sin(heading) @ _WEIGHTS)


def _polynomial(piece: Piece, along: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Local u, v and heading at arc length `along`; p and arc length are matched through a table."""
    assert piece.u is not None and piece.v is not None
    p = np.linspace(0, piece.p_end, 400)
    u, v = np.polyval(piece.u[::-1], p), np.polyval(piece.v[::-1], p)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(u), np.diff(v)))])
    at = np.interp(along, length, p)
    slopes = [np.polyval(np.polyder(np.array(c[::-1])), at) for c in (piece.u, piece.v)]
    return np.polyval(piece.u[::-1], at), np.polyval(piece.v[::-1], at), np.arctan2(slopes[1], slopes[0])
