"""One process at a time works on a run's folder: two would throw away each other's steps."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset.errors import InputError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run's folder; the lock goes with the process, however that ends. Raises InputError when it is taken."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                folder, "another process works on this run", "wait for it, or choose another --name"
            ) from error
        yield
