"""Make a cycle's renders look more real: fit a refiner, apply it, and let the label gate judge each picture.

refiner/refiner.pt              what was fitted; last.pt, curves.csv and samples/ are those of its training
synthetic/refined/              a store of the refined frames that the gate lets through, with their renders' labels
  images/0000/0000000.png ...   numbered as the renders are
  gate.parquet                  what the gate measured of every render (models/refiners/gate_table.py)
  provenance.parquet            one row a render, see PROVENANCE
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from prefect import task
from prefect.cache_policies import NO_CACHE
from tqdm import tqdm

from dataset.errors import InputError
from dataset.schema import Frame
from dataset.store import Dataset, DatasetWriter
from models.detector.precision import arithmetic
from models.refiners import gate_table
from models.refiners.build import fit_refiner, load_refiner, method_config
from models.refiners.gate import Judged, LabelGate
from models.refiners.gate_table import GateSummary
from models.refiners.pictures import Pictures
from models.refiners.refiner import Gate, Refiner
from tasks.campaign import Campaign
from tasks.config import RefiningConfig
from tasks.data import Data
from tasks.layout import REFINED, Cycle
from tasks.learn import checkpoint_of
from tasks.learned import hand_on, write_learned
from tasks.log import say
from tasks.picture_sets import PictureSet
from tasks.steps import Step, code_digest, digest_of, file_digest, run_step
from tasks.tracking import Tracker

JUDGED_AT_ONCE = 8  # pictures that the gate's detector sees together
TRIED, MOST_FAILING = 16, 0.25  # renders that a training asks the gate about, and the share of them that may fail
PROVENANCE = pa.schema(
    [
        ("frame_id", pa.string()),  # null where the gate dropped the refined picture
        ("source_frame_id", pa.string()),  # the render it was made from
        ("scene_id", pa.string()),
        ("failure_id", pa.string()),
        ("cycle", pa.int32()),
        ("refiner_kind", pa.string()),
        ("refiner_digest", pa.string()),
        ("verdict", pa.string()),  # keep, blend, drop; null where no gate was asked
        ("alpha", pa.float32()),  # share of the refined picture over its render
    ]
)


def require_refiner(config: RefiningConfig) -> None:
    """InputError where the refiner's settings are wrong, before hours have been spent."""
    if config.kind != "none":
        method_config(config)
        if config.weights is not None and not Path(config.weights).is_file():
            raise InputError("refiner.weights", f"{config.weights} is no file", "give a torchvision state dict")


@task(cache_policy=NO_CACHE, task_run_name="fit-refiner")
def fit_refiner_of_cycle(campaign: Campaign, cycle: Cycle, data: Data, renders: Step, detector: Step) -> Step:
    """Learn to make this cycle's renders look like the pool's images; no image of val or test is opened.

    detector: the one that was mined; methods that learn by features take its backbone's where they have no weights.
    """
    config, seed = campaign.config.refiner, campaign.config.loop.seed + cycle.number
    pool, tracker = Dataset.open(data.pool), Tracker(campaign)
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
            on_log=lambda step, values: tracker.log_curves(tracker.child(cycle.number), where, step, values),
            on_samples=lambda step, sheet: tracker.log_sheet(tracker.child(cycle.number), where, step, sheet),
        )
        write_learned(folder, PictureSet(str(data.pool), Pictures.of_store(pool), pool).files())
        return refiner.digest[:16]

    step = run_step(
        cycle.refiner,
        work,
        renders=renders.digest,
        pool=pool.digest,
        config=config.model_dump(mode="json", exclude={"weights"}),
        weights=None if config.weights is None else file_digest(Path(config.weights)),
        detector=detector.digest,
        seed=seed,
        arithmetic=arithmetic(),
        code=code_digest("models/refiners", "models/detector", "dataset"),
    )
    say(step)
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
        seed=seed,
        arithmetic=arithmetic(),
        code=code_digest("models/refiners", "models/detector", "dataset"),
    )
    say(f"{step}; {told(gate_summary(cycle))}")
    return step


