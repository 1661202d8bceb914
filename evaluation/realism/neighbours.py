"""Which images to show: the real ones nearest to a given image."""

import numpy as np

ROWS_AT_ONCE = 512


def nearest(features: np.ndarray, reference: np.ndarray, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The `count` reference images nearest to each image, nearest first, and their Euclidean distances.

    (N, d), (M, d) -> (N, K) int64 rows of the reference, (N, K) float64; K is `count`, or M where that is smaller.
    Memory: a block of distances to all references.
    """
    count = min(count, len(reference))
    reference = reference.astype(np.float64)
    norm = (reference**2).sum(axis=1)
    rows, distances = [np.zeros((0, count), np.int64)], [np.zeros((0, count))]
    for first in range(0, len(features), ROWS_AT_ONCE):
        block = features[first : first + ROWS_AT_ONCE].astype(np.float64)
        squared = (block**2).sum(axis=1)[:, None] - 2 * block @ reference.T + norm
        near = np.argsort(squared, axis=1, kind="stable")[:, :count]
        rows.append(near)
        distances.append(np.sqrt(np.maximum(np.take_along_axis(squared, near, axis=1), 0)))
    return np.concatenate(rows), np.concatenate(distances)
