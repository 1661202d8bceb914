"""Splits that never cut a group (clip, city, town): frames of one group look alike, and would leak."""

import hashlib
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset


def split(ds: Dataset, shares: dict[str, float], seed: int, folder: Path) -> dict[str, Dataset]:
    """Cut the data set into stores folder/NAME with about the given shares of its frames; shares add up to 1.

    Groups stand in the order of a hash of seed and name, and the row of them is cut where the frames before the cut
    come closest to the shares asked for. So every split is right to within half a group at each of its ends, which
    holds for 31 clips as for thousands. The price against a fixed threshold on the hash: when data is added the cuts
    move by about as many frames as came, and groups beside a cut may change sides. No group away from a cut does.

    A share of 0 makes no split. Raises InputError when there are fewer groups than splits, as one would be empty.
    """
    wanted = {name: share for name, share in shares.items() if share != 0}
    if not wanted or min(wanted.values()) < 0 or abs(sum(wanted.values()) - 1) > 1e-6:
        raise InputError("split shares", f"{shares} are not shares of 1", "give positive numbers that add up to 1")
    of_frame = ds.groups()
    names, sizes = np.unique(of_frame, return_counts=True)
    if len(names) < len(wanted):
        raise InputError(
            ds.folder,
            f"{len(names)} groups cannot fill {len(wanted)} splits ({', '.join(wanted)}) without cutting a group",
            "ask for fewer splits, or set group_regex so that frames fall into more groups",
        )
    order = np.argsort(np.array([group_hash(seed, name) for name in names.tolist()], np.uint64), kind="stable")
    cuts = _cuts(sizes[order], np.cumsum(list(wanted.values()))[:-1])
    place = np.empty(len(names), np.int64)
    place[order] = np.searchsorted(cuts, np.arange(len(names)), side="right")
    split_of_frame = place[np.searchsorted(names, of_frame)]
    return {
        name: ds.subset(np.flatnonzero(split_of_frame == index), Path(folder) / name)
        for index, name in enumerate(wanted)
    }


def group_hash(seed: int, group: str) -> int:
    """64 bits that depend on nothing but the seed and the group's name."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{group}".encode(), digest_size=8).digest(), "big")


def _cuts(sizes: np.ndarray, shares_before: np.ndarray) -> np.ndarray:
    """Where to cut groups of `sizes` (G,) into len(shares_before) + 1 runs, none of them empty."""
    frames_before = np.concatenate([[0], np.cumsum(sizes)])
    cuts: list[int] = []
    for index, share in enumerate(shares_before):
        first = (cuts[-1] if cuts else 0) + 1
        last = len(sizes) - (len(shares_before) - index)
        candidates = np.arange(first, last + 1)
        cuts.append(int(candidates[np.argmin(np.abs(frames_before[candidates] - share * frames_before[-1]))]))
    return np.array(cuts, np.int64)
