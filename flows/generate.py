"""The verb `generate`: a generator of road scenes, fitted to pictures, and pictures from it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dataset.errors import InputError
from flows.console import text

app = typer.Typer(help="A DCGAN of road scenes: fit one to pictures, make pictures with it.", no_args_is_help=True)

SHEET_COLUMNS, SHEET_PICTURES = 8, 64
AT_A_TIME = 64


@app.command()
def fit(
    images: Annotated[str, typer.Option("--images", help="A folder of pictures, or store:PATH, an imported data set")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the generator and its pictures")],
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes", help="What can be asked for: 'folder' (a folder a class), a CSV or JSON file, or of a store "
            "time_of_day or weather",
        ),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="small: 64x64, minutes on a CPU; paper: 128x128")] = "small",
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps, instead of the preset's")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Pictures a step, instead of the preset's")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides first weights, order, and what is held out")] = 0,
    tracked: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Show curves and sheets in MLflow")] = True,
) -> None:  # fmt: skip
    """Fit a generator to pictures; tells whether it copies them. Run again to go on.

    Example: python -m flows generate fit --images photos --preset small --out runs/generator

    Example: python -m flows generate fit --images photos --classes classes.csv --out runs/by-class
    """
    typer.echo(
        fit_once(images, out, classes=classes, preset=preset, steps=steps, batch=batch, seed=seed, tracked=tracked)
    )


@app.command()
def samples(
    model: Annotated[Path, typer.Argument(help="A generator.pt that `generate fit` wrote")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures")],
    count: Annotated[int, typer.Option("--count", help="How many pictures")] = 64,
    kind: Annotated[str | None, typer.Option("--class", help="Of this class; by default classes take turns")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Other numbers give other pictures")] = 0,
) -> None:
    """Make pictures: one PNG each, and samples.png with the first 64 of them.

    Example: python -m flows generate samples runs/generator/generator.pt --count 200 --out runs/pictures

    Example: python -m flows generate samples runs/by-class/generator.pt --class night --out runs/nights
    """
    typer.echo(samples_once(model, out, count=count, kind=kind, seed=seed))


def fit_once(
    images: str, out: Path, *, classes: str | None = None, preset: str = "small", steps: int | None = None,
    batch: int | None = None, seed: int = 0, tracked: bool = True, progress: bool = True,
) -> str:  # fmt: skip
    """Fit, and say in a table how near the samples lie to the training pictures."""
    from models.generators.config import GeneratorConfig
    from tasks.generation import fit_generator, material

    for name, value, least in (("--steps", steps, 1), ("--batch", batch, 2), ("--seed", seed, 0)):
        if value is not None and value < least:
            raise InputError(name, f"{value} is too small", f"give {least} or more")
    _require_folder(out)
    config = GeneratorConfig.preset(preset, steps=steps, batch_size=batch)
    fitted = fit_generator(material(images, classes), out, config, seed, tracked=tracked, progress=progress)
    record = fitted.record
    table = Table(
        "features", "median of samples", "of held-out", "closer than median", "than 99%", "nearer", "stands out",
        title="Distance to the nearest training picture: samples against real pictures that were held out",
    )  # fmt: skip
    for told in record["copying"]:
        chances = [
            f"{told[name]:.2f} ({told[name + '_low']:.2f}-{told[name + '_high']:.2f})"
            for name in ("nearer", "stands_out")
        ]
        shares = f"{told['closer_than_median']:.0%}", f"{told['closer_than_percentile_1']:.1%}"
        medians = f"{told['median_sample']:.3g}", f"{told['median_held_out']:.3g}"
        table.add_row(told["features"], *medians, *shares, *chances)
    counts = ", ".join(f"{name} {count}" for name, count in record["classes"].items())
    without = f"; {record['without_class']} pictures without a class were left out" if record["without_class"] else ""
    told = [
        f"trained on {record['pictures']} pictures, {record['held_out']} held out" + without,
        *([f"classes: {counts}"] if counts else []),
        text(table).rstrip(),
        "nearer: the chance that a sample lies nearer to its nearest training picture than a held-out picture does;",
        "stands out: the same as a share of its distance to the next 49. Copies are near 1 in both; blurred samples in",
        "the first alone; new pictures as good as real ones are near .5. Intervals: 95%.",
        f"generator: {fitted.file}",
        f"look at: {', '.join(str(file) for file in [*fitted.pictures, out / 'curves.png'])}",
    ]
    return "\n".join(told)


def samples_once(
    model: Path, out: Path, *, count: int, kind: str | None = None, seed: int = 0, progress: bool = True
) -> str:
    """Write `count` pictures of a generator."""
    import numpy as np
    from tqdm import tqdm

    from models.generators.classes import Classes
    from models.generators.generator import SceneGenerator
    from models.generators.sheets import sheet
    from models.refiners.training import save_sheet

    if count < 1 or seed < 0:
        raise InputError("--count, --seed", f"{count}, {seed}", "give at least one picture, and a seed of 0 or more")
    _require_folder(out)
    generator = SceneGenerator.load(model)
    if kind is not None and not generator.classes:
        raise InputError("--class", f"{model} was fitted without classes", "leave it out, or fit with --classes")
    chosen = None if kind is None else Classes(generator.classes, np.zeros(0, np.int64)).index(kind)
    shown = []
    with tqdm(total=count, desc="generate", unit="image", disable=not progress) as bar:
        for first in range(0, count, AT_A_TIME):
            made = generator.sample(min(AT_A_TIME, count - first), seed, chosen, first)
            for number, picture in enumerate(made, start=first):
                save_sheet(picture, out / f"{number:06d}.png")
            shown += list(made[: max(SHEET_PICTURES - len(shown), 0)])
            bar.update(len(made))
    save_sheet(sheet(np.stack(shown), SHEET_COLUMNS), out / "samples.png")
    size_px = generator.config.size_px
    return f"{count} pictures of {size_px}x{size_px} px: {out}\nlook at: {out / 'samples.png'}"


def _require_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError("--out", f"{out} is a file", "name a folder")
