"""Which category the detector takes for which, with 'nothing' as one more category on both sides."""

from pathlib import Path

import numpy as np

from dataset.store import Dataset
from evaluation.batch import Batch, batches
from evaluation.overlap import overlaps

IGNORED_SHARE = 0.5  # of a detection's area: it then counts neither for nor against


def confusion(dataset: Dataset, detections_file: Path, score_limits: np.ndarray, iou_threshold: float) -> np.ndarray:
    """(C + 1, C + 1) int64: rows the labels, columns the detections; the last of each is nothing.

    score_limits: (C,) from which on a detection is believed. Pairs of whatever categories are made one to one, in order
    of score, then of overlap; memory holds one batch of frames.
    """
    size = len(dataset.categories) + 1
    counts = np.zeros((size, size), np.int64)
    for batch in batches(dataset, detections_file):
        labels, answers = _pairs(batch, score_limits, iou_threshold, nothing=size - 1)
        np.add.at(counts, (labels, answers), 1)
    return counts


def _pairs(batch: Batch, score_limits: np.ndarray, iou_threshold: float, nothing: int) -> tuple[np.ndarray, np.ndarray]:
    """Category of label and of detection of each pair, and of whatever has no partner: two (P,) arrays."""
    detections, objects, found = batch.detections, batch.objects, overlaps(batch)
    believed = detections.score >= score_limits[detections.category]
    ignored = objects.ignore[found.object]
    excused = np.zeros(len(detections), bool)
    excused[found.detection[ignored & (found.share >= IGNORED_SHARE)]] = True

    near = found.where(~ignored & believed[found.detection] & (found.share >= iou_threshold))
    partner = np.full(len(detections), -1)
    taken = np.zeros(len(objects), bool)
    for i in np.lexsort((-near.share, near.detection, -detections.score[near.detection])).tolist():
        detection, object_ = near.detection[i], near.object[i]
        if partner[detection] < 0 and not taken[object_]:
            partner[detection], taken[object_] = object_, True

    matched = np.flatnonzero(partner >= 0)
    alone = np.flatnonzero(believed & (partner < 0) & ~excused)
    missed = np.flatnonzero(~taken & ~objects.ignore)
    labels = [objects.category[partner[matched]], np.full(len(alone), nothing), objects.category[missed]]
    answers = [detections.category[matched], detections.category[alone], np.full(len(missed), nothing)]
    return np.concatenate(labels).astype(np.int64), np.concatenate(answers).astype(np.int64)
