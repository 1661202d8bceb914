"""What a failure costs: by how much the area under the precision-recall curve grows when it alone is mended.

Mending means, at the IoU threshold the failures were mined with:
    background, duplicate, label error  the false positive goes
    localisation                        the false positive finds its object, at its own score
    class, both                         it goes from its category, and finds its object in the object's category, at
                                        the same score; the two gains are added
    missed                              the object is found with the median score of its category's believed hits
    on-ignore                           nothing, where matching ignores the detection
Where the object is found already, by a believed detection or for an earlier failure, the false positive only goes.
Where a detection below its category's threshold has found the object, it goes as the object is found at its better
place. A gain of 0.01 in one category of three is 0.0033 of mAP at that threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.batch import Batch, take
from evaluation.curve import Area, Curve
from evaluation.kinds import Findings


@dataclass(frozen=True)
class Changes:
    """E changes to the categories' curves; a failure has none, one or two. Ranks as in Area.gains, -1 none."""

    failure: np.ndarray  # (E,) int32, row of the failure
    category: np.ndarray  # (E,) int16
    dropped: np.ndarray  # (E,) int32
    inserted: np.ndarray  # (E,) int32
    moved: np.ndarray  # (E,) int32

    @staticmethod
    def none() -> "Changes":
        ranks = np.zeros(0, np.int32)
        return Changes(ranks, np.zeros(0, np.int16), ranks, ranks, ranks)

    @staticmethod
    def joined(parts: Sequence["Changes"]) -> "Changes":
        return Changes(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def changes(
    batch: Batch, findings: Findings, rank: np.ndarray, curves: Sequence[Curve], typical_ranks: np.ndarray, first: int
) -> Changes:
    """How the curves change when each finding is mended.

    `rank` (D,): each detection's rank in its category's curve, -1 where it does not count. `typical_ranks` (C,): where
    a missed object of each category is found once mended. `first`: row of the first finding in the failure table.
    """
    n = np.arange(len(findings))
    detected = findings.detection >= 0
    own_category = take(batch.detections.category, findings.detection, -1)
    object_category = take(batch.objects.category, findings.object, -1)
    score = take(batch.detections.score, findings.detection, np.nan)
    dropped, moved = take(rank, findings.detection, -1), take(rank, findings.weak, -1)

    inserted = np.full(len(n), -1)
    for category in np.unique(object_category[findings.recovers]).tolist():
        mine = findings.recovers & (object_category == category)
        inserted[mine] = np.where(detected, curves[category].rank_of_score(score), typical_ranks[category])[mine]
    in_place = findings.recovers & detected & (own_category == object_category)  # localisation
    inserted[in_place] = dropped[in_place]
    # A wrong detection of another category may score less than the object's own one, which then stays where it is.
    inserted[(moved >= 0) & (moved < inserted)] = -1
    moved[inserted < 0] = -1

    drops = n[(dropped >= 0) & ~in_place]
    inserts = n[inserted >= 0]
    nothing = np.full(len(drops), -1)
    return Changes(
        failure=(first + np.concatenate([drops, inserts])).astype(np.int32),
        category=np.concatenate([own_category[drops], object_category[inserts]]).astype(np.int16),
        dropped=np.concatenate([dropped[drops], np.where(in_place, dropped, -1)[inserts]]).astype(np.int32),
        inserted=np.concatenate([nothing, inserted[inserts]]).astype(np.int32),
        moved=np.concatenate([nothing, moved[inserts]]).astype(np.int32),
    )


def costs(curves: Sequence[Curve], found: Changes, failures: int) -> np.ndarray:
    """Cost of each failure, exact, as an area of 0-1: (failures,) float64. A curve of J hits takes O(J + E log J)."""
    cost = np.zeros(failures)
    for category, curve in enumerate(curves):
        mine = found.category == category
        gains = Area(curve).gains(found.dropped[mine], found.inserted[mine], found.moved[mine])
        np.add.at(cost, found.failure[mine], gains)
    return cost
