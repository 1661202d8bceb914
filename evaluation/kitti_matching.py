"""KITTI's assignment of detections to objects, for one judged category and all score thresholds at once.

The devkit (evaluate_object.cpp) goes through a frame's objects in the order of the label file, and each takes a
detection that no earlier object took and that overlaps it by more than the category's limit:
- to find the score thresholds, the one of the highest score; to count at a threshold, the one that overlaps most;
- a detection lower than the difficulty asks for is neutral *whatever its category*: counting, it is taken only where
  no other is there, and it makes its object neither found nor missed;
- detections that no object took are absorbed by DontCare by intersection / area of the detection.

Objects are worked off in rounds: round r holds the r-th object of every frame, none of which compete.
"""

from dataclasses import dataclass

import numpy as np

from dataset.schema import EVERY_CATEGORY
from evaluation.batch import Batch
from evaluation.overlap import pairs_within_frames


@dataclass(frozen=True)
class Pairs:
    """The P pairs of a detection and an object of one frame that share area."""

    detection: np.ndarray  # (P,) int64, flat index into the batch
    object: np.ndarray  # (P,) int64, flat index into the batch
    iou: np.ndarray  # (P,) float64
    covered: np.ndarray  # (P,) float64, intersection / area of the detection


def kitti_pairs(batch: Batch) -> Pairs:
    """Overlaps from corners, as boxoverlap() of the devkit computes them: limits are strict, so the last bit counts."""
    detection, object_ = pairs_within_frames(
        batch.detection_frame, np.bincount(batch.object_frame, minlength=len(batch.frames))
    )
    a, b = batch.detections.box_xyxy_px[detection], batch.objects.box_xyxy_px[object_]
    common = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    touching = (common > 0).all(axis=1)
    a, b, common = a[touching], b[touching], common[touching]
    intersection = common[:, 0] * common[:, 1]
    area, other_area = ((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) for box in (a, b))
    iou = intersection / (area + other_area - intersection)
    return Pairs(detection[touching], object_[touching], iou, intersection / area)


@dataclass(frozen=True)
class Candidates:
    """What one category needs of a batch: D detections of it or neutral ones, P pairs above its overlap limit.

    Pairs are ordered by object, then detection. L difficulties.
    """

    frame: np.ndarray  # (P,) int64
    object: np.ndarray  # (P,) int64, ascending, in the label file's order within a frame
    detection: np.ndarray  # (P,) int64, 0 to D - 1
    iou: np.ndarray  # (P,) float64
    wanted: np.ndarray  # (L, P) bool, the object is to be found
    score: np.ndarray  # (D,) float32
    own: np.ndarray  # (D,) bool, of the category
    low: np.ndarray  # (L, D) bool, lower than the difficulty asks for
    absorbed: np.ndarray  # (D,) bool, by a DontCare region, if no object takes it
    objects: np.ndarray  # (L,) int64, to be found, with or without a pair

    @staticmethod
    def of(
        batch: Batch, pairs: Pairs, label: int, neighbour: int, detected: int, limit: float, wanted, low
    ) -> "Candidates":
        """label, neighbour, detected: numbers of the category and its neutral neighbour among the labels, and of the
        category among the detections; -2 where there is none. wanted: (L, G) bool of the batch's objects that the
        difficulty asks for, of any category; low: (L, D) bool of its detections."""
        category, region = batch.objects.category, batch.objects.ignore
        own_object = (category == label) & ~region
        takes = own_object | ((category == neighbour) & ~region)
        absorbs = region & ((category == label) | (category == EVERY_CATEGORY))
        own = batch.detections.category == detected
        absorbed = np.zeros(len(own), bool)
        absorbed[pairs.detection[absorbs[pairs.object] & (pairs.covered > limit)]] = True
        close = (pairs.iou > limit) & takes[pairs.object] & (own | low.any(axis=0))[pairs.detection]
        detection, object_ = pairs.detection[close], pairs.object[close]
        order = np.lexsort((detection, object_))
        detection, object_ = detection[order], object_[order]
        needed = own.copy()
        needed[detection] = True
        wanted = wanted & own_object
        return Candidates(
            frame=batch.object_frame[object_],
            object=object_,
            detection=(np.cumsum(needed) - 1)[detection],
            iou=pairs.iou[close][order],
            wanted=wanted[:, object_],
            score=batch.detections.score[needed],
            own=own[needed],
            low=low[:, needed],
            absorbed=absorbed[needed],
            objects=wanted.sum(axis=1),
        )

    def found_scores(self, difficulty: int) -> np.ndarray:
        """Scores of the detections that objects to be found take when each prefers the highest score, (N,) float32."""
        low = self.low[difficulty]
        order = np.lexsort((self.detection, -self.score[self.detection], self.object))
        usable = (self.own | low)[self.detection, None]
        taken = self._first_free(order, usable)[:, 0] & self.wanted[difficulty] & ~low[self.detection]
        return self.score[self.detection[taken]]

    def counts(self, difficulty: int, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """True and false positives at each score threshold: (T,) float32 -> two (T,) int64."""
        low = self.low[difficulty]
        low_pair = low[self.detection]
        order = np.lexsort((self.detection, np.where(low_pair, 0, -self.iou), self.object))
        high_enough = self.score[self.detection, None] >= thresholds
        taken = self._first_free(order, high_enough & (self.own | low)[self.detection, None])
        judged = self.own & ~low & ~self.absorbed
        all_judged = np.sort(self.score[judged])
        counted = len(all_judged) - np.searchsorted(all_judged, thresholds)
        true = taken[self.wanted[difficulty] & ~low_pair].sum(axis=0)
        return true, counted - taken[judged[self.detection]].sum(axis=0)

    def _first_free(self, order: np.ndarray, usable: np.ndarray) -> np.ndarray:
        """Which pairs come about when each object takes its first free detection. (P,), (P, T) bool -> (P, T) bool.

        `order`: pairs by object, each object's with the one it prefers first.
        """
        taken = np.zeros(usable.shape, bool)
        free = np.ones((len(self.score), usable.shape[1]), bool)
        new_object = np.diff(self.object, prepend=-1) > 0
        number = np.cumsum(new_object) - 1  # (P,) of the object among those with pairs
        frame = self.frame[new_object]
        first_of_frame = np.searchsorted(frame, frame)
        round_of = (np.arange(len(frame)) - first_of_frame)[number]  # the same for every pair of an object
        for round_ in range(round_of.max(initial=-1) + 1):
            now = order[round_of[order] == round_]
            starts = np.flatnonzero(np.diff(self.object[now], prepend=-1))
            place = np.where(usable[now] & free[self.detection[now]], np.arange(len(now))[:, None], len(now))
            best = np.minimum.reduceat(place, starts, axis=0)  # (objects of the round, T)
            threshold = np.nonzero(best < len(now))[1]
            pair = now[best[best < len(now)]]
            taken[pair, threshold] = True
            free[self.detection[pair], threshold] = False
        return taken
