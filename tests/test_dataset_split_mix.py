"""Facts about splits (no group is cut, shares are met, order is stable) and the mix (the cap holds)."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.errors import InputError
from dataset.mix import draw, mix, most_synthetic
from dataset.schema import Frame, Objects, Source
from dataset.split import split
from dataset.store import Dataset, DatasetWriter

SHARES = {"train": 0.6, "pool": 0.2, "val": 0.1, "test": 0.1}


def store(folder: Path, group_sizes: dict[str, int], source: Source = "real") -> Dataset:
    with DatasetWriter(folder, ("car",), "some") as writer:
        for group, size in group_sizes.items():
            for i in range(size):
                frame = Frame(f"{source}-{group}-{i}", f"/images/{group}-{i}.png", 64, 48, group, source=source)
                writer.add(frame, Objects.of([0], [[1, 1, 9, 9]]))
    return Dataset.open(folder)


def groups_of(parts: dict[str, Dataset]) -> dict[str, set[str]]:
    return {name: set(part.groups().tolist()) for name, part in parts.items()}


def test_no_group_is_cut_and_every_frame_lands_in_one_split(tmp_path):
    sizes = {f"clip-{i}": 3 + i % 11 for i in range(40)}
    parts = split(store(tmp_path / "s", sizes), SHARES, 0, tmp_path)
    assert list(parts) == list(SHARES)
    assert Counter(g for groups in groups_of(parts).values() for g in groups) == dict.fromkeys(sizes, 1)
    assert sum(map(len, parts.values())) == sum(sizes.values())


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_met_to_within_half_a_group_at_each_end(tmp_path, seed):
    sizes = {f"clip-{i}": 1 for i in range(31)}
    parts = split(store(tmp_path / "s", sizes), SHARES, seed, tmp_path)
    for name, share in SHARES.items():
        assert abs(len(parts[name]) - share * 31) <= 1
    uneven = {f"clip-{i}": 1 + (i * 7) % 20 for i in range(60)}
    parts = split(store(tmp_path / "u", uneven), SHARES, seed, tmp_path / "v")
    for name, share in SHARES.items():
        assert abs(len(parts[name]) - share * sum(uneven.values())) <= 20


def test_a_split_repeats_exactly_and_another_seed_gives_another(tmp_path):
    ds = store(tmp_path / "s", {f"clip-{i}": 2 for i in range(31)})
    first, again, other = (split(ds, SHARES, seed, tmp_path / str(n)) for n, seed in enumerate((7, 7, 8)))
    assert {n: p.digest for n, p in first.items()} == {n: p.digest for n, p in again.items()}
    assert groups_of(first) != groups_of(other)


def test_adding_frames_moves_only_groups_beside_a_cut(tmp_path):
    sizes = {f"clip-{i}": 4 for i in range(100)}
    before = groups_of(split(store(tmp_path / "s", sizes), SHARES, 0, tmp_path / "a"))
    more = {"clip-new": 4} | sizes | {"clip-50": 8}
    after = groups_of(split(store(tmp_path / "t", more), SHARES, 0, tmp_path / "b"))
    moved = [g for name in SHARES for g in before[name] - after[name]]
    assert len(moved) <= 2 * 3  # two groups' worth of frames came, three cuts


def test_the_order_of_frames_in_the_data_does_not_matter(tmp_path):
    sizes = {f"clip-{i}": 2 for i in range(20)}
    a = groups_of(split(store(tmp_path / "s", sizes), SHARES, 0, tmp_path / "a"))
    b = groups_of(split(store(tmp_path / "t", dict(reversed(sizes.items()))), SHARES, 0, tmp_path / "b"))
    assert a == b


def test_one_huge_group_still_leaves_every_split_its_group(tmp_path):
    parts = split(store(tmp_path / "s", {"huge": 50, "a": 1, "b": 1, "c": 1}), SHARES, 0, tmp_path)
    assert all(len(part) for part in parts.values())


def test_fewer_groups_than_splits_is_refused_and_a_share_of_zero_asks_for_none(tmp_path):
    ds = store(tmp_path / "s", {"a": 5, "b": 5})
    with pytest.raises(InputError, match="2 groups cannot fill 4 splits"):
        split(ds, SHARES, 0, tmp_path)
    assert list(split(ds, {"train": 0.5, "val": 0.5, "test": 0}, 0, tmp_path)) == ["train", "val"]


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 0}, {"a": 0.6, "b": 0.6}])
def test_shares_that_are_no_shares_of_one_are_refused(tmp_path, shares):
    with pytest.raises(InputError, match="split shares"):
        split(store(tmp_path / "s", {"a": 1, "b": 1}), shares, 0, tmp_path)


@given(st.integers(1, 3000), st.floats(0, 0.99))
def test_the_cap_admits_as_many_as_it_can_and_not_one_more(real, share):
    s = most_synthetic(real, share)
    assert s / (real + s) <= share
    assert (s + 1) / (real + s + 1) > share


def test_the_mix_holds_all_real_frames_and_synthetic_ones_up_to_the_cap(tmp_path):
    real, synthetic = store(tmp_path / "r", {"a": 30}), store(tmp_path / "s", {"x": 100}, "synthetic")
    mixed = mix(real, synthetic, max_synthetic_share=0.5, seed=0, folder=tmp_path / "m")
    assert Counter(mixed.dataset.sources().tolist()) == {"real": 30, "synthetic": 30}
    assert (mixed.synthetic_share, mixed.dropped) == (0.5, 70)
    assert set(real.frame_ids()) <= set(mixed.dataset.frame_ids())


def test_below_the_cap_every_synthetic_frame_is_used_whatever_its_weight(tmp_path):
    real, synthetic = store(tmp_path / "r", {"a": 30}), store(tmp_path / "s", {"x": 10}, "synthetic")
    weights = np.arange(10)
    mixed = mix(real, synthetic, max_synthetic_share=0.5, weights=weights, seed=0, folder=tmp_path / "m")
    assert (len(mixed.dataset), mixed.synthetic_share, mixed.dropped) == (40, 0.25, 0)


def test_the_draw_depends_on_the_seed_alone(tmp_path):
    real, synthetic = store(tmp_path / "r", {"a": 10}), store(tmp_path / "s", {"x": 100}, "synthetic")
    digests = [
        mix(real, synthetic, max_synthetic_share=0.3, seed=seed, folder=tmp_path / str(n)).dataset.digest
        for n, seed in enumerate((3, 3, 4))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_without_synthetic_frames_the_mix_is_the_real_data(tmp_path):
    real = store(tmp_path / "r", {"a": 5})
    for n, synthetic in enumerate([None, store(tmp_path / "s", {}, "synthetic")]):
        mixed = mix(real, synthetic, max_synthetic_share=0.5, seed=0, folder=tmp_path / str(n))
        assert (mixed.dataset.digest, mixed.synthetic_share, mixed.dropped) == (real.digest, 0, 0)
    synthetic = store(tmp_path / "t", {"x": 5}, "synthetic")
    mixed = mix(real, synthetic, max_synthetic_share=0, seed=0, folder=tmp_path / "none")
    assert (mixed.dataset.digest, mixed.dropped) == (real.digest, 5)


def test_heavier_frames_are_drawn_more_often_and_weightless_ones_never():
    weights = np.array([0, 1, 2, 7.0])
    first = Counter(int(draw(weights, 1, np.random.default_rng(seed))[0]) for seed in range(4000))
    assert first[0] == 0
    for i in (1, 2, 3):  # a single draw follows the weights exactly; 4 sigma of 4000 draws
        p = weights[i] / weights.sum()
        assert abs(first[i] / 4000 - p) < 4 * np.sqrt(p * (1 - p) / 4000)
    assert draw(weights, 4, np.random.default_rng(0)).tolist() == [1, 2, 3]


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e6), max_size=30), st.integers(0, 40), st.integers(0, 2**32))
def test_a_draw_is_without_replacement_and_of_the_right_size(weights, count, seed):
    drawn = draw(np.array(weights, np.float64), count, np.random.default_rng(seed))
    assert len(set(drawn.tolist())) == len(drawn) == min(count, np.count_nonzero(weights))


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5, np.nan])
def test_a_cap_outside_zero_to_one_is_refused(tmp_path, share):
    with pytest.raises(InputError, match=r"outside \[0, 1\)"):
        mix(store(tmp_path / "r", {"a": 1}), None, max_synthetic_share=share, seed=0, folder=tmp_path / "m")


@pytest.mark.parametrize("weights", [[1.0], [1, -1.0], [1, np.nan]])
def test_weights_that_do_not_fit_are_refused(tmp_path, weights):
    real, synthetic = store(tmp_path / "r", {"a": 3}), store(tmp_path / "s", {"x": 2}, "synthetic")
    with pytest.raises(InputError, match="weights"):
        mix(real, synthetic, max_synthetic_share=0.5, weights=np.array(weights), seed=0, folder=tmp_path / "m")
