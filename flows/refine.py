"""The verb `refine`: fit what makes renders look more real, and apply it, judged by the gate where labels are known."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
import yaml
from pydantic import ValidationError

from dataset.errors import InputError

if TYPE_CHECKING:
    from models.refiners.config import GateConfig
    from tasks.config import RefiningConfig

app = typer.Typer(help="Make renders look more real: fit a refiner, apply it.", no_args_is_help=True)

Source = Annotated[str, typer.Option("--source", help="Renders: store:DIR, or a folder of images")]
Limits = Annotated[
    list[str] | None, typer.Option("--gate", help="A limit of the label gate, e.g. --gate max_lost=0.1; repeatable")
]
SourceMaps = Annotated[
    Path | None, typer.Option("--source-maps", help="Label maps of a folder's images; a store has its own")
]


@app.command()
def fit(
    kind: Annotated[
        str, typer.Option("--kind", help="lab, histogram, fda (no training); simgan, shen, pix2pix, cut (training)")
    ],
    source: Source,
    target: Annotated[str, typer.Option("--target", help="Real images: store:DIR, or a folder of images")],
    out: Annotated[Path, typer.Option("--out", help="Folder for refiner.pt, curves and samples")],
    preset: Annotated[str, typer.Option("--preset", help="small: minutes on a CPU; paper: as published")] = "small",
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps, instead of the preset's")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the method, e.g. --set max_gain=2; repeatable")
    ] = None,
    source_maps: SourceMaps = None,
    target_maps: Annotated[Path | None, typer.Option("--target-maps", help="Label maps of the target's images")] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Inception v3's state dict, for methods that learn by features")
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option("--detector", help="A checkpoint of ours: the gate's, where source is a store; else for features"),
    ] = None,
    gate: Limits = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides first weights and order")] = 0,
    tracked: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Show curves and samples in MLflow")] = True,
) -> None:  # fmt: skip
    """Learn to make the source look like the target. Run again to go on where it stood.

    Never give images that will judge a detector as the target.

    Example: python -m flows refine fit --kind lab --source store:runs/render --target photos --out runs/lab
    """
    typer.echo(
        fit_once(
            kind, source, target, out, preset=preset, steps=steps, changes=set_ or [], source_maps=source_maps,
            target_maps=target_maps, weights=weights, detector=detector, limits=gate or [], seed=seed, tracked=tracked,
        )
    )  # fmt: skip


@app.command()
def apply(
    refiner: Annotated[Path, typer.Argument(help="A refiner.pt that `refine fit` or a campaign wrote")],
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="Folder for the refined images")],
    source_maps: SourceMaps = None,
    detector: Annotated[
        Path | None,
        typer.Option("--detector", help="A checkpoint of ours: the label gate keeps, blends or drops each image"),
    ] = None,
    gate: Limits = None,
    seed: Annotated[int, typer.Option("--seed", help="For refiners that draw a reference for each image")] = 0,
) -> None:
    """Refine a data set (a store with the same labels, and where each frame comes from) or a folder of images.

    Example: python -m flows refine apply runs/lab/refiner.pt --source store:runs/render --out runs/refined
    """
    typer.echo(
        apply_once(refiner, source, out, source_maps=source_maps, detector=detector, limits=gate or [], seed=seed)
    )


def fit_once(
    kind: str, source: str, target: str, out: Path, *, preset: str, steps: int | None, changes: list[str],
    source_maps: Path | None, target_maps: Path | None, weights: Path | None, detector: Path | None,
    limits: list[str], seed: int, tracked: bool,
) -> str:  # fmt: skip
    """out/refiner.pt; returns what the terminal shows."""
    from models.refiners.build import fit_refiner, method_config
    from models.refiners.gate import LabelGate
    from models.refiners.survival import labels_survive
    from tasks.fit_run import FitRun
    from tasks.learned import write_learned
    from tasks.picture_sets import open_pictures
    from tasks.refining import chosen

    config = _config(kind, preset, steps, changes)
    settings = method_config(config)
    for name, file in (("--weights", weights), ("--detector", detector)):
        if file is not None and not file.is_file():
            raise InputError(name, f"{file} is no file", "name one that is there")
    ours, theirs = open_pictures(source, source_maps), open_pictures(target, target_maps)
    gate = None
    if detector is not None and ours.dataset is not None:
        judge = LabelGate.of_checkpoint(detector, ours.dataset.categories, _gate(limits))
        gate = labels_survive(ours.dataset, judge, seed=seed)
    told = settings.model_dump(mode="json") | {"kind": kind, "source": source, "target": target, "seed": seed}
    with FitRun(out, "hardcase-refiners") if tracked else nullcontext() as run:
        if run:
            run.params(told)
        fitted = fit_refiner(
            config, ours.pictures, theirs.pictures, out, seed=seed, weights=weights, detector=detector, gate=gate,
            on_log=run.log if run else None, on_samples=run.show if run else None,
        )  # fmt: skip
        write_learned(out, theirs.files())
        if run:
            run.keep([out / "refiner.pt"])
    return (
        f"{kind} fitted on {len(ours.pictures)} renders and {len(theirs.pictures)} real images, "
        f"digest {fitted.digest[:16]}{chosen(fitted)}\nrefiner: {out / 'refiner.pt'}"
    )


def apply_once(
    file: Path, source: str, out: Path, *, source_maps: Path | None, detector: Path | None, limits: list[str], seed: int
) -> str:
    """Refined images in `out`; returns what the terminal shows. Raises InputError where `out` holds anything else."""
    from models.refiners.build import load_refiner
    from models.refiners.gate import LabelGate
    from models.refiners.gate_table import GateSummary, read_rows
    from tasks.learned import hand_on
    from tasks.picture_sets import open_pictures
    from tasks.refined_folder import REFINED_MARK, begin, complete
    from tasks.refined_store import refine_folder, refine_store
    from tasks.refining import told

    refiner, renders = load_refiner(file), open_pictures(source, source_maps)
    if renders.dataset is None and detector is not None:
        problem = f"the gate compares with labels, and {source} is a folder of images without any"
        raise InputError("--detector", problem, "give --source store:DIR, or leave --detector out")
    gate = None
    if detector is not None and renders.dataset is not None:
        gate = LabelGate.of_checkpoint(detector, renders.dataset.categories, _gate(limits))
    reads = [file, *renders.roots(), *(path for path in (source_maps, detector) if path is not None)]
    begin(out, REFINED_MARK, {"kind": refiner.kind, "refiner": refiner.digest, "source": source}, reads)
    if renders.dataset is None:
        refine_folder(refiner, renders.pictures, out, seed=seed)
        hand_on(file, out)
        complete(out, REFINED_MARK)
        return f"{len(renders.pictures)} images refined by {refiner.kind}, their labels unseen: {out}"
    refined = refine_store(refiner, renders.dataset, out, gate, seed=seed)
    hand_on(file, out)
    complete(out, REFINED_MARK)
    if gate is None:
        return f"{len(refined)} frames refined by {refiner.kind}, no gate was asked (--detector): {out}"
    return f"{told(GateSummary.of(*read_rows(out / 'gate.parquet')))}\nframes: {out}"


def _config(kind: str, preset: str, steps: int | None, changes: list[str]) -> "RefiningConfig":
    """What the options ask for. InputError naming the option that is wrong."""
    from models.refiners.build import refiner_class
    from models.refiners.config import PRESETS, RefinerKind
    from tasks.config import RefiningConfig

    kinds = get_args(RefinerKind)
    if kind not in kinds:
        raise InputError("--kind", f"{kind!r} is none of {', '.join(kinds)}", "choose one of these")
    if preset not in PRESETS:
        raise InputError("--preset", f"{preset!r} is none of {', '.join(PRESETS)}", "choose one of these")
    if steps is not None and steps < 1:
        raise InputError("--steps", f"{steps} is no number of steps", "give 1 or more")
    if steps is not None and "steps" not in refiner_class(kind).config_type.model_fields:
        raise InputError("--steps", f"{kind} is not trained in steps", "leave it out")
    settings = _settings("--set", changes)
    return RefiningConfig.model_validate({"kind": kind, "preset": preset, "steps": steps, "settings": settings})


def _gate(limits: list[str]) -> "GateConfig":
    """The gate's limits, those named changed. InputError where one is unknown or out of range."""
    from models.refiners.config import GateConfig

    try:
        return GateConfig.model_validate(_settings("--gate", limits))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        known = ", ".join(GateConfig.model_fields)
        raise InputError("--gate", f"{name}: {first['msg']}", f"the gate has {known}") from None


def _settings(option: str, changes: list[str]) -> dict[str, Any]:
    """NAME=VALUE of each, the values in YAML. InputError naming the option."""
    settings = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise InputError(option, f"{change!r} has no '='", f"write it as {option} NAME=VALUE")
        try:
            settings[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(option, f"{change!r} is not YAML", "quote it") from error
    return settings
