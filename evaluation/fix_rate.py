"""How many of the mined failures a new detector no longer makes, and what it breaks instead.

A failure is fixed when its object (where it has one) is found now, and no false positive of the detected category
(where there was one) still lies on the old box. A regression is an object that was found before and is not found now.
'Found' is by a detection of the object's category, with the IoU the failures were mined with and a score at or above
the detector's own threshold for that category: each detector is judged where it would be operated.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.attributes import COLUMN_OF, attributes, bins_of, check_by, ordered
from evaluation.batch import Batch, batches, take
from evaluation.failure import FAILURE_KINDS, RECREATED_KINDS
from evaluation.failure_table import FailureTable, MiningRules
from evaluation.failures import category_curves
from evaluation.kinds import KindRules, classify, wrong_detections
from evaluation.matching import match
from evaluation.overlap import overlaps, pair_shares, pairs_within_frames

SAME_PLACE_IOU = 0.5
WILSON_Z = 1.959964  # 95%


def fix_rate(
    ds: Dataset, failures: FailureTable, detections_before: Path, detections_after: Path, by: str = "kind"
) -> pa.Table:
    """One row a bin: bin, failures, fixed, fix_rate, low, high, found_before, regressions, regression_rate,
    regression_low, regression_high. Rates are NaN where nothing is counted; limits are Wilson's, at 95%.

    `failures` were mined from `detections_before` on `ds`; of them the kinds that are re-created count. by: kind,
    category, distance, occlusion, truncation, height, time_of_day or weather. By kind a regression counts as what it
    has become, out of all objects found before. Memory holds a batch and about 200 bytes a failure.
    Raises InputError on an unknown `by`, or where the failures are of other data.
    """
    check_by(by)
    rules = failures.rules
    if rules.dataset_digest != ds.digest:
        problem = f"mined on data of digest {rules.dataset_digest[:12]}, {ds.folder} has {ds.digest[:12]}"
        raise InputError(failures.path, problem, "mine them again on this data")
    mined = _Mined.load(failures, ds, by)
    judge_before = _Judge(rules, rules.score_thresholds, ds.categories)
    judge_after = _Judge(rules, _thresholds(ds, detections_after, rules), ds.categories)
    counts = {name: Counter() for name in ("failures", "fixed", "found_before", "regressions")}
    for batch, after in zip(batches(ds, detections_before), batches(ds, detections_after), strict=True):
        was, now = judge_before(batch), judge_after(after)
        ours = mined.within(batch)
        counts["failures"].update(ours.bin.tolist())
        counts["fixed"].update(ours.bin[_fixed(after, ours, now)].tolist())
        found_before, lost = np.flatnonzero(was.found), np.flatnonzero(was.found & ~now.found)
        if by == "kind":
            counts["regressions"].update(FAILURE_KINDS[kind] for kind in now.kind[lost].tolist())
            counts["found_before"].update({kind: len(found_before) for kind in FAILURE_KINDS})
        else:
            counts["found_before"].update(_object_bins(batch, found_before, by, ds.categories))
            counts["regressions"].update(_object_bins(batch, lost, by, ds.categories))
    return _table(by, counts)


def _thresholds(ds: Dataset, detections: Path, rules: MiningRules) -> dict[str, float]:
    """The new detector's own thresholds, fitted as the old one's were, or set to the same."""
    if not rules.fitted:
        return rules.score_thresholds
    found, _ = category_curves(ds, detections, rules.iou_threshold, rules.max_detections)
    return {name: curve.best_f1_score() for name, curve in zip(ds.categories, found, strict=True)}


@dataclass(frozen=True)
class _Verdict:
    """How a detector did on a batch."""

    found: np.ndarray  # (G,) bool, objects
    kind: np.ndarray  # (G,) what the failure of an object not found is, index into FAILURE_KINDS; -1 found or ignored
    false: np.ndarray  # (N,) flat indices of its false positives, in frame order


class _Judge:
    def __init__(self, rules: MiningRules, thresholds: dict[str, float], categories: tuple[str, ...]):
        scores = np.array([thresholds[name] for name in categories])
        never = np.full(len(scores), np.inf)  # what a detection on nothing really shows is no question here
        self._rules = rules
        self._limits = KindRules(scores, never, rules.iou_threshold, rules.background_iou, rules.min_side_px)

    def __call__(self, batch: Batch) -> _Verdict:
        pairs = overlaps(batch)
        matching = match(batch, pairs, [self._rules.iou_threshold], max_detections=self._rules.max_detections)
        findings = classify(batch, pairs, matching, self._limits)
        kind = np.full(len(batch.objects), -1)
        kind[findings.object[findings.recovers]] = findings.kind[findings.recovers]
        false = np.sort(wrong_detections(batch, matching, self._limits))  # flat order is frame order
        return _Verdict((kind < 0) & matching.wanted[0], kind, false)


@dataclass(frozen=True)
class _Mined:
    """N failures that are re-created, in frame order, with what is needed to tell whether they are fixed."""

    row: np.ndarray  # (N,) int64, row of the frame in the data set
    bin: np.ndarray  # (N,) str
    object_index: np.ndarray  # (N,) int64, -1 none
    detected: np.ndarray  # (N,) int64, category of the false positive, -1 none
    box_xyxy_px: np.ndarray  # (N, 4) of the false positive, else of the object

    @staticmethod
    def load(failures: FailureTable, ds: Dataset, by: str) -> "_Mined":
        table = failures.table(
            list({"kind", "frame_id", "object_index", "detected_category", "box_xyxy_px", "detection_box_xyxy_px"}
                 | {COLUMN_OF[by]})
        )  # fmt: skip
        kind = np.array(table["kind"].to_pylist(), dtype=object)
        table = table.filter(pa.array(np.isin(kind, np.array(RECREATED_KINDS, dtype=object))))
        ids = ds.frame_ids()
        order = np.argsort(ids)
        row = order[np.searchsorted(ids[order], np.array(table["frame_id"].to_pylist(), dtype=ids.dtype))]
        number = {name: index for index, name in enumerate(ds.categories)}
        # A weak detection shown with a missed object is no mistake that has to go.
        shown = zip(table["kind"].to_pylist(), table["detected_category"].to_pylist(), strict=True)
        detected = np.array([-1 if kind == "missed" else number[name] for kind, name in shown], np.int64)
        boxes = zip(table["detection_box_xyxy_px"].to_pylist(), table["box_xyxy_px"].to_pylist(), strict=True)
        column = table[COLUMN_OF[by]]
        is_text = pa.types.is_string(column.type)
        values = np.array(column.to_pylist(), dtype=object) if is_text else column.to_numpy()
        found = _Mined(
            row=row,
            bin=bins_of(by, values),
            object_index=table["object_index"].to_numpy(),
            detected=detected,
            box_xyxy_px=np.array([detection or own for detection, own in boxes], np.float64).reshape(-1, 4),
        )
        return found.where(np.argsort(row, kind="stable"))

    def where(self, keep: np.ndarray | slice) -> "_Mined":
        return _Mined(**{name: values[keep] for name, values in vars(self).items()})

    def within(self, batch: Batch) -> "_Mined":
        ends = batch.first_row, batch.first_row + len(batch.frames)
        return self.where(slice(*np.searchsorted(self.row, ends)))


def _fixed(batch: Batch, mined: _Mined, now: _Verdict) -> np.ndarray:
    """(N,) bool: the object is found, and the false positive gone."""
    frame = mined.row - batch.first_row
    object_ = np.where(mined.object_index >= 0, batch.first_object()[frame] + mined.object_index, -1)
    false = batch.detections.where(now.false)
    false_of_frame = np.bincount(batch.detection_frame[now.false], minlength=len(batch.frames))
    failure, other = pairs_within_frames(frame, false_of_frame)
    iou = pair_shares(mined.box_xyxy_px[failure], false.box_xyxy_px[other], np.zeros(len(failure), bool))
    again = (iou >= SAME_PLACE_IOU) & (mined.detected[failure] == false.category[other])
    still_there = np.bincount(failure[again], minlength=len(frame)) > 0
    return take(now.found, object_, True) & ~still_there


def _object_bins(batch: Batch, object_: np.ndarray, by: str, categories: tuple[str, ...]) -> list[str]:
    """Each object's bin; by any attribute but the kind."""
    if by == "category":
        return [categories[category] for category in batch.objects.category[object_].tolist()]
    known = attributes(batch, batch.object_frame[object_], object_, batch.objects.box_xyxy_px[object_])
    return bins_of(by, known[COLUMN_OF[by]]).tolist()


def _table(by: str, counts: dict[str, Counter]) -> pa.Table:
    names = ordered(
        by, set(counts["failures"]) | set(counts["regressions"] if by == "kind" else counts["found_before"])
    )
    failures, fixed, found_before, regressions = (
        np.array([counts[column][name] for name in names], np.int64)
        for column in ("failures", "fixed", "found_before", "regressions")
    )
    rate, low, high = wilson(fixed, failures)
    regression_rate, regression_low, regression_high = wilson(regressions, found_before)
    return pa.table(
        {
            "bin": pa.array(names, pa.string()),
            "failures": failures,
            "fixed": fixed,
            "fix_rate": rate,
            "low": low,
            "high": high,
            "found_before": found_before,
            "regressions": regressions,
            "regression_rate": regression_rate,
            "regression_low": regression_low,
            "regression_high": regression_high,
        }
    )


def wilson(successes: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rate and limits of Wilson's 95% score interval (1927), NaN without trials. (N,), (N,) -> three (N,)."""
    n = np.where(trials > 0, trials, np.nan)
    rate, z2 = successes / n, WILSON_Z**2
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = WILSON_Z * np.sqrt(rate * (1 - rate) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    return rate, middle - half, middle + half
