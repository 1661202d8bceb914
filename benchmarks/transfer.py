"""What a detector learns from the embedded simulator alone, and beside real images, judged on images no one here made.

    python -m benchmarks.transfer [--streets NAME=STORE[,STORE] ...] [--arms NAME ...] [--frames 300] [--steps 300]
        [--batch 4] [--seeds 3] [--width 320 --height 192] [--out runs/transfer]

Each `--streets` is an arm: frames that `benchmarks/transfer_frames.py` rendered, here or in a worktree of an older
version. Without any, frames of this version are rendered. Beside them `real` learns from CamVid's training photographs
alone and `real+NAME` from those and as many of the last `--streets`. All arms start from scratch and take the same
number of steps; they are judged on KITTI's 31 frames, CamVid's val photographs (boxes about its masks, see
../shared/data/README.md) and carla095's val renders, a stand-in for real images. The figure is the AP50 of cars: all
sets know cars, not all know more. A table with 95% intervals over images and seeds, and each arm's difference to the
first one, paired by both. CamVid's val frames are of one drive: its intervals are too narrow. Run again to go on: a
training that is there is not repeated. The last line is JSON, one object an arm and test set; the peer is the first
arm.
"""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.transfer_frames import render_streets
from dataset.errors import InputError
from dataset.mix import mix
from dataset.readers import open_source
from dataset.store import Dataset, concatenate
from evaluation.seeds import interval_over_seeds, paired_difference_over_seeds
from models.detector.config import DetectorConfig, TrainConfig
from models.detector.predict import predict
from models.detector.train import train

METRIC = "AP50/car"
CAMVID = {"car": "car", "pedestrian": "pedestrian", "cyclist": "cyclist"}
REAL = ("coco:../shared/data/camvid/pseudo_boxes_train.json", CAMVID)
# Where a set does not label pedestrians, its map names them all the same: all arms share the detector's categories.
TESTS: dict[str, tuple[str, dict[str, str]]] = {
    "kitti31": (
        "kitti:../shared/data/kitti31",
        {"Car": "car", "Pedestrian": "pedestrian", "Cyclist": "cyclist", "*": "ignore"},
    ),
    "camvid val": ("coco:../shared/data/camvid/pseudo_boxes_val.json", CAMVID),
    "carla095 val": (
        "coco:../shared/data/carla095/val.json",
        {"vehicle": "car", "pedestrian": "pedestrian", "bike": "cyclist", "*": "drop"},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streets", action="append", metavar="NAME=STORE[,STORE]")
    parser.add_argument("--arms", nargs="+", help="only these of the arms; the first one is the peer")
    parser.add_argument("--frames", type=int, default=300, help="rendered where no --streets are given")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"))
    options = parser.parse_args()

    arms = arms_of(options)
    tests = {name: imported(*source, options.out / "tests" / name.replace(" ", "-")) for name, source in TESTS.items()}
    found: dict[str, dict[str, list[Path]]] = {}
    for name, data in arms.items():
        trained = [judged(name, seed, data, tests, options) for seed in range(options.seeds)]
        found[name] = {test: [files[test] for files in trained] for test in tests}
    report(found, tests)


def arms_of(options: argparse.Namespace) -> dict[str, Dataset]:
    """What each arm learns from, in the order of the table."""
    if options.streets is None:
        out = options.out / "streets"
        streets = {"sim": render_streets(out, options.frames)}
    else:
        named = [text.partition("=") for text in options.streets]
        streets = {name: joined(name, stores.split(","), options.out) for name, _, stores in named}
    real = imported(*REAL, options.out / "real")
    last = list(streets)[-1]
    both = mix(real, streets[last], max_synthetic_share=0.5, seed=0, folder=options.out / f"real+{last}")
    arms = streets | {"real": real, f"real+{last}": both.dataset}
    chosen = options.arms or list(arms)
    if unknown := [name for name in chosen if name not in arms]:
        raise InputError("--arms", f"{unknown[0]!r} is none of {', '.join(arms)}", "name some of these")
    return {name: arms[name] for name in chosen}


def joined(name: str, stores: list[str], out: Path) -> Dataset:
    if len(stores) == 1:
        return Dataset.open(stores[0])
    return concatenate([Dataset.open(store) for store in stores], out / f"{name}-joined")


def imported(spec: str, categories: dict[str, str], folder: Path) -> Dataset:
    if not (folder / "meta.json").exists():
        open_source(spec, folder, categories=categories)
    return Dataset.open(folder)


def judged(
    arm: str, seed: int, data: Dataset, tests: dict[str, Dataset], options: argparse.Namespace
) -> dict[str, Path]:
    """The detections of one training on every test set."""
    detector = DetectorConfig(input_width_px=options.width, input_height_px=options.height)
    config = TrainConfig(steps=options.steps, batch_size=options.batch, seed=seed)
    out = options.out / f"{arm}-{seed}"
    checkpoint = train(data, out, detector, config)
    files = {test: out / f"{test.replace(' ', '-')}.parquet" for test in tests}
    for test, file in files.items():
        if not file.exists() or file.stat().st_mtime < checkpoint.stat().st_mtime:
            predict(checkpoint, tests[test], file, progress=False)
    return files


def report(found: dict[str, dict[str, list[Path]]], tests: dict[str, Dataset]) -> None:
    table = Table("learned from", *tests, title=f"{METRIC}, mean over seeds (95% over images and seeds)")
    gains = Table("against the first", *tests, title="difference, paired by image and seed")
    figures = []
    first = next(iter(found))
    for arm, files in found.items():
        row, differences = [], []
        for test, dataset in tests.items():
            figure = interval_over_seeds(dataset, files[test], METRIC)
            gain = paired_difference_over_seeds(dataset, found[first][test], files[test], METRIC)
            row.append(f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})")
            differences.append(f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")
            peer = figure.value - gain.value
            figures.append(
                {
                    "name": f"{arm} on {test}",
                    "ours": round(figure.value, 4),
                    "peer": round(peer, 4),
                    "unit": METRIC,
                    "ratio": round(figure.value / peer, 3) if peer else None,
                }
            )
        table.add_row(arm, *row)
        if arm != first:
            gains.add_row(arm, *differences)
    console = Console(width=118)
    console.print(table)
    console.print(gains)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
