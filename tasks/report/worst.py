"""The images that cost a detector most: what their failures take from AP, added up image by image."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw, ImageFont

from dataset.images import read_image
from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset
from evaluation.failure import RECREATED_KINDS, Failure
from evaluation.failure_table import FailureTable
from tasks.report.answer import Judge
from tasks.report.drawing import DETECTION, TRUTH, Mark, draw
from tasks.report.gallery import detections_on, save_sheet

COLUMNS, WIDTH_PX, CAPTION_PX = 2, 560, 22
FAILURES_READ = 100_000  # of the costliest: those of the worst images are among them


@dataclass(frozen=True)
class Worst:
    """An image and what it costs: the mean over the categories of the AP that mending its failures one by one adds."""

    frame_id: str
    lost_ap: float
    failures: list[Failure]

    @property
    def caption(self) -> str:
        kinds = Counter(failure.kind for failure in self.failures)
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        return f"{self.frame_id}: {self.lost_ap:.4f} AP lost; {told}"


def worst_images(table: FailureTable, categories: int, count: int) -> list[Worst]:
    """The `count` costliest, by falling cost, then by id. Only failures that are the detector's are added up.

    Gains of single repairs do not add up exactly, so the sum orders images rather than measures them.
    """
    rows = table.table(["frame_id", "kind", "cost_ap"])
    own = rows.filter(pa.array(np.isin(rows["kind"].to_pylist(), RECREATED_KINDS)))
    by_frame = own.group_by("frame_id").aggregate([("cost_ap", "sum")])
    costliest = by_frame.sort_by([("cost_ap_sum", "descending"), ("frame_id", "ascending")]).slice(0, count)
    lost = dict(zip(costliest["frame_id"].to_pylist(), costliest["cost_ap_sum"].to_pylist(), strict=True))
    failures: dict[str, list[Failure]] = {frame_id: [] for frame_id in lost}
    for failure in islice(table.iterate(), FAILURES_READ):
        if failure.frame_id in failures and failure.kind in RECREATED_KINDS:
            failures[failure.frame_id].append(failure)
    return [Worst(frame_id, cost / categories, failures[frame_id]) for frame_id, cost in lost.items()]


def save_worst_images(dataset: Dataset, detections_file: Path, table: FailureTable, count: int, file: Path) -> None:
    """A sheet of the worst images, with labels, what is believed, and the failures thick; reads those images alone.

    table: the failures of these very detections.
    """
    worst = worst_images(table, len(dataset.categories), count)
    frame_ids = {image.frame_id for image in worst}
    row_of = {name: row for row, name in enumerate(dataset.frame_ids().tolist()) if name in frame_ids}
    found = detections_on(detections_file, frame_ids)
    judge = Judge.when_mined(table.rules, dataset.categories)
    cells = [
        _cell(image, dataset.frame(row_of[image.frame_id]), dataset.objects(row_of[image.frame_id]), found, judge)
        for image in worst
    ]
    save_sheet([cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)], file)


def _cell(worst: Worst, frame: Frame, objects: Objects, found: dict[str, Detections], judge: Judge) -> Image.Image:
    detections = found[frame.frame_id]
    marks = [Mark(box, TRUTH, margin_px=2) for box in objects.box_xyxy_px[~objects.ignore]]
    marks += [Mark(box, DETECTION) for box in detections.box_xyxy_px[judge.believed(detections)]]
    marks += [_mark(failure) for failure in worst.failures]
    image = read_image(frame.image_path)
    drawn = draw(image, marks, (0, 0, image.shape[1], image.shape[0]), WIDTH_PX)
    cell = Image.new("RGB", (drawn.width, drawn.height + CAPTION_PX), "#ffffff")
    cell.paste(drawn, (0, 0))
    font = ImageFont.load_default(size=12)
    ImageDraw.Draw(cell).text((2, drawn.height + 3), worst.caption, fill="#1b1f24", font=font)
    return cell


def _mark(failure: Failure) -> Mark:
    """The label where nothing was found, else what was said in its place."""
    if failure.kind == "missed" or failure.detection_box_xyxy_px is None:
        return Mark(failure.box_xyxy_px, TRUTH, f"missed {failure.category}", strong=True, margin_px=4)
    score = "" if np.isnan(failure.score) else f" {failure.score:.2f}"
    return Mark(
        failure.detection_box_xyxy_px, DETECTION, f"{failure.kind}: {failure.detected_category}{score}", strong=True
    )
