"""Refiners that learn no weights: Lab transfer, histogram matching, FDA."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from dataset.colour import lab_of, rgb_of
from dataset.errors import InputError
from models.refiners.build import fit_refiner, load_refiner
from models.refiners.config import RefinerConfig, RefinerKind
from models.refiners.crops import resized
from models.refiners.fda import FdaConfig, FdaRefiner, lowest, swapped
from models.refiners.histogram import curve
from models.refiners.lab import LabRefiner, moments, pooled
from models.refiners.pictures import Pictures
from models.refiners.refiner import Refiner

KINDS: tuple[RefinerKind, ...] = ("lab", "histogram", "fda")


def scenes(mean: tuple[float, float, float], spread: float, count: int, seed: int, size=(48, 64)) -> np.ndarray:
    """(count, H, W, 3) smooth random pictures of a mean colour in Lab, each lighter or darker than the others."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.standard_normal((count, *size, 3)), (0, 3, 3, 0))
    noise *= spread * np.array([1, 0.3, 0.3]) / noise.std()
    return rgb_of(np.array(mean) + noise + rng.normal(0, 4, (count, 1, 1, 1)) * [1, 0, 0])


def pictures_of(images: np.ndarray, folder: Path) -> Pictures:
    folder.mkdir(parents=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return Pictures.of_folder(folder)


@pytest.fixture
def sets(tmp_path) -> tuple[np.ndarray, Pictures, np.ndarray, Pictures]:
    """Renders: dark and bluish, 48x64. Photographs: lighter, warmer, of more contrast, 60x50."""
    ours, theirs = scenes((40, 2, -6), 5, 6, 0), scenes((60, -2, 8), 9, 5, 1, (60, 50))
    return ours, pictures_of(ours, tmp_path / "ours"), theirs, pictures_of(theirs, tmp_path / "theirs")


def fitted(kind: RefinerKind, sets, out: Path, **settings) -> Refiner:
    _, ours, _, theirs = sets
    return fit_refiner(RefinerConfig(kind=kind, settings=settings), ours, theirs, out, seed=5, progress=False)


def set_moments(images: np.ndarray) -> np.ndarray:
    return pooled(np.stack([moments(lab_of(pixels)) for pixels in images]))


# Colours


def test_lab_of_the_primaries_is_that_of_the_tables():
    """Lindbloom's calculator, sRGB, D65."""
    found = lab_of(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]], np.uint8))
    wanted = [[53.2408, 80.0925, 67.2032], [87.7347, -86.1827, 83.1793], [32.2970, 79.1875, -107.8602]]
    np.testing.assert_allclose(found, [*wanted, [100, 0, 0], [0, 0, 0]], atol=2e-3)


def test_every_colour_survives_the_way_to_lab_and_back():
    steps = np.arange(0, 256, 5)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3).astype(np.uint8)
    np.testing.assert_array_equal(rgb_of(lab_of(colours)), colours)
    greys = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)
    np.testing.assert_array_equal(rgb_of(lab_of(greys)), greys)
    np.testing.assert_allclose(lab_of(greys)[:, 1:], 0, atol=1e-4)


# What holds for all three


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_fitted_is_in_its_file(kind, sets, tmp_path):
    refiner = fitted(kind, sets, tmp_path)
    loaded = load_refiner(tmp_path / "refiner.pt")
    assert type(loaded) is type(refiner) and loaded.kind == kind
    assert loaded.digest == refiner.digest
    assert loaded.provenance["source"] == sets[1].digest and loaded.provenance["target"] == sets[3].digest
    assert (loaded.provenance["source_pictures"], loaded.provenance["seed"]) == (6, 5)
    np.testing.assert_array_equal(loaded.refine(sets[0], seed=1), refiner.refine(sets[0], seed=1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_tells_refiners_that_differ(kind, sets, tmp_path):
    first, again = fitted(kind, sets, tmp_path / "a"), fitted(kind, sets, tmp_path / "b")
    other = fitted(kind, (*sets[:2], *sets[:2]), tmp_path / "c")
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reference", ["set", "image"])
def test_a_picture_does_not_depend_on_its_batch(kind, reference, sets, tmp_path):
    settings = {} if kind == "fda" else {"reference": reference}
    refiner, images = fitted(kind, sets, tmp_path, **settings), sets[0]
    together = refiner.refine(images, seed=3)
    alone = np.concatenate([refiner.refine(images[i : i + 1], seed=3) for i in (5, 4, 3, 2, 1, 0)])[::-1]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_chooses_among_target_pictures(kind, sets, tmp_path):
    settings = {} if kind == "fda" else {"reference": "image"}
    refiner = fitted(kind, sets, tmp_path, **settings)
    made = {refiner.refine(sets[0][:1], seed=seed).tobytes() for seed in range(20)}
    assert len(made) == 5  # as many as the target has


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", ["small", "paper"])
def test_constant_tiny_and_odd_pictures_stay_pictures(kind, preset, sets, tmp_path):
    _, ours, _, theirs = sets
    config = RefinerConfig(kind=kind, preset=preset)
    refiner = fit_refiner(config, ours, theirs, tmp_path, seed=0, progress=False)
    for height, width in ((1, 1), (2, 3), (37, 53)):
        for value in (0, 128, 255):
            made = refiner.refine(np.full((1, height, width, 3), value, np.uint8))
            assert made.shape == (1, height, width, 3) and made.dtype == np.uint8
            assert (made == made[:, :1, :1]).all()  # what shows nothing still shows nothing
    assert refiner.refine(np.zeros((0, 4, 4, 3), np.uint8)).shape == (0, 4, 4, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_constant_target_pictures_do_no_harm(kind, sets, tmp_path):
    flat = pictures_of(np.full((2, 8, 8, 3), 90, np.uint8), tmp_path / "flat")
    made = fitted(kind, (*sets[:2], None, flat), tmp_path).refine(sets[0])
    assert made.mean() == pytest.approx(90, abs=12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_set_that_is_its_own_target_hardly_changes(kind, sets, tmp_path):
    """FDA alone gives a picture another's amplitudes, so its one target is the picture itself."""
    images = sets[0][:1] if kind == "fda" else sets[0]
    own = pictures_of(images, tmp_path / "own")
    made = fitted(kind, (images, own, images, own), tmp_path).refine(images).astype(int)
    assert np.abs(made - images).max() <= 2


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4, 4), np.uint8), np.zeros((1, 4, 4, 3), np.float32)],
)
def test_pictures_of_another_shape_or_type_are_refused(wrong, sets, tmp_path):
    with pytest.raises(InputError, match="pictures of shape"):
        fitted("lab", sets, tmp_path).refine(wrong)


