"""Settings of the simulator's camera at which its pictures measure as real ones do.

Fitted by synthesis: light that was traced once is developed again and again, and each setting is moved until its
measure is on average the renders' as it is the real pictures'. What scenes do to a measure is thus in both and falls
out. The real pictures' further spread, beyond the renders', becomes the range of the setting's random draws.

Contrast and exposure are found under film's tone curve, so that `tone_hardness` is written as 0. Motion, fringes and
vignetting are not fitted: their ranges stay what they are (the sharpest edges, which tell the blur, hardly move).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.stats import trim_mean

from simulator.camera_fit import measures
from simulator.embedded.film import develop
from simulator.scene import CameraResponse

ROUNDS = 12  # at most; settings move one another's measures: exposure and contrast most
STEP = 0.7  # of what a straight measure would need, as none is straight
NEAR_ENOUGH = 0.1  # of a setting's least range
OUTER_SHARE = 0.25  # of the pictures, left out of an average at either end: tunnels, glare
SPREADS = 1.5  # a range reaches so many standard deviations to each side


class Knob(NamedTuple):
    """A setting, the measure that tells it (which rises or falls all along), values to try, and the least range."""

    setting: str
    measure: Callable[[np.ndarray], float]
    tried: tuple[float, ...]
    least_half: float  # no data set tells so exactly what its camera does


KNOBS = (
    Knob("contrast", measures.contrast, (0.5, 0.8, 1.1, 1.4, 1.8), 0.06),
    Knob("exposure_ev", measures.brightness, (-3.0, -2.0, -1.0, -0.4, 0.2, 1.0, 2.0), 0.25),
    Knob("saturation", measures.colourfulness, (0.0, 0.4, 0.8, 1.2, 1.8), 0.12),
    Knob("temperature_k", measures.cast, (3000, 4000, 5000, 6500, 8500, 12000), 300.0),
    Knob("blur_px", measures.softness_px, (0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 2.2), 0.1),
    Knob("noise_sigma", measures.grain, (0.0, 0.005, 0.01, 0.02, 0.035, 0.06), 0.002),
)


@dataclass(frozen=True)
class Fitted:
    """Of each setting its value and the range to draw from; of each measure the averages, real and reached."""

    response: CameraResponse
    ranges: dict[str, tuple[float, float]]
    wanted: dict[str, float]
    reached: dict[str, float]

    @property
    def missed(self) -> list[str]:
        """Settings at the end of what was tried: the simulator's camera cannot be made so."""
        return [
            knob.setting for knob in KNOBS if getattr(self.response, knob.setting) in (knob.tried[0], knob.tried[-1])
        ]


def fit_response(
    pictures: Sequence[np.ndarray], light: Sequence[np.ndarray], quality: tuple[int, int] = (97, 100)
) -> Fitted:
    """pictures: (H, W, 3) uint8, sRGB. light: radiance (H, W, 3) of streets like theirs, of about that size.

    quality: least and greatest JPEG quality of the pictures' files.
    """
    response = CameraResponse(jpeg_quality=round(sum(quality) / 2))
    real = {knob.setting: np.array([knob.measure(picture) for picture in pictures]) for knob in KNOBS}
    wanted = {name: _average(values) for name, values in real.items()}
    slopes: dict[str, float] = {}
    for knob in KNOBS:
        value, slopes[knob.setting] = _searched(knob, light, response, wanted[knob.setting])
        response = replace(response, **{knob.setting: value})
    for _ in range(ROUNDS):
        moved = 0.0
        for knob in KNOBS:
            short = wanted[knob.setting] - _average(_measured(knob, light, response))
            before = getattr(response, knob.setting)
            value = float(np.clip(before + STEP * short / slopes[knob.setting], knob.tried[0], knob.tried[-1]))
            response = replace(response, **{knob.setting: value})
            moved = max(moved, abs(value - before) / knob.least_half)
        if moved < NEAR_ENOUGH:
            break
    ranges = {"jpeg_quality": (float(quality[0]), float(quality[1])), "tone_hardness": (0.0, 0.0)}
    reached = {}
    for knob in KNOBS:
        render = _measured(knob, light, response)
        reached[knob.setting] = _average(render)
        further = np.sqrt(max(_spread(real[knob.setting]) ** 2 - _spread(render) ** 2, 0.0))
        half = float(max(SPREADS * further / abs(slopes[knob.setting]), knob.least_half))
        value = getattr(response, knob.setting)
        ranges[knob.setting] = (max(value - half, knob.tried[0]), min(value + half, knob.tried[-1]))
    return Fitted(response, ranges, wanted, reached)


def _searched(knob: Knob, light: Sequence[np.ndarray], response: CameraResponse, wanted: float) -> tuple[float, float]:
    """The value among all tried, interpolated, and the measure's slope there."""
    tried = np.array(knob.tried)
    found = np.array([_average(_measured(knob, light, replace(response, **{knob.setting: v}))) for v in knob.tried])
    sign = 1.0 if found[-1] > found[0] else -1.0
    rising = np.maximum.accumulate(sign * found)
    value = float(np.interp(sign * wanted, rising, tried))
    piece = int(np.clip(np.searchsorted(tried, value) - 1, 0, len(tried) - 2))
    slope, whole = (
        (rising[last] - rising[first]) / (tried[last] - tried[first]) for first, last in ((piece, piece + 1), (0, -1))
    )
    return value, sign * float(max(slope, 0.2 * whole, 1e-9))  # where it hardly rises a step would lead far off


def _measured(knob: Knob, light: Sequence[np.ndarray], response: CameraResponse) -> np.ndarray:
    return np.array([knob.measure(develop(one, response, seed)) for seed, one in enumerate(light)])


def _average(values: np.ndarray) -> float:
    return float(trim_mean(values, OUTER_SHARE))


def _spread(values: np.ndarray) -> float:
    """Standard deviation as the quartiles tell it: no single frame counts much."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low) / 1.349
