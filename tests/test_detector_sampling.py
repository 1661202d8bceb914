"""Which frame comes when: LVIS's repeat factors, balanced categories, an order that follows from the seed."""

import pickle

import numpy as np
import pytest

from dataset.schema import EVERY_CATEGORY, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from models.detector.config import TrainConfig
from models.detector.sampling import Order, balanced, repeat_factors, repeats


def pairs_of(shown: list[list[int]]) -> np.ndarray:
    """Each frame's categories -> (frame, category) pairs."""
    return np.array([(row, c) for row, categories in enumerate(shown) for c in categories], np.int64).reshape(-1, 2)


def store(folder, frames: list[Objects]) -> Dataset:
    with DatasetWriter(folder, ("car", "cyclist"), "made") as writer:
        for i, objects in enumerate(frames):
            writer.add(Frame(f"{i:03}", str(folder / f"{i}.png"), 64, 64, group=f"{i}"), objects)
    return Dataset.open(folder)


def test_repeat_factors_are_those_of_a_worked_example():
    """100 frames, threshold 0.04: cars on all (r = 1), trams on 1 (r = sqrt(0.04 / 0.01) = 2), cyclists on 4 (1)."""
    shown = [[0] for _ in range(100)]
    shown[7] = [0, 1]
    for row in (7, 20, 21, 22):
        shown[row] = [*shown[row], 2]
    factors = repeat_factors(pairs_of(shown), 100, 0.04)
    assert factors[7] == pytest.approx(2.0), "the rarest of its categories decides"
    assert np.delete(factors, 7) == pytest.approx(1.0), "nothing is shown less often"
    assert repeat_factors(pairs_of(shown), 100, 0.09)[[7, 20, 0]] == pytest.approx([3.0, 1.5, 1.0])


def test_balanced_categories_are_shown_equally_often_and_empty_frames_keep_their_share():
    shown = [[0]] * 6 + [[1]] * 2 + [[]] * 2
    times = balanced(pairs_of(shown), 10)
    assert times == pytest.approx([4 / 6] * 6 + [2.0] * 2 + [1.0] * 2) and times.sum() == pytest.approx(10)


def test_a_frame_with_both_categories_counts_for_both():
    times = balanced(pairs_of([[0], [0], [0, 1], [0]]), 4)
    assert times == pytest.approx([0.5, 0.5, 2.5, 0.5])


def test_a_set_without_objects_is_sampled_evenly():
    nothing = pairs_of([[], [], []])
    assert balanced(nothing, 3).tolist() == repeat_factors(nothing, 3, 0.1).tolist() == [1, 1, 1]


def test_an_epoch_shows_each_frame_its_repeats_rounded_down_or_up_and_on_average_exactly():
    wanted = np.array([1.0, 1.5, 2.25, 0.25, 3.0])
    order = Order(5, 3, wanted)
    assert order.length == 8
    counts = np.array([np.bincount(order.epoch(number), minlength=5) for number in range(2000)])
    assert (counts.sum(1) == 8).all()
    assert (counts >= np.floor(wanted)).all() and (counts <= np.ceil(wanted)).all()
    assert counts.mean(0) == pytest.approx(wanted, abs=0.05)


def test_without_repeats_an_epoch_is_a_permutation():
    order = Order(9, 0)
    assert sorted(order.epoch(4)) == list(range(9)) and order.epoch(4).tolist() != order.epoch(5).tolist()


def test_the_order_follows_from_the_seed_whoever_asks_for_what_first():
    wanted = np.linspace(0.3, 2.0, 11)
    forwards, backwards = Order(11, 5, wanted), pickle.loads(pickle.dumps(Order(11, 5, wanted)))
    asked = range(4 * forwards.length)
    found = {position: backwards.at(position) for position in reversed(asked)}
    assert [forwards.at(position) for position in asked] == [found[position] for position in asked]
    assert [Order(11, 6, wanted).at(p) for p in asked] != [forwards.at(p) for p in asked]


def test_only_objects_that_count_make_a_frame_rare(tmp_path):
    """Ignore regions and repeated objects of one category change nothing."""
    car = Objects.of([0, 0], [[1, 1, 9, 9], [20, 20, 40, 40]])
    ignored = Objects.of([0, 1, EVERY_CATEGORY], [[1, 1, 9, 9]] * 3, ignore=[False, True, True])
    cyclist = Objects.of([1], [[1, 1, 9, 9]])
    data = store(tmp_path / "a", [car, ignored, car, cyclist])
    config = TrainConfig(sampling="repeat_factor", repeat_below=1.0)
    assert repeats(data, config) == pytest.approx([(4 / 3) ** 0.5] * 3 + [2.0])
    assert repeats(data, TrainConfig(sampling="balanced")) == pytest.approx([2 / 3] * 3 + [2.0])
    assert repeats(data, TrainConfig()) is None
