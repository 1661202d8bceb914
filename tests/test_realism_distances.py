"""Kernel and Frechet distances: against the papers' formulas written out, and what they must say of known sets."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dataset.errors import InputError
from evaluation.bootstrap import Interval
from evaluation.realism.described import Described, score_name, standardised
from evaluation.realism.frechet import cautions, frechet_comparison, frechet_distance
from evaluation.realism.gap import gap_closed, kernel_comparison
from evaluation.realism.kid import Across, Within, balanced_halves, kernel_distance


def described(features: np.ndarray, name: str, a_scene: int = 4) -> Described:
    """Images in scenes of `a_scene` images each."""
    rows = np.arange(len(features))
    return Described(
        features, np.char.add(f"{name}-", rows.astype(str)), np.char.add(name, (rows // a_scene).astype(str))
    )


def kid_written_out(x: np.ndarray, y: np.ndarray) -> float:
    """Binkowski et al. 2018, section 4, pair after pair."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return (sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    first = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    second = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    third = sum(k(x[i], y[j]) for i in range(m) for j in range(n)) / (m * n)
    return first + second - 2 * third


def test_kid_is_the_papers_double_sum():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 5)), rng.normal(0.4, 1.3, (7, 5))
    assert kernel_distance(x, y) == pytest.approx(kid_written_out(x, y), rel=1e-10)


def test_kid_is_the_same_in_blocks_of_rows(monkeypatch):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(23, 4)), rng.normal(size=(11, 4))
    whole = kernel_distance(x, y)
    monkeypatch.setattr("evaluation.realism.kid.ROWS_AT_ONCE", 5)
    assert kernel_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_a_resample_that_draws_a_unit_twice_never_compares_it_with_its_own_copy():
    rng = np.random.default_rng(2)
    x, unit = rng.normal(size=(6, 3)), np.array([0, 0, 1, 2, 2, 2])
    weight = np.array([2.0, 0.0, 1.0])
    copies = [(u, copy, i) for u in range(3) for copy in range(int(weight[u])) for i in np.flatnonzero(unit == u)]
    kernels = [
        (x[i] @ x[j] / 3 + 1) ** 3
        for a, (u, copy, i) in enumerate(copies)
        for b, (v, other, j) in enumerate(copies)
        if a != b and not (u == v and copy != other)
    ]
    assert Within.of(x, unit, 3).mean(weight[None])[0] == pytest.approx(np.mean(kernels), rel=1e-12)


def test_sums_across_sets_follow_the_weights_of_units():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    across = Across.of(x, y, np.array([0, 1, 1, 0]), np.array([0, 0, 1]), (2, 2))
    rows = [(0, 3), (1, 2), (1, 2)]  # weights 1 and 2 of x's units
    kernels = [(x[i] @ y[j] / 3 + 1) ** 3 for pair in rows for i in pair for j in (2, 2, 2)]
    assert across.mean(np.array([[1.0, 2.0]]), np.array([[0.0, 3.0]]))[0] == pytest.approx(np.mean(kernels))


def test_the_mean_over_resamples_is_the_estimate_itself():
    """With copies compared to themselves it would lie above it by far more than this."""
    rng = np.random.default_rng(4)
    real, source = described(rng.normal(size=(60, 6)), "r", 1), described(rng.normal(size=(50, 6)), "s", 1)
    found = kernel_comparison(real, source, {}, samples=3000, unit="image").ceiling
    assert abs((found.low + found.high) / 2 - found.value) < 0.15 * (found.high - found.low)


def test_kid_of_one_set_against_itself_covers_0_in_about_as_many_cases_as_its_level_says():
    covered = []
    for seed in range(40):
        values = np.random.default_rng(seed).normal(size=(120, 8)) ** 2
        real, source = described(values[:60], "r", 1), described(values[60:], "s", 1)
        found = kernel_comparison(real, source, {}, samples=200, seed=seed, unit="image").ceiling
        covered.append(found.low <= 0 <= found.high)
    assert np.mean(covered) >= 0.9


def test_an_interval_over_scenes_is_wider_than_over_images_that_are_alike():
    rng = np.random.default_rng(5)
    scenes = np.repeat(rng.normal(size=(12, 5)), 10, axis=0)
    real = described(scenes + 0.1 * rng.normal(size=scenes.shape), "r", 10)
    source = described(rng.normal(0.5, 1, (120, 5)), "s", 10)

    def width(unit) -> float:
        found = kernel_comparison(real, source, {}, samples=300, unit=unit).ceiling
        return found.high - found.low

    assert width("group") > 1.5 * width("image")


def test_gap_closed_is_1_at_the_floor_0_at_the_ceiling_and_unknown_without_a_gap():
    ceiling, floor = np.array([5.0, 5.0, 5.0, 1.0]), np.array([1.0, 1.0, 1.0, 1.0])
    closed = gap_closed(ceiling, np.array([1.0, 5.0, 7.0, 1.0]), floor)
    np.testing.assert_array_equal(closed, [1.0, 0.0, -0.5, np.nan])


def test_a_gap_that_many_resamples_do_not_have_is_given_no_bounds():
    """Renders hardly farther from real images than the floor: only some resamples have a gap at all."""
    rng = np.random.default_rng(8)
    real, source = described(rng.normal(size=(40, 3)), "r"), described(rng.normal(size=(40, 3)) + 0.15, "s")
    for found in (
        kernel_comparison(real, source, {"some": source}, samples=60).refined["some"],
        frechet_comparison(real, source, {"some": source}, samples=60).comparison.refined["some"],
    ):
        assert np.isfinite([found.distance.low, found.distance.high]).all()
        assert np.isnan([found.closed.low, found.closed.high]).all()


