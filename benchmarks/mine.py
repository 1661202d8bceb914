"""Mining's memory and speed: a tenth of the frames against all 200,000, each in a process of its own.

    python -m benchmarks.mine [FRAMES]

The data are written to disk first by other processes, so that their memory does not count. The last line is JSON:
peak memory of the large run against that of the small one; 10 would mean that everything is held.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.evaluate import CATEGORIES, synthetic_frame
from dataset.detections import DetectionsWriter
from dataset.store import Dataset, DatasetWriter
from evaluation.failures import mine


def write(folder: Path, frames: int) -> None:
    """Frames of KITTI's density, each seeded by its row."""
    with (
        DatasetWriter(folder / "store", CATEGORIES, "mining") as store,
        DetectionsWriter(folder / "detections.parquet", CATEGORIES) as writer,
    ):
        for row in range(frames):
            frame, objects, found = synthetic_frame(np.random.default_rng([1, row]), row, 5.0, 13)
            store.add(frame, objects)
            writer.add(frame.frame_id, found)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path) -> dict[str, float]:
    """Mine in this process: seconds, failures, and how far memory rose above that of the imports."""
    before = peak_mib()
    ds = Dataset.open(folder / "store")
    start = time.perf_counter()
    failures = mine(ds, folder / "detections.parquet", folder / "failures.parquet")
    seconds = time.perf_counter() - start
    return {"frames": len(ds), "seconds": seconds, "failures": len(failures), "before": before, "peak": peak_mib()}


def main(frames: int) -> None:
    peaks = []
    spawn = multiprocessing.get_context("spawn")
    for count in (frames // 10, frames):
        with tempfile.TemporaryDirectory() as folder:
            with spawn.Pool(1) as pool:
                pool.apply(write, (Path(folder), count))
            with spawn.Pool(1) as pool:
                result = pool.apply(measure, (Path(folder),))
        print(
            f"{result['frames']} frames, {result['failures']} failures: {result['seconds']:.1f} s, "
            f"{result['frames'] / result['seconds']:.0f} frames/s, "
            f"peak {result['peak']:.0f} MiB, of which imports {result['before']:.0f}",
            flush=True,
        )
        peaks.append(result["peak"])
    small, large = peaks
    print(json.dumps({"name": "mine", "ours": large, "peer": small, "unit": "MiB peak", "ratio": large / small}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
