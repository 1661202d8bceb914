"""From the user's files to the four splits: train, pool (mined), val (decides), test (only reported)."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.errors import InputError
from dataset.readers import FORMATS, open_source
from dataset.schema import Camera
from dataset.split import split
from dataset.store import Dataset
from tasks.campaign import Campaign
from tasks.config import DataConfig
from tasks.layout import Run
from tasks.log import say
from tasks.split_checks import check_splits
from tasks.stand_in import render_stand_in
from tasks.steps import Step, code_digest, digest_of, finished, run_step

GIVEN = ("val", "test")  # what the user may bring beside the training data

# KITTI's own benchmark: cars, pedestrians and cyclists are judged, their neighbours are neither targets nor errors.
# Trucks are judged too: the paper's rare class.
USUAL_CATEGORIES = {
    "kitti": {
        "Car": "car",
        "Truck": "truck",
        "Pedestrian": "pedestrian",
        "Cyclist": "cyclist",
        "Van": "ignore",
        "Person_sitting": "ignore",
        "Tram": "ignore",
        "Misc": "ignore",
        "DontCare": "ignore",
    }
}


@dataclass(frozen=True)
class Data:
    """The splits' folders; `test` is None where the user has none."""

    train: Path
    pool: Path
    val: Path
    test: Path | None
    digest: str

    @staticmethod
    def of(run: Run) -> "Data":
        """The splits that a run has made, from its records alone."""
        splits = finished(run.data / "splits")
        given = {name: finished(run.data / f"{name}-all") for name in GIVEN if (run.data / f"{name}-all").exists()}
        folders = {path.parent.name: path.parent for path in splits.folder.glob("*/meta.json")}
        return _data(folders | {name: step.folder / "store" for name, step in given.items()}, splits, given)

    def judged(self) -> dict[str, Path]:
        """The splits on which every detector is run."""
        splits = {"pool": self.pool, "val": self.val}
        return splits if self.test is None else splits | {"test": self.test}


@task(cache_policy=NO_CACHE, task_run_name="prepare-data")
def prepare_data(campaign: Campaign) -> Data:
    """Read (or render) the data and split it."""
    run, config = campaign.run, campaign.config
    if config.stand_in:
        everything = render_stand_in(campaign)
    else:
        everything = read_source(run, "all", config.data.train, config.data)
    say(f"data: {everything}")
    given = _read_given(run, config.data, Dataset.open(everything.folder / "store").categories)
    shares = _shares(config.data, given)

    def work(folder: Path) -> str:
        parts = split(Dataset.open(everything.folder / "store"), shares, config.loop.seed, folder)
        return digest_of({name: part.digest for name, part in parts.items()})

    splits = run_step(
        run.data / "splits",
        work,
        data=everything.digest,
        shares=shares,
        seed=config.loop.seed,
        code=code_digest("dataset"),
    )
    say(f"splits: {splits}")
    folders = {name: run.split(name) for name in shares} | {name: step.folder / "store" for name, step in given.items()}
    data = _data(folders, splits, given)
    if not splits.skipped:
        check_splits(data, config)
    return data


def _data(folders: dict[str, Path], splits: Step, given: dict[str, Step]) -> Data:
    digest = digest_of(splits.digest, {name: step.digest for name, step in given.items()})
    return Data(folders["train"], folders["pool"], folders["val"], folders.get("test"), digest)


def read_source(run: Run, name: str, spec: str, config: DataConfig, known: tuple[str, ...] | None = None) -> Step:
    """One data set of the user as a step: data/NAME/store. known: see import_source."""

    def work(folder: Path) -> str:
        return import_source(spec, folder / "store", config, known).digest

    return run_step(
        run.data / name,
        work,
        spec=spec,
        files=fingerprint(spec),
        known=known,
        settings=config.model_dump(mode="json", include={"categories", "group_regex", "camera", "skip_bad"}),
        code=code_digest("dataset"),
    )


def import_source(spec: str, folder: Path, config: DataConfig, known: tuple[str, ...] | None = None) -> Dataset:
    """Read and validate a data set into a store at `folder`, anew each time.

    known: categories, in their order, that it must share with the data or the detector it is used with.
    Raises InputError for bad data, and where writing to `folder` would delete it.
    """
    if not spec:
        raise InputError("data.train", "no data set is named", f"pass --data with one of {', '.join(FORMATS)}")
    kind, _, place = spec.partition(":")
    if Path(place.partition("?")[0]).resolve().is_relative_to(folder.resolve()):
        raise InputError(spec, f"lies in {folder}, which is written anew", "choose another folder for the result")
    shutil.rmtree(folder, ignore_errors=True)
    if kind == "store":
        camera = Camera(**config.camera.model_dump()) if config.camera else None
        stored, _ = open_source(
            spec, folder, categories=config.categories, group_regex=config.group_regex, camera=camera
        )
        if known is not None and stored.categories != known:
            raise InputError(spec, f"has the categories {stored.categories}, not {known}", "import it anew with these")
        return stored.subset(np.arange(len(stored)), folder)
    categories = config.categories or USUAL_CATEGORIES.get(kind)
    if categories is None and known is not None:
        categories = {category: category for category in known}
    dataset, excluded = open_source(
        spec,
        folder,
        categories=categories,
        group_regex=config.group_regex,
        camera=Camera(**config.camera.model_dump()) if config.camera else None,
        skip_bad=config.skip_bad,
    )
    if excluded:
        say(f"{spec}: {len(excluded)} bad frames left out, listed in {folder / 'excluded.json'}")
    for note in dataset.notes:
        say(f"{spec}: {note}")
    if known is not None and dataset.categories != known:
        raise InputError(
            spec,
            f"has the categories {dataset.categories}, not {known}",
            "map its names onto these with data.categories",
        )
    return dataset


def fingerprint(spec: str) -> str:
    """Digest of names, sizes and times of the files that a spec points to, so that changed data is read again."""
    path = Path(spec.partition(":")[2].partition("?")[0])
    if path.is_file():
        return digest_of(_identity(path))
    walked = os.walk(path, followlinks=True)
    files = sorted(Path(folder) / name for folder, _, names in walked for name in names)
    return digest_of([_identity(file) for file in files])


def _identity(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:  # a link to nothing: the reader says so, by name
        return str(path), -1, -1
    return str(path), stat.st_size, stat.st_mtime_ns


def _read_given(run: Run, config: DataConfig, known: tuple[str, ...]) -> dict[str, Step]:
    given = {}
    for name, spec in (("val", config.val), ("test", config.test)):
        if spec is not None:
            given[name] = read_source(run, f"{name}-all", spec, config, known)
            say(f"{name}: {given[name]}")
    return given


def _shares(config: DataConfig, given: dict[str, Step]) -> dict[str, float]:
    """What is split off the training data: always the pool, and val and test unless the user brings them."""
    shares = {"pool": config.pool_share}
    if "val" not in given:
        shares["val"] = config.val_share
    if "test" not in given and config.test_share > 0:
        shares["test"] = config.test_share
    left = 1 - sum(shares.values())
    if left <= 0 or shares.get("val") == 0:
        raise InputError(
            "data",
            f"the shares {shares} leave {left:.2f} of the frames to train on",
            "lower a share, or name --val DATA",
        )
    return {"train": left} | shares
