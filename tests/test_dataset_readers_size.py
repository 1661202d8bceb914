"""Reading holds a frame at a time: what a reader keeps stays far below what all the labels take.

benchmarks/readers.py does the same with 200,000 frames, whole imports and the memory of the process.
"""

import tracemalloc
from pathlib import Path

import pytest

from benchmarks.readers import BOXES_XYXY_PX, MAKERS
from dataset.readers import reader_of
from dataset.readers.labelled_image import LabelledImage

FRAMES = 1500  # more than the one segment that Waymo's reader holds


def peak_bytes(spec: str, folder: Path, held: list[LabelledImage] | None = None) -> int:
    """Of reading every frame's labels, from opening the set on; with `held` the caller keeps them all."""
    tracemalloc.start()
    try:
        objects = 0
        for read in reader_of(spec, None, folder).images():
            image = read()
            objects += len(image.labels)
            if held is not None:
                held.append(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert objects == FRAMES * len(BOXES_XYXY_PX)
    return peak


@pytest.mark.parametrize("name", MAKERS)
def test_reading_takes_a_fraction_of_the_memory_of_the_labels(tmp_path: Path, name: str):
    spec = MAKERS[name](tmp_path / "set", FRAMES)
    everything = peak_bytes(spec, tmp_path / "store", held=[])
    # the lesser of two, as pathlib's interned names make Python enlarge one of its own tables now and then
    streamed = min(peak_bytes(spec, tmp_path / "store") for _ in range(2))
    assert streamed < everything / 2
