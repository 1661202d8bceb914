"""Real pictures that a generator never sees: the yardstick for how near its samples lie to its training pictures."""

from collections.abc import Sequence

import numpy as np

SHARE = 0.1
ENOUGH_GROUPS = 20


def hold_out(groups: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to hold out, each (n,) int64 and rising. groups: what each picture belongs to.

    Pictures of one drive are nearly the same; held out one by one, their twins would be trained on, and a generator
    that copies would look innocent. So whole groups are held out, drawn by the seed; where there are fewer than 20 (a
    folder a class, one folder in all), the last tenth of each, as files are mostly named in the order of time.
    """
    names, of_row = np.unique(np.asarray(groups, np.str_), return_inverse=True)
    held = np.zeros(len(of_row), bool)
    if len(names) >= ENOUGH_GROUPS:
        for group in np.random.default_rng([seed, 2]).permutation(len(names)):
            if held.sum() >= SHARE * len(held):
                break
            held |= of_row == group
    else:
        for group in range(len(names)):
            rows = np.flatnonzero(of_row == group)
            if len(rows) > 1:
                held[rows[-max(1, round(SHARE * len(rows))) :]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
