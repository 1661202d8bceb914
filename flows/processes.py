"""The processes that torchrun starts for one training: the first one reads, writes and tells, the others follow it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dataset.errors import InputError
from dataset.store import Dataset

if TYPE_CHECKING:  # it imports torch, which must not be before flows/console.py has set its threads up
    from lightning_fabric import Fabric

TRAINS = "train"  # the verb that shares its work


def is_first() -> bool:
    """Whether this process is the one that tells: always, where torchrun did not start it."""
    return int(os.environ.get("RANK", 0)) == 0


def check_verb(verb: str | None) -> None:
    """InputError where several processes would all do the same work in the same folder."""
    count = int(os.environ.get("WORLD_SIZE", 1))
    if count > 1 and verb != TRAINS:
        raise InputError(
            f"{verb} under torchrun", f"{count} processes would each do all of it", f"only `{TRAINS}` shares its work"
        )


def imported_once(fabric: "Fabric", make: Callable[[], None], folders: Sequence[Path]) -> list[Dataset]:
    """The stores in `folders`, which the first process makes while the others wait, however long it takes.

    make: writes them all. Its InputError is raised in the first process alone; the others end with SystemExit.
    """
    failure: InputError | None = None
    with fabric.rank_zero_first():
        if fabric.is_global_zero:
            try:
                make()
            except InputError as error:
                failure = error
    failed = fabric.broadcast(failure is not None)
    if failure is not None:
        raise failure
    if failed:
        raise SystemExit(2)
    return [Dataset.open(folder) for folder in folders]
