"""Intervals over images and training seeds at once: a gain must survive both other pictures and another training.

Each resample draws whole groups of images (clips, cities; single images where there are none) and, independently, the
seeds, both with replacement; a detector's figure is the mean over the drawn seeds. With one seed the interval holds
nothing of what another training would change; with few it holds too little of it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.bootstrap import Interval, percentile_interval, resampled_weights, resampler, units_of


def interval_over_seeds(
    ds: Dataset, detections: Sequence[Path], metric: str = "mAP", *, samples: int = 1000, seed: int = 0
) -> Interval:
    """The mean of a metric over trainings that differ in their seed. detections: one file a seed."""
    figures = [resampler(ds, file, metric) for file in detections]

    def values(weight: np.ndarray) -> np.ndarray:
        return np.array([figure(weight) for figure in figures])

    return _over_both(ds, values, len(figures), samples, seed)


def paired_difference_over_seeds(
    ds: Dataset,
    before: Sequence[Path],
    after: Sequence[Path],
    metric: str = "mAP",
    *,
    samples: int = 1000,
    seed: int = 0,
) -> Interval:
    """By how much `after` is better than `before`, seed by seed, both on the same resampled images."""
    if len(before) != len(after):
        raise InputError("seeds", f"{len(before)} trainings against {len(after)}", "compare equally many")
    pairs = [(resampler(ds, a, metric), resampler(ds, b, metric)) for a, b in zip(before, after, strict=True)]

    def values(weight: np.ndarray) -> np.ndarray:
        return np.array([b(weight) - a(weight) for a, b in pairs])

    return _over_both(ds, values, len(pairs), samples, seed)


def _over_both(ds: Dataset, values, trainings: int, samples: int, seed: int) -> Interval:
    """values(weight of each image) -> (trainings,) figures."""
    rng = np.random.default_rng([seed, 1])
    resampled = []
    for weight in resampled_weights(units_of(ds, "group"), samples, seed):
        drawn = rng.integers(0, trainings, trainings)
        resampled.append(values(weight)[drawn].mean())
    return percentile_interval(float(values(np.ones(len(ds))).mean()), np.array(resampled), 0.95)
