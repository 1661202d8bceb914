"""Facts about the store: what goes in comes out, in any way of reading, and nothing half-written stays."""

import json
import pickle
import shutil
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.errors import InputError
from dataset.schema import EVERY_CATEGORY, Camera, Frame, Objects
from dataset.store import Dataset, DatasetWriter, concatenate

WIDTH, HEIGHT = 640, 480


def same(a: Objects, b: Objects) -> bool:
    return all(
        np.array_equal(x, y, equal_nan=x.dtype.kind == "f") and x.dtype == y.dtype
        for x, y in zip(vars(a).values(), vars(b).values(), strict=True)
    )


def frame(i: int, images: Path = Path("/somewhere/else")) -> Frame:
    return Frame(
        f"frame-{i}",
        str(images / f"{i}.png"),
        WIDTH,
        HEIGHT,
        f"clip-{i % 7}",
        source="synthetic" if i % 3 == 0 else "real",
        camera=Camera(700.5, 701, 320, 240.25, 1.6, -0.5) if i % 2 else None,
        weather="rain" if i % 5 == 0 else None,
        cycle=i if i % 4 == 0 else None,
    )


def some_objects(rng: np.random.Generator) -> Objects:
    n = int(rng.integers(0, 5))
    low = rng.uniform(0, 300, (n, 2))
    ignore = rng.random(n) < 0.3
    return Objects.of(
        np.where(ignore & (rng.random(n) < 0.5), EVERY_CATEGORY, rng.integers(0, 2, n)),
        np.hstack([low, low + rng.uniform(0.01, 150, (n, 2))]),
        occlusion=rng.random(n),
        ignore=ignore,
        dimensions_hwl_m=np.where(rng.random((n, 1)) < 0.5, np.nan, rng.random((n, 3))),
        yaw_rad=rng.uniform(-3, 3, n),
    )


def write(folder: Path, items, name="some", categories=("car", "bike")) -> Dataset:
    with DatasetWriter(folder, categories, name) as writer:
        for one_frame, objects in items:
            writer.add(one_frame, objects)
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def items():
    rng = np.random.default_rng(0)
    return [(frame(i), some_objects(rng)) for i in range(2500)]  # more than two row groups


@pytest.fixture(scope="module")
def store(items, tmp_path_factory) -> Dataset:
    return write(tmp_path_factory.mktemp("store") / "s", items)


@pytest.mark.parametrize("batch_frames", [1, 100, 1024, 5000])
def test_iterating_gives_back_what_was_written_in_order_whatever_the_batch(store, items, batch_frames):
    batches = list(store.iterate(batch_frames))
    assert all(len(batch) == batch_frames for batch in batches[:-1])
    pairs = [pair for batch in batches for pair in batch]
    assert [f for f, _ in pairs] == [f for f, _ in items]
    assert all(same(a, b) for (_, a), (_, b) in zip(pairs, items, strict=True))


def test_random_access_gives_the_same_rows_as_iterating(store, items):
    for i in np.random.default_rng(1).permutation(len(items)):
        assert store.frame(i) == items[i][0]
        assert same(store.objects(i), items[i][1])
    assert store.image_path(3) == "/somewhere/else/3.png"
    for outside in (-1, len(store)):
        with pytest.raises(IndexError):
            store.frame(outside)


def test_objects_of_a_row_can_be_written_to_without_touching_the_store(store, items):
    row = next(i for i, (_, objects) in enumerate(items) if len(objects))
    store.objects(row).box_xyxy_px[:] = 0
    assert same(store.objects(row), items[row][1])


def test_columns_and_counts_match_the_rows(store, items):
    assert store.frame_ids().tolist() == [f.frame_id for f, _ in items]
    assert store.groups().tolist() == [f.group for f, _ in items]
    assert store.sources().tolist() == [f.source for f, _ in items]
    targets = np.concatenate([o.category[~o.ignore] for _, o in items])
    assert store.counts() == {"car": int((targets == 0).sum()), "bike": int((targets == 1).sum())}


