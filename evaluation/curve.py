"""A category's precision-recall curve, where to operate on it, and what single changes to it are worth.

The area is taken under every point of the interpolated curve, not at 101 recall points: among thousands of objects one
more that is found seldom moves a sampled curve, and would seem worth nothing. The two areas differ by under 0.01.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluation.average_precision import Records
from evaluation.matching import IGNORED, TRUE

SCORE_WITHOUT_ANY_HIT = 0.5


@dataclass(frozen=True)
class Curve:
    """The N detections of one category that count, by falling score, J of them true. `rank` is a place among them."""

    score: np.ndarray  # (N,) float32
    true: np.ndarray  # (N,) bool
    positives: int  # objects to be found

    @cached_property
    def true_before(self) -> np.ndarray:
        """(N + 1,) int32: true positives before each rank."""
        return np.concatenate([[0], np.cumsum(self.true)]).astype(np.int32)

    def best_f1_score(self) -> float:
        """The score from which on detections are best believed: F1 = 2 TP / (detections + objects) is largest.

        The highest such score; SCORE_WITHOUT_ANY_HIT where no detection is true, as all scores are then equally bad.
        """
        if not self.true.any():
            return SCORE_WITHOUT_ANY_HIT
        f1 = 2 * self.true_before[1:] / (np.arange(1, len(self.score) + 1) + self.positives)
        whole_run = np.diff(self.score, append=-np.inf) != 0  # equal scores are believed or not together
        return float(self.score[np.argmax(np.where(whole_run, f1, 0))])

    def rank_of_score(self, score: np.ndarray) -> np.ndarray:
        """Where a detection of this score would stand, after those equal to it. (E,) -> (E,)."""
        return np.searchsorted(-self.score, -np.asarray(score, np.float32), side="right")

    def hit_score_quantile(self, share: float) -> float:
        """The score that `share` of the true positives do not exceed; 0 where there is none."""
        return float(np.quantile(self.score[self.true], share)) if self.true.any() else 0.0

    def typical_rank(self, min_score: float) -> int:
        """Just after the true positive of median score among those of at least `min_score`; 0 where there is none."""
        hits = self.true_before[np.count_nonzero(self.score >= min_score)]
        return int(np.searchsorted(self.true_before, (hits + 1) // 2)) if hits else 0


def curves(records: Records) -> tuple[list[Curve], np.ndarray]:
    """Each category's curve for the first area range and threshold; each detection's rank, (K,) int32, -1 ignored."""
    found, rank = [], np.full(len(records.score), -1, np.int32)
    verdict = records.verdict[0, 0]
    positives = np.bincount(records.object_category[records.object_wanted[0]], minlength=records.categories)
    for category in range(records.categories):
        order = records.by_score(category)
        order = order[verdict[order] != IGNORED]
        rank[order] = np.arange(len(order))
        found.append(Curve(records.score[order], verdict[order] == TRUE, int(positives[category])))
    return found, rank


class Area:
    """The area under a curve and, exactly, how much single changes add to it.

    Written with j = 1..J for the true positives and f_j for the false positives before the j-th: precision there is
    j / (j + f_j), the envelope e_j its largest value from j on, and the area is the sum of e_j / positives. A change
    leaves the terms before it as max(e_j, top of what follows) and turns those after it into one of a few sequences
    that are the same for all changes: sums from the right, made once, answer each change by one binary search.
    """

    def __init__(self, curve: Curve):
        self._curve = curve
        found = np.arange(1, curve.true_before[-1] + 1)  # j, (J,)
        false = np.flatnonzero(curve.true) + 1 - found  # f_j
        self._as_is = _Tail(found / (found + false))
        self._without_false = _Tail(found / (found + np.maximum(false - 1, 0)))
        self._with_true = _Tail((found + 1) / (found + 1 + false))
        self._false_to_true = _Tail((found + 1) / (found + 1 + np.maximum(false - 1, 0)))
        self._head = np.concatenate([[0.0], np.cumsum(self._as_is.top[:-1])])  # sum of the first envelope terms

    @property
    def area(self) -> float:
        """Average precision, 0-1; 0 where there is no object."""
        return float(self._as_is.total[0] / max(self._curve.positives, 1))

    def gains(self, dropped: np.ndarray, inserted: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Area that each of E changes adds. (E,) int ranks, -1 for none -> (E,) float64.

        dropped: the false positive that goes. inserted: a true positive appears before this rank, in the dropped one's
        place where there is one. moved: the true positive, at or after `inserted`, that goes, as its object is found
        there now.
        """
        gains = np.zeros(len(dropped))
        only = inserted < 0
        gains[only] = self._of_dropping(dropped[only])
        for drops in (True, False):
            chosen = ~only & ((dropped >= 0) == drops)
            gains[chosen] = self._of_inserting(inserted[chosen], moved[chosen], drops)
        return gains / max(self._curve.positives, 1)

    def _of_dropping(self, rank: np.ndarray) -> np.ndarray:
        before = self._curve.true_before[rank]
        tail = self._without_false
        return self._until(before, tail.top[before]) + tail.total[before] - self._as_is.total[0]

    def _of_inserting(self, rank: np.ndarray, moved: np.ndarray, drops: bool) -> np.ndarray:
        before = self._curve.true_before[rank]
        middle = self._false_to_true if drops else self._with_true
        last = self._without_false if drops else self._as_is
        top, total = middle.top[before], middle.total[before]
        stairs = _Staircase(middle.precision)
        for i in np.flatnonzero(moved >= 0)[np.argsort(moved[moved >= 0])].tolist():
            gone = int(self._curve.true_before[moved[i]])
            stairs.extend(gone)
            top[i], total[i] = stairs.from_place(int(before[i]), float(last.top[gone + 1]))
            total[i] += last.total[gone + 1]
        top = np.maximum(top, (before + 1) / (rank + 1))
        return self._until(before, top) + top + total - self._as_is.total[0]

    def _until(self, before: np.ndarray, top: np.ndarray) -> np.ndarray:
        """Sum of max(e_j, top) over the first `before` true positives. (E,), (E,) -> (E,)."""
        higher = np.minimum(before, np.searchsorted(-self._as_is.top[:-1], -top))
        return self._head[higher] + (before - higher) * top


