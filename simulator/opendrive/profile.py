"""Quantities along a road that OpenDRIVE gives as pieces of cubic polynomials: elevation, lane offset, lane width."""

from collections.abc import Iterable

import numpy as np


class Cubics:
    """a + b d + c d^2 + d d^3 on each piece, d being the distance from where the piece starts.

    `pieces` are (start_m, a, b, c, d). Before the first piece, and without any, the value is 0, as in the standard.
    """

    def __init__(self, pieces: Iterable[tuple[float, float, float, float, float]]) -> None:
        rows = sorted(pieces)  # several pieces may start at one place: the last of them counts
        self._table = np.array(rows, float).reshape(-1, 5)
        self.starts_m = self._table[:, 0]

    def __call__(self, s_m: np.ndarray | float) -> np.ndarray:
        a, b, c, d, along = self._at(s_m)
        return a + along * (b + along * (c + along * d))

    def slope(self, s_m: np.ndarray | float) -> np.ndarray:
        """Derivative by s."""
        _, b, c, d, along = self._at(s_m)
        return b + along * (2 * c + 3 * along * d)

    @property
    def straight(self) -> bool:
        """Whether every piece is linear."""
        return not self._table[:, 3:].any()

    def _at(self, s_m: np.ndarray | float) -> tuple[np.ndarray, ...]:
        s = np.asarray(s_m, float)
        if not len(self._table):
            return (np.zeros_like(s),) * 5
        piece = np.searchsorted(self.starts_m, s + 1e-9, side="right") - 1
        row = np.moveaxis(self._table[np.maximum(piece, 0)], -1, 0)
        a, b, c, d = np.where(piece < 0, 0.0, row[1:])
        return a, b, c, d, s - row[0]
