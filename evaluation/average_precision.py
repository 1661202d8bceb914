"""Average precision and recall by COCO's rules, equal to pycocotools.

Each detection's verdict is kept as one byte for each area range and threshold, so that any number of frames can be
streamed, summed up and resampled (bootstrap.py) without matching again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from dataset.store import Dataset
from evaluation.batch import Batch, batches
from evaluation.matching import ANY_AREA_PX2, IGNORED, TRUE, Matching, Outside, match
from evaluation.overlap import overlaps

# COCO's ten thresholds, written as pycocotools does: 0.05 steps computed otherwise differ in the last bit.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0.0, 1.0, 101)
AREA_RANGES_PX2 = (ANY_AREA_PX2, (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))  # all, small, medium, large


@dataclass(frozen=True)
class Records:
    """What matching found, for K kept detections and W objects to be found (in any area range), over all frames.

    A area ranges and T thresholds. Detections of one category are in the order of frames, then of falling score.
    """

    frames: int
    categories: int
    frame: np.ndarray  # (K,) int32, row in the data set
    category: np.ndarray  # (K,) int16
    score: np.ndarray  # (K,) float32
    verdict: np.ndarray  # (A, T, K) int8
    object_frame: np.ndarray  # (W,) int32
    object_category: np.ndarray  # (W,) int16
    object_wanted: np.ndarray  # (A, W) bool

    @staticmethod
    def of(batch: Batch, matching: Matching, categories: int) -> "Records":
        """What is kept of one batch."""
        kept, wanted = matching.kept, np.flatnonzero(matching.wanted.any(axis=0))
        return Records(
            frames=len(batch.frames),
            categories=categories,
            frame=(batch.first_row + batch.detection_frame[kept]).astype(np.int32),
            category=batch.detections.category[kept],
            score=batch.detections.score[kept],
            verdict=matching.verdict,
            object_frame=(batch.first_row + batch.object_frame[wanted]).astype(np.int32),
            object_category=batch.objects.category[wanted],
            object_wanted=matching.wanted[:, wanted],
        )

    @staticmethod
    def joined(parts: Sequence["Records"]) -> "Records":
        """One or more batches' as one."""
        arrays = [name for name, value in vars(parts[0]).items() if isinstance(value, np.ndarray)]
        return Records(
            frames=sum(part.frames for part in parts),
            categories=parts[0].categories,
            **{name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in arrays},
        )

    def by_score(self, category: int) -> np.ndarray:
        """Indices of the category's detections by falling score; equal scores stay in order."""
        mine = np.flatnonzero(self.category == category)
        return mine[np.argsort(-self.score[mine], kind="stable")]


def record(
    found: Iterable[Batch],
    categories: int,
    iou_thresholds: Sequence[float] | np.ndarray = IOU_THRESHOLDS,
    area_ranges_px2: Sequence[tuple[float, float]] = AREA_RANGES_PX2,
    max_detections: int = 100,
    outside: Callable[[Batch], Outside] | None = None,
) -> Records:
    """Match batch after batch and keep what the metrics need: about 50 bytes a detection for COCO's full set.

    outside: the parts to judge on their own, in place of the area ranges.
    """
    nothing = Batch.of([])
    parts = []
    for batch in chain([nothing], found):  # the empty one, so that no batches at all are a case like any other
        parted = None if outside is None else outside(batch)
        matching = match(batch, overlaps(batch), iou_thresholds, area_ranges_px2, max_detections, parted)
        parts.append(Records.of(batch, matching, categories))
    return Records.joined(parts)


def interpolated_precision(found: np.ndarray, counted: np.ndarray, positives: float) -> np.ndarray:
    """Precision at the 101 recall points, as pycocotools' accumulate() computes it.

    `found` (J,): true positives up to and with the j-th one; `counted` (J,): detections that count, up to there.
    Precision can only rise at a true positive, so the other detections need no entry of their own.
    """
    precision = found / (counted + np.spacing(1.0))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(found / positives, RECALL_POINTS)
    return np.append(envelope, 0.0)[reached]


@dataclass(frozen=True)
class Tables:
    """Precision and recall of A area ranges, T thresholds and C categories; NaN where no object is to be found."""

    precision: np.ndarray  # (A, T, C), mean over the recall points
    recall: np.ndarray  # (A, T, C), of all detections kept
    objects: np.ndarray  # (A, C) int64


def tables(records: Records) -> Tables:
    """Average precision and recall of everything recorded."""
    areas, thresholds, _ = records.verdict.shape
    shape = (areas, thresholds, records.categories)
    precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
    objects = np.array([np.bincount(records.object_category[w], minlength=shape[2]) for w in records.object_wanted])
    for category in np.flatnonzero(objects.any(axis=0)).tolist():
        verdicts = records.verdict[:, :, records.by_score(category)]
        for area in np.flatnonzero(objects[:, category]).tolist():
            positives = objects[area, category]
            for threshold, verdict in enumerate(verdicts[area]):
                true = np.flatnonzero(verdict == TRUE)
                counted = np.cumsum(verdict != IGNORED)[true]
                found = np.arange(1, len(true) + 1)
                precision[area, threshold, category] = interpolated_precision(found, counted, positives).mean()
                recall[area, threshold, category] = len(true) / positives
    return Tables(precision, recall, objects)


@dataclass(frozen=True)
class Metrics:
    """COCO's figures, 0-1, NaN where there is no object to be found; `per_category` holds AP, AP50 and objects."""

    mAP: float
    AP50: float
    AP75: float
    APs: float  # area up to 32 x 32 px
    APm: float  # up to 96 x 96 px
    APl: float
    AR100: float
    per_category: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, float]:
        """Flat: {"mAP": ..., "AP50/car": ...}."""
        flat = {name: value for name, value in vars(self).items() if name != "per_category"}
        for category, figures in self.per_category.items():
            flat |= {f"{name}/{category}": value for name, value in figures.items()}
        return flat


def metrics(records: Records, categories: Sequence[str]) -> Metrics:
    """Sum up records made with COCO's thresholds and area ranges."""
    found = tables(records)
    precision = found.precision
    ap_all, ap_small, ap_medium, ap_large = (mean_of_known(values) for values in precision)
    return Metrics(
        mAP=ap_all,
        AP50=mean_of_known(precision[0, 0]),
        AP75=mean_of_known(precision[0, 5]),
        APs=ap_small,
        APm=ap_medium,
        APl=ap_large,
        AR100=mean_of_known(found.recall[0]),
        per_category={
            name: {
                "AP": mean_of_known(precision[0, :, category]),
                "AP50": float(precision[0, 0, category]),
                "objects": float(found.objects[0, category]),
            }
            for category, name in enumerate(categories)
        },
    )


def mean_of_known(values: np.ndarray) -> float:
    """Mean of what is not NaN; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def evaluate(ds: Dataset, detections_file: Path, *, max_detections: int = 100) -> Metrics:
    """COCO's metrics of `detections_file` on `ds`; `max_detections` per image and category count.

    Memory grows by about 50 bytes a detection; images are never read. Raises InputError where the file does not fit
    the data set.
    """
    records = record(batches(ds, detections_file), len(ds.categories), max_detections=max_detections)
    return metrics(records, ds.categories)
