"""What a refiner did to the things that an image's labels speak of: are they still there, where they were?

Three independent witnesses, as none is enough: a detector (weak ones see little), edges (colours may change, outlines
not), and where the picture changed (a repainted object changes more than the street around it).
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from scipy.ndimage import binary_dilation, gaussian_filter, sobel
from torchvision.ops import box_iou

from dataset.schema import EVERY_CATEGORY, Detections, Objects

LUMA = np.array([0.299, 0.587, 0.114]) / 255
EDGE_SIGMA_PX = 1.0
EDGE_SHARE = 0.1  # of the pixels, those of the steepest gradients: an image of less contrast keeps its edges
FLAT = 0.002  # a gradient of luma a pixel that is no edge however few others there are
TOLERANCE_PX = 2  # by which an edge may move
MIN_OBJECT_PX2 = 150  # smaller objects have too few pixels to tell their own change from that of the street
NO_CONTRAST = 1e-6  # variance of luma below which a gain cannot be told
ROOM = 0.1  # of a box's size: its object's outline lies on both sides of the border
# Of the score that counts: an object whose detection falls from just above it to just below it is not lost. Without
# such room, invisible noise lost an object in 4 of 14 renders.
SENSED = 0.5
IGNORED_SHARE = 0.5  # of a detection inside an ignore region, from which on it says nothing
Pixels: TypeAlias = tuple[slice, slice]  # of rows and of columns
ALL_PIXELS: Pixels = (slice(None), slice(None))


@dataclass(frozen=True)
class Found:
    """What a detector made of one image's N labelled objects."""

    iou: np.ndarray  # (N,) float32 overlap with the detection that took the object, 0 where none did
    sensed: np.ndarray  # (N,) bool, found, or taken by a detection of at least SENSED of the score that counts
    spurious: int  # detections that took nothing and lie in no ignore region


@dataclass(frozen=True)
class Preserved:
    """One image's N labelled objects before and after; ignore regions are left out.

    What is told of each object is NaN for those too small to tell (MIN_OBJECT_PX2).
    """

    category: np.ndarray  # (N,) int16
    before: Found
    after: Found
    edge_f1: float  # 0-1, of the whole image; 1 where neither image has an edge
    object_edge_f1: np.ndarray  # (N,) in and around each box
    object_change: np.ndarray  # (N,) mean change of luma in each box, 0-1, beyond the background's gain and offset
    background_change: float  # the same outside all boxes; NaN where they cover the image

    @property
    def worst_edge_f1(self) -> float:
        """Of the object that agrees least; NaN where there is none."""
        return min(self.object_edge_f1[~np.isnan(self.object_edge_f1)].tolist(), default=float("nan"))

    @property
    def worst_change(self) -> float:
        """Of the object that changed most; NaN where there is none."""
        return max(self.object_change[~np.isnan(self.object_change)].tolist(), default=float("nan"))

    @property
    def unjudged(self) -> np.ndarray:
        """(N,) bool: objects too small for edges and change, of which the detector did not know before either."""
        return np.isnan(self.object_change) & (self.before.iou == 0)

    @property
    def found_before(self) -> int:
        return int((self.before.iou > 0).sum())

    @property
    def lost(self) -> int:
        """Objects that the detector found before and does not even sense now."""
        return int(((self.before.iou > 0) & ~self.after.sensed).sum())

    @property
    def iou_drop(self) -> float:
        """By how much the mean overlap of the objects that were found both times has fallen; 0 where there is none."""
        both = (self.before.iou > 0) & (self.after.iou > 0)
        return float((self.before.iou[both] - self.after.iou[both]).mean()) if both.any() else 0.0


def found(objects: Objects, detections: Detections, min_score: float, min_iou: float) -> Found:
    """Greedy matching within categories, the strongest detection first, each object taken once. All objects labelled
    `ignore` are regions where detections do not count."""
    told = detections.where(detections.score >= SENSED * min_score)
    told = told.where(np.argsort(-told.score, kind="stable"))
    counts = told.score >= min_score
    overlap = box_iou(torch.from_numpy(told.box_xyxy_px), torch.from_numpy(objects.box_xyxy_px)).numpy()  # (D, M)
    fits = (objects.category == told.category[:, None]) & ~objects.ignore & (overlap >= min_iou)
    iou, sensed = np.zeros(len(objects), np.float32), np.zeros(len(objects), bool)
    took = np.zeros(len(told), bool)
    for i, candidates in enumerate(np.where(fits, overlap, 0.0)):
        candidates = candidates * ~sensed
        if len(candidates) and candidates.max() > 0:
            best = int(candidates.argmax())
            iou[best], sensed[best], took[i] = candidates[best] * counts[i], True, True
    spurious = counts & ~took & ~_in_ignore_region(objects, told)
    return Found(iou[~objects.ignore], sensed[~objects.ignore], int(spurious.sum()))


