"""Mining: from a data set and a detector's answers to a table of what went wrong, and what each failure costs."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.attributes import attributes
from evaluation.average_precision import record
from evaluation.batch import Batch, batches, take
from evaluation.cost import Changes, changes, costs
from evaluation.curve import Curve, curves
from evaluation.failure import FAILURE_KINDS
from evaluation.failure_table import BOX, FailureTable, FailureTableWriter, MiningRules
from evaluation.kinds import Findings, KindRules, classify
from evaluation.matching import ANY_AREA_PX2, match
from evaluation.overlap import overlaps

__all__ = ["FailureTable", "mine"]

# A label is doubted only where the detector is as sure as of its surest hits: some detectors are sure of everything.
LABEL_ERROR_QUANTILE = 0.95


def mine(
    ds: Dataset,
    detections_file: Path,
    out: Path,
    *,
    score_threshold: float | None = None,
    iou_threshold: float = 0.5,
    background_iou: float = 0.1,
    label_error_score: float = 0.9,
    min_side_px: float = 4.0,
    max_detections: int = 100,
) -> FailureTable:
    """Find every failure of `detections_file` on `ds`, price it (cost.py), and write the table to `out`, sorted.

    score_threshold: from which score on a detection is believed; None takes, per category, that of the best F1 here.
    iou_threshold, background_iou, min_side_px: see kinds.py. label_error_score: a detection on nothing of this score,
    that also exceeds 95% of its category's hits, is taken for an object that nobody labelled.

    The data is streamed twice: for the curves and thresholds, then for the failures. Memory holds one batch, what is
    left of each detection, object and failure (numbers only, about 80 bytes a detection at the peak), and 131,072
    failures at a time while they are sorted. Measured at KITTI's density (benchmarks/mine.py): 270 MiB for 20,000
    frames, 561 MiB for 200,000.
    Raises InputError on limits out of order, or where the file does not fit the data set.
    """
    if not 0 < background_iou < iou_threshold <= 1:
        problem = f"background_iou {background_iou} and iou_threshold {iou_threshold}"
        raise InputError("mining", f"{problem} are not in order", "give 0 < background_iou < iou_threshold <= 1")
    if score_threshold is not None and not 0 <= score_threshold <= 1:
        raise InputError("mining", f"score_threshold {score_threshold} lies outside 0 to 1", "give one inside, or none")

    by_category, rank = category_curves(ds, detections_file, iou_threshold, max_detections)
    limits = fitted_rules(by_category, score_threshold, iou_threshold, background_iou, label_error_score, min_side_px)
    scores, typical_ranks = limits.scores, typical_ranks_of(by_category, limits)

    found = [Changes.none()]
    first_kept = 0
    with FailureTableWriter(out) as writer:
        for batch in batches(ds, detections_file):
            pairs = overlaps(batch)
            matching = match(batch, pairs, [iou_threshold], max_detections=max_detections)
            findings = classify(batch, pairs, matching, limits)
            batch_rank = np.full(len(batch.detections), -1, np.int32)
            batch_rank[matching.kept] = rank[first_kept : first_kept + len(matching.kept)]
            first_kept += len(matching.kept)
            found.append(changes(batch, findings, batch_rank, by_category, typical_ranks, writer.rows))
            writer.add(_columns(batch, findings, ds.categories))
        rules = MiningRules(
            score_thresholds=dict(zip(ds.categories, scores.tolist(), strict=True)),
            fitted=score_threshold is None,
            iou_threshold=iou_threshold,
            background_iou=background_iou,
            label_error_score=label_error_score,
            min_side_px=min_side_px,
            max_detections=max_detections,
            dataset_digest=ds.digest,
        )
        return writer.finish(costs(by_category, Changes.joined(found), writer.rows), rules)


def fitted_rules(
    by_category: Sequence[Curve],
    score_threshold: float | None = None,
    iou_threshold: float = 0.5,
    background_iou: float = 0.1,
    label_error_score: float = 0.9,
    min_side_px: float = 4.0,
) -> KindRules:
    """The limits of the kinds on this data; the arguments are `mine`'s."""
    scores = np.array([curve.best_f1_score() if score_threshold is None else score_threshold for curve in by_category])
    sure = np.array([curve.hit_score_quantile(LABEL_ERROR_QUANTILE) for curve in by_category])
    return KindRules(scores, np.maximum(sure, label_error_score), iou_threshold, background_iou, min_side_px)


