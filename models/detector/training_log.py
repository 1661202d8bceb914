"""What a training tells while it runs."""

import time
from collections.abc import Callable

OnLog = Callable[[int, dict[str, float]], None]


class TrainingLog:
    """Means of the loss terms between two calls of `on_log`, and the images a second."""

    def __init__(self, on_log: OnLog | None, every: int, batch_size: int):
        self.on_log, self.every, self.batch_size = on_log, every, batch_size
        self.values: list[dict[str, float]] = []
        self.since = time.perf_counter()

    def add(self, step: int, values: dict[str, float]) -> None:
        self.values.append(values)
        if step % self.every:
            return
        means = {name: sum(v[name] for v in self.values) / len(self.values) for name in values}
        means["learning_rate"] = values["learning_rate"]
        means["images_per_s"] = self.batch_size * len(self.values) / (time.perf_counter() - self.since)
        if self.on_log is not None:
            self.on_log(step, means)
        self.values, self.since = [], time.perf_counter()
