"""Fitting a generator as a person asks for it: pictures and classes found, curves and sheets shown in MLflow."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dataset.errors import InputError
from models.generators.classes import FRAME_FIELDS, Classes, by_file, by_folder, by_frame
from models.generators.config import GeneratorConfig
from models.generators.fit import Fitted, fit
from models.refiners.pictures import Pictures
from tasks.fit_run import FitRun
from tasks.picture_sets import open_pictures
from tasks.report.panels import panels, save

EXPERIMENT = "hardcase-generators"
FOLDER = "folder"


@dataclass(frozen=True)
class Material:
    """What a generator learns from: pictures, the drive of each, and its class where classes were asked for."""

    pictures: Pictures
    groups: list[str]
    classes: Classes | None


def material(images: str, classes: str | None) -> Material:
    """images: a folder, or store:PATH. classes: folder, a CSV or JSON file, or of a store time_of_day or weather."""
    found = open_pictures(images)
    names = found.names().tolist()
    if found.dataset is None:
        groups = [str(PurePosixPath(name).parent) for name in names]
        return Material(found.pictures, groups, _classes(classes, names, images))
    told = classes in FRAME_FIELDS
    known = by_frame((frame for frame, _ in found.dataset.stream()), classes) if told else None
    return Material(found.pictures, found.groups().tolist(), known or _classes(classes, names, images))


def _classes(asked: str | None, names: Sequence[str], images: str) -> Classes | None:
    if asked is None:
        return None
    if asked in FRAME_FIELDS:
        raise InputError("--classes", f"the folder {images} does not tell {asked}", "give --images store:PATH")
    if asked == FOLDER:
        return by_folder(names)
    return by_file(names, Path(asked))


def fit_generator(
    of: Material, out: Path, config: GeneratorConfig, seed: int, *, tracked: bool = True, progress: bool = True
) -> Fitted:
    """As `models.generators.fit.fit`, with out/curves.png; `tracked`: told to MLflow as it goes on."""
    with FitRun(out, EXPERIMENT) if tracked else nullcontext() as run:
        if run:
            run.params(config.model_dump() | {"seed": seed, "data": of.pictures.digest})
        fitted = fit(
            of.pictures, out, config, seed=seed, groups=of.groups, classes=of.classes, progress=progress,
            on_log=run.log if run else None, on_samples=run.show if run else None,
        )  # fmt: skip
        draw_curves(out / "curves.csv", out / "curves.png")
        if run:
            run.log(config.steps, copying_of(fitted))
            run.keep([fitted.file, out / "report.json", out / "curves.png", *fitted.pictures])
    return fitted


def copying_of(fitted: Fitted) -> dict[str, float]:
    """The chances that tell of copying, e.g. `stands_out_pixels` (models/generators/memorise.py)."""
    chances = ("nearer", "stands_out")
    return {
        f"{name}_{told['features'].split()[0]}": told[name] for told in fitted.record["copying"] for name in chances
    }


def draw_curves(table: Path, file: Path) -> None:
    """A panel a curve of a training's curves.csv."""
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with table.open(newline="") as opened:
        for row in csv.DictReader(opened):
            curves[row["name"]].append((int(row["step"]), float(row["value"])))
    figure, axes = panels(max(len(curves), 1))
    for axis, (name, points) in zip(axes, curves.items(), strict=False):
        axis.plot(*zip(*points, strict=True), linewidth=1.0)
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    save(figure, file)