class _Tail:
    """A sequence of J precisions, its envelope from the right and the envelope's sums."""

    def __init__(self, precision: np.ndarray):
        self.precision = precision
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        self.top = np.append(envelope, 0.0)  # (J + 1,) the envelope from each place on
        self.total = np.append(np.cumsum(envelope[::-1])[::-1], 0.0)  # (J + 1,) its sum from each place on


class _Staircase:
    """The envelope from the right of the first `end` precisions, while `end` grows: a few falling steps."""

    def __init__(self, precision: np.ndarray):
        self._precision, self._end = precision, 0
        self._negated: list[float] = []  # each step's value, negated, so that bisect sees a rising list
        self._ends: list[int] = []
        self._sums: list[float] = []  # of the envelope up to each step's end

    def extend(self, end: int) -> None:
        negated, ends, sums = self._negated, self._ends, self._sums
        for place, value in enumerate(self._precision[self._end : end].tolist(), self._end + 1):
            while negated and -negated[-1] <= value:
                negated.pop()
                ends.pop()
                sums.pop()
            start, total = (ends[-1], sums[-1]) if ends else (0, 0.0)
            negated.append(-value)
            ends.append(place)
            sums.append(total + (place - start) * value)
        self._end = end

    def from_place(self, start: int, floor: float) -> tuple[float, float]:
        """First term and sum of max(envelope, floor) over start..end - 1."""
        first = bisect_left(self._ends, start + 1)
        higher = bisect_left(self._negated, -floor)  # number of steps above the floor
        if higher <= first:
            return floor, (self._end - start) * floor
        value = -self._negated[first]
        above = (self._ends[first] - start) * value + self._sums[higher - 1] - self._sums[first]
        return value, above + (self._end - self._ends[higher - 1]) * floor
