"""Figures of several panels, and how a figure becomes a file."""

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

PANELS_A_ROW = 4


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """So many axes in rows of four. A Figure of its own, not pyplot's: the flow makes plots in threads."""
    rows, columns = math.ceil(count / PANELS_A_ROW), min(count, PANELS_A_ROW)
    figure = Figure(figsize=(3.2 * columns, 0.4 + 2.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).reshape(-1).tolist()
    for unused in grid[count:]:
        unused.remove()
    return figure, grid[:count]


def save(figure: Figure, file: Path) -> None:
    """As PNG, on white whatever the viewer's scheme; written aside and renamed."""
    partial = file.with_suffix(".partial")
    figure.savefig(partial, format="png", dpi=110, facecolor="white")
    partial.replace(file)
