"""How sure a metric is: percentile intervals from resampling the images, without matching them again.

A resample draws as many images as there are, with replacement: each image gets a weight, 0, 1, 2, ..., and so do its
detections and objects. Detections are sorted by score once; only the weights change. A detection of weight w acts as
w detections in a row, which gives the very figure of a data set that holds the image w times, but for ties of score.
Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.average_precision import (
    AREA_RANGES_PX2,
    IOU_THRESHOLDS,
    Records,
    interpolated_precision,
    mean_of_known,
    record,
)
from evaluation.batch import batches
from evaluation.matching import IGNORED, TRUE

Unit = Literal["image", "group"]
# metric -> (index into AREA_RANGES_PX2, IoU thresholds, figure); "AP/car" is "mAP" of one category, and so on
_METRICS: dict[str, tuple[int, np.ndarray, Literal["precision", "recall"]]] = {
    "mAP": (0, IOU_THRESHOLDS, "precision"),
    "AP50": (0, IOU_THRESHOLDS[:1], "precision"),
    "AP75": (0, IOU_THRESHOLDS[5:6], "precision"),
    "APs": (1, IOU_THRESHOLDS, "precision"),
    "APm": (2, IOU_THRESHOLDS, "precision"),
    "APl": (3, IOU_THRESHOLDS, "precision"),
    "AR100": (0, IOU_THRESHOLDS, "recall"),
}


@dataclass(frozen=True)
class Interval:
    """A figure on the data as it is, and the interval it falls into at the level asked for."""

    value: float
    low: float
    high: float


class _Curve:
    """One category at one IoU threshold, its detections in order of score, ready to be weighted."""

    def __init__(self, verdict: np.ndarray):
        self.true = np.flatnonzero(verdict == TRUE)  # (J,) positions
        self.ignored = np.flatnonzero(verdict == IGNORED)
        self.ignored_before = np.searchsorted(self.ignored, self.true)  # (J,)

    def figure(self, weight: np.ndarray, running: np.ndarray, positives: float, figure: str) -> float:
        """AP or recall. `weight` (K,) of the detections by score, `running` its cumulative sum."""
        found = np.cumsum(weight[self.true])
        if figure == "recall":
            return found[-1] / positives if len(found) else 0.0
        counted = running[self.true]
        if len(self.ignored):
            counted = counted - np.append(0.0, np.cumsum(weight[self.ignored]))[self.ignored_before]
        return float(interpolated_precision(found, counted, positives).mean())


class Resampler:
    """A metric of recorded detections for any weights of the images."""

    def __init__(self, records: Records, figure: Literal["precision", "recall"], categories: Sequence[int]):
        """`records` of one area range. `categories`: the figure is the mean over those that have objects."""
        self._figure, self._categories = figure, categories
        order = {category: records.by_score(category) for category in categories}
        self._frame = {category: records.frame[order[category]] for category in categories}
        self._curves = {
            category: [_Curve(verdict) for verdict in records.verdict[0][:, order[category]]] for category in categories
        }
        wanted = records.object_wanted[0]
        self._object_frame = {
            category: records.object_frame[wanted & (records.object_category == category)] for category in categories
        }

    def __call__(self, weight: np.ndarray) -> float:
        """The metric where image i occurs `weight[i]` times. (frames,) float64 -> figure, NaN without any object."""
        return mean_of_known(np.array([self._of_category(category, weight) for category in self._categories]))

    def _of_category(self, category: int, weight: np.ndarray) -> float:
        positives = weight[self._object_frame[category]].sum()
        if positives == 0:
            return np.nan
        by_score = weight[self._frame[category]]
        running = np.cumsum(by_score)
        curves = self._curves[category]
        return mean_of_known(np.array([c.figure(by_score, running, positives, self._figure) for c in curves]))


def resampler(ds: Dataset, detections_file: Path, metric: str = "mAP") -> Resampler:
    """Matches the detections once. `metric`: mAP, AP50, AP75, APs, APm, APl, AR100, or one of a category: AP/car,
    AP50/car. Raises InputError on any other name."""
    name, _, category = metric.partition("/")
    name = "mAP" if name == "AP" and category else name
    if name not in _METRICS or (category and category not in ds.categories):
        known = f"{', '.join(_METRICS)}, AP/CATEGORY or AP50/CATEGORY with one of {', '.join(ds.categories)}"
        raise InputError("metric", f"{metric!r} is not known", f"take one of {known}")
    area, thresholds, figure = _METRICS[name]
    found = batches(ds, detections_file)
    records = record(found, len(ds.categories), thresholds, AREA_RANGES_PX2[area : area + 1])
    indices = [ds.categories.index(category)] if category else range(len(ds.categories))
    return Resampler(records, figure, indices)


def resampled_weights(unit_of_image: np.ndarray, samples: int, seed: int) -> Iterator[np.ndarray]:
    """`samples` times the weight of each image. (frames,) int, the unit an image is drawn with -> (frames,) float64."""
    rng = np.random.default_rng(seed)
    units = int(unit_of_image.max(initial=-1)) + 1
    for _ in range(samples):
        drawn = np.bincount(rng.integers(0, units, units), minlength=units)
        yield drawn[unit_of_image].astype(np.float64)


def interval(
    ds: Dataset,
    detections_file: Path,
    metric: str = "mAP",
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    unit: Unit = "image",
) -> Interval:
    """The metric and its interval over resampled images; with unit='group' whole groups (clips) are drawn.

    Frames of one clip are alike: intervals over images are then too narrow, those over groups are not.
    """
    figure = resampler(ds, detections_file, metric)
    weights = resampled_weights(units_of(ds, unit), samples, seed)
    return percentile_interval(figure(np.ones(len(ds))), np.array([figure(weight) for weight in weights]), level)


def paired_difference(
    ds: Dataset,
    detections_a: Path,
    detections_b: Path,
    metric: str = "mAP",
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    unit: Unit = "image",
) -> Interval:
    """By how much b is better than a, both on the same resampled images; b is better where `low` is above 0."""
    a, b = resampler(ds, detections_a, metric), resampler(ds, detections_b, metric)
    weights = resampled_weights(units_of(ds, unit), samples, seed)
    everything = np.ones(len(ds))
    return percentile_interval(
        b(everything) - a(everything), np.array([b(weight) - a(weight) for weight in weights]), level
    )


def units_of(ds: Dataset, unit: Unit) -> np.ndarray:
    return np.arange(len(ds)) if unit == "image" else np.unique(ds.groups(), return_inverse=True)[1]


def percentile_interval(value: float, resampled: np.ndarray, level: float) -> Interval:
    if not 0 < level < 1:
        raise InputError("level", f"{level} lies outside 0 to 1", "give a share such as 0.95")
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