def refine_store(
    refiner: Refiner, renders: Dataset, folder: Path, gate: LabelGate | None, *, seed: int, progress: bool = True
) -> Dataset:
    """A store of refined frames in `folder`, with the labels and the lineage of their renders.

    Without a gate all are kept. Memory holds a few pictures. InputError where the refiner wants label maps and a frame
    has none.
    """
    pictures, verdicts, lineage = Pictures.of_store(renders), [], []
    digest = refiner.digest[:16]
    with (
        DatasetWriter(folder, renders.categories, f"{renders.name}, refined") as writer,
        tqdm(total=len(renders), desc=f"refine ({refiner.kind})", unit="image", disable=not progress) as bar,
    ):
        for first in range(0, len(renders), JUDGED_AT_ONCE):
            rows = range(first, min(first + JUDGED_AT_ONCE, len(renders)))
            sources = [pictures.rgb(i) for i in rows]
            made = [refined(refiner, pictures, i, source, seed=seed) for i, source in zip(rows, sources, strict=True)]
            judged: list[Judged | None] = [None] * len(made)
            if gate is not None:
                judged = [*gate.judge(sources, made, [renders.objects(i) for i in rows])]
            for i, picture, verdict in zip(rows, made, judged, strict=True):
                frame = renders.frame(i)
                used = picture if verdict is None else verdict.image
                shown = None if used is None else _frame(frame, _save(used, folder, i))
                if shown is not None:
                    writer.add(shown, renders.objects(i) if verdict is None else verdict.labels)
                if verdict is not None:
                    verdicts.append(gate_table.row(frame.frame_id, verdict))
                lineage.append(
                    _lineage(frame, shown, verdict) | {"refiner_kind": refiner.kind, "refiner_digest": digest}
                )
            bar.update(len(rows))
        if gate is not None:
            gate_table.write_rows(folder / "gate.parquet", verdicts, renders.categories)
        partial = folder / "provenance.partial"
        pq.write_table(pa.Table.from_pylist(lineage, PROVENANCE), partial, compression="zstd")
        partial.replace(folder / "provenance.parquet")
    return Dataset.open(folder)


def refine_folder(refiner: Refiner, pictures: Pictures, folder: Path, *, seed: int, progress: bool = True) -> None:
    """folder/images/NAME.png of each picture, by its name without the suffix. InputError where two have the same."""
    names = [Path(pictures.name(i)).with_suffix(".png") for i in range(len(pictures))]
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(twice.with_suffix(""), "two images differ in their suffix alone", "rename one of them")
    for i, name in enumerate(tqdm(names, desc=f"refine ({refiner.kind})", unit="image", disable=not progress)):
        save_picture(refined(refiner, pictures, i, pictures.rgb(i), seed=seed), folder / "images" / name)


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


def gate_summary(cycle: Cycle) -> GateSummary:
    """What the gate made of a cycle's refined frames."""
    return GateSummary.of(*gate_table.read_rows(cycle.synthetic(REFINED) / "gate.parquet"))


def told(summary: GateSummary) -> str:
    """One line: '20 kept, 3 blended, 1 dropped (edges changed 3, objects lost 1)'."""
    counts = summary.outcomes
    faults = ", ".join(f"{fault} {count}" for fault, count in summary.faults.items())
    line = f"{counts['keep']} kept, {counts['blend']} blended, {counts['drop']} dropped"
    return f"{line} ({faults})" if faults else line


def _frame(render: Frame, path: Path) -> Frame:
    return replace(render, frame_id=f"refined-{render.frame_id}", image_path=str(path.absolute()), source="refined")


def _lineage(render: Frame, shown: Frame | None, verdict: Judged | None) -> dict[str, object]:
    return {
        "frame_id": None if shown is None else shown.frame_id,
        "source_frame_id": render.frame_id,
        "scene_id": render.scene_id,
        "failure_id": render.failure_id,
        "cycle": render.cycle,
        "verdict": None if verdict is None else verdict.outcome,
        "alpha": 1.0 if verdict is None else verdict.share,
    }


def _save(rgb: np.ndarray, folder: Path, i: int) -> Path:
    path = folder / "images" / f"{i // 1000:04d}" / f"{i:07d}.png"
    save_picture(rgb, path)
    return path


def save_picture(rgb: np.ndarray, path: Path) -> None:
    """(H, W, 3) uint8 as a PNG, as renders are; written aside and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    Image.fromarray(rgb).save(partial, format="png", compress_level=3)
    partial.replace(path)
