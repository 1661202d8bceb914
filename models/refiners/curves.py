"""The curves of a training as a CSV of (step, name, value), which an interruption leaves as if there had been none."""

import csv
from pathlib import Path

HEADER = ["step", "name", "value"]


class Curves:
    """Gathers the values of steps; each `log` appends their means. `pending` is what has not been logged yet."""

    def __init__(self, path: Path):
        self._path = path
        self.pending: list[dict[str, float]] = []

    def start(self, pending: list[dict[str, float]], step: int = 0) -> None:
        """Goes on after step `step`: what an interrupted training had logged after it is taken back."""
        kept: list[list[str]] = []
        if step and self._path.is_file():
            with self._path.open(newline="") as file:
                kept = [row for row in csv.reader(file) if len(row) == 3 and row != HEADER and int(row[0]) <= step]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_name(f"{self._path.name}.partial")
        with aside.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *kept])
        aside.replace(self._path)
        self.pending = list(pending)

    def add(self, values: dict[str, float]) -> None:
        self.pending.append(values)

    def log(self, step: int) -> dict[str, float]:
        """The mean of each name over the steps since the last call that had it."""
        names = dict.fromkeys(name for values in self.pending for name in values)
        gathered = {name: [values[name] for values in self.pending if name in values] for name in names}
        means = {name: sum(values) / len(values) for name, values in gathered.items()}
        with self._path.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([step, name, repr(value)] for name, value in means.items())
        self.pending = []
        return means