def _in_ignore_region(objects: Objects, detections: Detections) -> np.ndarray:
    """(D,) bool."""
    regions = objects.where(objects.ignore)
    own = (regions.category == detections.category[:, None]) | (regions.category == EVERY_CATEGORY)
    low = np.maximum(detections.box_xyxy_px[:, None, :2], regions.box_xyxy_px[:, :2])
    high = np.minimum(detections.box_xyxy_px[:, None, 2:], regions.box_xyxy_px[:, 2:])
    common = np.maximum(high - low, 0).prod(-1)
    area = (detections.box_xyxy_px[:, 2:] - detections.box_xyxy_px[:, :2]).prod(-1)
    return (own & (common >= IGNORED_SHARE * area[:, None])).any(axis=1)


def preserved(source: np.ndarray, refined: np.ndarray, objects: Objects, before: Found, after: Found) -> Preserved:
    """source, refined: (H, W, 3) uint8 of one size; `before`, `after` from `found` on each."""
    labelled = objects.where(~objects.ignore)
    boxes = _pixels(labelled.box_xyxy_px, source.shape, 0)
    around = _pixels(labelled.box_xyxy_px, source.shape, ROOM)
    old, new = source @ LUMA, refined @ LUMA
    background = np.ones(old.shape, bool)
    for box in boxes:
        background[box] = False
    agreement, change = EdgeAgreement(edges(old), edges(new)), _change(old, new, background)
    large = [change[box].size >= MIN_OBJECT_PX2 for box in boxes]
    return Preserved(
        labelled.category,
        before,
        after,
        agreement.f1(),
        np.array([agreement.f1(box) if told else np.nan for box, told in zip(around, large, strict=True)]),
        np.array([change[box].mean() if told else np.nan for box, told in zip(boxes, large, strict=True)]),
        float(change[background].mean()) if background.any() else float("nan"),
    )


def edges(luma: np.ndarray) -> np.ndarray:
    """(H, W) 0-1 -> (H, W) bool: the steepest EDGE_SHARE of the pixels, as far as they are no flat ones."""
    smooth = gaussian_filter(luma, EDGE_SIGMA_PX)
    steepness = np.hypot(sobel(smooth, 0), sobel(smooth, 1)) / 8
    return steepness > max(float(np.quantile(steepness, 1 - EDGE_SHARE)), FLAT)


class EdgeAgreement:
    """Which edges of two images, (H, W) bool each, lie near one of the other: within TOLERANCE_PX along each axis."""

    def __init__(self, old: np.ndarray, new: np.ndarray):
        square = np.ones((2 * TOLERANCE_PX + 1,) * 2, bool)
        self._sides = [(ours, ours & binary_dilation(theirs, square)) for ours, theirs in ((new, old), (old, new))]

    def f1(self, part: Pixels = ALL_PIXELS) -> float:
        """Harmonic mean of the shares of new edges near old ones and of old edges near new ones, 0-1, of the edges in
        `part`; those they lie near may be outside it. 1 where neither image has an edge there."""
        (new, new_near), (old, old_near) = (tuple(int(edge[part].sum()) for edge in side) for side in self._sides)
        if new == old == 0:
            return 1.0
        if new_near == 0 or old_near == 0:
            return 0.0
        precision, recall = new_near / new, old_near / old
        return 2 * precision * recall / (precision + recall)


def _pixels(box_xyxy_px: np.ndarray, shape: tuple[int, ...], room: float) -> list[Pixels]:
    """Of each box grown by `room` of its size on each side: the pixels whose centres lie in it."""
    grow = room * (box_xyxy_px[:, 2:] - box_xyxy_px[:, :2])
    low = np.ceil(np.maximum(box_xyxy_px[:, :2] - grow, 0) - 0.5).astype(int).clip(0)
    high = np.ceil(np.minimum(box_xyxy_px[:, 2:] + grow, shape[1::-1]) - 0.5).astype(int)
    ends = zip(low.tolist(), high.tolist(), strict=True)
    return [(slice(top, bottom), slice(left, right)) for (left, top), (right, bottom) in ends]


def _change(old: np.ndarray, new: np.ndarray, background: np.ndarray) -> np.ndarray:
    """What of the change the gain and offset of the background do not explain: (H, W) >= 0.

    Of the background, so that an object painted over does not bend the fit; of everything where there is none.
    """
    fitted = background if background.any() else np.ones_like(background)
    from_mean, to_mean = old[fitted].mean(), new[fitted].mean()
    variance = old[fitted].var()
    gain = ((old[fitted] - from_mean) * (new[fitted] - to_mean)).mean() / variance if variance > NO_CONTRAST else 1.0
    return np.abs(new - to_mean - gain * (old - from_mean))
