"""Pictures of one cycle for MLflow."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure

from dataset.store import Dataset
from evaluation.calibration import calibration
from evaluation.curve import Curve
from evaluation.failures import category_curves, mine
from tasks.campaign import Campaign
from tasks.comparison import learner
from tasks.curves import curves_of
from tasks.data import Data
from tasks.layout import BASELINE, IMITATION, RANDOM, REAL, REFINED, Cycle
from tasks.mining import failures_of
from tasks.report.confusion import confusion
from tasks.report.gallery import cases, save_sheet
from tasks.report.learning import learning_curves
from tasks.report.pairs import refined_pairs
from tasks.report.panels import panels, save
from tasks.report.reliability import reliability_diagram
from tasks.report.worst import save_worst_images

COLOURS = {IMITATION: "#1d5fd1", REFINED: "#8a3ffc", RANDOM: "#b65a00", REAL: "#5f6b7a", BASELINE: "#5f6b7a"}
CASES_SHOWN, PAIRS_SHOWN, WORST_SHOWN, MAX_DETECTIONS = 6, 8, 6, 100


def write_cycle_plots(campaign: Campaign, cycle: Cycle, data: Data, folder: Path) -> None:
    """Files in `folder`: on val precision-recall, confusion, calibration and worst images; learning curves where
    training left some; failures and gallery from the first imitation cycle on.

    Detections are those of training seed 0. Only worst images and gallery read images, those they show.
    """
    folder.mkdir(parents=True, exist_ok=True)
    val, settings = Dataset.open(data.val), campaign.config.mining
    save(precision_recall(cycle, val, settings.iou_threshold), folder / "precision_recall.png")
    save(confusion_matrix(cycle, val, settings.iou_threshold), folder / "confusion.png")
    trainings = {arm: curves_of(cycle.training(arm, 0)) for arm in cycle.arms}
    if any(trainings.values()):
        save(learning_curves(trainings, COLOURS), folder / "learning_curves.png")
    claims = {
        arm: calibration(val, cycle.detections(arm, 0) / "val.parquet", iou_threshold=settings.iou_threshold)
        for arm in cycle.arms
    }
    save(reliability_diagram(claims, COLOURS, f"val, IoU {settings.iou_threshold:g}"), folder / "calibration.png")
    detections = cycle.detections(learner(cycle), 0) / "val.parquet"
    with TemporaryDirectory(dir=folder) as scratch:
        table = mine(
            val,
            detections,
            Path(scratch) / "failures.parquet",
            score_threshold=settings.score_threshold,
            iou_threshold=settings.iou_threshold,
        )
        save_worst_images(val, detections, table, WORST_SHOWN, folder / "worst_images.jpg")
    if cycle.number > 0:
        save(failure_kinds(cycle), folder / "failures_by_kind.png")
        rows = [[picture.image for picture in case.pictures] for case in cases(cycle, data, CASES_SHOWN)]
        save_sheet(rows, folder / "gallery.png")
    if REFINED in cycle.arms:
        save_sheet([list(pair.pictures) for pair in refined_pairs(cycle, PAIRS_SHOWN)], folder / "refined.png")


def precision_recall(cycle: Cycle, val: Dataset, iou_threshold: float) -> Figure:
    """A panel for all categories together and one a category, one line an arm."""
    figure, axes = panels(1 + len(val.categories))
    for arm in cycle.arms:
        by_category, _ = category_curves(val, cycle.detections(arm, 0) / "val.parquet", iou_threshold, MAX_DETECTIONS)
        for axis, category, curve in zip(
            axes, ("all", *val.categories), (_together(by_category), *by_category), strict=True
        ):
            true = curve.true_before[1:]
            # Nothing to be found: there is no recall to draw.
            recall = true / curve.positives if curve.positives else np.full(len(true), np.nan)
            axis.plot(recall, true / np.arange(1, len(true) + 1), color=COLOURS[arm], label=arm)
            axis.set_title(f"{category} ({curve.positives} objects)", fontsize=10)
    for axis in axes:
        axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle(f"val, IoU {iou_threshold:g}", fontsize=11)
    return figure


def _together(by_category: list[Curve]) -> Curve:
    """All categories' detections by one another's scores: what a user sees who believes all from one score on."""
    score, true = (np.concatenate([getattr(curve, name) for curve in by_category]) for name in ("score", "true"))
    order = np.argsort(-score, kind="stable")
    return Curve(score[order], true[order], sum(curve.positives for curve in by_category))


def confusion_matrix(cycle: Cycle, val: Dataset, iou_threshold: float) -> Figure:
    """Labels against the learner's detections on val, believed from the score with the best F1 of each category."""
    arm = learner(cycle)
    file = cycle.detections(arm, 0) / "val.parquet"
    by_category, _ = category_curves(val, file, iou_threshold, MAX_DETECTIONS)
    counts = confusion(val, file, np.array([curve.best_f1_score() for curve in by_category]), iou_threshold)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [*val.categories, "nothing"]
    size = 2.2 + 0.7 * len(names)
    figure = Figure(figsize=(size, size), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        # Nothing that was labelled nothing and detected as nothing is not a number.
        text = "" if row == column == len(names) - 1 else str(count)
        axis.text(column, row, text, ha="center", va="center", color="white" if shares[row, column] > 0.5 else "black")
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel="detected as", ylabel="labelled", title=f"{arm} on val, IoU {iou_threshold:g}")
    return figure


def failure_kinds(cycle: Cycle) -> Figure:
    """What the detector of the cycle before got wrong on the pool."""
    counts = failures_of(cycle).counts()
    figure = Figure(figsize=(6, 0.5 + 0.4 * len(counts)), layout="constrained")
    axis = figure.subplots()
    bars = axis.barh(list(counts), list(counts.values()), color=COLOURS[IMITATION])
    axis.bar_label(bars, padding=3)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(xlabel="failures on the pool")
    axis.spines[["top", "right"]].set_visible(False)
    return figure
