"""What `evaluate` says of a detector's calibration, and the scaling that it can leave beside the detector."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from dataset.scaling import ScoreScaling
from dataset.store import Dataset
from evaluation.calibration import BINS, MIN_SCORE, Calibration, calibration, fit_scaling
from flows.console import text
from tasks.report.panels import save
from tasks.report.reliability import reliability_diagram

MEANING = {
    "ECE": f"scores: expected error, {BINS} bins of equal width",
    "ECE_adaptive": "scores: expected error, bins of equal count",
    "MCE": "scores: largest error of a bin",
    "ECE_occlusion": "hidden share: expected error",
    "MAE_occlusion": "hidden share: mean error of an object",
}
UNSCALED, SCALED = "unscaled", "scaled"
COLOURS = {UNSCALED: "#1d5fd1", SCALED: "#b65a00"}


def show_calibration(
    dataset: Dataset, detections: Path, out: Path, record: dict[str, Any], scaling: ScoreScaling | None = None
) -> str:
    """A table, out/calibration.png, and the figures in the record.

    scaling: what the scores of these detections were scaled with; both ways are then shown, of the same detections.
    """
    if scaling is None:
        found = {UNSCALED: calibration(dataset, detections)}
    else:
        weakest = float(scaling(np.array([MIN_SCORE]))[0])
        scaled = calibration(dataset, detections, min_score=weakest)
        unscaled = Calibration(scaled.scores.scaled(scaling.undone()), scaled.occlusion)
        found = {UNSCALED: unscaled, SCALED: scaled}
    return _shown(found, dataset.categories, out, record)


def fit_calibration(dataset: Dataset, detections: Path, out: Path, record: dict[str, Any], detector: Path) -> str:
    """The same for unscaled detections, and the scaling that suits them best, written beside the detector's file."""
    unscaled = calibration(dataset, detections)
    scaling = fit_scaling(unscaled.scores)
    file = scaling.save(detector)
    record["scaling"] = asdict(scaling) | {"file": str(file)}
    found = {UNSCALED: unscaled, SCALED: Calibration(unscaled.scores.scaled(scaling), unscaled.occlusion)}
    return "\n".join(
        [
            _shown(found, dataset.categories, out, record),
            f"temperature {scaling.temperature:.3f}, bias {scaling.bias:+.3f}, fitted to these detections: {file}",
            "judge it on other data: evaluate --calibrated",
        ]
    )


def _shown(found: dict[str, Calibration], categories: tuple[str, ...], out: Path, record: dict[str, Any]) -> str:
    record["calibration"] = {
        name: one.figures() | {f"ECE/{category}": value for category, value in one.per_category(categories).items()}
        for name, one in found.items()
    }
    claims = len(found[UNSCALED].scores)
    title = f"{claims} detections of score {MIN_SCORE:g} or more (unscaled), IoU 0.5; 0 is best"
    table = Table("calibration error", *found, title=title)
    for name, meaning in MEANING.items():
        table.add_row(meaning, *(f"{figures[name]:.4f}" for figures in record["calibration"].values()))
    save(reliability_diagram(found, COLOURS, "reliability"), out / "calibration.png")
    return text(table) + f"reliability diagram: {out / 'calibration.png'}"
