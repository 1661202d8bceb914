"""Whether labels survive a refiner that is being trained: what a training asks of its states, to choose among them."""

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset

from .gate import LabelGate
from .pictures import Pictures
from .refiner import Gate, Refiner

TRIED, MOST_FAILING = 16, 0.25  # renders that a training asks the gate about, and the share of them that may fail


def labels_survive(renders: Dataset, gate: LabelGate, *, seed: int) -> Gate:
    """What a training asks of each of its states: whether the gate passes most of a few renders as they come."""
    pictures = Pictures.of_store(renders)
    rows = np.unique(np.linspace(0, len(renders) - 1, min(TRIED, len(renders))).round().astype(int)).tolist()

    def survive(refiner: Refiner) -> bool:
        sources = [pictures.rgb(i) for i in rows]
        made = [refined(refiner, pictures, i, source, seed=seed) for i, source in zip(rows, sources, strict=True)]
        judged = gate.judge(sources, made, [renders.objects(i) for i in rows])
        return sum(verdict.outcome != "keep" for verdict in judged) <= MOST_FAILING * len(rows)

    return survive


def refined(refiner: Refiner, pictures: Pictures, i: int, source: np.ndarray, *, seed: int) -> np.ndarray:
    """Picture i, whose pixels are `source` (H, W, 3) uint8, after the refiner. InputError where it lacks a map."""
    semantic = pictures.semantic(i) if refiner.needs_semantic else None
    if refiner.needs_semantic and semantic is None:
        problem = f"no label map lies beside it, and the refiner {refiner.kind} needs one"
        raise InputError(pictures.name(i), problem, "render the frames anew, or choose a refiner that needs none")
    return refiner.refine(source[None], None if semantic is None else semantic[None], seed=seed)[0]
