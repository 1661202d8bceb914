"""What the verb `realism` compares: the renders and real images to look at, and what refiners made of the renders."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from tqdm import tqdm

from dataset.errors import InputError
from dataset.images import image_size
from evaluation.bootstrap import Unit
from models.refiners.build import load_refiner
from models.refiners.pictures import IMAGE_SUFFIXES, Pictures
from models.refiners.survival import refined
from tasks.learned import fingerprints, learned_by
from tasks.picture_sets import PictureSet
from tasks.refined_store import save_picture

LOSSY = {".jpg", ".jpeg", ".webp"}
JPEG_QUALITY = 90


@dataclass(frozen=True)
class RefinedSet:
    """What one refiner made of the renders."""

    name: str
    pictures: Pictures
    source_row: np.ndarray  # (N,) int64 row of each picture's render among the source's pictures
    lossy: frozenset[bool] = frozenset({False})  # whether its files lost detail to compression: one, or both
    seconds: float | None = None  # an image, where it was refined here
    learned: np.ndarray | None = None  # fingerprints of the real images that the refiner was fitted to, where known
    dropped: int = 0  # of the source's pictures, by the gate


@dataclass(frozen=True)
class Sides:
    """What is compared: pictures, and the names and groups that say what is resampled as one."""

    source: Pictures
    source_names: np.ndarray
    source_groups: np.ndarray
    source_files: list[str]
    real: Pictures
    real_names: np.ndarray
    real_groups: np.ndarray
    real_files: list[str]
    source_grouped: bool  # whether scenes are known; else each picture counts as one
    real_grouped: bool

    @staticmethod
    def of(source: PictureSet, target: PictureSet, at_most: int, group_regex: str | None) -> "Sides":
        """At most so many pictures of each side, evenly spread. group_regex: for the target's names."""
        ours, theirs = (spread_rows(len(side.pictures), at_most) for side in (source, target))
        our_files, their_files = source.files(), target.files()
        return Sides(
            source.pictures.subset(ours), source.names()[ours], source.groups()[ours],
            [our_files[i] for i in ours.tolist()],
            target.pictures.subset(theirs), target.names()[theirs], target.groups(group_regex)[theirs],
            [their_files[i] for i in theirs.tolist()],
            source.dataset is not None, target.dataset is not None or group_regex is not None,
        )  # fmt: skip

    @property
    def unit(self) -> Unit:
        """What intervals resample: whole scenes and clips where any are known, and both sides have several."""
        several = min(len(np.unique(self.source_groups)), len(np.unique(self.real_groups))) > 1
        return "group" if several and (self.source_grouped or self.real_grouped) else "image"

    @property
    def resampled(self) -> str:
        """The same in words."""
        if self.unit == "image":
            return "single images"
        if self.source_grouped and self.real_grouped:
            return "whole scenes and clips"
        if self.source_grouped:
            return "whole scenes of the renders and single real images"
        return "single renders and whole clips of real images"


def spread_rows(count: int, at_most: int) -> np.ndarray:
    """At most so many rows of `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, at_most)).round().astype(np.int64))


def refine_here(file: Path, name: str, source: Pictures, folder: Path, *, seed: int) -> RefinedSet:
    """Refine the source's pictures into `folder`, timed one by one."""
    refiner = load_refiner(file)
    taken_s = 0.0
    for i in tqdm(range(len(source)), desc=f"refine ({name})", unit="image"):
        rgb = source.rgb(i)
        start_s = time.perf_counter()
        made = refined(refiner, source, i, rgb, seed=seed)
        taken_s += time.perf_counter() - start_s
        save_picture(made, folder / f"{i:07d}.png")
    rows = np.arange(len(source))
    return RefinedSet(
        name, Pictures.of_folder(folder), rows, seconds=taken_s / len(source), learned=learned_by(file.parent)
    )


