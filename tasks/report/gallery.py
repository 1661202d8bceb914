"""Which failures are shown, and sheets of pictures."""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from PIL import Image

from dataset.detections import read_detections
from dataset.images import read_image
from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset
from evaluation.failure import RECREATED_KINDS, Failure
from evaluation.failure_table import FailureTable
from tasks.comparison import learner
from tasks.data import Data
from tasks.layout import IMITATION, Cycle
from tasks.mining import failures_of
from tasks.report.answer import Judge
from tasks.report.case import Case, picture_case
from tasks.report.drawing import TRUTH, Mark, draw

SCENES_A_CASE = 2
SHEET_COLUMNS, SHEET_ROWS, SHEET_CELL_PX, GAP_PX = 4, 6, 320, 6


def cases(cycle: Cycle, data: Data, count: int) -> Iterator[Case]:
    """The costliest re-created failures of a cycle, of each kind in turn; only their frames are read, one at a time."""
    table, before = failures_of(cycle), cycle.run.cycle(cycle.number - 1)
    chosen = costliest_of_each_kind(table, set(json.loads((cycle.scenes / "chosen.json").read_text())), count)
    frame_ids = {failure.frame_id for failure in chosen}
    pool = Dataset.open(data.pool)
    row_of = {name: row for row, name in enumerate(pool.frame_ids().tolist()) if name in frame_ids}
    file_now = cycle.detections(IMITATION, 0) / "pool.parquet"
    then = detections_on(before.detections(learner(before), 0) / "pool.parquet", frame_ids)
    now = detections_on(file_now, frame_ids)
    scenes = scenes_for(Dataset.open(cycle.synthetic(IMITATION)), {failure.failure_id for failure in chosen})
    judges = Judge.when_mined(table.rules, pool.categories), Judge.of_detector(table.rules, pool, file_now)
    for failure in chosen:
        row, frame_id = row_of[failure.frame_id], failure.frame_id
        labelled = pool.frame(row), pool.objects(row)
        yield picture_case(failure, labelled, then[frame_id], now[frame_id], scenes[failure.failure_id], judges)


def costliest_of_each_kind(table: FailureTable, candidates: set[str], count: int) -> list[Failure]:
    """At most `count` failures: the costliest of every kind, then the second of every kind, ...; grouped by kind."""
    of_kind: dict[str, list[Failure]] = defaultdict(list)
    for failure in table.iterate():
        if failure.failure_id in candidates and len(of_kind[failure.kind]) < count:
            of_kind[failure.kind].append(failure)
    in_turn = [of_kind[kind][place] for place in range(count) for kind in RECREATED_KINDS if place < len(of_kind[kind])]
    return sorted(in_turn[:count], key=lambda failure: RECREATED_KINDS.index(failure.kind))


def detections_on(file: Path, frame_ids: set[str]) -> dict[str, Detections]:
    """What a detector said of a few frames."""
    return {name: found for name, found in chain.from_iterable(read_detections(file)) if name in frame_ids}


def scenes_for(dataset: Dataset, failure_ids: set[str]) -> dict[str, list[tuple[Frame, Objects]]]:
    """Failure id -> the first synthetic frames that answer it, none where no scene fitted."""
    found: dict[str, list[tuple[Frame, Objects]]] = {failure_id: [] for failure_id in failure_ids}
    for frame, objects in chain.from_iterable(dataset.iterate()):
        scenes = found.get(frame.failure_id or "")
        if scenes is not None and len(scenes) < SCENES_A_CASE:
            scenes.append((frame, objects))
    return found


def contact_sheet(
    dataset: Dataset, file: Path, *, columns: int = SHEET_COLUMNS, rows: int = SHEET_ROWS, cell_px: int = SHEET_CELL_PX
) -> Path:
    """One picture of up to `columns` * `rows` frames spread over a data set, with their boxes."""
    count = min(len(dataset), columns * rows)
    cells = []
    for place in range(count):
        row = round(place * (len(dataset) - 1) / max(count - 1, 1))
        image, objects = read_image(dataset.image_path(row)), dataset.objects(row)
        marks = [Mark(box, TRUTH) for box in objects.box_xyxy_px[~objects.ignore]]
        cells.append(draw(image, marks, (0, 0, image.shape[1], image.shape[0]), cell_px))
    return save_sheet([cells[i : i + columns] for i in range(0, len(cells), columns)], file)


def save_sheet(rows: list[list[Image.Image]], file: Path) -> Path:
    """Pictures side by side, row below row, in the format of the file's name."""
    widths = [sum(cell.width + GAP_PX for cell in row) for row in rows]
    heights = [max(cell.height for cell in row) + GAP_PX for row in rows]
    sheet = Image.new("RGB", (max(widths, default=GAP_PX), max(sum(heights), GAP_PX)), "#ffffff")
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for cell in row:
            sheet.paste(cell, (x, y))
            x += cell.width + GAP_PX
        y += height
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.stem}.partial{file.suffix}")
    sheet.save(partial)
    partial.replace(file)
    return file
