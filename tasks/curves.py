"""Training curves as a training leaves them in its folder: one line of JSON a point."""

import json
from pathlib import Path

import numpy as np

FILE = "curves.jsonl"
Curves = dict[str, tuple[np.ndarray, np.ndarray]]  # name -> steps (N,) int64, values (N,) float64


def note(folder: Path, step: int, values: dict[str, float]) -> None:
    """Append a point of every curve."""
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"step": step} | values))  # a line that a kill cut short harms no other


def curves_of(folder: Path) -> Curves:
    """What was noted, by step; none where nothing was. A step that a resumed training took again counts once."""
    if not (folder / FILE).is_file():
        return {}
    points: dict[int, dict[str, float]] = {}
    for line in (folder / FILE).read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
            points[values.pop("step")] = values
        except json.JSONDecodeError:
            continue  # empty, or cut short
    steps = sorted(points)
    names = {name: None for step in steps for name in points[step]}
    return {
        name: (
            np.array([step for step in steps if name in points[step]], np.int64),
            np.array([points[step][name] for step in steps if name in points[step]], np.float64),
        )
        for name in names
    }
