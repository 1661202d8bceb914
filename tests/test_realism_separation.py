"""What tells domains apart, how alike an image is to its source, and which images to show."""

import numpy as np
import pytest

from dataset.errors import InputError
from evaluation.realism.described import Described
from evaluation.realism.domain_classifier import (
    Scored,
    auc,
    feature_separability,
    fit_logistic,
    scene_folds,
    separability,
    two_sided_folds,
)
from evaluation.realism.neighbours import nearest
from evaluation.realism.similarity import structural_similarity


def described(features: np.ndarray, scene: np.ndarray, name: str) -> Described:
    images = np.char.add(name, np.arange(len(features)).astype(str))
    return Described(features, images, np.char.add(name, scene.astype(str)))


def test_auc_counts_the_pairs_in_order_and_half_of_the_ties():
    # 3 beats all three, 1 beats -1 and ties with 1, 0 beats -1: 3 + 1.5 + 1 of 9 pairs
    assert auc(np.array([3.0, 1.0, 0.0]), np.array([1.0, 2.0, -1.0])) == pytest.approx(5.5 / 9)


def scored(score: list[float], fold: list[int]) -> Scored:
    return Scored(np.array(score), np.array(fold), np.arange(len(score)).astype(str))


def test_scores_are_compared_within_a_fold_only():
    """The second fold's classifier says everything 10 lower: it is as right as the first."""
    real, other = scored([2.0, 1.0, -8.0, -9.0], [0, 0, 1, 1]), scored([0.5, 1.5, -10.0, -9.5], [0, 0, 1, 1])
    found = separability(real, other, samples=20)
    assert found.auc.value == pytest.approx((3 + 4) / 8)
    assert found.folds == 2


def test_a_distance_is_2_less_4_times_the_error_averaged_over_both_sides():
    real, other = scored([1.0, 1.0, 1.0, -1.0], [0] * 4), scored([-1.0, 1.0], [0, 0])
    error = (1 / 4 + 1 / 2) / 2
    assert separability(real, other, samples=20).a_distance.value == pytest.approx(2 * (1 - 2 * error))


def test_perfect_scores_have_an_a_distance_of_2_and_those_of_no_opinion_0():
    assert separability(scored([1.0, 2.0], [0, 0]), scored([-1.0, -2.0], [0, 0])).a_distance.value == 2
    silent = separability(scored([0.0, 0.0], [0, 0]), scored([0.0, 0.0], [0, 0]))
    assert (silent.auc.value, silent.a_distance.value) == (0.5, 0)


def test_the_interval_is_that_of_resampled_units_not_of_single_images():
    """Twenty images of one scene that are all judged alike say no more than one of them."""
    rng = np.random.default_rng(0)
    values = rng.normal(0.5, 1, 10)
    fold = np.zeros(200, int)
    real_alone = Scored(values, fold[:10], np.arange(10).astype(str))
    real_copied = Scored(np.repeat(values, 20), fold, np.repeat(np.arange(10), 20).astype(str))
    other = Scored(rng.normal(-0.5, 1, 200), fold, np.arange(200).astype(str))
    one, many = (separability(real, other, samples=500).auc for real in (real_alone, real_copied))
    assert (many.low, many.high) == pytest.approx((one.low, one.high), abs=0.02)


def test_folds_cut_no_scene_and_are_about_equal():
    scene = np.repeat(np.arange(11), [9, 1, 2, 3, 4, 5, 1, 1, 2, 3, 9]).astype(str)
    fold = scene_folds(scene, 4, seed=0)
    assert all(len(np.unique(fold[scene == name])) == 1 for name in np.unique(scene))
    assert np.bincount(fold).tolist() == [10, 10, 10, 10]


def test_every_fold_has_both_sides_and_a_single_scene_is_refused():
    real, other = np.array(["a", "a", "b"]), np.arange(20).astype(str)
    fold_real, fold_other = two_sided_folds(real, other, 5, seed=0)
    assert set(fold_real.tolist()) == set(fold_other.tolist()) == {0, 1}
    with pytest.raises(InputError, match="1 real scenes and 20 others"):
        two_sided_folds(np.array(["a", "a"]), other, 5, seed=0)


