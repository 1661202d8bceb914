"""What a detector says now of a failure that an earlier one made, on the one frame where it was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset
from evaluation.batch import Batch
from evaluation.failure import Failure
from evaluation.failure_table import MiningRules
from evaluation.failures import category_curves
from evaluation.fix_rate import SAME_PLACE_IOU
from evaluation.matching import FALSE, TRUE, match
from evaluation.overlap import overlaps, pair_shares


@dataclass(frozen=True)
class Answer:
    """`decisive` (N,) bool: the detections that decide it, whatever their score."""

    fixed: bool
    text: str
    decisive: np.ndarray


class Judge:
    """Judges single frames as evaluation/fix_rate.py judges all: by the rules that a failure table was mined by."""

    def __init__(self, rules: MiningRules, categories: tuple[str, ...], score_limits: Sequence[float]):
        self.categories, self._rules = categories, rules
        self._score_limits = np.array(score_limits, np.float32)

    @staticmethod
    def when_mined(rules: MiningRules, categories: tuple[str, ...]) -> "Judge":
        return Judge(rules, categories, [rules.score_thresholds[category] for category in categories])

    @staticmethod
    def of_detector(rules: MiningRules, dataset: Dataset, detections_file: Path) -> "Judge":
        """With the detector's own score thresholds, where the rules fitted those of the one that was mined."""
        if not rules.fitted:
            return Judge.when_mined(rules, dataset.categories)
        curves, _ = category_curves(dataset, detections_file, rules.iou_threshold, rules.max_detections)
        return Judge(rules, dataset.categories, [curve.best_f1_score() for curve in curves])

    def believed(self, detections: Detections) -> np.ndarray:
        """(N,) bool: of a score that counts."""
        return detections.score >= self._score_limits[detections.category]

    def answer(self, failure: Failure, frame: Frame, objects: Objects, detections: Detections) -> Answer:
        """Fixed when the object, where there is one, is found, and no false positive lies on the old one's place."""
        finds, false = self._verdicts(failure, frame, objects, detections)
        score = detections.score.max(where=finds, initial=0)
        again = false & self._same_place(failure, detections)
        if failure.object_index >= 0 and not (finds & self.believed(detections)).any():
            return Answer(False, f"too unsure, score {score:.2f}" if finds.any() else "not found", finds | again)
        if again.any():
            return Answer(False, f"still there, score {detections.score[again].max():.2f}", finds | again)
        return Answer(True, f"found, score {score:.2f}" if failure.object_index >= 0 else "gone", finds)

    def _verdicts(
        self, failure: Failure, frame: Frame, objects: Objects, detections: Detections
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N,) bool each: finds the failure's object, at whatever score; is a false positive that is believed."""
        batch = Batch.of([(frame, objects, detections)])
        rules = self._rules
        matching = match(batch, overlaps(batch), [rules.iou_threshold], max_detections=rules.max_detections)
        verdict, taken = np.zeros(len(detections), np.int8), np.full(len(detections), -1)
        verdict[matching.kept], taken[matching.kept] = matching.verdict[0, 0], matching.object[0, 0]
        false = np.zeros(len(detections), bool)
        false[matching.kept] = matching.verdict[0, 0] == FALSE
        finds = (verdict == TRUE) & (taken == failure.object_index) & (failure.object_index >= 0)
        return finds, false & self.believed(detections)

    def _same_place(self, failure: Failure, detections: Detections) -> np.ndarray:
        """(N,) bool: of the category and on the box of the old false positive; a missed object had none."""
        if failure.kind == "missed" or failure.detected_category is None or failure.detection_box_xyxy_px is None:
            return np.zeros(len(detections), bool)
        same = detections.category == self.categories.index(failure.detected_category)
        return same & (iou_with(detections.box_xyxy_px, failure.detection_box_xyxy_px) >= SAME_PLACE_IOU)


def iou_with(boxes_xyxy_px: np.ndarray, box_xyxy_px: Sequence[float] | np.ndarray) -> np.ndarray:
    """IoU of many boxes with one: (N, 4), (4,) -> (N,)."""
    count = len(boxes_xyxy_px)
    return pair_shares(boxes_xyxy_px, np.tile(np.asarray(box_xyxy_px, float), (count, 1)), np.zeros(count, bool))
