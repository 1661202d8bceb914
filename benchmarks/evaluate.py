"""Our evaluation and error table against the peers' on KITTI's size: 3,769 images, 18.9k objects, 75k detections.

    python -m benchmarks.evaluate [FRAMES]

The peers: hotcoco with its own TIDE, the fastest there is, and pycocotools with tidecv, the ones that people use. All
give COCO's figures, which must be equal, else this fails, and a table of errors by kind (a peer's says what mending all
of a kind together is worth, ours what each failure is worth, summed up). All get the data in memory in the form they
take: ours joins single frames' arrays, hotcoco has built its index, tidecv is handed its boxes one by one. Ours is
also timed from its Parquet files, and with its bootstrap. The last line is JSON, of ours against hotcoco.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.coco_peer import coco_evaluation, coco_json
from dataset.detections import DetectionsWriter
from dataset.schema import EVERY_CATEGORY, Detections, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from evaluation.average_precision import metrics, record
from evaluation.batch import Batch
from evaluation.bootstrap import interval
from evaluation.error_table import evaluate_with_errors, explained

CATEGORIES = ("car", "pedestrian", "cyclist")
SIZE_PX = (1242, 375)
REPEATS = 5
Result = TypeVar("Result")


def synthetic_frame(rng: np.random.Generator, row: int, objects_mean: float, strays: int) -> tuple:
    """One frame of KITTI's look: `objects_mean` objects, a tenth of them ignored, detections near them and strays."""
    count = int(rng.poisson(objects_mean))
    boxes = _boxes(rng, count)
    category = rng.choice(3, count, p=[0.8, 0.13, 0.07])
    ignore = rng.random(count) < 0.1
    category[ignore & (rng.random(count) < 0.5)] = EVERY_CATEGORY
    location = np.stack([rng.normal(0, 8, count), np.full(count, 1.65), rng.uniform(5, 80, count)], axis=1)
    objects = Objects.of(
        category, boxes, ignore=ignore, occlusion=rng.random(count), truncation=rng.random(count) * 0.2,
        location_xyz_m=location, yaw_rad=rng.uniform(-np.pi, np.pi, count),
    )  # fmt: skip
    copies = np.repeat(np.arange(count), rng.choice(4, count, p=[0.15, 0.5, 0.25, 0.1]))
    spread = 0.12 * np.tile(boxes[copies, 2:] - boxes[copies, :2], 2)
    near = boxes[copies] + spread * rng.normal(0, 1, (len(copies), 4))
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    guessed = np.where(rng.random(len(copies)) < 0.95, category[copies], rng.integers(0, 3, len(copies)))
    found = Detections.of(
        np.concatenate([np.maximum(guessed, 0), rng.choice(3, strays, p=[0.8, 0.13, 0.07])]),
        np.concatenate([near, _boxes(rng, strays)]),
        np.concatenate([rng.beta(4, 2, len(copies)), rng.beta(1, 4, strays)]),
    )
    return Frame(f"{row:06d}", f"{row:06d}.png", *SIZE_PX, group=f"clip{row // 50}"), objects, found


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    size = np.exp(rng.uniform(np.log(12), np.log(250), (count, 1))) * rng.uniform(0.6, 1.6, (count, 2))
    origin = rng.uniform(0, 1, (count, 2)) * np.maximum(np.array(SIZE_PX) - size, 1)
    return np.concatenate([origin, np.minimum(origin + size, SIZE_PX)], axis=1)


def timed(work: Callable[[], Result], repeats: int = 1) -> tuple[Result, float]:
    """The result, and the best time in seconds of `repeats` runs."""
    best_s = float("inf")
    while True:
        start = time.perf_counter()
        result = work()
        best_s, repeats = min(best_s, time.perf_counter() - start), repeats - 1
        if repeats <= 0:
            return result, best_s


def main(frames: int) -> None:
    from benchmarks.coco_peer_errors import Hotcoco, tide_errors  # slow to import, and the data above is used without

    rng = np.random.default_rng(0)
    data = [synthetic_frame(rng, row, 5.0, 13) for row in range(frames)]
    count = sum(len(objects) for _, objects, _ in data), sum(len(found) for _, _, found in data)
    print(f"{len(data)} images, {count[0]} objects, {count[1]} detections, {len(CATEGORIES)} categories")

    alone, alone_s = timed(lambda: metrics(record([Batch.of(data)], len(CATEGORIES)), CATEGORIES), REPEATS)
    (ours, errors), ours_s = timed(lambda: explained([Batch.of(data)], CATEGORIES), REPEATS)
    truth, results = coco_json(data, CATEGORIES)
    hotcoco = Hotcoco(truth, results)
    (fastest, _), fastest_s = timed(hotcoco.evaluate, REPEATS)
    theirs, pycocotools_s = timed(lambda: coco_evaluation(truth, results))
    _, tidecv_s = timed(lambda: tide_errors(truth, results))
    for name, stats in (("hotcoco", fastest), ("pycocotools", theirs.stats)):
        figures = [ours.mAP, ours.AP50, ours.AP75, ours.APs, ours.APm, ours.APl, ours.AR100]
        difference = float(np.abs(np.array(figures) - stats[[0, 1, 2, 3, 4, 5, 8]]).max())
        print(f"mAP {ours.mAP:.6f}, {name} {stats[0]:.6f}; largest difference of 7 figures {difference:.1e}")
        if not difference <= 1e-9 or ours != alone:  # NaN is no agreement
            raise SystemExit("the figures differ: the times compare nothing")
    print("errors: " + ", ".join(f"{count} {kind}" for kind, count in errors.counts.items()))
    print(f"figures alone: ours {alone_s:.3f} s, pycocotools {pycocotools_s:.2f} s")
    both_s = pycocotools_s + tidecv_s
    print(
        f"figures and errors: ours {ours_s:.3f} s, hotcoco {fastest_s:.3f} s (ours takes {ours_s / fastest_s:.2f} "
        f"times as long), pycocotools and tidecv {both_s:.2f} s (ours is {both_s / ours_s:.0f} times as fast)"
    )

    with tempfile.TemporaryDirectory() as folder:
        with DatasetWriter(Path(folder) / "store", CATEGORIES, "benchmark") as store:
            for frame, objects, _ in data:
                store.add(frame, objects)
        file = Path(folder) / "detections.parquet"
        with DetectionsWriter(file, CATEGORIES) as writer:
            for frame, _, found in data:
                writer.add(frame.frame_id, found)
        ds = Dataset.open(Path(folder) / "store")
        _, files_s = timed(lambda: evaluate_with_errors(ds, file), repeats=3)
        spread, bootstrap_s = timed(lambda: interval(ds, file))
    print(f"figures and errors from Parquet files {files_s:.3f} s")
    print(f"mAP {spread.value:.4f}, 95% {spread.low:.4f} to {spread.high:.4f}: 1,000 resamples in {bootstrap_s:.1f} s")
    told = {"name": "evaluate with errors", "ours": ours_s, "peer": fastest_s, "unit": "s"}
    print(json.dumps(told | {"ratio": fastest_s / ours_s}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3769)
