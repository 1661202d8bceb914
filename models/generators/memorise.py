"""Does a generator repeat its training pictures? Distances of its samples to them, against those of real pictures
that it never saw (Meehan et al. 2020, A non-parametric test to detect data-copying in generative models).

A generator that has learned what streets look like makes pictures that lie as far from the training pictures as
another real picture does. One that copies makes pictures that lie nearer. So does one that makes blurred pictures,
though: what is near the mean is near to everything. Hence the second figure, which compares a picture's nearest
training picture with its next ones: a copy has one that stands out, a blurred picture has none.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from .held_out import ENOUGH_GROUPS

PIXELS_PX, EDGES_PX, CELL_PX, DIRECTIONS = 32, 64, 8, 8
CHUNK = 256  # training pictures compared at a time, so that memory does not grow with their number
BOOTSTRAPS = 1000
NEIGHBOURS = 50
MIN_EDGE = 4.0  # grey levels: strengthens nothing but noise


def pixels(picture: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 -> (32 * 32 * 3,) float32, such that the distance of two pictures is the root of the mean squared
    difference in grey levels. Small, so that noise and a shift by a pixel count little."""
    small = np.asarray(Image.fromarray(picture).resize((PIXELS_PX, PIXELS_PX), Image.Resampling.BOX), np.float32)
    return small.reshape(-1) / np.sqrt(small.size, dtype=np.float32)