def refined_before(of: PictureSet, name: str, sides: Sides) -> RefinedSet:
    """Pictures that were refined before, found among the source's names; others of them are left out.

    A store that `refine` or a campaign wrote knows its renders; files are matched by name, without suffix.
    InputError where no picture is of this source, or one has another size than its render.
    """
    names = sides.source_names.tolist()
    row_of = {_stem(name): row for row, name in enumerate(names)}
    known, dropped = of.names().tolist(), 0
    folder = Path(of.folder)
    if of.dataset is not None and (folder / "provenance.parquet").is_file():
        table = pq.read_table(folder / "provenance.parquet", columns=["frame_id", "source_frame_id"]).to_pylist()
        render_of = {row["frame_id"]: row["source_frame_id"] for row in table}
        known = [render_of.get(frame_id, frame_id) for frame_id in known]
        dropped = sum(row["frame_id"] is None and _stem(row["source_frame_id"]) in row_of for row in table)
    rows = [(i, row_of[_stem(key)]) for i, key in enumerate(known) if _stem(key) in row_of]
    if not rows:
        problem = f"none of its {len(known)} images is named like one of the source's (such as {names[0]})"
        raise InputError(of.spec, problem, "give images that were made from this source")
    files = of.files()
    for i, row in rows:
        made, render = image_size(files[i]), image_size(sides.source_files[row])
        if made != render:
            problem = f"{made[0]}x{made[1]} px, and its render has {render[0]}x{render[1]}"
            raise InputError(files[i], problem, "refine without resizing")
    mine, theirs = np.array(rows).T
    beside = next((place for place in (folder, folder.parent) if learned_by(place) is not None), folder)
    return RefinedSet(
        name, of.pictures.subset(mine), theirs, lossy([files[i] for i, _ in rows]),
        learned=learned_by(beside), dropped=dropped,
    )  # fmt: skip


def lossy(files: Sequence[str]) -> frozenset[bool]:
    """Whether files lost detail to compression: one answer, or both where they differ."""
    return frozenset(Path(file).suffix.lower() in LOSSY for file in files)


def jpeg_for(sides: Sides, refined_sets: Sequence[RefinedSet], asked: int | None) -> int | None:
    """The quality at which every picture is compressed first: as asked, 0 for never; else where formats differ."""
    if asked is not None:
        return asked or None
    found = lossy(sides.source_files) | lossy(sides.real_files)
    return JPEG_QUALITY if len(found.union(*(one.lossy for one in refined_sets))) > 1 else None


def cautions(sides: Sides, refined_sets: Sequence[RefinedSet], jpeg_quality: int | None) -> list[str]:
    """What a reader of the scores must know of the sets."""
    notes = []
    if min(len(np.unique(groups)) for groups in (sides.source_groups, sides.real_groups)) < 2:
        notes.append(
            "a side has one scene only: intervals resample images, and are too narrow for what is said of scenes"
        )
    for side, grouped, remedy in (
        ("renders", sides.source_grouped, "give a store"),
        ("real images", sides.real_grouped, "give --group-regex"),
    ):
        if not grouped:
            notes.append(
                f"no scenes are known of the {side}, so each counts as one. If they are frames of videos, their "
                f"neighbours make the floor and the AUC wrong and the intervals too narrow: {remedy}"
            )
    if jpeg_quality is not None:
        notes.append(
            f"every picture was compressed as a JPEG of quality {jpeg_quality} once resized, so that file formats do "
            "not tell the sets apart (--jpeg)"
        )
    real = fingerprints(sides.real_files)
    for one in refined_sets:
        if one.learned is None:
            notes.append(f"{one.name}: it is not written down which real images its refiner was fitted to")
        elif seen := int(np.isin(real, one.learned).sum()):
            notes.append(
                f"{seen} of the {len(real)} real images are among those that {one.name} was fitted to, which flatters "
                "it: give others as the target"
            )
        if missing := len(sides.source) - len(one.pictures):
            why = f", {one.dropped} of them dropped by the gate" if one.dropped else ""
            notes.append(f"{one.name}: {missing} of {len(sides.source)} renders have no refined picture{why}")
    return notes


def _stem(name: str) -> str:
    path = Path(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name
