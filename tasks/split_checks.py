"""What must hold before anything is trained: no shared pictures, things to find, categories that can be shown."""

import hashlib
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset
from simulator.casting import Casting
from tasks.config import CampaignConfig
from tasks.log import say


def check_splits(data, config: CampaignConfig) -> None:
    """Raises InputError for a leak, a split without objects, or a category that no asset plays.

    data: the tasks.data.Data to check. Frames without a group are only reported: nobody but the user knows the clips.
    """
    folders: dict[str, Path] = {"train": data.train, **data.judged()}
    stores = {name: Dataset.open(folder) for name, folder in folders.items()}
    Casting(stores["train"].categories, config.simulator.recreate.casting)
    for name, store in stores.items():
        if not sum(store.counts().values()):
            raise InputError(
                store.folder, f"the {name} split has no object to find", "give it more data or another share"
            )
    pictures = {name: _pictures(store) for name, store in stores.items()}
    for name in ("val", "test"):
        for other in ("train", "pool", "val"):
            if name not in pictures or name == other:
                continue
            shared = len(np.intersect1d(pictures[name], pictures[other]))
            if shared:
                raise InputError(
                    f"data.{name}", f"shares {shared} pictures with {other}", "give data that training never sees"
                )
    if config.stand_in is None and config.data.group_regex is None:
        say(
            "no data.group_regex is set: each frame is a group of its own, right only where no two show the same street"
        )


def _pictures(store: Dataset) -> np.ndarray:
    """(frames,) uint64, hashes of where the pictures lie."""
    paths = (store.image_path(row) for row in range(len(store)))
    digests = (hashlib.blake2b(path.encode(), digest_size=8).digest() for path in paths)
    return np.frombuffer(b"".join(digests), np.uint64)
