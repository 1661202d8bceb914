"""Make a cycle's renders look more real: fit a refiner, apply it, and let the label gate judge each picture.

refiner/refiner.pt    what was fitted; last.pt, curves.csv and samples/ are those of its training
synthetic/refined/    the refined frames that the gate lets through (tasks/refined_store.py)
"""

import hashlib
import math
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.errors import InputError
from dataset.images import semantic_path
from dataset.store import Dataset
from models.detector.precision import arithmetic
from models.refiners import gate_table
from models.refiners.build import fit_refiner, load_refiner, method_config, refiner_class
from models.refiners.gate import LabelGate
from models.refiners.gate_table import GateSummary
from models.refiners.perceptual import perceptual
from models.refiners.pictures import Pictures
from models.refiners.refiner import Refiner
from models.refiners.survival import labels_survive
from tasks.campaign import Campaign
from tasks.config import RefiningConfig
from tasks.data import Data
from tasks.layout import REFINED, Cycle
from tasks.learn import checkpoint_of
from tasks.learned import hand_on, write_learned
from tasks.log import say
from tasks.picture_sets import PictureSet
from tasks.refined_store import refine_store
from tasks.steps import Step, code_digest, digest_of, file_digest, run_step
from tasks.tracking import Tracker

PALETTE = "palette"  # pix2pix's `labels` for real images without maps


def require_refiner(config: RefiningConfig) -> None:
    """InputError where the refiner's settings are wrong, before hours have been spent."""
    if config.kind != "none":
        method_config(config)
        if config.weights is not None and not Path(config.weights).is_file():
            raise InputError("refiner.weights", f"{config.weights} is no file", "give a torchvision state dict")


def require_refinable(config: RefiningConfig, data: Data) -> None:
    """InputError where the pool's images cannot be what the refiner learns from, or its weights do not load.

    Asked as soon as there is a pool: before a detector trains and scenes are rendered.
    """
    if config.kind == "pix2pix" and getattr(method_config(config), "labels", None) != PALETTE:
        pool = Pictures.of_store(Dataset.open(data.pool))
        if len(pool) and pool.semantic(0) is None:
            problem = f"no label map lies beside {pool.name(0)} of the pool, and pix2pix learns from such maps"
            raise InputError("refiner", problem, "give --set 'refiner.settings={labels: palette}', or another refiner")
    if config.kind == "shen" and config.weights is not None:
        perceptual(config.weights, None)


@task(cache_policy=NO_CACHE, task_run_name="fit-refiner")
def fit_refiner_of_cycle(campaign: Campaign, cycle: Cycle, data: Data, renders: Step, detector: Step) -> Step:
    """Learn to make this cycle's renders look like the pool's images; no image of val or test is opened.

    detector: the one that was mined; methods that learn by features take its backbone's where they have no weights.
    """
    config, seed = campaign.config.refiner, campaign.config.loop.seed + cycle.number
    pool, tracker, kind = Dataset.open(data.pool), Tracker(campaign), refiner_class(config.kind)
    where = f"refiner/{config.kind}"

    def work(folder: Path) -> str:
        source = Dataset.open(renders.folder)
        gate = LabelGate.of_checkpoint(checkpoint_of(detector), source.categories, config.gate)
        refiner = fit_refiner(
            config,
            Pictures.of_store(source),
            Pictures.of_store(pool),
            folder,
            seed=seed,
            weights=config.weights,
            detector=checkpoint_of(detector),
            gate=labels_survive(source, gate, seed=seed),
            on_log=lambda step, values: tracker.log_curves(cycle.number, where, step, values),
            on_samples=lambda step, sheet: tracker.log_sheet(cycle.number, where, step, sheet),
        )
        write_learned(folder, PictureSet(str(data.pool), Pictures.of_store(pool), pool).files())
        return refiner.digest[:16]

    step = run_step(
        cycle.refiner,
        work,
        renders=renders.digest,
        pool=pool.digest,
        maps=_maps_digest(config, Dataset.open(renders.folder), pool),
        config=config.model_dump(mode="json", exclude={"weights"} if kind.asks_gate else {"weights", "gate"}),
        weights=None if config.weights is None else file_digest(Path(config.weights)),
        detector=detector.digest,
        seed=seed,
        arithmetic=arithmetic(),
        code=code_digest("models/refiners", "models/detector", "dataset"),
    )
    say(f"{step}{chosen(load_refiner(step.folder / 'refiner.pt'))}")
    return step