def test_rows_for_random_access_are_rebuilt_when_missing(store, items, tmp_path):
    copy = shutil.copytree(store.folder, tmp_path / "copy")
    for rows in copy.glob("rows-*"):
        shutil.rmtree(rows)
    reopened = Dataset.open(copy)
    assert reopened.frame(1234) == items[1234][0]
    assert same(reopened.objects(1234), items[1234][1])
    before, after = (sorted(p.read_bytes() for p in d.glob("rows-*/*")) for d in (store.folder, copy))
    assert before == after


def last_frame(ds: Dataset) -> Frame:
    return ds.frame(len(ds) - 1)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_read_a_data_set_handed_to_them(store, items, method):
    store.frame(0)  # rows are open here already
    with get_context(method).Pool(1) as pool:
        assert pool.apply(last_frame, (store,)) == items[-1][0]


def test_pickling_carries_no_open_files(store):
    store.frame(0)
    assert len(pickle.dumps(store)) < 1000


def test_equal_contents_have_equal_digests_wherever_they_lie(store, items, tmp_path):
    again = write(tmp_path / "again", items, name="another name")
    moved = write(tmp_path / "moved", [(frame(i, tmp_path / "images"), o) for i, (_, o) in enumerate(items)])
    assert store.digest == again.digest == moved.digest
    assert store.subset(np.arange(len(store)), tmp_path / "all").digest == store.digest


def test_digest_changes_with_anything_a_training_could_see(tmp_path):
    image = tmp_path / "0.png"
    image.write_bytes(b"12345")
    objects = Objects.of([0, 1], [[1, 2, 30, 40], [5, 6, 70, 80]])
    one, two = (frame(0, tmp_path), objects), (frame(1, tmp_path), Objects.none())
    moved_box = Objects.of([0, 1], [[1, 2, 30, 40], [5, 6, 70, 80.5]])
    digests = {
        "first": write(tmp_path / "a", [one, two]).digest,
        "order": write(tmp_path / "b", [two, one]).digest,
        "box": write(tmp_path / "c", [(one[0], moved_box), two]).digest,
        "object order": write(tmp_path / "d", [(one[0], objects.where(np.array([1, 0]))), two]).digest,
        "object's frame": write(tmp_path / "e", [(one[0], Objects.none()), (two[0], objects)]).digest,
        "categories": write(tmp_path / "f", [one, two], categories=("bike", "car")).digest,
    }
    image.write_bytes(b"123456")
    digests["image"] = write(tmp_path / "g", [one, two]).digest
    assert len(set(digests.values())) == len(digests)


def test_a_store_can_be_moved_together_with_the_images_below_it(tmp_path):
    near, far = tmp_path / "s" / "images" / "0.png", tmp_path / "far" / "1.png"
    url = "https://example.org/2.png"
    frames = [Frame(str(i), str(path), 9, 9, "g") for i, path in enumerate([near, far, url])]
    write(tmp_path / "s", [(f, Objects.none()) for f in frames])
    (tmp_path / "s").rename(tmp_path / "t")
    moved = Dataset.open(tmp_path / "t")
    expected = [str(tmp_path / "t" / "images" / "0.png"), str(far), url]
    assert [moved.image_path(i) for i in range(3)] == expected
    assert [f.image_path for batch in moved.iterate() for f, _ in batch] == expected


def test_an_error_while_writing_leaves_the_store_that_was_there(tmp_path, items):
    write(tmp_path / "s", items[:5])
    before = {p: p.read_bytes() for p in (tmp_path / "s").rglob("*") if p.is_file()}
    with pytest.raises(RuntimeError), DatasetWriter(tmp_path / "s", ("car", "bike"), "new") as writer:
        writer.add(*items[7])
        raise RuntimeError
    assert before == {p: p.read_bytes() for p in (tmp_path / "s").rglob("*") if p.is_file()}
    assert Dataset.open(tmp_path / "s").frame(4) == items[4][0]


