"""What kind of mistake each wrong detection and each object without one is.

After TIDE (Bolya et al., ECCV 2020), with ignore regions added. A detection that is believed (score at least its
category's threshold) and that matching counts as false is, in this order:

    duplicate           overlaps an object of its category by `iou_threshold`: one that a better detection has found
    localisation        overlaps an object of its category by `background_iou`, but too little to find it
    class               overlaps an object of another category by `iou_threshold`
    both                overlaps an object of another category by `background_iou`
    on-ignore           lies by half or more in an ignored object, of whatever category
    likely-label-error  lies on nothing, with a score of `label_error_scores` or more: an object nobody labelled
    background          lies on nothing

A believed detection that matching ignores is on-ignore too. An object that no believed detection found is `missed`,
unless a localisation, class or both failure already stands for it; with a side under `min_side_px` it is a
likely-label-error, as nothing so thin can be seen, found or rendered.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.batch import Batch, take
from evaluation.failure import FAILURE_KINDS, FailureKind
from evaluation.matching import FALSE, IGNORED, TRUE, Matching
from evaluation.overlap import Overlaps

IGNORED_SHARE = 0.5  # of a detection's area


def kind_code(kind: FailureKind) -> int:
    return FAILURE_KINDS.index(kind)


STANDS_FOR_OBJECT = tuple(kind_code(kind) for kind in ("localisation", "class", "both"))


@dataclass(frozen=True)
class KindRules:
    """The limits that tell the kinds apart."""

    scores: np.ndarray  # (C,) from which on a detection of each category is believed
    label_error_scores: np.ndarray  # (C,)
    iou_threshold: float
    background_iou: float
    min_side_px: float


@dataclass(frozen=True)
class Findings:
    """The N failures of a batch, ordered by frame. Detections and objects are flat indices, -1 where there is none."""

    kind: np.ndarray  # (N,) int64, index into FAILURE_KINDS
    frame: np.ndarray  # (N,) int64, 0 to F - 1
    detection: np.ndarray  # (N,) the wrong detection; -1 where the object was missed
    object: np.ndarray  # (N,) the object missed, or found wrongly or twice
    partner: np.ndarray  # (N,) object, ignored or not, that the detection overlaps best
    share: np.ndarray  # (N,) float64, overlap with the partner; of a weak detection, with its object
    weak: np.ndarray  # (N,) the detection below its threshold that found the object nevertheless
    recovers: np.ndarray  # (N,) bool: mending this failure finds an object that was not found

    def __len__(self) -> int:
        return len(self.kind)


def believed(batch: Batch, matching: Matching, rules: KindRules) -> np.ndarray:
    """(D,) bool: kept, and of a score at or above its category's threshold."""
    found = np.zeros(len(batch.detections), bool)
    scores = np.asarray(rules.scores, np.float32)[batch.detections.category[matching.kept]]
    found[matching.kept] = batch.detections.score[matching.kept] >= scores
    return found


def found_by(batch: Batch, matching: Matching) -> np.ndarray:
    """(G,) the detection that found each object, -1 none; of the first area range and threshold."""
    finder = np.full(len(batch.objects), -1)
    true = matching.verdict[0, 0] == TRUE
    finder[matching.object[0, 0, true]] = matching.kept[true]
    return finder


def wrong_detections(batch: Batch, matching: Matching, rules: KindRules, verdict: int = FALSE) -> np.ndarray:
    """(N,) the believed detections of this verdict, by falling score."""
    given = np.zeros(len(batch.detections), bool)
    given[matching.kept] = matching.verdict[0, 0] == verdict
    chosen = np.flatnonzero(given & believed(batch, matching, rules))
    return chosen[np.argsort(-batch.detections.score[chosen], kind="stable")]


def classify(batch: Batch, pairs: Overlaps, matching: Matching, rules: KindRules) -> Findings:
    """The failures of a batch. `matching`: its first area range is all, its first threshold `rules.iou_threshold`."""
    finder = found_by(batch, matching)
    is_found = take(believed(batch, matching, rules), finder, False)
    wrong = _wrong(batch, pairs, wrong_detections(batch, matching, rules), finder, is_found, rules)
    absorbed = _absorbed(batch, pairs, wrong_detections(batch, matching, rules, IGNORED))
    stood_for = wrong.object[np.isin(wrong.kind, STANDS_FOR_OBJECT)]
    unfound = matching.wanted[0] & ~is_found
    unfound[stood_for] = False
    missed = _missed(batch, pairs, np.flatnonzero(unfound), finder, rules)
    parts = [wrong, absorbed, missed]
    findings = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(wrong)}
    order = np.lexsort([findings[name] for name in ("object", "detection", "kind", "frame")])
    return Findings(**{name: values[order] for name, values in findings.items()})