def edges(picture: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 -> (8 * 8 * 8,) float32: how strong the edges of 8 directions are in each of 8x8 cells.

    Square roots of shares, so that the distance is Hellinger's times the root of 2 (0 to 1.41). It sees what stands
    where, and neither brightness nor colour; a blurred picture's weak edges count as much as a sharp one's.
    """
    grey = Image.fromarray(picture).convert("L").resize((EDGES_PX, EDGES_PX), Image.Resampling.BOX)
    down, right = np.gradient(np.asarray(grey, np.float32))
    strength = np.hypot(down, right)
    direction = ((np.arctan2(down, right) % np.pi) * (DIRECTIONS / np.pi)).astype(np.int64) % DIRECTIONS
    cells_a_row = EDGES_PX // CELL_PX
    cell = np.arange(EDGES_PX) // CELL_PX
    place = (cell[:, None] * cells_a_row + cell) * DIRECTIONS + direction
    found = np.bincount(place.ravel(), strength.ravel(), minlength=cells_a_row**2 * DIRECTIONS)
    return np.sqrt(found / max(found.sum(), MIN_EDGE)).astype(np.float32)


Features = Callable[[np.ndarray], np.ndarray]
FEATURES: dict[str, Features] = {"pixels (32x32, grey levels)": pixels, "edges (8x8 cells, Hellinger)": edges}


@dataclass(frozen=True)
class Nearest:
    """The `k` nearest training pictures of each of Q pictures, nearest first, mirrored ones counted as the same."""

    rows: np.ndarray  # (Q, k) int64
    distances: np.ndarray  # (Q, k) float64


@dataclass(frozen=True)
class Copying:
    """How near samples lie to the training pictures, against real pictures that were held out."""

    features: str
    samples: int
    held_out: int
    median_sample: float  # median distance of a sample to its nearest training picture
    median_held_out: float
    closer_than_median: float  # share of samples nearer than the median held-out picture: .5 if they are alike
    closer_than_percentile_1: float  # share nearer than 99% of the held-out pictures: .01 if they are alike
    nearer: float  # chance that a sample lies nearer than a held-out picture: .5 if they are alike, 1 for copies
    nearer_low: float  # 95% interval: other samples, other drives held out
    nearer_high: float
    stands_out: float  # the same of the distance to the nearest as a share of the mean distance to the next 49
    stands_out_low: float
    stands_out_high: float

    def as_record(self) -> dict[str, str | int | float]:
        return asdict(self)


def nearest(queries: np.ndarray, training: Iterable[np.ndarray], features: Features, k: int = NEIGHBOURS) -> Nearest:
    """Nearest of the training pictures. queries: (Q, S, S, 3) uint8; training: (S, S, 3) uint8 each, in row order."""
    wanted = np.stack([features(picture) for picture in queries])
    wanted = np.concatenate([wanted, np.stack([features(picture[:, ::-1].copy()) for picture in queries])])
    best = Nearest(np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0)))
    first, chunk = 0, []
    for picture in training:
        chunk.append(features(picture))
        if len(chunk) == CHUNK:
            best, first, chunk = _better(best, wanted, np.stack(chunk), first, k), first + len(chunk), []
    return _better(best, wanted, np.stack(chunk), first, k) if chunk else best


def _better(best: Nearest, wanted: np.ndarray, chunk: np.ndarray, first: int, k: int) -> Nearest:
    """The k nearest of those found so far and of a chunk (n, F). wanted: (2Q, F), the mirrored queries last."""
    wide, other = wanted.astype(np.float64), chunk.astype(np.float64)
    squares = (wide**2).sum(1)[:, None] + (other**2).sum(1) - 2 * wide @ other.T
    # Rounded to what the cancellation above leaves, so that equal pictures are at 0 and ties are ties.
    distances = np.sqrt(np.maximum(squares, 0)).round(4).reshape(2, -1, len(chunk)).min(0)
    rows = np.broadcast_to(np.arange(first, first + len(chunk)), distances.shape)
    rows, distances = np.concatenate([best.rows, rows], 1), np.concatenate([best.distances, distances], 1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return Nearest(np.take_along_axis(rows, order, 1), np.take_along_axis(distances, order, 1))


def copying(features: str, samples: Nearest, held_out: Nearest, groups: Sequence[str], seed: int) -> Copying:
    """What the nearest training pictures (NEIGHBOURS of each) of samples and of held-out pictures say.

    groups: the drive of each held-out picture. The interval draws whole drives, as pictures of one are much alike;
    of fewer than 20 drives it draws single pictures, and is then too narrow.
    """
    ours, theirs = samples.distances[:, 0], held_out.distances[:, 0]
    _, group_of = np.unique(np.asarray(groups, np.str_), return_inverse=True)
    group_of = group_of if group_of.max() + 1 >= ENOUGH_GROUPS else np.arange(len(theirs))
    nearer, nearer_low, nearer_high = _with_interval(ours, theirs, group_of, seed)
    outstanding = _with_interval(_outstanding(samples), _outstanding(held_out), group_of, seed)
    return Copying(
        features=features,
        samples=len(ours),
        held_out=len(theirs),
        median_sample=float(np.median(ours)),
        median_held_out=float(np.median(theirs)),
        closer_than_median=float((ours < np.median(theirs)).mean()),
        closer_than_percentile_1=float((ours < np.quantile(theirs, 0.01)).mean()),
        nearer=nearer,
        nearer_low=nearer_low,
        nearer_high=nearer_high,
        stands_out=outstanding[0],
        stands_out_low=outstanding[1],
        stands_out_high=outstanding[2],
    )


def _outstanding(found: Nearest) -> np.ndarray:
    """(Q,): distance to the nearest as a share of the mean distance to the others; 1 where all are the same."""
    if found.distances.shape[1] < 2:
        return np.ones(len(found.distances))
    others = found.distances[:, 1:].mean(1)
    return np.where(others > 0, found.distances[:, 0] / np.where(others > 0, others, 1), 1)


def _with_interval(ours: np.ndarray, theirs: np.ndarray, group_of: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Chance that one of ours is smaller than one of theirs, and its 95% interval over samples and groups."""
    rng = np.random.default_rng([seed, 3])
    of_group = [np.flatnonzero(group_of == group) for group in range(group_of.max() + 1)]
    draws = []
    for _ in range(BOOTSTRAPS):
        drawn = np.concatenate([of_group[group] for group in rng.integers(len(of_group), size=len(of_group))])
        draws.append(_chance_of_nearer(rng.choice(ours, len(ours)), theirs[drawn]))
    low, high = np.quantile(draws, [0.025, 0.975])
    return _chance_of_nearer(ours, theirs), float(low), float(high)


def _chance_of_nearer(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Chance that one of ours is smaller than one of theirs, ties counted half (Mann and Whitney's U, scaled)."""
    theirs = np.sort(theirs)
    smaller = np.searchsorted(theirs, ours, side="left") + np.searchsorted(theirs, ours, side="right")
    return float(1 - smaller.mean() / (2 * len(theirs)))