def test_a_file_of_another_kind_or_state_is_refused_by_name(sets, tmp_path):
    fitted("lab", sets, tmp_path)
    with pytest.raises(InputError, match="it holds the refiner lab, fda expected"):
        FdaRefiner.load(tmp_path / "refiner.pt")
    content = torch.load(tmp_path / "refiner.pt", weights_only=True)
    content["state"] = {"source": torch.zeros(3, 3), "mean": torch.zeros(1)}
    torch.save(content, tmp_path / "odd.pt")
    told = r"1 missing \(targets\); 1 unexpected \(mean\); 1 of another shape \(source\)"
    with pytest.raises(InputError, match=told):
        load_refiner(tmp_path / "odd.pt")
    content["config"] = {"reference": "moon"}
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(InputError, match="settings do not fit"):
        load_refiner(tmp_path / "odd.pt")


# Lab


def test_after_lab_transfer_a_set_has_the_targets_means_and_deviations(sets, tmp_path):
    ours, _, theirs, _ = sets
    made = fitted("lab", sets, tmp_path).refine(ours)
    np.testing.assert_allclose(set_moments(made), set_moments(theirs), atol=0.15)
    assert np.abs(set_moments(ours) - set_moments(theirs)).max() > 10


def test_by_set_a_dark_picture_stays_darker_than_the_others(sets, tmp_path):
    made = fitted("lab", sets, tmp_path).refine(sets[0])
    before, after = (np.argsort(lab_of(images)[..., 0].mean((1, 2))) for images in (sets[0], made))
    np.testing.assert_array_equal(before, after)


def test_by_image_each_picture_has_the_moments_of_one_target_picture(sets, tmp_path):
    ours, _, theirs, _ = sets
    made = fitted("lab", sets, tmp_path, reference="image").refine(ours)
    wanted = np.stack([moments(lab_of(pixels)) for pixels in theirs])
    for pixels in made:
        assert np.abs(wanted - moments(lab_of(pixels))).max((1, 2)).min() < 0.3


def test_no_deviation_grows_beyond_the_limit(sets, tmp_path):
    made = fitted("lab", sets, tmp_path, max_gain=1.2).refine(sets[0])
    np.testing.assert_allclose(set_moments(made)[1], 1.2 * set_moments(sets[0])[1], rtol=0.03)


def test_pooled_moments_are_those_of_all_pixels_together():
    images = np.random.default_rng(0).normal([[[50, 0, 9]]], 3, (4, 10, 3)) + np.arange(4)[:, None, None]
    together = moments(images)
    np.testing.assert_allclose(pooled(np.stack([moments(one) for one in images])), together)


# Histograms


def test_after_textbook_matching_a_set_has_the_targets_quantiles(sets, tmp_path):
    ours, _, theirs, _ = sets
    made = fitted("histogram", sets, tmp_path, space="rgb", max_gain=None).refine(ours)
    shares = np.linspace(0.02, 0.98, 25)
    for c in range(3):
        np.testing.assert_allclose(np.quantile(made[..., c], shares), np.quantile(theirs[..., c], shares), atol=2)


def test_in_lab_the_quantiles_of_the_lightness_are_matched(sets, tmp_path):
    ours, _, theirs, _ = sets
    made = fitted("histogram", sets, tmp_path).refine(ours)
    shares = np.linspace(0.05, 0.95, 19)
    ours_l, theirs_l = (np.quantile(lab_of(images)[..., 0], shares) for images in (made, theirs))
    np.testing.assert_allclose(ours_l, theirs_l, atol=1.5)


