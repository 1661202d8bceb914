"""From light to a picture file: what lens, sensor, processor and JPEG do (scene.CameraResponse).

In this order, as in a camera: blur of the lens with a little veiling glare, vignetting, metering and exposure, white
balance, tone curve, sRGB, contrast and saturation, sensor noise, eight bits, a JPEG round trip. `develop` starts from
light; `respond` from a picture that another simulator's camera has metered and toned already. What needs to know where
things are comes before: distortion and fringes (lens.py), motion (motion.py).
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from simulator.scene import CameraResponse

MID_GREY = 0.18
# A camera lifts dark scenes, but not all the way to mid grey: at night the picture stays dark.
ADAPTATION = 0.82
DARKEST_METERED = 0.004
HIGHLIGHTS = 0.98  # share of the picture that is to stay below WHITE, at MOST_HELD_BACK of the exposure at the least
WHITE = 2.2
MOST_HELD_BACK = 0.5
# Each channel sees a little of the others: a lamp too bright for the film turns white, as it does on a sensor.
CROSSTALK = np.array([[0.93, 0.035, 0.035], [0.035, 0.93, 0.035], [0.035, 0.035, 0.93]], np.float32)
# Noise of a channel: this much of its own and that much of the sum of all, which makes variance 1, of it 0.64 grey.
OWN_GRAIN, COMMON_GRAIN = 0.6, 0.303
BAND_ROWS = 16  # worked on at a time from the tone curve on: what is between stays in the processor's cache
# The hardest tone curve: nothing below BLACK, then straight through mid grey up to white (BLACK of the x of `filmic`).
BLACK = 0.025
FILMIC = (2.51, 0.03, 2.43, 0.59, 0.14)  # Narkowicz (2015): x (a x + b) / (x (c x + d) + e)
FILM_SPEED = 0.85
GLARE_SHARE = 0.035  # of the light, scattered in the lens
GLARE_SIGMA = 0.012  # of the picture's width


def develop(radiance: np.ndarray, response: CameraResponse, seed: int) -> np.ndarray:
    """radiance: (H, W, 3) float32, linear -> (H, W, 3) uint8, sRGB. `seed` draws the noise."""
    light = _vignetted(_with_glare(_blurred(radiance.astype(np.float32), response)), response)
    gain = metered_gain(light) * np.float32(2.0**response.exposure_ev)
    balance = white_balance_rgb(response.temperature_k)
    return _finished(light, lambda rows: filmic(rows * gain * balance), response, seed)


def respond(
    picture: np.ndarray, response: CameraResponse, seed: int, through: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """picture: (H, W, 3) uint8, sRGB, from a neutral camera -> (H, W, 3) uint8. `seed` draws the noise.

    What that camera has clipped stays white: exposure moves only what is left. `through` is what comes before the film,
    from light (H, W, 3) float32, linear, to light.
    """
    light = _linear(picture.astype(np.float32) / 255)
    light = _vignetted(_blurred(light if through is None else through(light), response), response)
    gain = np.float32(2.0**response.exposure_ev)
    balance = white_balance_rgb(response.temperature_k)
    return _finished(light, lambda rows: np.clip(rows * gain * balance, 0, 1), response, seed)


def _finished(
    light: np.ndarray, toned: Callable[[np.ndarray], np.ndarray], response: CameraResponse, seed: int
) -> np.ndarray:
    """(H, W, 3) float -> uint8: tone (linear, 0-1), sRGB, contrast, saturation, noise, JPEG."""
    rng = np.random.default_rng([seed, 2])
    finished = np.empty(light.shape, np.uint8)
    for top in range(0, len(light), BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        tones = hardened(toned(light[rows]), response.tone_hardness)
        picture = (_srgb(tones) - 0.45) * np.float32(response.contrast) + 0.45
        grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
        picture = grey[..., None] + (picture - grey[..., None]) * np.float32(response.saturation)
        picture = _with_noise(picture, response.noise_sigma, rng)
        finished[rows] = np.clip(picture, 0, 1) * 255 + 0.5
    return _through_jpeg(finished, response.jpeg_quality)


def metered_gain(light: np.ndarray) -> np.float32:
    """Gain of the automatic exposure: the logarithmic mean, the lower picture counting double, goes to mid grey.

    Less where much of the picture would be white then: a near car in one's own headlights.
    """
    luminance = np.maximum(light @ np.array([0.2126, 0.7152, 0.0722], np.float32), 1e-5)
    weight = np.where(np.arange(len(luminance)) > 0.4 * len(luminance), 2.0, 1.0)
    mean = np.exp(np.average(np.log(luminance).mean(axis=1), weights=weight))
    gain = MID_GREY / max(mean, DARKEST_METERED) ** ADAPTATION
    bright = np.quantile(luminance[::2, ::2], HIGHLIGHTS)
    return np.float32(gain * np.clip(WHITE / (gain * bright), MOST_HELD_BACK, 1))


def white_balance_rgb(temperature_k: float) -> np.ndarray:
    """(3,) gains, green 1: the colour of a black body against that of one of 6500 K, redder below, bluer above."""
    gains = _black_body_rgb(temperature_k) / _black_body_rgb(6500.0)
    return (gains / gains[1]).astype(np.float32)


def _black_body_rgb(temperature_k: float) -> np.ndarray:
    """Linear sRGB of the Planckian locus, in the cubic fit of Kim et al. (2002), 1667 to 25000 K."""
    t = float(np.clip(temperature_k, 1667, 25000))
    if t < 4000:
        x = -0.2661239e9 / t**3 - 0.2343589e6 / t**2 + 0.8776956e3 / t + 0.179910
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        x = -3.0258469e9 / t**3 + 2.1070379e6 / t**2 + 0.2226347e3 / t + 0.240390
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    xyz = np.array([x / y, 1.0, (1 - x - y) / y])
    srgb_from_xyz = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    return np.maximum(srgb_from_xyz @ xyz, 0.02)


def filmic(light: np.ndarray) -> np.ndarray:
    """Tone curve with a toe and a long shoulder, 0-1: the rational fit to ACES of Narkowicz (2015)."""
    a, b, c, d, e = FILMIC
    x = light @ CROSSTALK * np.float32(FILM_SPEED)
    return np.clip(x * (a * x + b) / (x * (c * x + d) + e), 0, 1)


def hardened(tones: np.ndarray, hardness: float) -> np.ndarray:
    """Filmic tones (linear, 0-1) on the way to those of a sensor that clips at both ends; mid grey stays.

    The light is what `filmic` made them of, so that another simulator's pictures can be hardened, too.
    """
    if hardness <= 0:
        return tones
    straight = (_before_filmic(tones) - BLACK) * (_filmic_of(MID_GREY) / (FILM_SPEED * MID_GREY - BLACK))
    return tones + np.float32(hardness) * (np.clip(straight, 0, 1).astype(np.float32) - tones)


def _filmic_of(grey: float) -> float:
    return float(filmic(np.full(3, grey))[1])


def _before_filmic(tones: np.ndarray) -> np.ndarray:
    """The curve's x: the root above 0 of (a - c y) x^2 + (b - d y) x - e y = 0."""
    a, b, c, d, e = FILMIC
    square, linear = a - c * tones, b - d * tones
    return (np.sqrt(linear * linear + 4 * e * square * tones) - linear) / (2 * square)


