"""Clustering the detector's cells to objects: ours beside DetectNet_v2's way, DBSCAN over 1 - IoU (scikit-learn).

    python -m benchmarks.cluster [--images 600]

The load is what a stride-16 grid says of a street at 1248x384: about 186 cells an image in 3 categories, the cells of
an object agreeing on its box up to a few per cent. Both sides start from the same arrays and end with boxes and
scores, on one thread. The last line is JSON.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import DBSCAN
from torchvision.ops import box_iou

from dataset.schema import Detections
from models.detector.cluster import Proposals, cluster
from models.detector.config import ClusterConfig

OBJECTS = 14
DETECTNET_EPS = 0.15  # its published range is 0.13-0.15
NOISE = 0.03  # of an edge, in widths and heights of the object


def street(rng: np.random.Generator) -> Proposals:
    """The proposals of one image: objects of three categories, each proposed by the cells it covers."""
    parts = []
    for _ in range(OBJECTS):
        height = float(np.exp(rng.uniform(np.log(12), np.log(220))))
        width = height * rng.uniform(0.4, 2.0)
        left, top = rng.uniform(0, 1248 - width * 0.5), rng.uniform(100, 250)
        cells = max(1, min(46, round(np.pi / 4 * 0.16 * width * height / 16**2 * 4)))
        size = np.array([width, height, width, height])
        box = np.array([left, top, left + width, top + height]) + rng.normal(0, NOISE, (cells, 4)) * size
        parts.append((np.full(cells, rng.integers(3)), box, rng.uniform(0.02, 0.95, cells), rng.random(cells)))
    category, box, score, occlusion = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Proposals(
        torch.from_numpy(category),
        torch.from_numpy(box.astype(np.float32)),
        torch.from_numpy(score.astype(np.float32)),
        torch.from_numpy(occlusion.astype(np.float32)),
    )


def dbscan(proposals: Proposals) -> Detections:
    """scikit-learn's DBSCAN a category, every cell a core point, boxes merged by their scores."""
    found = []
    for category in proposals.category.unique():
        mine = proposals.category == category
        box, score = proposals.box_xyxy[mine], proposals.score[mine].numpy()
        distance = (1 - box_iou(box, box)).clamp(min=0).numpy()
        label = DBSCAN(eps=DETECTNET_EPS, min_samples=1, metric="precomputed").fit_predict(distance)
        for one in range(label.max() + 1):
            members = label == one
            mean = np.average(box.numpy()[members], axis=0, weights=score[members])
            found.append((int(category), mean, score[members].max()))
    category, box, score = zip(*found, strict=True)
    return Detections.of(category, np.stack(box), score)


def images_per_s(method: Callable[[Proposals], Detections], load: list[Proposals]) -> tuple[float, float]:
    """Best of three passes, and the objects found an image."""
    seconds, found = [], 0
    for _ in range(3):
        start = time.perf_counter()
        found = sum(len(method(proposals)) for proposals in load)
        seconds.append(time.perf_counter() - start)
    return len(load) / min(seconds), found / len(load)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600)
    torch.set_num_threads(1)  # arrays this small only lose by being shared out
    rng = np.random.default_rng(0)
    load = [street(rng) for _ in range(parser.parse_args().images)]
    config = ClusterConfig()
    print(f"{np.mean([len(p.score) for p in load]):.0f} cells and {OBJECTS} objects an image")
    ours, found = images_per_s(lambda proposals: cluster(proposals, config), load)
    print(f"ours: {ours:.0f} images/s, {found:.1f} objects an image")
    peer, found = images_per_s(dbscan, load)
    print(f"scikit-learn's DBSCAN, eps {DETECTNET_EPS}: {peer:.0f} images/s, {found:.1f} objects an image")
    result = {"name": "cluster", "ours": round(ours, 1), "peer": round(peer, 1), "unit": "images/s"}
    print(json.dumps(result | {"ratio": round(ours / peer, 2)}))


if __name__ == "__main__":
    main()
