"""Which images a refiner was fitted to, kept beside it and beside what it made: scores on the same ones flatter it."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dataset.errors import InputError

FILE = "learned-from.npy"


def fingerprints(files: Iterable[str]) -> np.ndarray:
    """(N,) uint64 of the files' names and sizes: the same image is known again in another folder, set or selection."""
    prints = [hashlib.blake2b(_told(file).encode(), digest_size=8).digest() for file in files]
    return np.frombuffer(b"".join(prints), np.uint64)


def write_learned(folder: Path, files: Iterable[str]) -> None:
    """Beside the refiner.pt in `folder`: 8 bytes an image."""
    partial = folder / "learned-from.partial"
    with partial.open("wb") as opened:
        np.save(opened, np.unique(fingerprints(files)))
    partial.replace(folder / FILE)


def hand_on(refiner: Path, folder: Path) -> None:
    """To what the refiner.pt made in `folder`, where it is known."""
    if (refiner.parent / FILE).is_file():
        shutil.copyfile(refiner.parent / FILE, folder / FILE)


def learned_by(folder: Path) -> np.ndarray | None:
    """(N,) uint64 of what the refiner of this folder was fitted to; None where that was not written down."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        return np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(file, f"it does not tell images ({error})", "fit the refiner again, or remove it") from None


def _told(file: str) -> str:
    size = "" if "://" in file else Path(file).stat().st_size
    return f"{file.rpartition('/')[2]}\0{size}"
