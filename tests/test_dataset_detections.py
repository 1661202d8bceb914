"""Facts about the detections file: frames without detections are kept, and order is that of writing."""

import numpy as np
import pytest

from dataset.detections import DetectionsWriter, read_categories, read_detections
from dataset.errors import InputError
from dataset.schema import Detections


def some(rng: np.random.Generator) -> Detections:
    n = int(rng.integers(0, 4)) * int(rng.random() < 0.6)
    known = rng.random() < 0.5
    boxes = rng.uniform(-10, 900, (n, 4))
    return Detections.of(rng.integers(0, 3, n), boxes, rng.random(n), rng.random(n) if known else None)


@pytest.mark.parametrize("batch_frames", [1, 7, 1024, 5000])
def test_frames_come_back_in_order_with_those_that_have_no_detections(tmp_path, batch_frames):
    rng = np.random.default_rng(0)
    items = [(f"f{i}", some(rng)) for i in rng.permutation(2100)]
    with DetectionsWriter(tmp_path / "d.parquet", ["a", "b", "c"]) as writer:
        for frame_id, detections in items:
            writer.add(frame_id, detections)
    batches = list(read_detections(tmp_path / "d.parquet", batch_frames))
    assert max(map(len, batches)) <= batch_frames
    back = [pair for batch in batches for pair in batch]
    assert [name for name, _ in back] == [name for name, _ in items]
    assert any(not len(detections) for _, detections in back)
    for (_, found), (_, written) in zip(back, items, strict=True):
        for name, values in vars(written).items():
            assert np.array_equal(getattr(found, name), values, equal_nan=name == "occlusion")
            assert getattr(found, name).dtype == values.dtype
    assert read_categories(tmp_path / "d.parquet") == ("a", "b", "c")


def test_only_empty_frames_or_no_frames_at_all_make_a_readable_file(tmp_path):
    for count in (0, 3):
        with DetectionsWriter(tmp_path / "d.parquet", ["a"]) as writer:
            for i in range(count):
                writer.add(str(i), Detections.none())
        back = [pair for batch in read_detections(tmp_path / "d.parquet") for pair in batch]
        assert [(name, len(found), found.box_xyxy_px.shape) for name, found in back] == [
            (str(i), 0, (0, 4)) for i in range(count)
        ]


def test_an_error_while_writing_leaves_the_file_that_was_there(tmp_path):
    file = tmp_path / "d.parquet"
    with DetectionsWriter(file, ["a"]) as writer:
        writer.add("old", Detections.none())
    with pytest.raises(RuntimeError), DetectionsWriter(file, ["a"]) as writer:
        writer.add("new", Detections.none())
        raise RuntimeError
    assert [name for batch in read_detections(file) for name, _ in batch] == ["old"]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("category", "box", "score"), [(1, [0, 0, 1, 1], 0.5), (0, [0, 0, np.inf, 1], 0.5), (0, [0, 0, 1, 1], np.nan)]
)
def test_numbers_that_would_poison_an_evaluation_are_refused(tmp_path, category, box, score):
    with pytest.raises(InputError, match="frame x"), DetectionsWriter(tmp_path / "d.parquet", ["a"]) as writer:
        writer.add("x", Detections.of([category], [box], [score]))
    assert not list(tmp_path.iterdir())


def test_another_parquet_file_or_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="no detections"):
        list(read_detections(tmp_path / "none.parquet"))
    (tmp_path / "bad.parquet").write_bytes(b"text")
    with pytest.raises(InputError, match="no detections"):
        list(read_detections(tmp_path / "bad.parquet"))
