"""The camera's response: each number of CameraResponse does what its name says."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.embedded.film import develop, filmic, hardened, metered_gain, respond, white_balance_rgb
from simulator.scene import CameraResponse

PLAIN = CameraResponse(noise_sigma=0.0, blur_px=0.0, vignetting=0.0, jpeg_quality=100)


def grey(value: float = 0.3, shape: tuple[int, int] = (96, 128)) -> np.ndarray:
    return np.full((*shape, 3), value, np.float32)


def ramp() -> np.ndarray:
    """Two colours, dark to bright."""
    light = np.linspace(0.02, 2.0, 128, dtype=np.float32)[None, :, None] * np.ones((96, 1, 3), np.float32)
    light[:48] *= [1.0, 0.5, 0.3]
    return light


def test_same_seed_gives_the_same_picture_and_another_seed_other_noise():
    noisy = replace(PLAIN, noise_sigma=0.02)
    assert np.array_equal(develop(ramp(), noisy, 5), develop(ramp(), noisy, 5))
    assert not np.array_equal(develop(ramp(), noisy, 5), develop(ramp(), noisy, 6))


def test_one_stop_more_exposure_brightens_the_picture():
    dark, light = (develop(ramp(), replace(PLAIN, exposure_ev=ev), 0).mean() for ev in (0.0, 1.0))
    assert light > dark + 20


def test_metering_makes_day_and_dusk_alike_but_night_stays_dark():
    day, dusk, night = (develop(grey(level), PLAIN, 0).mean() for level in (1.0, 0.3, 0.005))
    assert abs(day - dusk) < 45
    assert night < 0.6 * day
    assert metered_gain(grey(0.005)) > metered_gain(grey(1.0))


def test_exposure_holds_back_for_a_large_bright_thing_but_not_for_a_lamp():
    dark = np.full((96, 320, 3), 0.01, np.float32)
    for share, held_back in ((0.005, False), (0.1, True)):
        lit = dark.copy()
        lit[40:60, : int(share * 96 * 320 / 20)] = 1.0
        mean = np.exp(np.log(lit.mean(axis=2)).mean())
        # what it would be for the mean alone, within what counting the lower picture double makes of it
        unbound = 0.18 / mean**0.82
        assert (metered_gain(lit) < 0.8 * unbound) == held_back
        assert metered_gain(lit) > 0.45 * unbound


def test_temperature_above_6500_turns_the_picture_blue_and_below_red():
    assert white_balance_rgb(6500.0) == pytest.approx([1, 1, 1])
    blue = develop(grey(), replace(PLAIN, temperature_k=9000.0), 0).mean(axis=(0, 1))
    red = develop(grey(), replace(PLAIN, temperature_k=4000.0), 0).mean(axis=(0, 1))
    assert blue[2] > blue[0] + 10
    assert red[0] > red[2] + 10


def test_saturation_0_leaves_no_colour():
    picture = develop(ramp(), replace(PLAIN, saturation=0.0), 0).astype(int)
    assert np.ptp(picture, axis=2).max() <= 3  # JPEG's rounding


def test_contrast_spreads_tones():
    flat, steep = (develop(ramp(), replace(PLAIN, contrast=c), 0).astype(float).std() for c in (0.7, 1.3))
    assert steep > 1.3 * flat


def test_vignetting_darkens_corners_and_not_the_centre():
    with_loss, without = (develop(grey(), replace(PLAIN, vignetting=v), 0)[..., 1].astype(float) for v in (0.5, 0.0))
    assert with_loss[0, 0] < without[0, 0] - 15
    assert with_loss[48, 64] >= without[48, 64] - 1


def test_noise_sigma_is_that_of_mid_grey():
    light = grey()
    quiet = develop(light, PLAIN, 0).astype(float)
    noise = develop(light, replace(PLAIN, noise_sigma=0.03), 0).astype(float) - quiet
    assert noise.std(axis=(0, 1)) / 255 == pytest.approx(0.03, rel=0.15)


def test_blur_softens_an_edge():
    light = grey(0.05)
    light[:, 64:] = 1.0
    sharp, soft = (develop(light, replace(PLAIN, blur_px=b), 0)[48, :, 1].astype(int) for b in (0.0, 2.0))
    assert np.diff(soft).max() < 0.5 * np.diff(sharp).max()


def test_low_jpeg_quality_leaves_blocks():
    rng = np.random.default_rng(0)
    light = grey() * rng.uniform(0.5, 1.5, (96, 128, 1)).astype(np.float32)
    best, worst = (develop(light, replace(PLAIN, jpeg_quality=q), 0).astype(float) for q in (100, 10))
    assert np.abs(best - worst).mean() > 3


def curve(light: list[float], hardness: float) -> np.ndarray:
    """The tones of greys (linear)."""
    return hardened(filmic(np.repeat(np.array(light, np.float32)[:, None], 3, axis=1)), hardness)[:, 1]


def test_a_hard_tone_curve_keeps_mid_grey_blows_out_a_sky_and_blocks_up_blacks():
    """By hand: film's x is 0.85 of the light; the hard curve rises from 0.025 through film's 0.2207 at x = 0.153."""
    grey, sky, shadow = curve([0.18, 0.8, 0.03], 0.0)
    assert (grey, sky, shadow) == pytest.approx((0.2207, 0.7094, 0.0153), abs=2e-4)
    assert curve([0.18, 0.8, 0.03, 0.1], 1.0) == pytest.approx(
        [0.2207, 1.0, 0.2207 / 0.128 * 0.0005, 0.2207 / 0.128 * 0.06], abs=1e-3
    )
    assert curve([0.8], 0.5) == pytest.approx((sky + 1) / 2, abs=1e-3)


def test_a_hard_tone_curve_clips_pictures_of_other_simulators_alike():
    """A toned picture is hardened as its light would have been: where neither channel mixing nor JPEG matter."""
    light = np.repeat(np.linspace(0.02, 1.2, 128, dtype=np.float32)[None, :, None], 96, axis=0) * np.ones(3)
    toned = filmic(light)
    picture = (255 * np.where(toned > 0.0031308, 1.055 * toned ** (1 / 2.4) - 0.055, 12.92 * toned) + 0.5).astype(
        np.uint8
    )
    shown = respond(picture, replace(PLAIN, tone_hardness=1.0), 0)[48, :, 1]
    x = 0.85 * light[48, :, 1]
    assert (shown[x > 0.025 + 0.128 / 0.2207 + 0.02] >= 253).all()
    assert (shown[x < 0.023] <= 6).all()
    assert respond(picture, PLAIN, 0)[48, -1, 1] < 245
