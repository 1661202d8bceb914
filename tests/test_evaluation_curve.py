"""The worth of a change to a precision-recall curve equals evaluating the changed curve."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.average_precision import Records, tables
from evaluation.curve import SCORE_WITHOUT_ANY_HIT, Area, Curve, curves


def curve(true: list[bool], positives: int | None = None) -> Curve:
    flags = np.array(true, bool)
    score = np.linspace(1, 0, len(flags) + 1, dtype=np.float32)[:-1]
    return Curve(score, flags, int(flags.sum()) + 2 if positives is None else positives)


def area_by_hand(true: list[bool], positives: int) -> float:
    """Every point of the interpolated curve, written as the definition reads."""
    total = 0.0
    for i in range(len(true)):
        if true[i]:
            total += max(sum(true[: k + 1]) / (k + 1) for k in range(i, len(true)))
    return total / positives


def gain(found: Curve, dropped: int = -1, inserted: int = -1, moved: int = -1) -> float:
    return Area(found).gains(np.array([dropped]), np.array([inserted]), np.array([moved]))[0]


def gain_by_hand(found: Curve, dropped: int, inserted: int, moved: int) -> float:
    before = found.true.tolist()
    after = [flag for rank, flag in enumerate(before) if rank not in (dropped, moved)]
    if inserted >= 0:
        after.insert(inserted, True)
    return area_by_hand(after, found.positives) - area_by_hand(before, found.positives)


def every_change(found: Curve) -> list[tuple[int, int, int]]:
    """All (dropped, inserted, moved) that a fix can ask for."""
    ranks = range(len(found.true))
    changes = [(rank, -1, -1) for rank in ranks if not found.true[rank]]
    for inserted in range(len(found.true) + 1):
        takes_place = [-1] + ([inserted] if inserted < len(found.true) and not found.true[inserted] else [])
        for moved in [-1, *(rank for rank in ranks if rank >= inserted and found.true[rank])]:
            changes += [(dropped, inserted, moved) for dropped in takes_place]
    return changes


@settings(max_examples=80, deadline=None)
@given(st.lists(st.booleans(), max_size=14))
def test_any_change_is_worth_what_evaluating_the_changed_curve_says(true: list[bool]):
    found = curve(true)
    assert Area(found).area == pytest.approx(area_by_hand(true, found.positives), abs=1e-12)
    changes = every_change(found)
    gains = Area(found).gains(*(np.array(column, np.int64) for column in np.array(changes).reshape(-1, 3).T))
    np.testing.assert_allclose(gains, [gain_by_hand(found, *change) for change in changes], rtol=0, atol=1e-12)


def test_changes_in_any_order_on_one_long_curve_agree_with_the_changed_curve():
    rng = np.random.default_rng(0)
    found = curve((rng.random(120) < np.linspace(0.95, 0.1, 120)).tolist())
    changes = [every_change(found)[i] for i in rng.permutation(len(every_change(found)))[:150]]
    gains = Area(found).gains(*np.array(changes).T)
    np.testing.assert_allclose(gains, [gain_by_hand(found, *change) for change in changes], rtol=0, atol=1e-12)


def test_a_false_positive_costs_more_the_higher_its_score():
    found = curve([False, True, False, True, False])
    first, second, last = (gain(found, dropped=rank) for rank in (0, 2, 4))
    assert first > second > last == 0


def test_an_object_found_late_is_worth_less_to_fix_than_one_never_found():
    found = curve([True, True, False, False, True, False], positives=4)
    assert gain(found, inserted=1) > gain(found, inserted=1, moved=4) > 0


def test_the_area_is_within_a_hundredth_of_cocos():
    rng = np.random.default_rng(1)
    true = rng.random(5000) < np.linspace(0.98, 0.05, 5000)
    records = Records(
        frames=1,
        categories=1,
        frame=np.zeros(5000, np.int32),
        category=np.zeros(5000, np.int16),
        score=np.linspace(1, 0.1, 5000, dtype=np.float32),
        verdict=true.astype(np.int8)[None, None],
        object_frame=np.zeros(4000, np.int32),
        object_category=np.zeros(4000, np.int16),
        object_wanted=np.ones((1, 4000), bool),
    )
    [found], rank = curves(records)
    assert rank.tolist() == list(range(5000))
    assert Area(found).area == pytest.approx(tables(records).precision[0, 0, 0], abs=0.01)


def test_the_f1_threshold_is_the_score_that_brute_force_finds_and_takes_equal_scores_together():
    rng = np.random.default_rng(2)
    for _ in range(50):
        score = -np.sort(-rng.integers(1, 9, 20).astype(np.float32) / 10)
        true = rng.random(20) < score
        true[0] = True
        found = Curve(score, true, int(true.sum()) + 3)

        def f1(threshold: float, found=found) -> float:
            believed = found.score >= np.float32(threshold)
            return 2 * (believed & found.true).sum() / (believed.sum() + found.positives)

        best = found.best_f1_score()
        assert f1(best) == pytest.approx(max(f1(s) for s in score.tolist()))


def test_a_category_without_any_hit_operates_at_a_fixed_score():
    assert curve([False, False], positives=3).best_f1_score() == SCORE_WITHOUT_ANY_HIT
    assert curve([], positives=0).best_f1_score() == SCORE_WITHOUT_ANY_HIT


def test_the_typical_rank_follows_the_median_hit_above_the_threshold():
    found = curve([True, False, True, True, False, True])
    assert found.typical_rank(min_score=0.0) == 3  # after the second of four hits
    assert found.typical_rank(min_score=0.9) == 1
    assert curve([False, True]).typical_rank(min_score=0.9) == 0


def test_ten_thousand_fixes_on_a_curve_of_75_000_detections_take_seconds_at_most():
    rng = np.random.default_rng(3)
    found = curve((rng.random(75_000) < np.linspace(0.9, 0.01, 75_000)).tolist())
    false, true = np.flatnonzero(~found.true), np.flatnonzero(found.true)
    dropped = rng.choice(false, 10_000)
    inserted = np.where(np.arange(10_000) % 2, dropped, -1)
    moved = np.where(np.arange(10_000) % 4 == 1, true[np.minimum(np.searchsorted(true, dropped), len(true) - 1)], -1)
    moved[moved < inserted] = -1
    start = time.perf_counter()
    gains = Area(found).gains(dropped, inserted, moved)
    assert time.perf_counter() - start < 3
    assert (gains >= -1e-12).all() and (gains > 0).any()
