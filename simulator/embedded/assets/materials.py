"""Materials and colours that several assets share. Colours are linear RGB."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.embedded.mesh import PATTERNS, Material

GLASS = Material((0.015, 0.018, 0.02), 0.05, clearcoat=1.0, pattern=PATTERNS["glass"])
TYRE = Material((0.018, 0.018, 0.019), 0.95)
RIM = Material((0.42, 0.43, 0.45), 0.3, metallic=0.7)
TRIM = Material((0.02, 0.02, 0.022), 0.6, clearcoat=0.05)
TRIM_GREY = Material((0.09, 0.09, 0.095), 0.5, clearcoat=0.2)
UNDERSIDE = Material((0.008, 0.008, 0.008), 1.0)
CHROME = Material((0.6, 0.6, 0.62), 0.15, metallic=1.0)
STEEL = Material((0.32, 0.33, 0.34), 0.5, metallic=0.5)
GALVANISED = Material((0.38, 0.39, 0.4), 0.6, metallic=0.2)
# By day a lamp is a dim reflector behind its lens, far from white and from signal red.
HEADLIGHT = Material((0.36, 0.37, 0.39), 0.1, clearcoat=1.0, emission=16.5)
UNLIT_HEADLIGHT = HEADLIGHT._replace(emission=0.0)
TAILLIGHT = Material((0.24, 0.008, 0.009), 0.2, clearcoat=0.8, emission=5.6)
UNLIT_TAILLIGHT = TAILLIGHT._replace(emission=0.0)
CLEAR_LENS = Material((0.42, 0.4, 0.38), 0.2, clearcoat=0.8)  # reversing lamps
AMBER_LENS = Material((0.5, 0.17, 0.015), 0.2, clearcoat=0.8)
PLATE = Material((0.72, 0.72, 0.68), 0.6)
YELLOW_PLATE = Material((0.68, 0.5, 0.04), 0.6)
LETTERING = Material((0.16, 0.16, 0.16), 0.6)  # a line of characters from afar
LIT_WINDOW = Material((0.12, 0.1, 0.07), 0.2, 0.6, emission=1.2, pattern=PATTERNS["interior"], pattern_scale_m=1.9)
LIT_SHOP = LIT_WINDOW._replace(emission=2.2, pattern_scale_m=4.3)


Color = tuple[float, float, float]


def car_glass(height_m: float, rng: np.random.Generator) -> Material:
    """Panes of a car of that height, clear to darkly tinted, with what is seen of the cabin through them."""
    clear = float(drawn([0.075, 0.045, 0.025, 0.01], rng, [3, 4, 2, 1])) * float(rng.uniform(0.8, 1.2))
    color = (0.93 * clear, clear, 1.02 * clear)
    return Material(color, 0.05, clearcoat=2.0, pattern=PATTERNS["cabin"], pattern_scale_m=round(height_m, 3))


def srgb(*channels_0_255: float) -> Color:
    """Linear RGB of an sRGB colour as one sees it in a picture (IEC 61966-2-1)."""
    value = np.asarray(channels_0_255, float) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return _color(linear)


def _color(values: np.ndarray) -> Color:
    red, green, blue = (float(c) for c in values)
    return red, green, blue


def varied(color: Color, rng: np.random.Generator, amount: float = 0.15) -> Color:
    """The colour a little lighter or darker, and a little off in hue."""
    scale = (1 + amount * rng.uniform(-1, 1)) * (1 + amount / 3 * rng.uniform(-1, 1, 3))
    return _color(np.clip(np.asarray(color) * scale, 0.003, 0.95))


def scaled(color: Color, factor: float) -> Color:
    """The colour lighter or darker by a factor."""
    return _color(np.asarray(color) * factor)


def drawn(choices: list, rng: np.random.Generator, weights: Sequence[float] | None = None) -> Any:
    """One of the choices, by weight."""
    share = None if weights is None else np.asarray(weights, float) / sum(weights)
    return choices[int(rng.choice(len(choices), p=share))]


PAINT_ROUGHNESS, PAINT_CLEARCOAT = 0.45, 0.8


def paint(color: Color, metallic: float = 0.0, splashed_m: float = 0.0) -> Material:
    """Car paint under clearcoat, dirty from the road up to about `splashed_m`."""
    paint = Material(color, roughness=PAINT_ROUGHNESS, clearcoat=PAINT_CLEARCOAT, metallic=metallic)
    return paint._replace(pattern=PATTERNS["splashed"], pattern_scale_m=splashed_m) if splashed_m > 0 else paint


def splash_m(rng: np.random.Generator) -> float:
    """How far up a car spray has dried on it; 0 for a washed one."""
    return round(float(rng.uniform(0.25, 1.1)), 3) if rng.uniform() < 0.6 else 0.0


def is_paint(material: Material) -> bool:
    """Whether the material was made by `paint`, and takes another colour."""
    return (material.roughness, material.clearcoat) == (PAINT_ROUGHNESS, PAINT_CLEARCOAT) and not material.emission


# Shares after what stands on European streets: two thirds of the cars are white, grey, silver or black.
CAR_COLORS = {
    "default": [
        (srgb(235, 236, 234), 24), (srgb(170, 173, 176), 16), (srgb(98, 102, 106), 17), (srgb(24, 25, 27), 18),
        (srgb(34, 62, 122), 9), (srgb(142, 22, 26), 6), (srgb(20, 72, 56), 3), (srgb(150, 132, 104), 3),
        (srgb(86, 128, 168), 3), (srgb(206, 160, 30), 1),
    ],
    "stand-in": [
        (srgb(228, 222, 206), 20), (srgb(148, 142, 134), 14), (srgb(58, 56, 60), 16), (srgb(14, 20, 36), 14),
        (srgb(120, 18, 44), 10), (srgb(22, 92, 118), 9), (srgb(196, 92, 24), 6), (srgb(92, 108, 62), 6),
        (srgb(116, 84, 58), 5),
    ],
}  # fmt: skip


def car_paint(asset_set: str, rng: np.random.Generator) -> Material:
    colors, weights = zip(*CAR_COLORS[asset_set], strict=True)
    color = varied(drawn(list(colors), rng, list(weights)), rng, 0.12)
    return paint(color, metallic=float(rng.choice([0.0, 0.35])), splashed_m=splash_m(rng))
