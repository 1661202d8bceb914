"""Several frames, their objects and their detections as flat arrays, streamed from a data set and a detections file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np

from dataset.detections import read_categories, read_detections
from dataset.errors import InputError
from dataset.schema import Detections, Frame, Objects
from dataset.store import Dataset

BATCH_FRAMES = 2048
REMEDY = "run the detector on this data set again"


@dataclass(frozen=True)
class Batch:
    """F frames. Their G objects and D detections follow one another in the order of the frames."""

    frames: Sequence[Frame]  # F
    first_row: int  # row in the data set of the first frame
    objects: Objects  # G
    object_frame: np.ndarray  # (G,) int64, 0 to F - 1
    detections: Detections  # D
    detection_frame: np.ndarray  # (D,) int64, 0 to F - 1

    @staticmethod
    def of(found: Sequence[tuple[Frame, Objects, Detections]], first_row: int = 0) -> "Batch":
        frames, objects, detections = zip(*found, strict=True) if found else ((), (), ())
        return Batch(
            frames=frames,
            first_row=first_row,
            objects=Objects(**_joined([Objects.none(), *objects])),
            object_frame=_frame_of(objects),
            detections=Detections(**_joined([Detections.none(), *detections])),
            detection_frame=_frame_of(detections),
        )

    def first_object(self) -> np.ndarray:
        """(F,) flat index of each frame's first object, to turn flat indices into indices within a frame."""
        return np.searchsorted(self.object_frame, np.arange(len(self.frames)))


def take(values: np.ndarray, index: np.ndarray, missing) -> np.ndarray:
    """values[index], with `missing` where the index is -1. (V,), (N,) -> (N,); `values` may be empty."""
    found = np.full(len(index), missing, values.dtype)
    found[index >= 0] = values[index[index >= 0]]
    return found


def _joined(parts: Sequence[Objects] | Sequence[Detections]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}


def _frame_of(parts: Sequence[Objects] | Sequence[Detections]) -> np.ndarray:
    return np.repeat(np.arange(len(parts)), np.array([len(part) for part in parts], np.int64))


def batches(ds: Dataset, detections_file: Path, batch_frames: int = BATCH_FRAMES) -> Iterator[Batch]:
    """The whole data set with its detections, `batch_frames` frames at a time; memory holds one batch.

    Raises InputError where the file does not hold exactly the categories and the frames of the data set, in order.
    """
    if (categories := read_categories(detections_file)) != ds.categories:
        raise InputError(detections_file, f"categories {categories}, the data set has {ds.categories}", REMEDY)
    yield from joined_batches(ds, detections_file, batch_frames)


def joined_batches(ds: Dataset, detections_file: Path, batch_frames: int = BATCH_FRAMES) -> Iterator[Batch]:
    """The same where objects and detections may count other categories: only the frames must be equal."""
    frames = chain.from_iterable(ds.iterate(batch_frames))
    found = _in_step(frames, chain.from_iterable(read_detections(detections_file, batch_frames)), ds, detections_file)
    first_row = 0
    while part := list(islice(found, batch_frames)):
        yield Batch.of(part, first_row)
        first_row += len(part)


def _in_step(
    frames: Iterable[tuple[Frame, Objects]], detections: Iterable[tuple[str, Detections]], ds: Dataset, file: Path
) -> Iterator[tuple[Frame, Objects, Detections]]:
    for row, (labelled, detected) in enumerate(zip_longest(frames, detections)):
        expected = labelled[0].frame_id if labelled else "no more frames"
        given = detected[0] if detected else "no more frames"
        if labelled is None or detected is None or expected != given:
            raise InputError(file, f"row {row} is {given}, the data set at {ds.folder} has {expected}", REMEDY)
        yield labelled[0], labelled[1], detected[1]
