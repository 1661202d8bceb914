"""The store: memory while writing and reading, bounded by the batch; rows a second, against peers.

    python -m benchmarks.store [--frames 200000]

Every measurement runs in a process of its own, whose peak resident memory is read at its end. Memory is measured
again with a tenth of the frames: if the batch bounds it, both are about the same. Peers hold the whole data set in
memory, as most loaders do: a JSON list (COCO style) and a pandas table of objects with the rows of each frame.
Ours reads random rows from mapped files, whose pages in use count as memory here, but are the page cache's to drop.
The last line is a JSON list of {"name", "ours", "peer", "unit", "ratio"}; ratio is ours / peer.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from dataset.schema import Camera, Frame, Objects
from dataset.store import Dataset, DatasetWriter

LOOKUPS = 20_000
BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024


def synthetic_frames(count: int):
    """Frames with 0 to 9 objects, all drawn from one seed."""
    rng = np.random.default_rng(0)
    camera = Camera(721.5, 721.5, 609.6, 172.9)
    for i in range(count):
        n = int(rng.integers(0, 10))
        low = rng.uniform(0, 300, (n, 2))
        objects = Objects.of(rng.integers(0, 3, n), np.hstack([low, low + 20]), occlusion=rng.random(n))
        yield Frame(f"{i:08d}", f"/images/{i:08d}.png", 1242, 375, f"clip-{i // 50}", camera=camera), objects


def write(folder: Path, frames: int) -> dict[str, float]:
    start = time.perf_counter()
    with DatasetWriter(folder, ("car", "bike", "person"), "benchmark") as writer:
        for frame, objects in synthetic_frames(frames):
            writer.add(frame, objects)
    return {"rate": frames / (time.perf_counter() - start)}


def iterate(folder: Path, frames: int) -> dict[str, float]:
    start = time.perf_counter()
    seen = sum(len(batch) for batch in Dataset.open(folder).iterate())
    if seen != frames:
        raise RuntimeError(f"{seen} frames read, {frames} written")
    return {"rate": seen / (time.perf_counter() - start)}


def first_frame(folder: Path, frames: int) -> dict[str, float]:
    """Seconds from nothing to the objects of the first frame asked for."""
    start = time.perf_counter()
    ds = Dataset.open(folder)
    objects = len(ds.objects(frames - 1))
    return {"seconds": time.perf_counter() - start, "objects": objects}


def look_up(folder: Path, frames: int) -> dict[str, float]:
    ds = Dataset.open(folder)
    return {"rate": lookup_rate(lambda i: (ds.frame(i), ds.objects(i)), frames)}


def look_up_json(folder: Path, frames: int) -> dict[str, float]:
    """The peer that most data loaders are: everything as a list of dicts."""
    start = time.perf_counter()
    listed = json.loads((folder / "peer.json").read_text())
    seconds = time.perf_counter() - start

    def row(i: int) -> tuple[Frame, Objects]:
        entry = listed[i]
        camera = Camera(**entry["frame"]["camera"])
        return Frame(**entry["frame"] | {"camera": camera}), Objects.of(**entry["objects"])

    return {"rate": lookup_rate(row, frames), "seconds": seconds}


def look_up_pandas(folder: Path, frames: int) -> dict[str, float]:
    import pandas as pd

    start = time.perf_counter()
    frame_rows, object_rows = (pd.read_parquet(folder / f"{name}.parquet") for name in ("frames", "objects"))
    of_frame = object_rows.groupby("frame_row").indices
    seconds = time.perf_counter() - start
    nothing = np.zeros(0, np.int64)
    return {
        "rate": lookup_rate(lambda i: (frame_rows.iloc[i], object_rows.iloc[of_frame.get(i, nothing)]), frames),
        "seconds": seconds,
    }


def lookup_rate(row: Callable[[int], Any], frames: int) -> float:
    """Random rows a second, the first pass over them (which fills the page cache) not counted."""
    order = np.random.default_rng(1).integers(0, frames, LOOKUPS).tolist()
    for i in order:
        row(i)
    start = time.perf_counter()
    for i in order:
        row(i)
    return LOOKUPS / (time.perf_counter() - start)


def write_json_peer(folder: Path) -> None:
    ds = Dataset.open(folder)
    with (folder / "peer.json").open("w") as out:
        for i, (frame, objects) in enumerate(ds.stream()):
            camera = None if frame.camera is None else vars(frame.camera)
            known = {name: values.tolist() for name, values in vars(objects).items()}
            entry = {"frame": vars(frame) | {"camera": camera}, "objects": known}
            out.write(("[" if not i else ",\n") + json.dumps(entry))
        out.write("]")


def _report(work: Callable[[Path, int], dict[str, float]], folder: Path, frames: int, result: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = work(folder, frames)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = BYTES_PER_MAXRSS / 2**20
    result.send(figures | {"peak_mib": peak * scale, "growth_mib": (peak - before) * scale})


def measured(work: Callable[[Path, int], dict[str, float]], folder: Path, frames: int) -> dict[str, float]:
    """What `work` returns, with the peak memory of a fresh process, and its growth over the imports."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(work, folder, frames, sender))
    process.start()
    sender.close()
    figures = receiver.recv()
    process.join()
    print(f"{work.__name__:15} {frames:8} frames: " + ", ".join(f"{name} {v:,.3f}" for name, v in figures.items()))
    return figures


def figure(name: str, ours: float, peer: float, unit: str) -> dict[str, Any]:
    return {"name": name, "ours": round(ours, 4), "peer": round(peer, 4), "unit": unit, "ratio": round(ours / peer, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200_000)
    many = parser.parse_args().frames
    few = many // 10
    with tempfile.TemporaryDirectory() as scratch:
        small, large = Path(scratch) / "small", Path(scratch) / "large"
        wrote_small, wrote = measured(write, small, few), measured(write, large, many)
        read_small, read = measured(iterate, small, few), measured(iterate, large, many)
        opened = measured(first_frame, large, many)
        ours = measured(look_up, large, many)
        write_json_peer(large)
        as_json, as_pandas = measured(look_up_json, large, many), measured(look_up_pandas, large, many)
        figures = [
            figure(f"peak memory, write (peer: {few} frames)", wrote["peak_mib"], wrote_small["peak_mib"], "MiB"),
            figure(f"peak memory, iterate (peer: {few} frames)", read["peak_mib"], read_small["peak_mib"], "MiB"),
            figure("iterate (peer: parsing a JSON list)", read["rate"], many / as_json["seconds"], "frames/s"),
            figure("random access (peer: JSON list)", ours["rate"], as_json["rate"], "frames/s"),
            figure("random access (peer: pandas)", ours["rate"], as_pandas["rate"], "frames/s"),
            figure("peak memory, random access (peer: JSON list)", ours["peak_mib"], as_json["peak_mib"], "MiB"),
            figure("peak memory, random access (peer: pandas)", ours["peak_mib"], as_pandas["peak_mib"], "MiB"),
            figure("time to first frame (peer: JSON list)", opened["seconds"], as_json["seconds"], "s"),
            figure("time to first frame (peer: pandas)", opened["seconds"], as_pandas["seconds"], "s"),
        ]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
