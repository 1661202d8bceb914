"""Folders of pictures that a verb made and may replace: a mark tells whose they are, and whether all are there."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dataset.errors import InputError

REFINED_MARK = "refined.json"  # of `refine apply`
COMPARED_MARK = "compared.json"  # of `realism`, for what it refined itself
COMPLETE = "complete"


def begin(folder: Path, mark: str, record: Mapping[str, Any], reads: Iterable[Path | str]) -> None:
    """An empty folder that bears `mark`. What stood there goes only if it bears the same mark.

    reads: the files and folders that are still to be read. InputError where one of them lies in `folder`, or `folder`
    in one of them, and where the folder holds something else; nothing was touched then.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "this is a file", "name a folder")
    here = folder.resolve()
    for read in map(Path, reads):
        there = read.resolve()
        if here.is_relative_to(there) or there.is_relative_to(here):
            problem = f"{read} is to be read, and one of the two lies in the other"
            raise InputError(folder, problem, "name a folder apart from all that is read")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / mark).is_file():
            raise InputError(folder, "it holds something else than refined images", "name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / mark, {**record, COMPLETE: False})


def complete(folder: Path, mark: str) -> None:
    """Say that all pictures are there."""
    _write(folder / mark, {**_read(folder / mark), COMPLETE: True})


def require_complete(folder: Path, mark: str) -> None:
    """InputError where the folder bears the mark and was not filled to the end."""
    if (folder / mark).is_file() and _read(folder / mark).get(COMPLETE) is not True:
        raise InputError(folder, "refining was interrupted here, so that pictures are missing", "refine once more")


def _read(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise InputError(file, f"no record of refined images ({error})", "refine once more") from None


def _write(file: Path, record: Mapping[str, Any]) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1))
    partial.replace(file)