def test_a_curve_never_falls_and_is_the_identity_for_equal_histograms():
    rng, values = np.random.default_rng(0), np.arange(256.0)
    mine, wanted = (h / h.sum() for h in rng.random((2, 256)) ** 8)
    for gain in (None, 1.5):
        assert (np.diff(curve(mine, wanted, values, gain)) >= 0).all()
    np.testing.assert_allclose(curve(mine, mine, values), values, atol=1e-9)


def test_a_limited_curve_is_nowhere_steeper_and_keeps_the_mean():
    values, mine, wanted = np.arange(256.0), np.zeros(256), np.zeros(256)
    mine[100:104], wanted[40:240:50] = 0.25, 0.25  # a sky of four values against a wide target
    whole, limited = curve(mine, wanted, values), curve(mine, wanted, values, 3.0)
    assert np.diff(whole).max() == 50
    assert np.diff(limited).max() == pytest.approx(3)
    assert mine @ limited == pytest.approx(mine @ whole)


# FDA


def test_fda_with_beta_0_is_the_identity(sets, tmp_path):
    for space in ("rgb", "lab"):
        made = fitted("fda", sets, tmp_path / space, beta=0, space=space).refine(sets[0])
        np.testing.assert_array_equal(made, sets[0])


def test_fda_keeps_every_phase_and_the_amplitudes_above_beta():
    ours, theirs = (scenes((50, 0, 0), 9, 1, seed)[0].astype(np.float32) for seed in (0, 1))
    beta, (height, width) = 0.08, ours.shape[:2]  # 3.84 cycles: -3..3 are swapped
    before = np.fft.fft2(ours, axes=(0, 1))
    after = np.fft.fft2(swapped(ours, lowest(theirs, 20), beta), axes=(0, 1))
    wanted = np.fft.fft2(theirs, axes=(0, 1))
    rows, columns = (np.abs(np.fft.fftfreq(n, 1 / n)) <= 3 for n in (height, width))
    low = rows[:, None] & columns[None]
    assert low.sum() == 49
    np.testing.assert_allclose(np.abs(after)[low], np.abs(wanted)[low], rtol=1e-3)
    np.testing.assert_allclose(np.abs(after)[~low], np.abs(before)[~low], atol=0.5)
    strong = np.abs(before) > 30  # a phase of next to nothing is rounding
    turned = np.angle(after * before.conj())[strong]
    assert strong.sum() > 1000 and np.abs(turned).max() < 0.02


def test_amplitudes_counted_in_cycles_a_picture_do_not_change_with_its_size():
    small = scenes((50, 0, 0), 9, 1, 0)[0]
    large = resized(small, 3 * small.shape[1], 2 * small.shape[0])
    ours, theirs = (lowest(pixels.astype(np.float32), 4) for pixels in (small, large))
    assert ours.shape == theirs.shape == (3, 9, 5)
    np.testing.assert_allclose(ours, theirs, atol=0.25, rtol=0.05)


def test_the_mean_is_taken_with_its_sign():
    """A mean chroma of -8 is green; as an amplitude without a sign it would paint the reddish render redder."""
    ours, theirs = (scenes((50, a, 0), 4, 1, 0)[0] for a in (4, -8))
    made = swapped(lab_of(ours), lowest(lab_of(theirs), 4), 0.02)
    assert made[..., 1].mean() == pytest.approx(lab_of(theirs)[..., 1].mean(), abs=1e-3)


def test_no_amplitude_grows_beyond_the_limit():
    ours, theirs = (scenes((50, 0, 0), spread, 1, seed)[0].astype(np.float32) for seed, spread in enumerate((2, 20)))
    made = swapped(ours, lowest(theirs, 20), 0.2, max_gain=2.0)
    before, after = (np.abs(np.fft.rfft2(x - x.mean((0, 1)), axes=(0, 1))) for x in (ours, made))
    assert (after <= 2 * before + 1).all()  # of sums over 3072 pixels
    assert (after > 1.99 * before)[1:4, 1:4].mean() > 0.5


def test_a_frequency_that_the_render_lacks_stays_silent():
    flat, theirs = np.full((32, 32, 3), 90, np.float32), scenes((50, 0, 0), 9, 1, 1)[0].astype(np.float32)
    made = swapped(flat, lowest(theirs, 8), 0.2)
    np.testing.assert_allclose(made, theirs.mean((0, 1)) + 0 * flat, atol=1e-3)


def test_fda_settings_and_files_of_another_layout_are_refused(sets, tmp_path):
    with pytest.raises(ValueError, match="beta"):
        FdaConfig(beta=0.5)
    refiner = fitted("fda", sets, tmp_path)
    content = torch.load(tmp_path / "refiner.pt", weights_only=True)
    content["state"] = {}
    torch.save(content, tmp_path / "empty.pt")
    with pytest.raises(InputError, match=r"1 missing \(amplitude_0000\)"):
        load_refiner(tmp_path / "empty.pt")
    assert isinstance(refiner, FdaRefiner) and not isinstance(refiner, LabRefiner)
