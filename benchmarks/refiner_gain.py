"""What a detector gains from renders, raw and after each refiner: arms of equal work, over several seeds.

    python -m benchmarks.refiner_gain [--train coco:TRAIN.json] [--val coco:VAL.json] [--refiners lab cut ...]
        [--labelled 200] [--renders 200] [--baseline 600] [--steps 150] [--seeds 3] [--out runs/refiner_gain]

As in a campaign: a few of the training images are labelled, the others are the pool that refiners are fitted to without
labels (pix2pix: to photographs with label maps). One baseline learns from the labelled images; every arm goes on from
it, once a seed, with the labelled images alone, with raw renders of random streets beside them, or with what a refiner
made of those renders and the label gate let through. A table of COCO AP and AP50 on val, and the differences to the raw
renders and to the real images alone, paired by image and seed, with 95% intervals over both. Run again to go on: what
is there is not repeated. All arms of a seed come before the next one. The last line is JSON, one object an arm; the
peer is `raw`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from dataset.mix import mix
from dataset.store import Dataset
from evaluation.average_precision import evaluate
from evaluation.seeds import paired_difference_over_seeds
from models.detector.config import DetectorConfig, TrainConfig
from models.detector.predict import predict
from models.detector.train import train
from models.refiners.build import CLASSES, fit_refiner, load_refiner
from models.refiners.config import GateConfig, RefinerConfig, RefinerKind
from models.refiners.gate import LabelGate
from models.refiners.gate_table import GateSummary, read_rows
from models.refiners.pictures import Pictures
from models.refiners.survival import labels_survive
from simulator.casting import Casting, CastingConfig
from simulator.embedded.backend import EmbeddedBackend
from simulator.ground import AssumedCamera, calibrate
from simulator.jobs import RandomJobs
from simulator.random_street import RandomStreetConfig
from simulator.randomise import RandomisationConfig
from simulator.session import render_scenes
from tasks.config import DataConfig
from tasks.data import import_source
from tasks.learned import hand_on, write_learned
from tasks.picture_sets import open_pictures
from tasks.refined_store import refine_store
from tasks.refining import told

CARLA095 = "coco:../shared/data/carla095/{}.json"
CAMVID = "../shared/data/camvid/{}"
REAL, RAW = "real", "raw"
CAP = 0.5
FOV_DEG = 90.0  # CARLA's own, where carla095 comes from; boxes do not tell it
MOSTLY_DAY = RandomisationConfig(
    time_of_day={"day": 0.9, "dusk": 0.1, "night": 0.0},
    weather={"clear": 0.5, "overcast": 0.3, "fog": 0.05, "rain": 0.15},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default=CARLA095.format("train"))
    parser.add_argument("--val", default=CARLA095.format("val"))
    parser.add_argument("--maps", nargs=2, type=Path, default=[Path(CAMVID.format(s)) for s in ("train", "trainannot")])
    parser.add_argument("--refiners", nargs="*", choices=CLASSES, default=list(CLASSES))
    parser.add_argument("--labelled", type=int, default=200, help="Training images whose labels are known")
    parser.add_argument("--renders", type=int, default=200)
    parser.add_argument("--baseline", type=int, default=600, help="Steps of the detector that all arms go on from")
    parser.add_argument("--steps", type=int, default=150, help="Steps of each arm")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--until", choices=("renders", "refined", "judged"), default="judged", help="Stop early")
    parser.add_argument("--out", type=Path, default=Path("runs/refiner_gain"))
    options = parser.parse_args()

    labelled, pool, val = splits(options)
    renders = rendered(labelled, options)
    if options.until == "renders":
        return
    config = TrainConfig(steps=options.baseline, batch_size=options.batch)
    baseline = train(labelled, options.out / "baseline", detector_of(options), config)
    synthetic: dict[str, Dataset | None] = {REAL: None, RAW: renders}
    synthetic |= {kind: refined(kind, renders, pool, baseline, options) for kind in options.refiners}
    if options.until == "refined":
        return
    judged: dict[str, list[tuple[float, float, Path]]] = {name: [] for name in synthetic}
    for seed in range(options.seeds):
        for name, frames in synthetic.items():
            judged[name].append(arm(name, frames, seed, baseline, labelled, val, options))
    report(judged, val)


def splits(options: argparse.Namespace) -> tuple[Dataset, Dataset, Dataset]:
    """The labelled training images, the pool (the others), and val."""
    every = import_source(options.train, options.out / "train", DataConfig())
    val = import_source(options.val, options.out / "val", DataConfig(), known=every.categories)
    order = np.random.default_rng(0).permutation(len(every))
    parts = {"labelled": order[: options.labelled], "pool": order[options.labelled :]}
    labelled, pool = (every.subset(np.sort(rows), options.out / name) for name, rows in parts.items())
    return labelled, pool, val


def rendered(labelled: Dataset, options: argparse.Namespace) -> Dataset:
    """Random streets with the categories' shares, the size and the camera of the labelled images."""
    casting, frame = CastingConfig(), labelled.frame(0)
    camera = calibrate(
        labelled.stream(), Casting(labelled.categories, casting), AssumedCamera(horizontal_fov_deg=FOV_DEG)
    ).camera(frame.width_px, frame.height_px)
    street = RandomStreetConfig(casting=casting, category_mix={k: float(n) for k, n in labelled.counts().items()})
    jobs = RandomJobs(
        options.renders, labelled.categories, [(camera, frame.width_px, frame.height_px)], street, MOSTLY_DAY, seed=0,
        cycle=0,
    )  # fmt: skip
    return render_scenes(jobs, options.out / "renders", backend_factory=EmbeddedBackend).dataset


