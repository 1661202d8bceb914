"""One failure in pictures: as the detector saw it, the scenes that answer it, and the same frame after retraining."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dataset.images import read_image
from dataset.schema import Detections, Frame, Objects
from evaluation.failure import Failure
from tasks.report.answer import Judge, iou_with
from tasks.report.drawing import DETECTION, REQUEST, TRUTH, Mark, draw, region_around
from tasks.report.findings import UNKNOWN, number

PICTURE_WIDTH_PX = 330


@dataclass(frozen=True)
class Picture:
    image: Image.Image
    caption: str
    alt: str


@dataclass(frozen=True)
class Case:
    title: str
    facts: str
    before: Picture
    scenes: list[Picture]
    now: Picture
    fixed: bool

    @property
    def pictures(self) -> list[Picture]:
        return [self.before, *self.scenes, self.now]


def picture_case(
    failure: Failure,
    labelled: tuple[Frame, Objects],
    before: Detections,
    now: Detections,
    scenes: Sequence[tuple[Frame, Objects]],
    judges: tuple[Judge, Judge],
) -> Case:
    """Reads the real frame and those of the scenes; all pictures show the same region. judges: of before and of now."""
    frame, objects = labelled
    image = read_image(frame.image_path)
    region = region_around(failure.box_xyxy_px, frame.width_px, frame.height_px)
    truth = _truth(objects, failure.object_index)

    def picture(detections: Detections, judge: Judge, decisive: np.ndarray, caption: str) -> Picture:
        marks = [*truth, *_detections(detections, decisive, judge)]
        alt = f"Real frame {frame.frame_id} around a {failure.kind} {failure.category}; {caption}"
        return Picture(draw(image, marks, region, PICTURE_WIDTH_PX), caption, alt)

    verdict = judges[1].answer(failure, frame, objects, now)
    return Case(
        title(failure),
        facts(failure),
        picture(before, judges[0], _at(before, failure.detection_box_xyxy_px), f"before: {said(failure)}"),
        [_scene(failure, frame, *scene, place) for place, scene in enumerate(scenes, start=1)],
        picture(now, judges[1], verdict.decisive, f"now: {verdict.text}"),
        verdict.fixed,
    )


def title(failure: Failure) -> str:
    """The mistake in plain words."""
    what, taken_for = failure.category, failure.detected_category
    text = {
        "missed": f"missed {what}",
        "localisation": f"{what} found in the wrong place",
        "class": f"{what} taken for {taken_for}",
        "both": f"{what} taken for {taken_for}, in the wrong place",
        "duplicate": f"{what} found twice",
        "background": f"{taken_for} seen where nothing is",
        "on-ignore": f"{taken_for} seen in an ignore region",
        "likely-label-error": f"{what}: likely a label error",
    }[failure.kind]
    return text[0].upper() + text[1:]


def said(failure: Failure) -> str:
    """What the detector said when it failed, in a few words."""
    score = number(failure.score, 2)
    if failure.kind == "missed":
        return "not seen" if score == UNKNOWN else f"too unsure, score {score}"
    what = f"{failure.detected_category}, score {score}"
    if failure.kind == "background":
        return f"{what}, on nothing"
    return f"{what}, a second time" if failure.kind == "duplicate" else f"{what}, IoU {number(failure.best_iou, 2)}"


def facts(failure: Failure) -> str:
    """What is known of the failure, then the names of what is not."""
    values = {
        "frame": failure.frame_id,
        "cost": f"{number(failure.cost_ap, 4)} AP",
        "distance": _with_unit(failure.distance_m, "m"),
        "height": _with_unit(failure.height_px, "px"),
        "occlusion": number(failure.occlusion, 2),
        "truncation": number(failure.truncation, 2),
        "time of day": failure.time_of_day or UNKNOWN,
        "weather": failure.weather or UNKNOWN,
    }
    known = [f"{name} {value}" for name, value in values.items() if value != UNKNOWN]
    unknown = [name for name, value in values.items() if value == UNKNOWN]
    return " · ".join([*known, f"unknown: {', '.join(unknown)}"] if unknown else known)


def _with_unit(value: float, unit: str) -> str:
    text = number(value, 0)
    return text if text == UNKNOWN else f"{text} {unit}"


def _scene(failure: Failure, real: Frame, frame: Frame, objects: Objects, place: int) -> Picture:
    """The same region of a synthetic frame, which may be rendered smaller than the real one."""
    size = np.array([frame.width_px, frame.height_px] * 2)
    scale = size / ([real.width_px, real.height_px] * 2)  # height and width are rounded each by itself
    box = np.asarray(failure.box_xyxy_px) * scale
    region = np.minimum(region_around(failure.box_xyxy_px, real.width_px, real.height_px) * scale, size)
    if failure.kind == "background":  # what answers it is clutter, which has no label
        marks = [*_truth(objects, -1), Mark(box, REQUEST, strong=True, dashed=True)]
    else:
        marks = _truth(objects, int(np.argmax(iou_with(objects.box_xyxy_px, box))) if len(objects) else -1)
    light = ", ".join(filter(None, (frame.time_of_day, frame.weather)))
    caption = f"scene {place}: {light or 'light unknown'}"
    alt = f"Synthetic frame {frame.frame_id} that answers this failure; {caption}"
    return Picture(draw(read_image(frame.image_path), marks, region.tolist(), PICTURE_WIDTH_PX), caption, alt)


def _truth(objects: Objects, target: int) -> list[Mark]:
    return [
        Mark(objects.box_xyxy_px[i], TRUTH, strong=i == target, margin_px=4 if i == target else 2)
        for i in np.flatnonzero(~objects.ignore).tolist()
    ]


def _detections(found: Detections, decisive: np.ndarray, judge: Judge) -> list[Mark]:
    """Those that are believed, and those in question whatever their score."""
    return [
        Mark(
            found.box_xyxy_px[i],
            DETECTION,
            f"{judge.categories[found.category[i]]} {found.score[i]:.2f}",
            strong=bool(decisive[i]),
        )
        for i in np.flatnonzero(decisive | judge.believed(found)).tolist()
    ]


def _at(found: Detections, box_xyxy_px: Sequence[float] | None) -> np.ndarray:
    """(N,) bool: the detection that has this very box."""
    if box_xyxy_px is None:
        return np.zeros(len(found), bool)
    return np.all(np.abs(found.box_xyxy_px - np.asarray(box_xyxy_px)) < 1e-6, axis=1, keepdims=True)[:, 0]
