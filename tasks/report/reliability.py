"""Reliability diagrams: what came of what detectors said, against the line where both are equal."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.calibration import Calibration, Claims, reliability

HOW_FULL = 120  # area in points^2 of the mark of a bin that holds every claim; it grows with the count's root


def reliability_diagram(found: Mapping[str, Calibration], colours: Mapping[str, str], title: str) -> Figure:
    """Scores on the left, occlusion on the right; a line a detector, by name, larger marks for fuller bins."""
    figure = Figure(figsize=(8.2, 4.4), layout="constrained")
    scores, occlusion = figure.subplots(1, 2)
    _panel(scores, {name: one.scores for name, one in found.items()}, colours)
    scores.set(title="scores", xlabel="mean score of the bin", ylabel="share of the detections that are true")
    _panel(occlusion, {name: one.occlusion for name, one in found.items()}, colours)
    occlusion.set(title="occlusion", xlabel="mean share said to be hidden", ylabel="mean share that is hidden")
    figure.suptitle(title, fontsize=11)
    return figure


def _panel(axis: Axes, claims: Mapping[str, Claims], colours: Mapping[str, str]) -> None:
    axis.plot([0, 1], [0, 1], color="#9aa5b1", linestyle="--", linewidth=1)
    for name, made in claims.items():
        bins = reliability(made)
        if len(made) == 0:
            axis.plot([], [], color=colours[name], label=f"{name}: unknown")
            continue
        label = f"{name}: ECE {bins.expected_error:.3f}, n {len(made)}"
        axis.plot(bins.said, bins.came, color=colours[name], linewidth=1.2, label=label)
        axis.scatter(
            bins.said, bins.came, s=4 + HOW_FULL * np.sqrt(bins.count / len(made)), color=colours[name], alpha=0.6
        )
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8, loc="upper left")
