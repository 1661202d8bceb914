"""The verb `predict`: a detector on images and videos that nobody labelled."""

from pathlib import Path

from rich.table import Table

from dataset.errors import InputError
from flows.console import text
from models.detector.predict import Detector
from tasks.prediction import predict_footage


def predict_once(
    detector: Path,
    inputs: list[str],
    out: Path,
    *,
    min_score: float,
    every: int,
    draw: bool,
    draw_from: float,
    skip_bad: bool,
    calibrated: bool = False,
) -> str:
    """Detections in out/detections.parquet and, as COCO results, in out/results.json; counted by category."""
    for name, value in (("--min-score", min_score), ("--draw-from", draw_from)):
        if not 0 <= value <= 1:
            raise InputError(name, f"{value} is no score", "give a number from 0 to 1")
    if out.exists() and not out.is_dir():
        raise InputError("--out", f"{out} is a file", "name a folder")
    if every < 1:
        raise InputError("--every", f"{every} is no step", "give 1 for every frame, 10 for every tenth")
    made = predict_footage(
        Detector.load(detector, calibrated=calibrated),
        inputs,
        out,
        min_score=min_score,
        every=every,
        drawn=draw,
        draw_from=draw_from,
        skip_bad=skip_bad,
    )
    table = Table("category", f"detections from {draw_from:g} on", title=f"{detector} on {made.pictures} pictures")
    for category, count in made.per_category.items():
        table.add_row(category, str(count))
    told = [text(table).rstrip(), f"{made.detections} detections from score {min_score:g} on are in:"]
    told += [f"  {file}" for file in made.files]
    told += [f"left out: {error}" for error in made.bad]
    return "\n".join(told)