def test_a_new_store_replaces_the_old_one_and_its_rows(tmp_path, items):
    write(tmp_path / "s", items[:5])
    new = write(tmp_path / "s", items[5:7])
    assert [new.frame(i).frame_id for i in range(len(new))] == ["frame-5", "frame-6"]
    assert len(list((tmp_path / "s").glob("rows-*"))) == 1


def test_a_frame_id_that_comes_twice_is_refused_by_name(tmp_path, items, store):
    with pytest.raises(InputError, match=r"'frame-3'.*rows 3 and 5"):
        write(tmp_path / "s", [*items[:5], items[3]])
    assert not list((tmp_path / "s").iterdir())
    with pytest.raises(InputError, match="'frame-0'"):
        concatenate([store, write(tmp_path / "one", items[:1])], tmp_path / "both")


def test_concatenation_keeps_order_and_refuses_other_categories(tmp_path, items):
    a, b = write(tmp_path / "a", items[:3]), write(tmp_path / "b", items[3:5])
    joined = concatenate([b, a], tmp_path / "ba")
    assert joined.frame_ids().tolist() == [f"frame-{i}" for i in (3, 4, 0, 1, 2)]
    assert same(joined.objects(2), items[0][1])
    with pytest.raises(InputError, match="categories"):
        concatenate([a, write(tmp_path / "c", items[5:6], categories=("car", "van"))], tmp_path / "ac")


def test_an_empty_store_can_be_written_and_read(tmp_path):
    empty = write(tmp_path / "s", [])
    assert len(empty) == 0 and list(empty.iterate()) == [] and empty.counts() == {"car": 0, "bike": 0}
    assert empty.frame_ids().dtype.kind == "U"


@pytest.mark.parametrize(
    ("category", "box", "ignore", "problem"),
    [
        (0, [10, 10, 10, 20], False, "no area"),
        (0, [10, 10, np.nan, 20], False, "not a number"),
        (0, [-5, 10, 20, 20], False, "outside 640x480"),
        (0, [10, 10, 641, 20], False, "outside 640x480"),
        (2, [10, 10, 20, 20], False, "only 2 categories"),
        (EVERY_CATEGORY, [10, 10, 20, 20], False, "ignore regions only"),
    ],
)
def test_objects_that_break_the_contract_are_refused(tmp_path, category, box, ignore, problem):
    with pytest.raises(InputError, match=problem):
        write(tmp_path / "s", [(frame(0), Objects.of([category], [box], ignore=[ignore]))])


def test_opening_what_is_no_whole_store_says_so(tmp_path, items):
    with pytest.raises(InputError, match=r"meta\.json is missing"):
        Dataset.open(tmp_path)
    folder = write(tmp_path / "s", items[:3]).folder
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"frames": 4}))
    with pytest.raises(InputError, match="3 rows"):
        Dataset.open(folder)
    (folder / "frames.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"frames\.parquet"):
        Dataset.open(folder)


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
number = st.floats(allow_nan=False, allow_infinity=False, width=32)
frames = st.builds(
    Frame,
    frame_id=text,
    image_path=st.just("/images/a.png"),
    width_px=st.just(WIDTH),
    height_px=st.just(HEIGHT),
    group=text,
    source=st.sampled_from(["real", "synthetic", "refined", "stand-in"]),
    camera=st.none() | st.builds(Camera, *[number] * 6),
    time_of_day=st.none() | text,
    weather=st.none() | text,
    scene_id=st.none() | text,
    failure_id=st.none() | text,
    cycle=st.none() | st.integers(0, 2**31 - 1),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(frames, max_size=4, unique_by=lambda f: f.frame_id))
def test_any_frame_survives_the_store(tmp_path_factory, some):
    ds = write(tmp_path_factory.mktemp("s"), [(f, Objects.none()) for f in some])
    assert [ds.frame(i) for i in range(len(ds))] == some
    assert [f for batch in ds.iterate() for f, _ in batch] == some
