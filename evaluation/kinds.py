"""What kind of mistake each wrong detection and each object without one is.

After TIDE (Bolya et al., ECCV 2020), with ignore regions added. A detection that is believed (score at least its
category's threshold) and that matching counts as false is, in this order:

    duplicate           overlaps an object of its category by `iou_threshold`: one that a better detection has found
    localisation        overlaps an object of its category by `background_iou`, but too little to find it
    class               overlaps an object of another category by `iou_threshold`
    both                overlaps an object of another category by `background_iou`
    on-ignore           lies by half or more in an ignored object, of whatever category
    likely-label-error  lies on nothing, with a score of `label_error_score` or more: an object nobody labelled
    background          lies on nothing

A believed detection that matching ignores is on-ignore too. An object that no believed detection found is `missed`,
unless a localisation, class or both failure already stands for it; with a side under `min_side_px` it is a
likely-label-error, as nothing so thin can be seen, found or rendered.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.batch import Batch
from evaluation.failure import FAILURE_KINDS, FailureKind
from evaluation.matching import FALSE, IGNORED, TRUE, Matching
from evaluation.overlap import Overlaps

IGNORED_SHARE = 0.5  # of a detection's area


def kind_code(kind: FailureKind) -> int:
    return FAILURE_KINDS.index(kind)


_MISSED, _LABEL_ERROR, _ON_IGNORE = (kind_code(k) for k in ("missed", "likely-label-error", "on-ignore"))
STANDS_FOR_OBJECT = tuple(kind_code(kind) for kind in ("localisation", "class", "both"))


@dataclass(frozen=True)
class KindRules:
    """The limits that tell the kinds apart. `scores`: the score from which on each category is believed, (C,)."""

    scores: np.ndarray
    iou_threshold: float = 0.5
    background_iou: float = 0.1
    label_error_score: float = 0.9
    min_side_px: float = 4.0


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
    found = np.full(len(batch.detections), False)
    found[matching.kept] = matching.verdict[0, 0] == verdict
    chosen = np.flatnonzero(found & believed(batch, matching, rules))
    return chosen[np.argsort(-batch.detections.score[chosen], kind="stable")]


def classify(batch: Batch, pairs: Overlaps, matching: Matching, rules: KindRules) -> Findings:
    """The failures of a batch. `matching`: of one area range and `rules.iou_threshold`."""
    objects, trusted = batch.objects, believed(batch, matching, rules)
    wrong, ignored = (wrong_detections(batch, matching, rules, verdict) for verdict in (FALSE, IGNORED))
    finder = found_by(batch, matching)
    is_found = (finder >= 0) & trusted[finder]

    on_ignored = objects.ignore[pairs.object]
    same = objects.category[pairs.object] == batch.detections.category[pairs.detection]
    own_share, own = _best(batch, pairs.where(~on_ignored & same))
    other_share, other = _best(batch, pairs.where(~on_ignored & ~same))
    ignored_share, region = _best(batch, pairs.where(on_ignored))

    kind_of = np.select(
        [
            own_share >= rules.iou_threshold,
            own_share >= rules.background_iou,
            other_share >= rules.iou_threshold,
            other_share >= rules.background_iou,
            ignored_share >= IGNORED_SHARE,
            batch.detections.score >= np.float32(rules.label_error_score),
        ],
        [kind_code(kind) for kind in ("duplicate", "localisation", "class", "both", "on-ignore", "likely-label-error")],
        kind_code("background"),
    )
    kind = kind_of[wrong]
    on_own, on_other = own_share >= rules.background_iou, other_share >= rules.background_iou
    on_region = ignored_share >= IGNORED_SHARE
    object_ = np.select([on_own, on_other], [own, other], -1)
    nearest = np.where(own_share >= other_share, own, other)
    partner = np.select([on_own, on_other, on_region], [own, other, region], nearest)
    nearest_share = np.maximum(own_share, other_share)
    share = np.select([on_own, on_other, on_region], [own_share, other_share, ignored_share], nearest_share)

    mended = object_[wrong]
    stands = np.isin(kind, STANDS_FOR_OBJECT) & ~is_found[mended]
    first = np.zeros(len(wrong), bool)
    first[np.flatnonzero(stands)[np.unique(mended[stands], return_index=True)[1]]] = True  # highest score first
    explained = np.zeros(len(objects), bool)
    explained[mended[stands]] = True

    missed = np.flatnonzero(matching.wanted[0] & ~is_found & ~explained)
    side_px = (objects.box_xyxy_px[missed, 2:] - objects.box_xyxy_px[missed, :2]).min(axis=1, initial=np.inf)
    none, no_index = np.zeros(len(ignored), bool), np.full(len(ignored), -1)
    weak = np.concatenate([np.where(first, finder[mended], -1), no_index, finder[missed]])
    findings = Findings(
        kind=np.concatenate(
            [kind, np.full(len(ignored), _ON_IGNORE), np.where(side_px < rules.min_side_px, _LABEL_ERROR, _MISSED)]
        ),
        frame=np.concatenate(
            [batch.detection_frame[wrong], batch.detection_frame[ignored], batch.object_frame[missed]]
        ),
        detection=np.concatenate([wrong, ignored, np.full(len(missed), -1)]),
        object=np.concatenate([mended, no_index, missed]),
        partner=np.concatenate([partner[wrong], region[ignored], np.full(len(missed), -1)]),
        share=np.concatenate([share[wrong], ignored_share[ignored], _weak_share(pairs, finder, missed)]),
        weak=weak,
        recovers=np.concatenate([first, none, np.full(len(missed), True)]),
    )
    order = np.lexsort((findings.object, findings.detection, findings.kind, findings.frame))
    return Findings(**{name: values[order] for name, values in vars(findings).items()})


def _best(batch: Batch, pairs: Overlaps) -> tuple[np.ndarray, np.ndarray]:
    """Each detection's largest overlap, 0 where there is none, and its object, -1: (D,), (D,)."""
    share, object_ = np.zeros(len(batch.detections)), np.full(len(batch.detections), -1)
    order = np.argsort(pairs.share, kind="stable")  # the last assignment stays
    share[pairs.detection[order]] = pairs.share[order]
    object_[pairs.detection[order]] = pairs.object[order]
    return share, object_


def _weak_share(pairs: Overlaps, finder: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Overlap of each missed object with the weak detection that found it, 0 where there is none. (N,) -> (N,)."""
    share = np.zeros(len(finder))
    own = finder[pairs.object] == pairs.detection
    share[pairs.object[own]] = pairs.share[own]
    return share[missed]
