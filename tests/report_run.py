"""The folder of a small campaign as the flow leaves it, with detectors made up to a given skill instead of trained."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from dataset.detections import DetectionsWriter
from dataset.schema import Detections, Frame, Objects, Source
from dataset.store import Dataset, DatasetWriter
from models.refiners.build import fit_refiner
from models.refiners.gate import LabelGate
from models.refiners.pictures import Pictures
from simulator.session import RECONSTRUCTION
from tasks.campaign import Campaign
from tasks.comparison import compare_arms, learner
from tasks.config import CampaignConfig
from tasks.data import Data
from tasks.layout import BASELINE, IMITATION, RANDOM, REAL, REFINED, Cycle
from tasks.mining import choose_failures, failures_of, mine_failures
from tasks.refined_store import refine_store
from tasks.steps import file_digest, finished, run_step

CATEGORIES = ("car", "pedestrian", "tram")  # no tram is ever seen: its AP is unknown
WIDTH_PX, HEIGHT_PX = 480, 160
SKILL = {BASELINE: 0.45, REAL: 0.5, RANDOM: 0.55, IMITATION: 0.7, REFINED: 0.75}


def build_run(
    runs: Path, cycles: int, *, source: Source = "real", test: bool = True, refiner: str = "none"
) -> tuple[Campaign, Data]:
    """A finished baseline and `cycles` imitation cycles below `runs`, every step recorded."""
    settings = {"name": "streets", "runs": runs, "loop": {"bootstrap_samples": 10}, "refiner": {"kind": refiner}}
    config = CampaignConfig.model_validate(settings)
    campaign = Campaign.open(config)
    sizes = {"train": 6, "pool": 24, "val": 16} | ({"test": 12} if test else {})
    for seed, (name, frames) in enumerate(sizes.items()):
        streets(campaign.run.split(name), frames, name, seed, source)
    run_step(campaign.run.data / "splits-read", lambda folder: "read")
    split = campaign.run.split
    data = Data(split("train"), split("pool"), split("val"), split("test") if test else None, "data")
    for number in range(cycles + 1):
        _cycle(campaign, campaign.cycle(number), data)
    return campaign, data


def streets(
    folder: Path, frames: int, name: str, seed: int, source: Source, failure_ids: list[str] | None = None
) -> Dataset:
    """Boxes of paint on a grey road, labelled; every second frame without depth, light or weather."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with DatasetWriter(folder, CATEGORIES, name) as writer:
        for i in range(frames):
            known = i % 2 == 0
            objects = _objects(rng, known)
            path = folder / "images" / f"{i:03d}.jpg"
            _paint(objects, rng).save(path)
            frame = Frame(
                f"{name}-{i:03d}", str(path), WIDTH_PX, HEIGHT_PX, group=f"clip-{i // 4}", source=source,
                time_of_day=["day", "night"][i // 2 % 2] if known else None,
                weather=["clear", "rain", "fog"][i // 2 % 3] if known else None,
                failure_id=None if failure_ids is None else failure_ids[i % len(failure_ids)],
            )  # fmt: skip
            writer.add(frame, objects)
    return Dataset.open(folder)


def _objects(rng: np.random.Generator, known: bool) -> Objects:
    count = int(rng.integers(2, 6))
    category = rng.choice([0, 0, 0, 1], count)
    distance_m = rng.uniform(8, 60, count)
    height = 480 / distance_m
    width = height * np.where(category == 0, 1.5, 0.45)
    left = rng.uniform(0, WIDTH_PX - 1 - width)
    box = np.stack([left, 95 - height / 2, left + width, 95 + height / 2], axis=1)
    location = np.stack([left / 20 - 12, np.full(count, 1.6), distance_m], axis=1)
    return Objects.of(
        category, box,
        occlusion=rng.choice([0, 0.2, 0.6], count) if known else None,
        truncation=np.zeros(count) if known else None,
        location_xyz_m=location if known else None,
    )  # fmt: skip


def _paint(objects: Objects, rng: np.random.Generator) -> Image.Image:
    rows = np.linspace(200, 120, HEIGHT_PX)[:, None, None]
    rows[85:] = np.linspace(70, 110, HEIGHT_PX - 85)[:, None, None]
    noise = rng.normal(0, 4, (HEIGHT_PX, WIDTH_PX, 1))
    picture = Image.fromarray(np.clip(rows + noise + [0, 4, 10], 0, 255).astype(np.uint8))
    canvas = ImageDraw.Draw(picture)
    for box in objects.box_xyxy_px.tolist():
        colour = tuple(rng.integers(40, 220, 3).tolist())
        canvas.rectangle(box, fill=colour)
        canvas.rectangle((box[0], box[1], box[2], box[1] + (box[3] - box[1]) * 0.4), fill=(60, 70, 80))
    return picture


def detect(dataset: Dataset, file: Path, skill: float, seed: int) -> None:
    """Detections of which a share of `skill` is right; the others are missed, moved, of another category, or double."""
    rng = np.random.default_rng(seed)
    with DetectionsWriter(file, dataset.categories) as writer:
        for batch in dataset.iterate():
            for frame, objects in batch:
                found = [_detection(objects, i, skill, rng) for i in range(len(objects))]
                found = [one for part in found for one in part]
                if rng.random() > skill:
                    found.append((int(rng.integers(2)), [300, 20, 340, 60], rng.uniform(0.5, 0.9)))
                # Noise that no one believes: what a score threshold is for.
                for left in rng.uniform(0, WIDTH_PX - 40, 4).tolist():
                    found.append((int(rng.integers(2)), [left, 70, left + 30, 100], rng.uniform(0.02, 0.2)))
                category, box, score = zip(*found, strict=True)
                writer.add(frame.frame_id, Detections.of(category, box, score))


def _detection(objects: Objects, i: int, skill: float, rng: np.random.Generator) -> list[tuple]:
    category, box = int(objects.category[i]), objects.box_xyxy_px[i]
    right = (category, box + rng.normal(0, 0.6, 4), float(rng.uniform(0.55, 1)))
    if rng.random() < skill:
        return [right]
    width = box[2] - box[0]
    mistakes = {
        "missed": [],
        "unsure": [(category, box, float(rng.uniform(0.05, 0.2)))],
        "localisation": [(category, box + [0.55 * width, 0, 0.55 * width, 0], 0.7)],
        "class": [(1 - category, box, float(rng.uniform(0.5, 0.9)))],
        "duplicate": [right, (category, box + [0, 0, 0.1 * width, 0], 0.5)],
    }
    return mistakes[str(rng.choice(list(mistakes)))]


def _cycle(campaign: Campaign, cycle: Cycle, data: Data) -> None:
    if cycle.number > 0:
        before = cycle.run.cycle(cycle.number - 1)
        mined = mine_failures.fn(campaign, cycle, data, finished(before.detections(learner(before), 0)))
        choose_failures.fn(campaign, cycle, data, mined)
        _synthetic(cycle)
        if REFINED in cycle.arms:
            _refined(campaign, cycle, data)
    detections = {}
    for arm in cycle.arms:
        run_step(cycle.training(arm, 0), lambda folder: "trained", cycle=cycle.number)

        def work(folder: Path, arm: str = arm) -> str:
            for seed, (name, store) in enumerate(data.judged().items()):
                skill = SKILL[arm] + 0.06 * cycle.number
                detect(Dataset.open(store), folder / f"{name}.parquet", skill, 100 * cycle.number + seed)
            return file_digest_of(folder)

        detections[arm] = [run_step(cycle.detections(arm, 0), work)]
    compare_arms.fn(campaign, cycle, data, detections)


def file_digest_of(detections: Path) -> str:
    return file_digest(detections / "pool.parquet")


def _synthetic(cycle: Cycle) -> None:
    """Two scenes for every second failure chosen; those of the others never fitted."""
    chosen = json.loads((cycle.scenes / "chosen.json").read_text())
    fitted = chosen[::2]

    def work(folder: Path) -> str:
        made = streets(folder, 2 * len(fitted), f"synthetic-{cycle.number}", 50, "synthetic", fitted)
        rows = []
        for job, failure_id in enumerate(chosen):
            good = failure_id in fitted
            base = {"job": job, "failure_id": failure_id, "scene_id": "s", "attempt": 0}
            rows.append(base | {"passed": False, "iou": 0.42, "occlusion_error": 0.3, "truncation_error": 0.0,
                                "reason": "IoU 0.42 < 0.70; occlusion off by +0.30"})  # fmt: skip
            rows.append(base | {"attempt": 1, "passed": good, "iou": 0.9 if good else 0.0,
                                "occlusion_error": -0.05 if good else np.nan,
                                "truncation_error": 0.0 if good else np.nan,
                                "reason": "" if good else "the target is not seen"})  # fmt: skip
        pq.write_table(pa.Table.from_pylist(rows, RECONSTRUCTION), folder / "reconstruction.parquet")
        return made.digest

    run_step(cycle.synthetic(IMITATION), work)
    for arm in cycle.mixed_arms:
        summary = {"real": 6, "synthetic": 4 * cycle.number, "dropped": cycle.number - 1}
        share = summary["synthetic"] / (summary["synthetic"] + 6)

        def mix(folder: Path, record: str = json.dumps(summary | {"synthetic_share": share})) -> str:
            (folder / "mix.json").write_text(record)
            return "mixed"

        run_step(cycle.mix(arm), mix)
    assert len(failures_of(cycle)) > 0


def _refined(campaign: Campaign, cycle: Cycle, data: Data) -> None:
    """The scenes refined, judged by a gate whose detector sees nothing."""
    config, renders = campaign.config.refiner, Dataset.open(cycle.synthetic(IMITATION))
    gate = LabelGate(lambda images: [Detections.none() for _ in images], config.gate)
    source, target = Pictures.of_store(renders), Pictures.of_store(Dataset.open(data.pool))
    refiner = fit_refiner(config, source, target, cycle.refiner, seed=0, progress=False)
    run_step(
        cycle.synthetic(REFINED),
        lambda folder: refine_store(refiner, renders, folder, gate, seed=0, progress=False).digest,
    )
