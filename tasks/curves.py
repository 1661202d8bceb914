"""Training curves as a training leaves them in its folder: one line of JSON a point."""

import json
from pathlib import Path

import numpy as np

from models.detector import checkpoint

FILE = "curves.jsonl"
Curves = dict[str, tuple[np.ndarray, np.ndarray]]  # name -> steps (N,) int64, values (N,) float64


def note(folder: Path, step: int, values: dict[str, float]) -> None:
    """Append a point of every curve."""
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"step": step} | values))  # a line that a kill cut short harms no other


def begin(folder: Path) -> None:
    """Before a training in this folder: points that it is going to note anew, or that another one noted, go.

    Without this, those before the first point of a training that starts afresh would stay.
    """
    last = folder / "last.pt"
    note(folder, (checkpoint.load(last)["step"] if last.is_file() else 0) + 1, {})


def curves_of(folder: Path) -> Curves:
    """What was noted, by step; none where nothing was.

    Where a training went back, to its last checkpoint or to the start, what had been noted beyond is forgotten.
    """
    if not (folder / FILE).is_file():
        return {}
    points: list[tuple[int, dict[str, float]]] = []
    for line in (folder / FILE).read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue  # empty, or cut short
        step = values.pop("step")
        while points and points[-1][0] >= step:
            points.pop()
        points.append((step, values))
    names = {name: None for _, values in points for name in values}
    return {
        name: (
            np.array([step for step, values in points if name in values], np.int64),
            np.array([values[name] for _, values in points if name in values], np.float64),
        )
        for name in names
    }