def _wrong(
    batch: Batch, pairs: Overlaps, wrong: np.ndarray, finder: np.ndarray, is_found: np.ndarray, rules: KindRules
) -> Findings:
    """The failures of the wrong detections, given by falling score."""
    ignored = batch.objects.ignore[pairs.object]
    same = batch.objects.category[pairs.object] == batch.detections.category[pairs.detection]
    own = _best(batch, pairs.where(~ignored & same), wrong)
    other = _best(batch, pairs.where(~ignored & ~same), wrong)
    region = _best(batch, pairs.where(ignored), wrong)
    nearest = own.where_better(other)

    label_error_score = np.asarray(rules.label_error_scores, np.float32)[batch.detections.category[wrong]]
    touches_own, touches_other = own.share >= rules.background_iou, other.share >= rules.background_iou
    tests: list[tuple[FailureKind, np.ndarray]] = [
        ("duplicate", own.share >= rules.iou_threshold),
        ("localisation", touches_own),
        ("class", other.share >= rules.iou_threshold),
        ("both", touches_other),
        ("on-ignore", region.share >= IGNORED_SHARE),
        ("likely-label-error", batch.detections.score[wrong] >= label_error_score),
    ]
    decided = [test for _, test in tests]
    kind = np.select(decided, [kind_code(name) for name, _ in tests], kind_code("background"))
    where = [touches_own, touches_other, region.share >= IGNORED_SHARE]
    object_ = np.select(where[:2], [own.object, other.object], -1)

    stands = np.flatnonzero(np.isin(kind, STANDS_FOR_OBJECT) & ~take(is_found, object_, True))
    recovers = np.zeros(len(wrong), bool)
    recovers[stands[np.unique(object_[stands], return_index=True)[1]]] = True  # the first has the highest score
    return Findings(
        kind=kind,
        frame=batch.detection_frame[wrong],
        detection=wrong,
        object=object_,
        partner=np.select(where, [own.object, other.object, region.object], nearest.object),
        share=np.select(where, [own.share, other.share, region.share], nearest.share),
        weak=np.where(recovers, take(finder, object_, -1), -1),
        recovers=recovers,
    )


def _absorbed(batch: Batch, pairs: Overlaps, absorbed: np.ndarray) -> Findings:
    """The failures of the detections that matching gave to an ignored object."""
    region = _best(batch, pairs.where(batch.objects.ignore[pairs.object]), absorbed)
    none = np.full(len(absorbed), -1)
    return Findings(
        kind=np.full(len(absorbed), kind_code("on-ignore")),
        frame=batch.detection_frame[absorbed],
        detection=absorbed,
        object=none,
        partner=region.object,
        share=region.share,
        weak=none,
        recovers=none >= 0,
    )


def _missed(batch: Batch, pairs: Overlaps, missed: np.ndarray, finder: np.ndarray, rules: KindRules) -> Findings:
    """The failures of the objects that nothing found, and no other failure stands for."""
    boxes = batch.objects.box_xyxy_px[missed]
    too_thin = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) < rules.min_side_px
    by_weak = finder[pairs.object] == pairs.detection
    weak_share = np.zeros(len(batch.objects))
    weak_share[pairs.object[by_weak]] = pairs.share[by_weak]
    none = np.full(len(missed), -1)
    return Findings(
        kind=np.where(too_thin, kind_code("likely-label-error"), kind_code("missed")),
        frame=batch.object_frame[missed],
        detection=none,
        object=missed,
        partner=none,
        share=weak_share[missed],
        weak=finder[missed],
        recovers=none < 0,
    )


@dataclass(frozen=True)
class _Nearest:
    """Of some detections: the largest overlap, 0 where there is none, and its object, -1 where there is none."""

    share: np.ndarray
    object: np.ndarray

    def where_better(self, other: "_Nearest") -> "_Nearest":
        """Of each detection the larger overlap of the two."""
        better = self.share >= other.share
        return _Nearest(np.where(better, self.share, other.share), np.where(better, self.object, other.object))


def _best(batch: Batch, pairs: Overlaps, detections: np.ndarray) -> _Nearest:
    share, object_ = np.zeros(len(batch.detections)), np.full(len(batch.detections), -1)
    order = np.argsort(pairs.share, kind="stable")  # the last assignment stays
    share[pairs.detection[order]] = pairs.share[order]
    object_[pairs.detection[order]] = pairs.object[order]
    return _Nearest(share[detections], object_[detections])
