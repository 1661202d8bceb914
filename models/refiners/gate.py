"""The label gate: a refined image is used only where its labels still hold.

An image that fails is blended back towards the render it was made from, by the largest share of a short list that
passes, or is dropped. Refining is never worth a wrong label: a car that turned into road teaches the detector to miss.
Objects that nothing can judge (too small, and not found in the render) are no labels of a refined image any more, but
ignore regions: nobody knows whether a far pedestrian is still there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dataset.errors import InputError
from dataset.schema import Detections, Objects
from models.detector.predict import Detector

from .config import GateConfig
from .preservation import SENSED, Found, Preserved, found, preserved

Outcome = Literal["keep", "blend", "drop"]
Find = Callable[[list[np.ndarray]], list[Detections]]


@dataclass(frozen=True)
class Judged:
    """The verdict on one refined image."""

    outcome: Outcome
    image: np.ndarray | None  # (H, W, 3) uint8 to be used, None where it is dropped
    share: float  # of the refined image in `image`: 1 where it was kept, 0 where it was dropped
    faults: tuple[str, ...]  # of the refined image as it came; empty where it was kept
    refined: Preserved  # the refined image as it came
    used: Preserved | None  # the image to be used
    labels: Objects  # of the image to be used: the source's, ignored where nothing could judge them


class LabelGate:
    """Judges refined images with a detector's help.

    find: what the detector says of images (H, W, 3) uint8, in categories of the objects' numbering.
    """

    def __init__(self, find: Find, config: GateConfig):
        self._find, self.config = find, config

    @staticmethod
    def of_checkpoint(
        path: Path, categories: Sequence[str], config: GateConfig, device: str | None = None
    ) -> "LabelGate":
        """With a detector of exactly these categories, else InputError. It must not have trained on refined images."""
        detector = Detector.load(path, device)
        if detector.categories != tuple(categories):
            problem = f"it detects {list(detector.categories)}, the images are labelled with {list(categories)}"
            raise InputError(path, problem, "give a detector of the same categories in the same order")
        return LabelGate(lambda images: detector.detect(images, min_score=SENSED * config.min_score), config)

    def judge(
        self, sources: Sequence[np.ndarray], refined: Sequence[np.ndarray], objects: Sequence[Objects]
    ) -> list[Judged]:
        """A batch of images, each (H, W, 3) uint8 of the size of its source. InputError where a size differs."""
        for i, (source, image) in enumerate(zip(sources, refined, strict=True)):
            if source.shape != image.shape:
                problem = f"its shape {image.shape} differs from {source.shape} of its source"
                raise InputError(f"refined image {i} of the batch", problem, "refine without resizing")
        before = self._found(sources, objects)
        first = self._preserved(sources, refined, objects, before)
        labels = [sure_of(given, as_came) for given, as_came in zip(objects, first, strict=True)]
        verdicts: list[Judged | None] = [
            Judged("keep", image, 1.0, (), as_came, as_came, sure) if not faults(as_came, self.config) else None
            for image, as_came, sure in zip(refined, first, labels, strict=True)
        ]
        for share in self.config.blends:
            failed = [i for i, verdict in enumerate(verdicts) if verdict is None]
            mixed = [blended(sources[i], refined[i], share) for i in failed]
            theirs = self._preserved(
                [sources[i] for i in failed], mixed, [objects[i] for i in failed], [before[i] for i in failed]
            )
            for i, image, now in zip(failed, mixed, theirs, strict=True):
                if not faults(now, self.config):
                    verdicts[i] = Judged("blend", image, share, faults(first[i], self.config), first[i], now, labels[i])
        return [
            verdict or Judged("drop", None, 0.0, faults(as_came, self.config), as_came, None, sure)
            for verdict, as_came, sure in zip(verdicts, first, labels, strict=True)
        ]

    def _preserved(
        self,
        sources: Sequence[np.ndarray],
        images: Sequence[np.ndarray],
        objects: Sequence[Objects],
        before: Sequence[Found],
    ) -> list[Preserved]:
        after = self._found(images, objects)
        return [preserved(*values) for values in zip(sources, images, objects, before, after, strict=True)]

    def _found(self, images: Sequence[np.ndarray], objects: Sequence[Objects]) -> list[Found]:
        if not images:
            return []
        told = self._find(list(images))
        score, iou = self.config.min_score, self.config.min_iou
        return [found(labels, says, score, iou) for labels, says in zip(objects, told, strict=True)]


def sure_of(objects: Objects, now: Preserved) -> Objects:
    """The objects of an image, those that nothing could judge as ignore regions."""
    ignore = objects.ignore.copy()
    ignore[~objects.ignore] = now.unjudged
    return replace(objects, ignore=ignore)


def faults(now: Preserved, config: GateConfig) -> tuple[str, ...]:
    """In which respects an image fails, in words; empty where it passes. Unknown values (no objects) never fail."""
    allowed_change = config.max_change_ratio * np.nan_to_num(now.background_change) + config.change_slack
    failed = {
        "objects lost": now.lost > config.max_lost * now.found_before,
        "boxes moved": now.iou_drop > config.max_iou_drop,
        "new detections": now.after.spurious - now.before.spurious > config.max_new_detections,
        "edges changed": now.edge_f1 < config.min_edge_f1,
        "objects' edges changed": now.worst_edge_f1 < config.min_object_edge_f1,
        "objects repainted": now.worst_change > allowed_change,
    }
    return tuple(fault for fault, here in failed.items() if here)


def blended(source: np.ndarray, refined: np.ndarray, share: float) -> np.ndarray:
    """`share` of the refined image over its source: uint8, rounded."""
    mixed = source + share * (refined.astype(np.float32) - source)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
