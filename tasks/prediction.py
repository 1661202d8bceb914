"""What a detector sees in images and videos that nobody labelled: tables, and pictures with boxes drawn on them."""

import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from dataset.detections import DetectionsWriter
from dataset.errors import InputError
from dataset.footage import Footage, Shot, find_footage, shots
from dataset.schema import Detections
from dataset.video import VideoWriter
from dataset.writers.coco_results import CocoResultsWriter
from models.detector.predict import Detector
from tasks.report.drawing import Mark, draw

# Okabe and Ito's colours, which colour-blind readers tell apart, the ones that stand out from asphalt and sky first.
PALETTE = ("#e69f00", "#56b4e9", "#f0e442", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#ffffff")
SURE = 0.6  # boxes from this score on are drawn thick
JPEG_OPTIONS = {"quality": 92, "subsampling": 0}  # thin lines keep their colour


@dataclass(frozen=True)
class Prediction:
    """What was written."""

    pictures: int
    detections: int
    per_category: dict[str, int]  # detections drawn, or that would be
    files: list[Path]
    bad: list[InputError]  # what was left out


def predict_footage(
    detector: Detector,
    inputs: list[str],
    out: Path,
    *,
    min_score: float = 0.01,
    every: int = 1,
    drawn: bool = False,
    draw_from: float = 0.3,
    skip_bad: bool = False,
    batch_size: int = 8,
    progress: bool = True,
) -> Prediction:
    """Detect in images, folders of images and videos; memory holds a few batches of pictures.

    Writes out/detections.parquet, one row a picture, whose id is the image's path or PATH#FRAME; out/results.json,
    COCO's results of out/images.json; and with `drawn` each picture again below out/drawn, with the detections from
    `draw_from` on. Raises InputError on bad input; with `skip_bad` it is listed and left out, of a video what follows.
    """
    bad: list[InputError] = []
    skip = bad.append if skip_bad else None
    footage = find_footage(inputs, skip)
    files = {name: out / name for name in ("detections.parquet", "results.json", "images.json")}
    drawing = Drawing(out / "drawn", detector.categories, draw_from)
    pictures, detections = 0, 0
    counts = np.zeros(len(detector.categories), np.int64)
    with ExitStack() as stack:
        table = stack.enter_context(DetectionsWriter(files["detections.parquet"], detector.categories))
        results = CocoResultsWriter(files["results.json"], files["images.json"], detector.categories)
        stack.enter_context(results)
        if drawn:
            stack.enter_context(drawing)
        total = _estimate(footage, every)
        bar = stack.enter_context(tqdm(total=total, desc="predict", unit="image", disable=not progress))
        stream = shots(footage, every=every, ahead=batch_size, skip=skip)
        while batch := list(itertools.islice(stream, batch_size)):
            found_in_each = detector.detect([shot.image for shot in batch], min_score=min_score)
            for shot, found in zip(batch, found_in_each, strict=True):
                table.add(shot.frame_id, found)
                _add(results, shot, found)
                if drawn:
                    drawing.add(shot, found)
                shown = found.category[found.score >= draw_from]
                counts += np.bincount(shown, minlength=len(counts))
                detections += len(found)
            pictures += len(batch)
            bar.update(len(batch))
        if not pictures:
            raise InputError(", ".join(inputs), "none of it can be read", f"mend it, to begin with {bad[0]}")
    per_category = dict(zip(detector.categories, counts.tolist(), strict=True))
    return Prediction(pictures, detections, per_category, [*files.values(), *([drawing.folder] if drawn else [])], bad)


def _estimate(footage: list[Footage], every: int) -> int | None:
    """How many pictures there are; None where a video does not tell."""
    counts = [1 if item.video is None else -(-item.video.frame_estimate // every) for item in footage]
    return sum(counts) if all(counts) else None


def _add(results: CocoResultsWriter, shot: Shot, found: Detections) -> None:
    height_px, width_px = shot.image.shape[:2]
    of_video = {} if shot.index is None else {"frame_index": shot.index, "time_s": shot.time_s}
    results.add(shot.frame_id, width_px, height_px, found, **of_video)


class Drawing:
    """`with Drawing(folder, categories, draw_from) as drawing: drawing.add(shot, found)`, shots of a video in order.

    An image keeps its name and format, a video becomes MP4 and keeps its frames' times.
    """

    def __init__(self, folder: Path, categories: tuple[str, ...], draw_from: float):
        self.folder, self._categories, self._draw_from = folder, categories, draw_from
        self._video: tuple[Footage, VideoWriter] | None = None

    def __enter__(self) -> "Drawing":
        return self

    def add(self, shot: Shot, found: Detections) -> None:
        picture = drawn_on(shot.image, found.where(found.score >= self._draw_from), self._categories)
        if self._video is not None and self._video[0] is not shot.footage:
            self._close(None)
        if shot.footage.video is None:
            _save(picture, self.folder / shot.footage.place)
            return
        if self._video is None:
            place = self.folder / shot.footage.place.with_suffix(".mp4")
            self._video = shot.footage, VideoWriter(place, shot.footage.video.rate).__enter__()
        assert shot.time_s is not None
        self._video[1].add(np.asarray(picture), shot.time_s)

    def _close(self, error: BaseException | None) -> None:
        if self._video is not None:
            video, self._video = self._video[1], None
            video.__exit__(None if error is None else type(error), error, None)

    def __exit__(self, kind, error: BaseException | None, trace) -> None:
        self._close(error)


def drawn_on(image: np.ndarray, found: Detections, categories: tuple[str, ...]) -> Image.Image:
    """The image (H, W, 3) with a box, a name and a score for each detection, the strongest on top."""
    marks = [
        Mark(box, PALETTE[category % len(PALETTE)], f"{categories[category]} {score:.2f}", strong=score >= SURE)
        for category, box, score in sorted(
            zip(found.category.tolist(), found.box_xyxy_px.tolist(), found.score.tolist(), strict=True),
            key=lambda detection: detection[2],
        )
    ]
    height_px, width_px = image.shape[:2]
    return draw(image, marks, (0, 0, width_px, height_px), width_px)


def _save(picture: Image.Image, file: Path) -> None:
    """In the format of the file's name; written aside and renamed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    kind = Image.registered_extensions().get(PurePosixPath(file.name).suffix.lower(), "PNG")
    picture.save(partial, format=kind, **(JPEG_OPTIONS if kind == "JPEG" else {}))
    partial.replace(file)
