"""The verb `realism`: how real renders look, and what refiners gained, in a table, a JSON file and a page."""

import json
import math
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from dataset.errors import InputError
from flows.console import text

if TYPE_CHECKING:
    from evaluation.bootstrap import Interval
    from models.domain_classifier import PixelClassifierConfig
    from models.features import Extractor
    from models.views import View
    from tasks.compared import RefinedSet, Sides
    from tasks.realism import Realism

HAND = "hand"
RESERVED = ("source", "real", "renders")  # names of the two sides in what is written
MADE_HERE = "realism-pictures"  # below --out: what the refiners named made of the renders


def realism(
    source: Annotated[str, typer.Option("--source", help="Renders: store:DIR, or a folder of images")],
    target: Annotated[str, typer.Option("--target", help="Real images: store:DIR, or a folder of images")],
    refined: Annotated[
        list[str] | None, typer.Option("--refined", help="A refiner.pt, or a folder of refined images; repeatable")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for what this verb writes")] = Path("runs/realism"),
    features: Annotated[str, typer.Option("--features", help="hand, or a checkpoint of ours: its backbone")] = "hand",
    inception: Annotated[
        Path | None, typer.Option("--inception", help="Inception v3's state dict: KID and FID under their own names")
    ] = None,
    lpips: Annotated[
        tuple[Path, Path] | None, typer.Option("--lpips", help="AlexNet's state dict and LPIPS's linear layers")
    ] = None,
    source_maps: Annotated[
        Path | None, typer.Option("--source-maps", help="Label maps of a folder's images; a store has its own")
    ] = None,
    group_regex: Annotated[
        str | None, typer.Option("--group-regex", help="Its first group on a real image's name is its clip or town")
    ] = None,
    max_images: Annotated[int, typer.Option("--max-images", help="Images of each side, evenly spread")] = 500,
    samples: Annotated[int, typer.Option("--samples", help="Resamples for the intervals")] = 1000,
    pixel_steps: Annotated[
        int, typer.Option("--pixel-steps", help="Training steps of the classifier on pixels; 0 leaves it out")
    ] = 200,
    size: Annotated[str, typer.Option("--size", help="The one size at which all are compared")] = "512x256",
    jpeg: Annotated[
        int | None,
        typer.Option("--jpeg", help="Compress all first, at this quality; 0: never. By default where formats differ"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:  # fmt: skip
    """How real do renders look, and what did refiners gain? Scores with intervals, floor and ceiling, and a gallery.

    The real images should be others than those that a refiner was fitted to.

    Example: python -m flows realism --source store:runs/render --target photos --refined runs/lab/refiner.pt
    """
    typer.echo(
        realism_once(
            source, target, refined or [], out, features=features, inception=inception, lpips=lpips,
            source_maps=source_maps, group_regex=group_regex, at_most=max_images, samples=samples,
            pixel_steps=pixel_steps, size=size, jpeg=jpeg, seed=seed,
        )
    )  # fmt: skip


def realism_once(
    source: str, target: str, refined: list[str], out: Path, *, features: str, inception: Path | None,
    lpips: tuple[Path, Path] | None, source_maps: Path | None, group_regex: str | None, at_most: int, samples: int,
    pixel_steps: int, size: str, jpeg: int | None, seed: int,
) -> str:  # fmt: skip
    """out/realism.json, out/realism.html; returns the table. refined: refiner files, or folders of refined pictures.

    features: hand, or a detector's checkpoint; inception: weights that replace them.
    """
    from models.domain_classifier import PixelClassifierConfig
    from models.lpips import Lpips
    from tasks.compared import Sides, jpeg_for
    from tasks.picture_sets import open_pictures
    from tasks.realism import measure
    from tasks.report.realism_page import write_realism_page

    for name, value, least in (
        ("--max-images", at_most, 2),
        ("--samples", samples, 1),
        ("--pixel-steps", pixel_steps, 0),
    ):
        if value < least:
            raise InputError(name, f"{value} is too few", f"give {least} or more")
    pixels = PixelClassifierConfig(steps=pixel_steps) if pixel_steps else None
    view = _view(size, jpeg)
    if pixels is not None:
        _require_known(pixels, at_most, view)
    extract = _extractor(features, inception)
    compare = None if lpips is None else Lpips(*lpips)
    ours, theirs = open_pictures(source, source_maps), open_pictures(target)
    sides = Sides.of(ours, theirs, at_most, group_regex)
    out.mkdir(parents=True, exist_ok=True)
    sets = _refined_sets(refined, sides, out / MADE_HERE, [*ours.roots(), *theirs.roots()], seed)
    view = replace(view, jpeg_quality=jpeg_for(sides, sets, jpeg))
    found, near = measure(sides, sets, extract, view, pixels=pixels, lpips=compare, samples=samples, seed=seed)
    specs = {"renders": source, "real": target} | {one.name: spec for one, spec in zip(sets, refined, strict=True)}
    record = {"compared": specs, "seed": seed, "size": size, "jpeg": view.jpeg_quality, **found.to_dict()}
    partial = out / "realism.partial"
    partial.write_text(json.dumps(_plain(record), indent=1))
    partial.replace(out / "realism.json")
    page = write_realism_page(found, sides, sets, near, specs, out / "realism.html")
    notes = "".join(f"\nnote: {note}" for note in found.notes)
    return f"{text(_table(found))}{notes}\nfigures: {out / 'realism.json'}\npage: {page}"


def _view(size: str, jpeg: int | None) -> "View":
    from models.views import View

    try:
        width, height = (int(part) for part in size.split("x"))
    except ValueError:
        raise InputError("--size", f"{size!r} is no size", "write it as 512x256") from None
    return View(width, height, jpeg or None)


def _require_known(pixels: "PixelClassifierConfig", at_most: int, view: "View") -> None:
    """InputError where the classifier on pixels would refuse, before all else is computed."""
    if at_most > pixels.max_images:
        problem = f"{at_most} images a side, and the classifier on pixels keeps at most {pixels.max_images} in memory"
        raise InputError("--max-images", problem, "ask for fewer, or leave it out (--pixel-steps 0)")
    if min(view.width_px, view.height_px) < pixels.crop_px:
        problem = f"{view.width_px}x{view.height_px}, and the classifier on pixels takes crops of {pixels.crop_px} px"
        raise InputError("--size", problem, "give a larger one, or leave it out (--pixel-steps 0)")


def _extractor(features: str, inception: Path | None) -> "Extractor":
    from models.features import extractor

    if inception is not None:
        return extractor("inception", weights=inception)
    if features == HAND:
        return extractor(HAND)
    if not Path(features).is_file():
        raise InputError("--features", f"{features!r} is neither '{HAND}' nor a file", "name a checkpoint of ours")
    return extractor("detector", detector=Path(features))


def _refined_sets(
    refined: list[str], sides: "Sides", made_here: Path, reads: list[str], seed: int
) -> "list[RefinedSet]":
    """In the order named. A refiner's file is applied here, into made_here/NAME. reads: the folders of both sides."""
    from tasks.compared import refine_here, refined_before
    from tasks.picture_sets import open_pictures
    from tasks.refined_folder import COMPARED_MARK, REFINED_MARK, begin, complete

    names = _names(refined)
    before, roots = {}, list(reads)
    for name, spec in zip(names, refined, strict=True):
        path = Path(spec.removeprefix("store:"))
        roots.append(str(path))
        if path.is_file():
            continue
        is_folder_of_refine = (path / REFINED_MARK).is_file() and not (path / "meta.json").is_file()
        opened = open_pictures(str(path / "images") if is_folder_of_refine else spec)
        before[name] = refined_before(opened, name, sides)
        roots += opened.roots()
    if len(before) == len(names):
        return list(before.values())
    begin(made_here, COMPARED_MARK, {"refined": refined}, roots)
    sets = [
        before[name] if name in before else refine_here(Path(spec), name, sides.source, made_here / name, seed=seed)
        for name, spec in zip(names, refined, strict=True)
    ]
    complete(made_here, COMPARED_MARK)
    return sets


def _names(refined: list[str]) -> list[str]:
    """One of its own for each: the refiner's kind or the folder's name, numbered where that is taken."""
    from models.refiners.build import load_refiner

    names: list[str] = []
    taken: set[str] = set(RESERVED)
    for spec in refined:
        path = Path(spec.removeprefix("store:"))
        if not path.exists():
            raise InputError("--refined", f"{spec} does not exist", "name a refiner.pt, or a folder of refined images")
        name = load_refiner(path).kind if path.is_file() else path.resolve().name
        if name in taken:
            name = next(numbered for i in count(2) if (numbered := f"{name}-{i}") not in taken)
        names.append(name)
        taken.add(name)
    return names


def _table(found: "Realism") -> Table:
    table = Table(
        "pictures", found.kernel_name, "gap closed", found.frechet_name, "gap closed", "AUC features", "AUC pixels",
        "SSIM", "s/image",
        title=f"{found.rows[0].images} renders against {found.real_images} real images",
    )  # fmt: skip
    table.add_row("real (floor)", _cell(found.kernel_floor, 4), "", _cell(found.frechet_floor, 2), "", "", "", "", "")
    for row in found.rows:
        table.add_row(
            row.name, _cell(row.kernel, 4), _cell(row.kernel_closed, 2),
            _cell(row.frechet, 2), _cell(row.frechet_closed, 2),
            _cell(row.features and row.features.auc), _cell(row.pixels and row.pixels.auc),
            _cell(row.ssim), "" if row.seconds is None else f"{row.seconds:.2f}",
        )  # fmt: skip
    return table


def _cell(value: "Interval | None", digits: int = 3) -> str:
    if value is None:
        return ""
    if math.isnan(value.value):
        return "unknown"
    if math.isnan(value.low):
        return f"{value.value:.{digits}f}\nno bounds"
    return f"{value.value:.{digits}f}\n{value.low:.{digits}f} - {value.high:.{digits}f}"


def _plain(value: Any) -> Any:
    """With None for what is unknown: JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