def refined(kind: RefinerKind, renders: Dataset, pool: Dataset, detector: Path, options: argparse.Namespace):
    """The renders after a refiner, as far as the gate, whose witness the detector is, lets them through."""
    fitted, out = options.out / "refiners" / kind, options.out / "refined" / kind
    gate = LabelGate.of_checkpoint(detector, renders.categories, GateConfig())
    if not (fitted / "refiner.pt").is_file():
        images, maps = options.maps
        target = open_pictures(str(images), maps) if kind == "pix2pix" else open_pictures(f"store:{pool.folder}")
        fit_refiner(
            RefinerConfig(kind=kind), Pictures.of_store(renders), target.pictures, fitted, seed=0, detector=detector,
            gate=labels_survive(renders, gate, seed=0),
        )  # fmt: skip
        write_learned(fitted, target.files())
    if not (out / "meta.json").is_file():
        refine_store(load_refiner(fitted / "refiner.pt"), renders, out, gate, seed=0)
        hand_on(fitted / "refiner.pt", out)
    print(f"{kind}: {told(GateSummary.of(*read_rows(out / 'gate.parquet')))}")
    return Dataset.open(out)


def arm(
    name: str, synthetic: Dataset | None, seed: int, baseline: Path, labelled: Dataset, val: Dataset,
    options: argparse.Namespace,
) -> tuple[float, float, Path]:  # fmt: skip
    """AP, AP50 and the detections on val of one training that goes on from the baseline."""
    out = options.out / f"{name}-{seed}"
    mixed = mix(labelled, synthetic, max_synthetic_share=CAP, seed=0, folder=out / "mix").dataset
    # Half the baseline's rate, as the presets retrain.
    config = TrainConfig(steps=options.steps, batch_size=options.batch, seed=seed, learning_rate=1e-3)
    checkpoint = train(mixed, out, detector_of(options), config, init=baseline)
    metrics = evaluate(val, predict(checkpoint, val, out / "val.parquet", progress=False))
    print(f"{name}, seed {seed}: AP {metrics.mAP:.4f}, AP50 {metrics.AP50:.4f}", flush=True)
    return metrics.mAP, metrics.AP50, out / "val.parquet"


def detector_of(options: argparse.Namespace) -> DetectorConfig:
    return DetectorConfig(input_width_px=options.width, input_height_px=options.height)


def report(judged: dict[str, list[tuple[float, float, Path]]], val: Dataset) -> None:
    table = Table("arm", "AP", "AP50", "AP against raw", "AP50 against raw", "AP against real")
    figures = []
    for name, trained in judged.items():
        ap, ap50, _ = zip(*trained, strict=True)
        table.add_row(
            name, spread(ap), spread(ap50), *[
                gain(judged[other], trained, val, metric) if name != other else ""
                for other, metric in ((RAW, "mAP"), (RAW, "AP50"), (REAL, "mAP"))
            ],
        )  # fmt: skip
        ours, peer = float(np.mean(ap)), float(np.mean([one[0] for one in judged[RAW]]))
        figures.append(
            {"name": name, "ours": round(ours, 4), "peer": round(peer, 4), "unit": "AP"}
            | {"ratio": round(ours / peer, 3) if peer else None}
        )
    Console(width=130).print(table)
    print(json.dumps(figures))


def gain(before: list[tuple[float, float, Path]], after: list[tuple[float, float, Path]], val: Dataset, metric: str):
    found = paired_difference_over_seeds(val, [one[2] for one in before], [one[2] for one in after], metric)
    return f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def spread(values: tuple[float, ...]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) if len(values) > 1 else np.nan:.4f}"


if __name__ == "__main__":
    main()