def typical_ranks_of(by_category: Sequence[Curve], rules: KindRules) -> np.ndarray:
    """(C,) where a missed object of each category is found once mended."""
    return np.array([curve.typical_rank(s) for curve, s in zip(by_category, rules.scores.tolist(), strict=True)])


def category_curves(
    ds: Dataset, detections_file: Path, iou_threshold: float, max_detections: int
) -> tuple[list[Curve], np.ndarray]:
    """One pass over the data: each category's curve, and the rank of every kept detection, in the stream's order."""
    found = batches(ds, detections_file)
    return curves(record(found, len(ds.categories), [iou_threshold], (ANY_AREA_PX2,), max_detections))


def _columns(batch: Batch, findings: Findings, categories: tuple[str, ...]) -> dict[str, pa.Array | np.ndarray | list]:
    """The rows of a batch's findings, all columns but the cost."""
    objects, detections, object_ = batch.objects, batch.detections, findings.object
    shown = np.where(findings.detection >= 0, findings.detection, findings.weak)
    has_object, has_detection = object_ >= 0, shown >= 0
    names = np.array(categories, dtype=object)
    detection_box = np.zeros((len(findings), 4))
    detection_box[has_detection] = detections.box_xyxy_px[shown[has_detection]]
    box = detection_box.copy()
    box[has_object] = objects.box_xyxy_px[object_[has_object]]
    detected = np.full(len(findings), None, dtype=object)
    detected[has_detection] = names[detections.category[shown[has_detection]]]
    category = detected.copy()
    category[has_object] = names[objects.category[object_[has_object]]]

    kinds = [FAILURE_KINDS[kind] for kind in findings.kind.tolist()]
    first_object = batch.first_object()[findings.frame]
    object_index = np.where(has_object, object_ - first_object, -1)
    frame_ids = [batch.frames[frame].frame_id for frame in findings.frame.tolist()]
    return {
        "failure_id": _failure_ids(frame_ids, kinds, object_index, box, detection_box, detected),
        "frame_id": frame_ids,
        "kind": kinds,
        "category": category.tolist(),
        "box_xyxy_px": _box_array(box, np.ones(len(findings), bool)),
        "object_index": object_index.astype(np.int32),
        "detection_box_xyxy_px": _box_array(detection_box, has_detection),
        "detected_category": detected.tolist(),
        "score": take(detections.score, shown, np.nan),
        "best_iou": findings.share,
        "partner_index": np.where(findings.partner >= 0, findings.partner - first_object, -1).astype(np.int32),
    } | {
        # NaN stays NaN, the schema's unknown number; None becomes null.
        name: pa.array(values.tolist() if values.dtype == object else values, from_pandas=False)
        for name, values in attributes(batch, findings.frame, object_, box).items()
    }


def _box_array(box_xyxy_px: np.ndarray, known: np.ndarray) -> pa.Array:
    ends = np.append(np.arange(len(known)), len(known)) * 4
    values = pa.array(box_xyxy_px.reshape(-1))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values, type=BOX, mask=pa.array(~known))


def _failure_ids(
    frame_ids: list[str], kinds: list[str], object_index: np.ndarray, box: np.ndarray, detection: np.ndarray, detected
) -> list[str]:
    """Digests of what went wrong where: the same failure gets the same id in every run. Scores do not enter.

    Equal failures of one frame (a box that was detected twice) are told apart by a number.
    """
    seen: Counter[str] = Counter()
    ids = []
    rows = zip(frame_ids, kinds, object_index.tolist(), detected, strict=True)
    boxes = np.round(np.concatenate([box, detection], axis=1), 2).tolist()
    for (frame_id, kind, index, name), corners in zip(rows, boxes, strict=True):
        # A missed object is the same failure whether or not something weak was seen there.
        what = (frame_id, kind, index, *corners[:4]) if kind == "missed" else (frame_id, kind, index, name, *corners)
        text = repr(what)
        seen[text] += 1
        ids.append(hashlib.sha256(f"{text}{seen[text]}".encode()).hexdigest()[:16])
    return ids
