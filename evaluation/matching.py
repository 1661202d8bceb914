"""COCO's greedy matching of detections to objects, for all frames, categories, area ranges and thresholds at once.

The rules are those of pycocotools' COCOeval.evaluateImg. Per frame and category, detections in order of score take
the object of their category that they overlap best, at least by the threshold, and that no earlier one took:
- of equal overlaps the later object wins; an object to be found is preferred to any that is ignored;
- an ignore region is overlapped by intersection / area of the detection, and may be taken any number of times;
- objects outside the area range count as ignored, though each is taken once only;
- a detection that took an ignored object, or took none and lies outside the area range, is ignored itself.

Only the pairs that overlap enough are looked at. They are worked off in rounds: round r holds the r-th such detection
of every frame and category, none of which compete, so that a round is one pass over arrays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dataset.schema import EVERY_CATEGORY
from evaluation.batch import Batch
from evaluation.overlap import Overlaps, box_area_px2

ANY_AREA_PX2 = (0.0, 1e10)
TRUE, FALSE, IGNORED = 1, 0, -1  # verdicts


@dataclass(frozen=True)
class Matching:
    """What became of the K detections kept, for A area ranges and T thresholds.

    `kept` is ordered by frame, category, then score from high to low.
    """

    kept: np.ndarray  # (K,) int64, flat index of the detection in the batch
    object: np.ndarray  # (A, T, K) int32, flat index of the object taken, -1 none
    verdict: np.ndarray  # (A, T, K) int8: TRUE, FALSE or IGNORED
    wanted: np.ndarray  # (A, G) bool: the object is to be found


@dataclass(frozen=True)
class Outside:
    """What lies outside each of A parts of a batch that are judged on their own, such as COCO's area ranges."""

    objects: np.ndarray  # (A, G) bool, not to be found in that part
    detections: np.ndarray  # (A, D) bool, not false in that part where they take nothing

    @staticmethod
    def areas(batch: Batch, ranges_px2: Sequence[tuple[float, float]]) -> "Outside":
        """Both limits of a range belong to it."""
        low, high = np.asarray(ranges_px2, np.float64).T[:, :, None]  # each (A, 1)
        sizes = (box_area_px2(batch.objects.box_xyxy_px), box_area_px2(batch.detections.box_xyxy_px))
        return Outside(*((area_px2 < low) | (area_px2 > high) for area_px2 in sizes))


def match(
    batch: Batch,
    pairs: Overlaps,
    iou_thresholds: Sequence[float] | np.ndarray,
    area_ranges_px2: Sequence[tuple[float, float]] = (ANY_AREA_PX2,),
    max_detections: int = 100,
    outside: Outside | None = None,
) -> Matching:
    """Match the batch. `max_detections` per frame and category are kept, those of the highest scores.

    outside: other parts than area ranges; objects outside a part are ignored in it as those outside an area range are.
    """
    thresholds = np.minimum(np.asarray(iou_thresholds, np.float64), 1 - 1e-10)  # (T,)
    outside = Outside.areas(batch, area_ranges_px2) if outside is None else outside
    areas = len(outside.objects)
    kept = _best_of_each_category(batch, max_detections)
    detections, objects = batch.detections, batch.objects
    place = np.full(len(detections), -1)  # (D,) index into `kept`
    place[kept] = np.arange(len(kept))

    wanted = ~(outside.objects | objects.ignore)
    object_category = objects.category[pairs.object]
    own_category = (object_category == detections.category[pairs.detection]) | (object_category == EVERY_CATEGORY)
    pairs = pairs.where(own_category & (place[pairs.detection] >= 0) & (pairs.share >= thresholds.min(initial=1)))

    taken_object = np.full((areas, len(thresholds), len(kept)), -1, np.int32)
    verdict = np.where(outside.detections[:, kept], np.int8(IGNORED), np.int8(FALSE))  # of those that take nothing
    verdict = np.repeat(verdict[:, None], len(thresholds), axis=1)
    taken = np.zeros((areas, len(objects), len(thresholds)), bool)
    for place_, object_, share, starts in _rounds(batch, pairs, place, kept):
        count = len(share)
        # A detection's pairs come with the one it prefers first; any object that is wanted before all that are not.
        rank = np.arange(count, dtype=np.int32) + np.int32(count) * ~wanted[:, object_]  # (A, P)
        free = ~taken[:, object_] | objects.ignore[object_, None]  # (A, P, T)
        candidates = np.where(free & (share[:, None] >= thresholds), rank[..., None], np.int32(2 * count))
        best = np.minimum.reduceat(candidates, starts, axis=1)  # (A, detections of the round, T)
        area, _, threshold = np.nonzero(best < 2 * count)
        best = best[best < 2 * count] % count
        object_, place_ = object_[best], place_[best]
        taken[area, object_, threshold] = True
        taken_object[area, threshold, place_] = object_
        verdict[area, threshold, place_] = np.where(wanted[area, object_], TRUE, IGNORED)
    return Matching(kept, taken_object, verdict, wanted)


def _best_of_each_category(batch: Batch, max_detections: int) -> np.ndarray:
    """(K,) flat indices ordered by frame, category and falling score; equal scores stay in the order given."""
    detections = batch.detections
    order = np.lexsort((-detections.score, _group(batch, np.arange(len(detections)))))
    return order[_rank_in_group(_group(batch, order)) < max_detections]


def _group(batch: Batch, detection: np.ndarray) -> np.ndarray:
    """One number for each frame and category. (N,) flat indices -> (N,) int64."""
    return batch.detection_frame[detection] * 2**16 + batch.detections.category[detection]


def _rank_in_group(group: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... within each run of equal numbers. (N,) -> (N,)."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.arange(len(group)) - np.repeat(starts, np.diff(starts, append=len(group)))


def _rounds(
    batch: Batch, pairs: Overlaps, place: np.ndarray, kept: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Each round's pairs: place in `kept`, object, overlap, all (P,), and where each detection's begin."""
    pair_place = place[pairs.detection]
    competing = np.unique(pair_place)  # kept's order: frame, category, falling score
    round_of = np.zeros(len(kept), np.int64)
    round_of[competing] = _rank_in_group(_group(batch, kept[competing]))
    turn = round_of[pair_place] * len(kept) + pair_place
    order = np.lexsort((-pairs.object, -pairs.share, turn))
    object_, share, pair_place = pairs.object[order], pairs.share[order], pair_place[order]
    ends = np.cumsum(np.bincount(round_of[pair_place]))
    for start, end in zip([0, *ends[:-1]], ends, strict=False):
        now = slice(start, end)
        yield pair_place[now], object_[now], share[now], np.flatnonzero(np.diff(pair_place[now], prepend=-1))
