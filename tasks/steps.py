"""A step of a run: a folder, the digest of everything that decides its outcome, and what it produced.

A step whose folder holds a finished record with the same key is skipped. One that was killed half-way finds its own
half-done folder again, so that training and rendering go on where they stood. A folder made from other inputs is set
aside and removed once its replacement is there: nothing stale is ever mixed in.

The record lives beside the data and not in Prefect's cache, so that a run's folder can be deleted without the
scheduler handing out paths that are no longer there.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dataset.errors import InputError

ROOT = Path(__file__).parent.parent
RECORD, BEGUN = "step.json", "step.begun.json"


@dataclass(frozen=True)
class Step:
    """A finished step. `digest` stands for its output: what depends on it takes it as an input."""

    folder: Path
    key: str
    digest: str
    seconds: float
    skipped: bool = False

    def __str__(self) -> str:
        if self.skipped:
            return f"skipped, unchanged, digest {self.digest[:16]}"
        return f"done in {self.seconds:.1f} s, digest {self.digest[:16]}"


def digest_of(*values: Any) -> str:
    """Short digest of plain values (anything json can write; paths and models by their text)."""
    text = json.dumps(values, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Short digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@cache
def code_digest(*rooms: str) -> str:
    """Digest of the Python sources of some rooms, so that a change of code counts as a change of inputs."""
    files = sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))
    hasher = hashlib.sha256()
    for path in files:
        hasher.update(path.relative_to(ROOT).as_posix().encode())
        hasher.update(path.read_bytes())
    return hasher.hexdigest()[:16]


def run_step(folder: Path, work: Callable[[Path], str], **inputs: Any) -> Step:
    """Do `work(folder)` unless it was done already with these inputs.

    work: writes into the folder and returns the digest of what it wrote; on a resumed run the folder holds what the
        killed one left. inputs: everything that decides the outcome; upstream steps by their digest.
    """
    key = digest_of(inputs)
    done = _read(folder / RECORD)
    if done is not None and done["key"] == key:
        return Step(folder, key, done["digest"], done["seconds"], skipped=True)
    begun, stale = _read(folder / BEGUN), folder.with_name(folder.name + ".stale")
    if done is not None or begun is None or begun["key"] != key:
        _set_aside(folder, stale)
        folder.mkdir(parents=True)
        _write(folder / BEGUN, {"key": key, "inputs": inputs})
    start_s = time.monotonic()
    try:
        digest = work(folder)
    except OSError as error:
        if error.errno in (28, 122):  # no space, quota
            raise InputError(
                folder, f"the disk is full ({error})", "free some space and run the same command again: it goes on here"
            ) from error
        raise
    seconds = round(time.monotonic() - start_s, 3)
    _write(folder / RECORD, {"key": key, "digest": digest, "seconds": seconds, "inputs": inputs})
    (folder / BEGUN).unlink(missing_ok=True)
    shutil.rmtree(stale, ignore_errors=True)
    return Step(folder, key, digest, seconds)


def _set_aside(folder: Path, stale: Path) -> None:
    """Keep a finished result of other inputs until its replacement is there; a half-done one is worth nothing."""
    if (folder / RECORD).exists():
        shutil.rmtree(stale, ignore_errors=True)
        folder.rename(stale)
    shutil.rmtree(folder, ignore_errors=True)


def finished(folder: Path) -> Step:
    """The record of a step that an earlier cycle left."""
    record = _read(folder / RECORD)
    if record is None:
        raise InputError(
            folder, "no finished step is recorded here", "run the campaign again: it makes what is missing"
        )
    return Step(folder, record["key"], record["digest"], record["seconds"], skipped=True)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise InputError(path, f"not a step record ({error})", f"delete {path.parent} and run again") from error


def _write(path: Path, record: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1, default=_plain))
    partial.replace(path)
