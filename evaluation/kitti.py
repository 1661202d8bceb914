"""KITTI's official 2D object benchmark: average precision of car, pedestrian and cyclist, easy to hard.

The rules are those of the devkit's evaluate_object.cpp (devkit_object, with the corrections of April 2017 and the 40
recall positions of 2019). Objects beyond a difficulty's limits, and the neighbouring categories Van and
Person_sitting, count neither way; DontCare regions absorb what no object takes; kitti_matching.py has the assignment.

What our store must hold for it: names as KITTI has them, in any case (a Van mapped to "ignore" would be a DontCare
region and excuse any number of detections), and KITTI's occlusion levels, which `occlusion_levels` recovers from the
shares. Truncations compare in the store's float32, so that 0.15 is not above the limit 0.15.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.detections import read_categories
from dataset.errors import InputError
from dataset.readers.kitti import occlusion_levels
from dataset.store import Dataset
from evaluation.batch import Batch, joined_batches
from evaluation.kitti_matching import Candidates, kitti_pairs

RECALL_STEPS = 40
ABSENT = -2  # the number of a category that is not there


@dataclass(frozen=True)
class Difficulty:
    """Objects within all three limits are to be found."""

    name: str
    min_height_px: int
    max_occlusion_level: int
    max_truncation: float


DIFFICULTIES = (
    Difficulty("easy", 40, 0, 0.15),
    Difficulty("moderate", 25, 1, 0.30),
    Difficulty("hard", 25, 2, 0.50),
)
# judged category -> (overlap that a detection must exceed, neutral neighbour)
JUDGED = {"car": (0.7, "van"), "pedestrian": (0.5, "person_sitting"), "cyclist": (0.5, None)}


@dataclass(frozen=True)
class KittiAP:
    """One category at one difficulty; shares 0-1, NaN where no object is to be found."""

    category: str
    difficulty: str
    objects: int
    r40: float  # mean precision at recall 1/40, 2/40 ... 1
    r11: float  # at recall 0, 0.1 ... 1, the benchmark's figure before October 2019
    precision: np.ndarray  # (41,) at recall 0, 1/40 ... 1


def evaluate_kitti(ds: Dataset, detections_file: Path) -> list[KittiAP]:
    """KITTI's figures for each judged category that the detections know, by difficulty.

    Categories are compared by name, so the data set may have ones that the detector lacks (Van, Person_sitting).
    Memory: one batch of frames, about 30 bytes a detection of the judged categories, and the pairs that overlap.
    Raises InputError where no category is judged by KITTI, no occlusion is known, or the frames do not fit.
    """
    labels, detected = _by_name(ds.categories), _by_name(read_categories(detections_file))
    judged = [name for name in JUDGED if name in labels and name in detected]
    if not judged:
        problem = f"labels {', '.join(labels)} and detections {', '.join(detected)} share none of {', '.join(JUDGED)}"
        raise InputError(detections_file, problem, "map your categories onto these, or evaluate with --rules coco")
    return kitti_ap(joined_batches(ds, detections_file), judged, labels, detected)


def kitti_ap(
    found: Iterable[Batch], judged: Sequence[str], labels: dict[str, int], detected: dict[str, int]
) -> list[KittiAP]:
    """The same of batches. labels, detected: number of each category by its name in small letters."""
    parts: dict[str, list[Candidates]] = {name: [] for name in judged}
    objects = known = 0
    for batch in found:
        wanted, low = _wanted(batch), _low(batch)
        objects += len(batch.objects)
        known += np.count_nonzero(np.isfinite(batch.objects.occlusion))
        pairs = kitti_pairs(batch)
        for name in judged:
            limit, neighbour = JUDGED[name]
            numbers = (labels.get(name, ABSENT), labels.get(neighbour or "", ABSENT), detected.get(name, ABSENT))
            parts[name].append(Candidates.of(batch, pairs, *numbers, limit, wanted, low))
    if objects and not known:
        problem = f"of {objects} objects no occlusion is known, without which KITTI judges none"
        raise InputError("the labels", problem, "give data that has it, or evaluate with --rules coco")
    return [_ap(name, level, parts[name]) for name in judged for level in range(len(DIFFICULTIES))]


def to_dict(figures: Iterable[KittiAP]) -> dict[str, float]:
    """Flat: {"R40/car/moderate": ..., "R11/car/moderate": ..., "objects/car/moderate": ...}."""
    flat = {}
    for found in figures:
        name = f"{found.category}/{found.difficulty}"
        flat |= {f"R40/{name}": found.r40, f"R11/{name}": found.r11, f"objects/{name}": float(found.objects)}
    return flat


def _by_name(categories: Sequence[str]) -> dict[str, int]:
    return {name.lower(): index for index, name in enumerate(categories)}


def _wanted(batch: Batch) -> np.ndarray:
    """(difficulties, G) bool: within the limits; a truncation that is not known is within."""
    objects = batch.objects
    height_px = objects.box_xyxy_px[:, 3] - objects.box_xyxy_px[:, 1]
    level = occlusion_levels(objects.occlusion)
    beyond = [
        (level > d.max_occlusion_level)
        | (objects.truncation > np.float32(d.max_truncation))
        | (height_px < d.min_height_px)
        for d in DIFFICULTIES
    ]
    return ~np.array(beyond)


def _low(batch: Batch) -> np.ndarray:
    """(difficulties, D) bool. The devkit cuts heights to whole pixels, which limits in whole pixels do not notice."""
    box = batch.detections.box_xyxy_px
    height_px = np.abs(box[:, 3] - box[:, 1])
    return np.array([height_px < d.min_height_px for d in DIFFICULTIES])


def score_thresholds(scores: np.ndarray, objects: int) -> np.ndarray:
    """At most 41 of the scores of found objects, (N,) -> (T,): those that come nearest to recall 0, 1/40 ... 1.

    The devkit's getThresholds(), its sums in its order: another order of rounding may choose another score.
    """
    falling = np.sort(scores)[::-1]
    chosen: list[int] = []
    recall = 0.0
    for i in range(len(falling)):
        left, right = (i + 1) / objects, (i + 2) / objects
        if i == len(falling) - 1 or right - recall >= recall - left:
            chosen.append(i)
            recall += 1.0 / RECALL_STEPS
    return falling[chosen]


def _ap(category: str, difficulty: int, parts: Sequence[Candidates]) -> KittiAP:
    objects = int(sum(part.objects[difficulty] for part in parts))
    scores = np.concatenate([np.zeros(0, np.float32), *(part.found_scores(difficulty) for part in parts)])
    thresholds = score_thresholds(scores, objects)
    true = np.zeros(len(thresholds), np.int64)
    false = np.zeros(len(thresholds), np.int64)
    for part in parts:
        more_true, more_false = part.counts(difficulty, thresholds)
        true += more_true
        false += more_false
    precision = np.zeros(RECALL_STEPS + 1)
    # the devkit divides 0 by 0 where objects beyond the limits took all that is left at a threshold; here that is 0
    precision[: len(true)] = true / np.maximum(true + false, 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return KittiAP(
        category=category,
        difficulty=DIFFICULTIES[difficulty].name,
        objects=objects,
        r40=float(precision[1:].mean()) if objects else np.nan,
        r11=float(precision[::4].mean()) if objects else np.nan,
        precision=precision,
    )
