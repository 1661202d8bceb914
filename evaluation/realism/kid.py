"""Kernel distance between two sets of images: the unbiased squared MMD with the kernel (x.y / d + 1)^3.

Binkowski et al., Demystifying MMD GANs (2018), section 4, where it is KID on Inception's features; the estimate is
equation 3 of Gretton et al., A Kernel Two-Sample Test (2012). Being unbiased, it is around 0, and below it half of the
time, for two sets of the same kind, whatever their size.

Resampling needs no kernel again. Images are summed up by unit (an image, or a whole group such as a clip); a resample
gives each unit a weight 0, 1, 2, ... A unit drawn twice is not compared with its own copy: such pairs are not those
of two images of the world, and their large kernel values would lift every resample above the estimate. With them left
out, the mean over all resamples is the estimate itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROWS_AT_ONCE = 512  # of a block of the kernel matrix: bounds the memory for wide sets


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, d), (M, d) -> (N, M) float64."""
    return (x.astype(np.float64) @ y.astype(np.float64).T / x.shape[1] + 1) ** 3


def kernel_distance(x: np.ndarray, y: np.ndarray) -> float:
    """KID of features (N, d) and (M, d), N and M at least 2; in the kernel's own units, published times 1000."""
    of_x, of_y = (Within.of(part, np.arange(len(part)), len(part)) for part in (x, y))
    across = Across.of(x, y, np.arange(len(x)), np.arange(len(y)), (len(x), len(y)))
    every_x, every_y = np.ones((1, len(x))), np.ones((1, len(y)))
    return float((of_x.mean(every_x) + of_y.mean(every_y) - 2 * across.mean(every_x, every_y))[0])


def _sums_by_unit(x: np.ndarray, y: np.ndarray, unit_x: np.ndarray, unit_y: np.ndarray, shape: tuple) -> np.ndarray:
    """Kernel sums over the pairs of each two units: (U, V) float64. Memory: U x V and one block of rows."""
    sums = np.zeros(shape)
    order = np.argsort(unit_y, kind="stable")
    units, starts = np.unique(unit_y[order], return_index=True)
    y = y[order]
    for first in range(0, len(x), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        by_unit = np.add.reduceat(polynomial_kernel(x[rows], y), starts, axis=1)
        np.add.at(sums, (unit_x[rows, None], units[None]), by_unit)
    return sums


def _ratio(sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0)


@dataclass(frozen=True)
class Within:
    """The kernel between different images of one set of U units."""

    between: np.ndarray  # (U, U) float64, sums over the pairs of two different units; 0 on the diagonal
    own: np.ndarray  # (U,) float64, sums over the ordered pairs of different images of one unit
    images: np.ndarray  # (U,) float64, how many images a unit has

    @staticmethod
    def of(x: np.ndarray, unit: np.ndarray, units: int) -> "Within":
        """(N, d), (N,) int index of each image's unit."""
        sums = _sums_by_unit(x, x, unit, unit, (units, units))
        square_norm = np.einsum("nd,nd->n", x, x, dtype=np.float64)
        itself = np.bincount(unit, (square_norm / x.shape[1] + 1) ** 3, minlength=units)
        own = np.diagonal(sums) - itself
        np.fill_diagonal(sums, 0.0)
        return Within(sums, own, np.bincount(unit, minlength=units).astype(np.float64))

    def mean(self, weight: np.ndarray) -> np.ndarray:
        """Mean kernel over pairs of different images, weighted B times. (B, U) -> (B,), NaN where there is no pair."""
        return self.means_with(weight, weight @ self.between)

    def means_with(self, weight: np.ndarray, weighted: np.ndarray) -> np.ndarray:
        """`mean` where `weight @ between` is known already."""
        sums = (weighted * weight).sum(axis=1) + weight @ self.own
        total = weight @ self.images
        pairs = total**2 - weight**2 @ self.images**2 + weight @ (self.images * (self.images - 1))
        return _ratio(sums, pairs)

    def halves_apart(self, weight: np.ndarray, halves: Sequence[np.ndarray]) -> np.ndarray:
        """Kernel distance of half the set from the rest, mean over `halves`. (B, U), each (U,) bool -> (B,)."""
        weighted = weight @ self.between
        found = []
        for half in halves:
            ours, theirs = weight * half, weight * ~half
            with_ours = ours @ self.between
            across = (with_ours * theirs).sum(axis=1)
            pairs = (ours @ self.images) * (theirs @ self.images)
            found.append(
                self.means_with(ours, with_ours)
                + self.means_with(theirs, weighted - with_ours)
                - 2 * _ratio(across, pairs)
            )
        return np.mean(found, axis=0)


@dataclass(frozen=True)
class Across:
    """The kernel between the images of two sets of U and V units."""

    sums: np.ndarray  # (U, V) float64
    images: tuple[np.ndarray, np.ndarray]  # (U,), (V,) float64

    @staticmethod
    def of(x: np.ndarray, y: np.ndarray, unit_x: np.ndarray, unit_y: np.ndarray, units: tuple[int, int]) -> "Across":
        sums = _sums_by_unit(x, y, unit_x, unit_y, units)
        counts = [np.bincount(unit, minlength=n) for unit, n in zip((unit_x, unit_y), units, strict=True)]
        return Across(sums, (counts[0].astype(np.float64), counts[1].astype(np.float64)))

    def mean(self, weight_x: np.ndarray, weight_y: np.ndarray) -> np.ndarray:
        """(B, U), (B, V) -> (B,), NaN where either set is empty."""
        sums = ((weight_x @ self.sums) * weight_y).sum(axis=1)
        return _ratio(sums, (weight_x @ self.images[0]) * (weight_y @ self.images[1]))


def balanced_halves(images: np.ndarray, splits: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Random halves of U units, none cut, of about as many images each. (U,) image counts -> `splits` times (U,) bool.

    Units come in random order and each joins the half that has fewer images, so that each half holds one at least.
    """
    halves = []
    for _ in range(splits):
        half, size = np.zeros(len(images), bool), np.zeros(2)
        for unit in rng.permutation(len(images)).tolist():
            side = int(size[1] < size[0])
            half[unit] = side == 1
            size[side] += images[unit]
        halves.append(half)
    return halves
