"""The page of the verb `realism`: scores, and renders beside what became of them and the nearest real image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image

from models.refiners.pictures import Pictures
from tasks.compared import RefinedSet, Sides, spread_rows
from tasks.realism import Realism
from tasks.report.drawing import draw
from tasks.report.page import FOLDER, environment

SHOWN, PICTURE_WIDTH_PX = 8, 320


@dataclass(frozen=True)
class Shown:
    caption: str
    image: Image.Image | None  # None where there is none: the gate dropped it, or it was never refined


def write_realism_page(
    found: Realism, sides: Sides, refined_sets: Sequence[RefinedSet], nearest_real: np.ndarray, specs: dict[str, str],
    file: Path,
) -> Path:  # fmt: skip
    """One file that needs no other. specs: what was compared, as the user named it."""
    partial = file.with_suffix(".partial")
    contents = {
        "style": Markup((FOLDER / "style.css").read_text()),
        "found": found,
        "specs": specs,
        "gallery": _gallery(sides, refined_sets, nearest_real),
    }
    with partial.open("w", encoding="utf-8") as page:
        page.writelines(environment().get_template("realism.html.j2").generate(contents))
    partial.replace(file)
    return file


def _gallery(sides: Sides, refined_sets: Sequence[RefinedSet], nearest_real: np.ndarray) -> Iterator[list[Shown]]:
    """Rows of render, each refiner's picture, nearest real image; made while the page is written."""
    place_of = [{row: i for i, row in enumerate(one.source_row.tolist())} for one in refined_sets]
    for row in spread_rows(len(sides.source), SHOWN).tolist():
        cells = [Shown("render", _small(sides.source, row))]
        for one, places in zip(refined_sets, place_of, strict=True):
            cells.append(Shown(one.name, _small(one.pictures, places[row]) if row in places else None))
        yield [*cells, Shown("nearest real", _small(sides.real, int(nearest_real[row])))]


def _small(pictures: Pictures, row: int) -> Image.Image:
    image = pictures.rgb(row)
    return draw(image, [], (0, 0, image.shape[1], image.shape[0]), PICTURE_WIDTH_PX)