@task(cache_policy=NO_CACHE, task_run_name="refine-scenes")
def refine_scenes(campaign: Campaign, cycle: Cycle, renders: Step, fitted: Step, detector: Step) -> Step:
    """The renders after the refiner, as far as their labels still hold: synthetic/refined, a data set store."""
    config, seed = campaign.config.refiner, campaign.config.loop.seed

    def work(folder: Path) -> str:
        source = Dataset.open(renders.folder)
        gate = LabelGate.of_checkpoint(checkpoint_of(detector), source.categories, config.gate)
        file = fitted.folder / "refiner.pt"
        refined = refine_store(load_refiner(file), source, folder, gate, seed=seed)
        hand_on(file, folder)
        return digest_of(refined.digest, fitted.digest)

    step = run_step(
        cycle.synthetic(REFINED),
        work,
        renders=renders.digest,
        fitted=fitted.digest,
        detector=detector.digest,
        gate=config.gate,
        maps=_maps_digest(config, Dataset.open(renders.folder)),
        seed=seed,
        arithmetic=arithmetic(),
        code=code_digest("models/refiners", "models/detector", "dataset"),
    )
    say(f"{step}; {told(gate_summary(cycle))}")
    return step


def gate_summary(cycle: Cycle) -> GateSummary:
    """What the gate made of a cycle's refined frames."""
    return GateSummary.of(*gate_table.read_rows(cycle.synthetic(REFINED) / "gate.parquet"))


def told(summary: GateSummary) -> str:
    """One line: '20 kept, 3 blended, 1 dropped (edges changed 3, objects lost 1)', and what the detector found."""
    counts = summary.outcomes
    faults = ", ".join(f"{fault} {count}" for fault, count in summary.faults.items())
    line = f"{counts['keep']} kept, {counts['blend']} blended, {counts['drop']} dropped"
    if faults:
        line += f" ({faults})"
    if not math.isnan(summary.matched_iou_before):
        line += f"; overlap of what the detector found {summary.matched_iou_before:.2f}"
        line += f", refined {summary.matched_iou_refined:.2f}"
    if (worst := summary.worst) is not None:
        line += f"; recall fell most for {worst.category}, {worst.before:.2f} to {worst.after:.2f} of {worst.objects}"
    if summary.silent_images:
        line += f"; the detector found nothing in {summary.silent_images} renders: edges and changes alone judged them"
    return line


def chosen(refiner: Refiner) -> str:
    """Which step of a training was kept and what the gate said of it; empty for methods that choose none."""
    step = "" if refiner.chosen_step is None else f"; kept the state of step {refiner.chosen_step}"
    if refiner.passed_gate is None:
        return step
    return f"{step}, which the gate passed" if refiner.passed_gate else f"{step}: THE GATE PASSED NONE"


def _maps_digest(config: RefiningConfig, *datasets: Dataset) -> str | None:
    """Of the label maps beside the images, which the data sets' own digests leave out; None where none is read."""
    if not refiner_class(config.kind).needs_semantic:
        return None
    content = hashlib.sha256()
    for dataset in datasets:
        for i in range(len(dataset)):
            path = Path(semantic_path(dataset.image_path(i)))
            content.update((file_digest(path) if path.is_file() else "none").encode())
        content.update(b";")
    return content.hexdigest()[:16]
