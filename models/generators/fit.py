"""Fitting a generator to a folder or a data set of pictures, and looking at what came out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataset.errors import InputError
from models.refiners.crops import to_tensor
from models.refiners.pictures import Pictures
from models.refiners.refiner import OnLog, OnSamples
from models.refiners.training import run_lesson, save_sheet

from .classes import UNKNOWN, Classes
from .config import GeneratorConfig
from .generator import SceneGenerator
from .held_out import hold_out
from .lesson import DcganLesson
from .memorise import FEATURES, copying, nearest
from .sheets import sheet
from .squares import Squares

SAMPLES, STRIPS, STRIP_STEPS, SHOWN, SHOWN_NEAREST = 256, 4, 9, 12, 3
JUDGED = 512  # pictures that the discriminator is asked about


@dataclass(frozen=True)
class Fitted:
    """What a fit left in its folder."""

    generator: SceneGenerator
    file: Path
    record: dict[str, Any]  # what report.json holds
    pictures: list[Path]  # sheets to look at


def fit(
    pictures: Pictures,
    out: Path,
    config: GeneratorConfig,
    *,
    seed: int,
    groups: Sequence[str],
    classes: Classes | None = None,
    on_log: OnLog | None = None,
    on_samples: OnSamples | None = None,
    save_every: int = 500,
    progress: bool = True,
) -> Fitted:
    """Train a generator: out/generator.pt, curves.csv, samples.png, interpolation.png, neighbours.png, report.json.

    groups: what each picture belongs to (a drive, a clip), which is not cut in two between the pictures trained on
    and those held out. classes: with them, a generator that can be asked for one; pictures without one are left out.
    Run again it goes on where it was interrupted. InputError for too few pictures, or when the training diverges.
    """
    known = np.arange(len(pictures)) if classes is None else np.flatnonzero(classes.of_row != UNKNOWN)
    kinds = np.full(len(pictures), UNKNOWN) if classes is None else classes.of_row
    names = () if classes is None else classes.names
    training, held_out = (known[rows] for rows in hold_out([groups[row] for row in known.tolist()], seed))
    _require_enough(training, held_out, kinds, names, config)
    identity = {
        "configuration": config.model_dump(mode="json", exclude={"steps"}),
        "set of pictures": pictures.digest,
        "set of classes": [list(names), kinds.tolist()],
        "grouping": training.tolist(),
    }
    with Squares(pictures, config.size_px, out) as squares:
        lesson = DcganLesson(config, squares, training, kinds, len(names), seed)
        run_lesson(
            lesson, out, config.steps, seed, identity=identity, save_every=save_every, sample_every=save_every,
            on_log=on_log, on_samples=on_samples, progress=progress, description="generator",
        )  # fmt: skip
        provenance = {
            "data": pictures.digest,
            "pictures": len(training),
            "held_out": len(held_out),
            "classes": {} if classes is None else classes.counts,
            "steps": config.steps,
            "seed": seed,
        }
        generator = SceneGenerator(lesson.result.eval(), config, names, provenance)
        generator.save(out / "generator.pt")
        made = generator.sample(SAMPLES, seed)
        record = provenance | {"generator": generator.digest, "without_class": len(pictures) - len(known)}
        sheets = {"samples.png": sheet(made[:64], 8), "interpolation.png": _strips(generator, seed)}
        record["taken_for_real"] = _opinion(lesson, {"training": training, "held_out": held_out}, made)
        record["copying"], sheets["neighbours.png"] = _copying(squares, training, held_out, groups, made, seed)
    for name, picture in sheets.items():
        save_sheet(picture, out / name)
    partial = out / "report.json.partial"
    partial.write_text(json.dumps(record, indent=1))
    partial.replace(out / "report.json")
    return Fitted(generator, out / "generator.pt", record, [out / name for name in sheets])


def _require_enough(
    training: np.ndarray, held_out: np.ndarray, kinds: np.ndarray, names: tuple[str, ...], config: GeneratorConfig
) -> None:
    if len(training) < config.batch_size:
        raise InputError(
            "generate",
            f"{len(training)} pictures to train on, a batch takes {config.batch_size}",
            "give more pictures, or a smaller --batch: from so few a generator learns them by heart",
        )
    if not len(held_out):
        raise InputError("generate", "no picture can be held out", "give more pictures of a group (a folder, a drive)")
    missing = [name for index, name in enumerate(names) if not (kinds[training] == index).any()]
    if missing:
        problem = f"no picture to train on for {', '.join(missing)}, once a tenth of the pictures is held out"
        raise InputError("--classes", problem, "give more pictures of it, or join it with another class")


def _strips(generator: SceneGenerator, seed: int) -> np.ndarray:
    return sheet(generator.between(seed, STRIPS, STRIP_STEPS), STRIP_STEPS)


@torch.no_grad()
def _opinion(lesson: DcganLesson, rows_of: dict[str, np.ndarray], made: np.ndarray) -> dict[str, float]:
    """How much the discriminator takes pictures for real. Higher for training pictures than for held-out ones: it has
    learned them by heart, and pushes the generator towards them."""
    discriminator = lesson.discriminator.eval()

    def mean(squares: np.ndarray) -> float:
        logits = [
            discriminator(to_tensor(part).to(lesson.device))[0] for part in np.array_split(squares, 8) if len(part)
        ]
        return float(torch.cat(logits).sigmoid().mean())

    opinions = {name: mean(lesson.squares.stack(rows[:: -(-len(rows) // JUDGED)])) for name, rows in rows_of.items()}
    return opinions | {"generated": mean(made)}


def _copying(
    squares: Squares, training: np.ndarray, held_out: np.ndarray, groups: Sequence[str], made: np.ndarray, seed: int
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """What is told of copying by each kind of features; and a sheet: samples, each with its nearest training pictures.

    The sheet's samples are those nearest to a training picture, by pixels: the worst cases.
    """
    real, records, rows = squares.stack(held_out), [], []
    for name, features in FEATURES.items():
        ours = nearest(made, squares.each(training), features)
        theirs = nearest(real, squares.each(training), features)
        drives = [str(groups[row]) for row in held_out.tolist()]
        records.append(copying(name, ours, theirs, drives, seed).as_record())
        if not rows:
            rows = [
                (sample, ours.rows[sample, :SHOWN_NEAREST])
                for sample in np.argsort(ours.distances[:, 0], kind="stable")[:SHOWN]
            ]
    cells = [cell for sample, near in rows for cell in (made[sample], *squares.stack(training[near]))]
    return records, sheet(np.stack(cells), 2 * (1 + min(SHOWN_NEAREST, len(training))))
