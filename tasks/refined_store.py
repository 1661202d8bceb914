"""Apply a refiner to a data set or a folder. A data set of refined frames has its renders' labels, with ignore regions
where the gate could not judge, and

  images/0000/0000000.png ...   numbered as the renders are
  gate.parquet                  what the gate measured of every render (models/refiners/gate_table.py)
  provenance.parquet            one row a render, see PROVENANCE
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from tqdm import tqdm

from dataset.errors import InputError
from dataset.schema import Frame
from dataset.store import Dataset, DatasetWriter
from models.refiners import gate_table
from models.refiners.gate import Judged, LabelGate
from models.refiners.gate_table import RowWriter
from models.refiners.pictures import Pictures
from models.refiners.refiner import Refiner
from models.refiners.survival import refined
from simulator.render_worker import PNG_LEVEL

JUDGED_AT_ONCE = 8  # pictures that the gate's detector sees together
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


def refine_store(
    refiner: Refiner, renders: Dataset, folder: Path, gate: LabelGate | None, *, seed: int, progress: bool = True
) -> Dataset:
    """A store of refined frames in `folder`, with the lineage of their renders and the labels that could be judged.

    Without a gate all are kept. Memory holds a few pictures, and of the tables a group of rows. InputError where the
    refiner wants label maps and a frame has none.
    """
    pictures, by = Pictures.of_store(renders), {"refiner_kind": refiner.kind, "refiner_digest": refiner.digest[:16]}
    with (
        DatasetWriter(folder, renders.categories, f"{renders.name}, refined") as writer,
        tqdm(total=len(renders), desc=f"refine ({refiner.kind})", unit="image", disable=not progress) as bar,
        RowWriter(folder / "provenance.parquet", PROVENANCE) as lineage,
        nullcontext() if gate is None else _verdicts(folder, renders) as verdicts,
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
                if verdicts is not None and verdict is not None:
                    verdicts.add(gate_table.row(frame.frame_id, verdict))
                lineage.add(_lineage(frame, shown, verdict) | by)
            bar.update(len(rows))
    return Dataset.open(folder)


def refine_folder(refiner: Refiner, pictures: Pictures, folder: Path, *, seed: int, progress: bool = True) -> None:
    """folder/images/NAME.png of each picture, by its name without the suffix. InputError where two have the same."""
    names = [Path(pictures.name(i)).with_suffix(".png") for i in range(len(pictures))]
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(twice.with_suffix(""), "two images differ in their suffix alone", "rename one of them")
    for i, name in enumerate(tqdm(names, desc=f"refine ({refiner.kind})", unit="image", disable=not progress)):
        save_picture(refined(refiner, pictures, i, pictures.rgb(i), seed=seed), folder / "images" / name)


def _verdicts(folder: Path, renders: Dataset) -> RowWriter:
    return RowWriter(folder / "gate.parquet", gate_table.schema_of(renders.categories))


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
    """(H, W, 3) uint8 as a PNG, packed as renders are; written aside and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    Image.fromarray(rgb).save(partial, format="png", compress_level=PNG_LEVEL)
    partial.replace(path)