def three_sets() -> tuple[Described, Described, dict[str, Described]]:
    rng = np.random.default_rng(6)
    scene = np.repeat(rng.normal(0, 0.3, (25, 6)), 4, axis=0)  # images of a scene are alike
    real = described(rng.normal(size=(100, 6)), "r")
    source = described(2 + scene + rng.normal(size=(100, 6)), "s")
    half_way = Described(source.features - 1, source.image, source.group)
    like_real = Described(source.features - 2, source.image, source.group)
    return real, source, {"none": source, "half": half_way, "whole": like_real}


def test_a_refiner_that_changes_nothing_closes_exactly_nothing_and_one_that_reaches_real_closes_all():
    found = kernel_comparison(*three_sets(), samples=300)
    assert found.refined["none"].closed == Interval(0.0, 0.0, 0.0)  # source and refined are resampled together
    assert found.refined["none"].distance == found.ceiling
    assert 0.4 < found.refined["half"].closed.low < found.refined["half"].closed.value < 0.99
    assert found.refined["whole"].closed.value == pytest.approx(1, abs=0.05)
    assert found.floor.low < found.floor.value < 0.1 * found.ceiling.low
    assert (found.images["real"], found.units["real"], found.units["source"]) == (100, 25, 25)


def test_results_depend_on_the_seed_and_on_nothing_else():
    sets = three_sets()
    assert kernel_comparison(*sets, samples=50, seed=3) == kernel_comparison(*sets, samples=50, seed=3)
    assert kernel_comparison(*sets, samples=50, seed=3) != kernel_comparison(*sets, samples=50, seed=4)


def test_halves_cut_no_unit_and_are_about_equal():
    images = np.array([30.0, 1, 1, 1, 1, 20, 5])
    for half in balanced_halves(images, 20, np.random.default_rng(0)):
        assert 0 < half.sum() < len(images)
        assert abs(images[half].sum() - images[~half].sum()) <= 30


def test_large_sets_are_thinned_and_the_report_says_so():
    found = kernel_comparison(*three_sets(), samples=10, most_images=40)
    assert set(found.images.values()) == {40}


def test_one_scene_cannot_be_resampled():
    rng = np.random.default_rng(7)
    one = described(rng.normal(size=(10, 3)), "r", 10)
    with pytest.raises(InputError, match="at least 2 needed to resample"):
        kernel_comparison(one, described(rng.normal(size=(10, 3)), "s"), {})


def test_sets_of_other_features_or_with_numbers_that_are_none_are_refused():
    rng = np.random.default_rng(8)
    real = described(rng.normal(size=(10, 3)), "r")
    with pytest.raises(InputError, match="4 features an image, the real images have 3"):
        kernel_comparison(real, described(rng.normal(size=(10, 4)), "s"), {})
    with pytest.raises(InputError, match="1 images have features that are no numbers, the first in row 2"):
        described(np.array([[0.0], [1], [np.nan]]), "r")


def test_standardising_ignores_the_unit_of_a_feature_and_refined_sets():
    real, source, refined = three_sets()
    scale = np.array([1, 1e3, 1e-3, 1, 1, 1])
    scaled = [Described(part.features * scale, part.image, part.group) for part in (real, source, refined["half"])]
    plain = standardised(real, source, [refined["half"]])
    for one, other in zip(plain, standardised(scaled[0], scaled[1], scaled[2:]), strict=True):
        np.testing.assert_allclose(one.features, other.features, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(plain[0].features, standardised(real, source, [])[0].features)
    both = np.concatenate([plain[0].features, plain[1].features])
    np.testing.assert_allclose(both.std(axis=0), 1)


def test_a_score_bears_the_published_name_with_inceptions_features_only():
    assert score_name("kernel", "inception") == "KID (inception)"
    assert score_name("frechet", "inception") == "FID (inception)"
    assert score_name("kernel", "hand") == "kernel distance (hand)"
    assert "FID" not in score_name("frechet", "detector:0123abcd")


@pytest.mark.parametrize("images", [40, 5])  # more and fewer than features
def test_frechet_distance_is_the_formula_with_a_matrix_root(images):
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(images, 8)), rng.normal(0.3, 2, (images + 3, 8))
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = sqrtm(first @ second + (0 if images > 8 else 1e-12) * np.eye(8))
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(first + second - 2 * np.real(root))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-4 if images == 5 else 1e-9)


def test_frechet_distance_of_a_set_to_itself_is_0_and_a_shift_adds_its_square():
    x = np.random.default_rng(10).normal(size=(30, 4))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + [3, 0, 0, 4]) == pytest.approx(25)


def test_frechet_distances_are_compared_at_one_size_and_bear_their_cautions():
    found = frechet_comparison(*three_sets(), samples=50)
    assert found.images == 48  # the smaller half of the real images: 12 scenes of 4
    assert len(found.cautions) == 1
    assert "48 images, fewer than the 2,048" in found.cautions[0]
    gaps = found.comparison.refined
    assert gaps["none"].closed == Interval(0.0, 0.0, 0.0)
    assert gaps["whole"].closed.value == pytest.approx(1, abs=0.1)
    assert found.comparison.floor.value < gaps["half"].distance.value < found.comparison.ceiling.value
    low, high = found.comparison.ceiling.low, found.comparison.ceiling.high
    assert low < found.comparison.ceiling.value < high


def test_cautions_name_few_images_and_a_covariance_without_rank():
    assert cautions(5000, 2048) == ()
    assert len(cautions(2048, 2048)) == 1
    assert len(cautions(100, 2048)) == 2
