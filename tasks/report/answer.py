"""What a detector says now of a failure that an earlier one made, on the one frame where it was made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataset.schema import Detections, Frame, Objects
from evaluation.batch import Batch
from evaluation.failure import Failure
from evaluation.failure_table import MiningRules
from evaluation.matching import FALSE, TRUE, match
from evaluation.overlap import overlaps, pair_shares


@dataclass(frozen=True)
class Answer:
    """`decisive` (N,) bool: the detections that decide it, whatever their score."""

    fixed: bool
    text: str
    decisive: np.ndarray


class Judge:
    """Judges single frames by the rules that a failure table was mined by."""

    def __init__(self, rules: MiningRules, categories: tuple[str, ...]):
        self.categories, self._rules = categories, rules
        self._score_limits = np.array([rules.score_thresholds[category] for category in categories], np.float32)

    def believed(self, detections: Detections) -> np.ndarray:
        """(N,) bool: of a score that counts."""
        return detections.score >= self._score_limits[detections.category]

    def answer(self, failure: Failure, frame: Frame, objects: Objects, detections: Detections) -> Answer:
        """A failure to find an object is mended when a believed detection finds it; a false positive, when no believed
        false one of its category lies there any more."""
        batch = Batch.of([(frame, objects, detections)])
        matching = match(batch, overlaps(batch), [self._rules.iou_threshold], max_detections=self._rules.max_detections)
        verdict = np.zeros(len(detections), np.int8)
        taken = np.full(len(detections), -1)
        verdict[matching.kept], taken[matching.kept] = matching.verdict[0, 0], matching.object[0, 0]
        if failure.object_index >= 0 and failure.kind != "duplicate":
            return self._finding(detections, (verdict == TRUE) & (taken == failure.object_index))
        return self._false_positive(failure, detections, verdict == FALSE)

    def _finding(self, detections: Detections, finds: np.ndarray) -> Answer:
        if not finds.any():
            return Answer(False, "not found", finds)
        score = detections.score[finds].max()
        fixed = bool((finds & self.believed(detections)).any())
        return Answer(fixed, f"found, score {score:.2f}" if fixed else f"too unsure, score {score:.2f}", finds)

    def _false_positive(self, failure: Failure, detections: Detections, false: np.ndarray) -> Answer:
        box = failure.detection_box_xyxy_px or failure.box_xyxy_px
        category = self.categories.index(failure.detected_category or failure.category)
        there = iou_with(detections.box_xyxy_px, box) >= self._rules.iou_threshold
        again = false & there & (detections.category == category) & self.believed(detections)
        if again.any():
            return Answer(False, f"still there, score {detections.score[again].max():.2f}", again)
        return Answer(True, "gone", again)


def iou_with(boxes_xyxy_px: np.ndarray, box_xyxy_px: Sequence[float] | np.ndarray) -> np.ndarray:
    """IoU of many boxes with one: (N, 4), (4,) -> (N,)."""
    count = len(boxes_xyxy_px)
    return pair_shares(boxes_xyxy_px, np.tile(np.asarray(box_xyxy_px, float), (count, 1)), np.zeros(count, bool))