def test_a_scenes_own_look_does_not_count_as_domain():
    """Each scene has features of its own and the domains have none: images of seen scenes would be told apart."""
    rng = np.random.default_rng(1)
    scene = np.repeat(np.arange(20), 10)

    def side(name: str) -> Described:
        look = np.repeat(rng.normal(size=(20, 30)), 10, axis=0)
        return described(look + 0.1 * rng.normal(size=look.shape), scene, name)

    real, other = side("r"), side("s")
    found = feature_separability(real, other, samples=200)
    assert 0.25 < found.auc.value < 0.75
    assert found.auc.low < 0.5 < found.auc.high
    seen = fit_logistic(real.features, other.features, 1.0)
    assert auc(seen(real.features), seen(other.features)) > 0.95


def test_domains_that_differ_are_told_apart_whatever_their_sizes():
    rng = np.random.default_rng(2)
    real = described(rng.normal(0, 1, (30, 4)), np.arange(30) // 2, "r")
    other = described(rng.normal(3, 1, (300, 4)), np.arange(300) // 2, "s")
    found = feature_separability(real, other, samples=100)
    assert found.auc.value > 0.99
    assert found.a_distance.value > 1.8
    assert feature_separability(real, other, samples=100) == found


def test_logistic_regression_is_at_the_minimum_of_its_stated_loss():
    rng = np.random.default_rng(3)
    real, other = rng.normal(0.7, 2, (40, 3)), rng.normal(0, 1, (10, 3))
    classify = fit_logistic(real, other, 1.0)
    weight = np.repeat([0.5 / 40, 0.5 / 10], [40, 10])
    x = np.concatenate([real, other])
    centre = weight @ x
    scale = np.sqrt(weight @ (x - centre) ** 2)
    points = centre + scale * np.concatenate([np.zeros((1, 3)), np.eye(3)])
    bias, *ends = classify(points).tolist()
    slope = np.array(ends) - bias
    off = weight * (1 / (1 + np.exp(-classify(x))) - np.repeat([1.0, 0.0], [40, 10]))
    np.testing.assert_allclose(off @ ((x - centre) / scale) + slope / 50, 0, atol=1e-4)
    assert off.sum() == pytest.approx(0, abs=1e-4)


def test_ssim_of_an_image_with_itself_is_1_and_of_flat_ones_what_the_formula_says():
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    assert structural_similarity(image, image) == pytest.approx(1)
    dark, bright = np.full((20, 20, 3), 50, np.uint8), np.full((20, 20, 3), 100, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert structural_similarity(dark, bright) == pytest.approx((2 * 50 * 100 + c1) / (50**2 + 100**2 + c1))


def test_ssim_is_on_the_range_of_8_bit_values():
    """Noise of 2 in 255 is invisible: with a data range of 1 its SSIM on a flat image would be near 0."""
    rng = np.random.default_rng(5)
    flat = np.full((40, 40, 3), 128, np.uint8)
    noisy = (flat + rng.integers(-2, 3, flat.shape)).astype(np.uint8)
    assert structural_similarity(flat, noisy) > 0.9


def test_ssim_equals_a_window_written_out():
    rng = np.random.default_rng(6)
    x, y = rng.integers(0, 256, (2, 11, 11, 3), np.uint8)
    place = np.arange(-5, 6)
    window = np.exp(-(place[:, None] ** 2 + place**2) / (2 * 1.5**2))
    window /= window.sum()
    a, b = (image.astype(float) @ [0.299, 0.587, 0.114] for image in (x, y))
    ma, mb = (window * a).sum(), (window * b).sum()
    va, vb, cov = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum(), (window * (a - ma) * (b - mb)).sum()
    c1, c2 = 6.5025, 58.5225
    expected = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert structural_similarity(x, y) == pytest.approx(expected)


def test_ssim_refuses_images_of_other_sizes_and_of_other_ranges():
    image = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(InputError, match="differs from"):
        structural_similarity(image, image[:15])
    with pytest.raises(InputError, match="float"):
        structural_similarity(image, image / 255)
    with pytest.raises(InputError, match="10x20 px"):
        structural_similarity(image[:, :10], image[:, :10])


def test_the_nearest_images_come_nearest_first(monkeypatch):
    monkeypatch.setattr("evaluation.realism.neighbours.ROWS_AT_ONCE", 2)
    reference = np.array([[0.0, 0], [3, 4], [10, 0]])
    rows, distances = nearest(np.array([[0.0, 1], [10, 1], [3, 4]]), reference, 2)
    assert rows.tolist() == [[0, 1], [2, 1], [1, 0]]
    assert distances[2].tolist() == pytest.approx([0, 5])
    assert nearest(reference, reference, 9)[0].shape == (3, 3)