def _srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(np.maximum(linear, 1e-8), 1 / 2.4) - 0.055)


def _linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _blurred(light: np.ndarray, response: CameraResponse) -> np.ndarray:
    if response.blur_px <= 0:
        return light
    return ndimage.gaussian_filter(light, (response.blur_px, response.blur_px, 0), truncate=3.0)


def _with_glare(light: np.ndarray) -> np.ndarray:
    height, width = light.shape[:2]
    # glare is wide: a quarter of the resolution in each direction does
    fours = light[: height // 4 * 4, : width // 4 * 4].reshape(height // 4, 4, -1).mean(axis=1)
    small = fours.reshape(height // 4, width // 4, 4, 3).mean(axis=2)
    sigma = GLARE_SIGMA * width / 4
    veil = ndimage.gaussian_filter(small, (sigma, sigma, 0), truncate=3.0)
    rows = np.clip((np.arange(height) + 0.5) / 4 - 0.5, 0, height // 4 - 1)
    columns = np.clip((np.arange(width) + 0.5) / 4 - 0.5, 0, width // 4 - 1)
    return light * np.float32(1 - GLARE_SHARE) + np.float32(GLARE_SHARE) * _stretched(veil, rows, columns)


def _vignetted(light: np.ndarray, response: CameraResponse) -> np.ndarray:
    height, width = light.shape[:2]
    y = (np.arange(height) + 0.5 - height / 2) / (height / 2)
    x = (np.arange(width) + 0.5 - width / 2) / (width / 2)
    corner = (y[:, None] ** 2 + x[None, :] ** 2) / 2
    return light * (1 - response.vignetting * corner**1.5).astype(np.float32)[..., None]


def _stretched(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear samples of (h, w, 3) at every row and column."""
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    bottom, right = np.minimum(top + 1, len(image) - 1), np.minimum(left + 1, image.shape[1] - 1)
    down = (rows - top).astype(np.float32)[:, None, None]
    across = (columns - left).astype(np.float32)[None, :, None]
    wide = image[:, left] * (1 - across) + image[:, right] * across
    upper, lower = wide[top], wide[bottom]
    upper *= 1 - down
    lower *= down
    upper += lower
    return upper


def _with_noise(picture: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Grain that grows with the root of the light, on a floor of read-out noise; mostly grey, a little coloured."""
    if sigma <= 0:
        return picture
    drawn = rng.standard_normal(picture.shape, np.float32)
    common = np.float32(COMMON_GRAIN) * (drawn[..., :1] + drawn[..., 1:2] + drawn[..., 2:])
    grain = np.float32(OWN_GRAIN) * drawn + common
    strength = np.float32(sigma) * (np.float32(0.4) + np.float32(0.6 / 0.5**0.5) * np.sqrt(np.clip(picture, 0, 1)))
    return picture + strength * grain


def _through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=int(quality))
    return np.array(Image.open(buffer).convert("RGB"))
