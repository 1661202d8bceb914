"""Which detections overlap which objects of their frame, and how much."""

from dataclasses import dataclass

import numpy as np

from evaluation.batch import Batch


@dataclass(frozen=True)
class Overlaps:
    """The P pairs of a detection and an object of one frame whose boxes share area, of whatever categories."""

    detection: np.ndarray  # (P,) int64, flat index into the batch
    object: np.ndarray  # (P,) int64, flat index into the batch
    share: np.ndarray  # (P,) float64: IoU; for an ignored object, intersection / area of the detection

    def where(self, keep: np.ndarray) -> "Overlaps":
        return Overlaps(self.detection[keep], self.object[keep], self.share[keep])


def overlaps(batch: Batch) -> Overlaps:
    """Every overlapping pair of the batch, ordered by detection, then object.

    Computed from xywh as pycocotools' bbIou does, since the last bit decides ties and limits.
    """
    objects_of_frame = np.bincount(batch.object_frame, minlength=len(batch.frames))
    detection, object_ = pairs_within_frames(batch.detection_frame, objects_of_frame)
    # Most boxes of a frame lie beside one another: those are told apart by two numbers each.
    beside = _beside(batch.detections.box_xyxy_px, batch.objects.box_xyxy_px, detection, object_)
    detection, object_ = detection[~beside], object_[~beside]
    ignored = batch.objects.ignore[object_]
    share = pair_shares(batch.detections.box_xyxy_px[detection], batch.objects.box_xyxy_px[object_], ignored)
    touching = share > 0
    return Overlaps(detection, object_, share).where(touching)


def _beside(
    box_xyxy_px: np.ndarray, other_xyxy_px: np.ndarray, index: np.ndarray, other_index: np.ndarray
) -> np.ndarray:
    """No column of pixels is in both box[index] and other[other_index]. (N, 4), (M, 4), (P,), (P,) -> (P,) bool."""
    left, other_left = box_xyxy_px[:, 0], other_xyxy_px[:, 0]
    right = left + (box_xyxy_px[:, 2] - left)  # as pair_shares has it, to the last bit
    other_right = other_left + (other_xyxy_px[:, 2] - other_left)
    return (right[index] <= other_left[other_index]) | (other_right[other_index] <= left[index])


def pairs_within_frames(frame: np.ndarray, others_of_frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a thing and another of its frame: (N,), (F,) -> two (P,) int64 arrays of flat indices.

    `frame`: of each thing, in any order. `others_of_frame`: how many others each frame has; they lie in frame order.
    """
    first_other = np.cumsum(others_of_frame) - others_of_frame
    partners = others_of_frame[frame]
    thing = np.repeat(np.arange(len(frame)), partners)
    first_pair = np.cumsum(partners) - partners
    other = np.arange(len(thing)) - np.repeat(first_pair - first_other[frame], partners)
    return thing, other


def pair_shares(box_xyxy_px: np.ndarray, other_xyxy_px: np.ndarray, of_first: np.ndarray) -> np.ndarray:
    """Overlap of box i with other i: (P, 4), (P, 4) -> (P,). IoU, or share of the first box's area where `of_first`."""
    origin, size = box_xyxy_px[:, :2], box_xyxy_px[:, 2:] - box_xyxy_px[:, :2]
    other_origin, other_size = other_xyxy_px[:, :2], other_xyxy_px[:, 2:] - other_xyxy_px[:, :2]
    common = np.minimum(origin + size, other_origin + other_size) - np.maximum(origin, other_origin)
    common = np.maximum(common, 0)
    intersection = common[:, 0] * common[:, 1]
    area, other_area = size[:, 0] * size[:, 1], other_size[:, 0] * other_size[:, 1]
    whole = np.where(of_first, area, area + other_area - intersection)
    return np.divide(intersection, whole, out=np.zeros_like(intersection), where=intersection > 0)


def box_area_px2(box_xyxy_px: np.ndarray) -> np.ndarray:
    """(N, 4) -> (N,)."""
    return (box_xyxy_px[:, 2] - box_xyxy_px[:, 0]) * (box_xyxy_px[:, 3] - box_xyxy_px[:, 1])
