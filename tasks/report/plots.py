"""Pictures of one cycle for MLflow."""

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataset.store import Dataset
from evaluation.failures import category_curves
from tasks.campaign import Campaign
from tasks.comparison import learner
from tasks.data import Data
from tasks.layout import BASELINE, IMITATION, RANDOM, REAL, Cycle
from tasks.mining import failures_of
from tasks.report.confusion import confusion
from tasks.report.gallery import cases, save_sheet

COLOURS = {IMITATION: "#1d5fd1", RANDOM: "#b65a00", REAL: "#5f6b7a", BASELINE: "#5f6b7a"}
PANELS_A_ROW, CASES_SHOWN, MAX_DETECTIONS = 4, 6, 100


def write_cycle_plots(campaign: Campaign, cycle: Cycle, data: Data, folder: Path) -> None:
    """PNG files in `folder`: precision-recall and confusion on val; failures and gallery once there are some.

    Detections are those of training seed 0. Only the gallery reads images, those it shows. Learning curves need no
    picture: MLflow draws them from what training logs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    val, iou_threshold = Dataset.open(data.val), campaign.config.mining.iou_threshold
    save(precision_recall(cycle, val, iou_threshold), folder / "precision_recall.png")
    save(confusion_matrix(cycle, val, iou_threshold), folder / "confusion.png")
    if cycle.number > 0:
        save(failure_kinds(cycle), folder / "failures_by_kind.png")
        rows = [[picture.image for picture in case.pictures] for case in cases(cycle, data, CASES_SHOWN)]
        save_sheet(rows, folder / "gallery.png")


def save(figure: Figure, file: Path) -> None:
    """As PNG, on white whatever the viewer's scheme; written aside and renamed."""
    partial = file.with_suffix(".partial")
    figure.savefig(partial, format="png", dpi=110, facecolor="white")
    partial.replace(file)


def precision_recall(cycle: Cycle, val: Dataset, iou_threshold: float) -> Figure:
    """One panel a category, one line an arm."""
    figure, axes = _panels(len(val.categories))
    for arm in cycle.arms:
        by_category, _ = category_curves(val, cycle.detections(arm, 0) / "val.parquet", iou_threshold, MAX_DETECTIONS)
        for axis, category, curve in zip(axes, val.categories, by_category, strict=True):
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


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """So many axes in rows of four. A Figure of its own, not pyplot's: the flow makes plots in threads."""
    rows, columns = math.ceil(count / PANELS_A_ROW), min(count, PANELS_A_ROW)
    figure = Figure(figsize=(3.2 * columns, 0.4 + 2.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).reshape(-1).tolist()
    for unused in grid[count:]:
        unused.remove()
    return figure, grid[:count]
