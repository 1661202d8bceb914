"""Which frame comes when: a new order every epoch, in which frames with rare categories may come more often."""

import numpy as np

from dataset.store import Dataset

from .config import TrainConfig

ORDER = 0  # this use's own stream of random numbers under the seed


class Order:
    """An endless stream of frames' rows that follows from the seed alone, whoever asks for which position.

    repeats: (frames,) how often each frame comes in an epoch, on average; None: once each, a plain permutation.
    """

    def __init__(self, frames: int, seed: int, repeats: np.ndarray | None = None):
        self.frames, self.seed, self.repeats = frames, seed, repeats
        self.length = frames if repeats is None else max(round(float(repeats.sum())), 1)  # of an epoch, in frames
        self._kept: dict[int, np.ndarray] = {}

    def at(self, position: int) -> int:
        epoch, place = divmod(position, self.length)
        return int(self.epoch(epoch)[place])

    def epoch(self, number: int) -> np.ndarray:
        """(length,) rows; a frame with repeats r comes floor(r) or ceil(r) times, on average over epochs r times."""
        if number not in self._kept:
            former = list(self._kept)[-1:]  # batches that are read ahead ask for two epochs in turn
            self._kept = {key: self._kept[key] for key in former} | {number: self._drawn(number)}
        return self._kept[number]

    def _drawn(self, number: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, ORDER, number])
        rows = rng.permutation(self.frames)
        if self.repeats is None:
            return rows
        # Systematic sampling: marks one apart from a random start, on the repeats laid end to end.
        ends = np.cumsum(self.repeats[rows])
        ends *= self.length / ends[-1]
        ends[-1] = self.length
        times = np.diff(np.floor(ends + rng.random()), prepend=0.0)
        return rng.permutation(np.repeat(rows, times.astype(np.int64)))

    def __getstate__(self) -> dict:
        return vars(self) | {"_kept": {}}


def repeats(data: Dataset, config: TrainConfig) -> np.ndarray | None:
    """(frames,) float64: how often each frame comes in an epoch, as `config.sampling` says; None: once each."""
    if config.sampling == "uniform":
        return None
    row, category = data.object_rows()
    pairs = np.unique(np.stack([row, category.astype(np.int64)], axis=1), axis=0)  # a frame and a category it shows
    if config.sampling == "repeat_factor":
        return repeat_factors(pairs, len(data), config.repeat_below)
    return balanced(pairs, len(data))


def repeat_factors(pairs: np.ndarray, frames: int, threshold: float) -> np.ndarray:
    """Of every frame the largest r(c) = max(1, sqrt(threshold / f(c))) of its categories c (Gupta et al., LVIS, 2019).

    pairs: (N, 2) int64, each frame's row with each category it shows once. f(c): the share of frames that show c.
    """
    row, category = pairs.T
    share = np.bincount(category) / frames
    of_category = np.maximum(1.0, np.sqrt(threshold / np.maximum(share, 1.0 / frames)))
    factors = np.ones(frames)
    np.maximum.at(factors, row, of_category[category])
    return factors


def balanced(pairs: np.ndarray, frames: int) -> np.ndarray:
    """As often as if each time a category were drawn, then a frame that shows it, all alike (Shen et al. 2016).

    Frames that show nothing keep their share of an epoch, which is as long as the data set.
    pairs: (N, 2) int64, each frame's row with each category it shows once.
    """
    row, category = pairs.T
    frames_of = np.bincount(category)
    times = np.zeros(frames)
    np.add.at(times, row, 1.0 / frames_of[category])
    shown = times > 0
    times[shown] *= shown.sum() / max(np.count_nonzero(frames_of), 1)
    times[~shown] = 1.0
    return times
