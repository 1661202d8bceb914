"""How much of the way from the renders to real images a refiner has gone, with the two ends of the way beside it.

The floor is the distance of real images from other real images, of other scenes; the ceiling that of the renders as
they are. A distance says little without both. Gap closed = (ceiling - refined) / (ceiling - floor): 0 for a refiner
that changes nothing, 1 for images that are as far from real ones as other real ones are, negative where it made the
images less real.
"""

from dataclasses import dataclass

import numpy as np

from dataset.errors import InputError
from evaluation.bootstrap import Interval, Unit, percentile_interval
from evaluation.realism.described import Described, check_dims
from evaluation.realism.kid import Across, Within, balanced_halves

MOST_IMAGES = 4000  # of a set, drawn from more: three kernel matrices of so many are 400 MB
MOST_UNKNOWN = 0.025  # of the resamples may be without a gap; the bounds would else be those of gaps alone
SPLITS = 10  # of the real images into halves; the floor is the mean over them


@dataclass(frozen=True)
class Gap:
    """Where one refiner's images stand."""

    distance: Interval  # from the real images
    # Share of the gap. NaN where the renders are no farther from real images than the floor; its bounds are NaN where
    # that is so in more than MOST_UNKNOWN of the resamples.
    closed: Interval


@dataclass(frozen=True)
class Comparison:
    """Renders and what refiners made of them against real images."""

    floor: Interval
    ceiling: Interval
    refined: dict[str, Gap]
    images: dict[str, int]  # how many of each set were looked at: "real", "source" and each refiner's
    units: dict[str, int]  # how many "real" and "source" units the intervals rest on; a handful says little


def gap_closed(ceiling: np.ndarray, refined: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Share of the gap, any shapes that fit; NaN where there is no gap."""
    gap = np.asarray(ceiling - floor, np.float64)
    gone = np.broadcast_to(ceiling - refined, gap.shape)
    return np.divide(gone, gap, out=np.full(gap.shape, np.nan), where=gap > 0)


@dataclass(frozen=True)
class Draws:
    """The same resamples of scenes for every set that shows them. The first draw is the data as they are."""

    real_units: np.ndarray  # (U,) str, sorted
    source_units: np.ndarray  # (V,) str, sorted
    real: np.ndarray  # (1 + samples, U) float64
    source: np.ndarray  # (1 + samples, V) float64

    @staticmethod
    def of(
        real: Described, source: Described, refined: dict[str, Described], unit: Unit, samples: int, seed: int
    ) -> "Draws":
        """InputError where a side has one unit only: that one cannot be resampled, nor halved."""
        real_units = np.unique(real.units(unit))
        source_units = np.unique(np.concatenate([part.units(unit) for part in (source, *refined.values())]))
        for side, units in (("real", real_units), ("source", source_units)):
            if len(units) < 2:
                problem = f"{len(units)} {unit}, at least 2 needed to resample"
                raise InputError(f"{side} images", problem, "give images of more scenes, or resample images")
        rng = np.random.default_rng(seed)
        weights = []
        for units in (real_units, source_units):
            drawn = rng.integers(0, len(units), (samples, len(units)))
            counts = [np.bincount(row, minlength=len(units)) for row in drawn]
            weights.append(np.stack([np.ones(len(units)), *counts]).astype(np.float64))
        return Draws(real_units, source_units, *weights)


def kernel_comparison(
    real: Described,
    source: Described,
    refined: dict[str, Described],
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    unit: Unit = "group",
    splits: int = SPLITS,
    most_images: int = MOST_IMAGES,
) -> Comparison:
    """Kernel distances to the real images, all on the same resamples.

    `real` holds images that no refiner learned from, or distances reward what it has memorised. A set of more than
    `most_images` is thinned at random. Time: samples x (units)^2 x (sets + splits); memory: a few matrices (units)^2.
    Raises InputError on sets of one image, of other features, or with unit='group' of one group.
    """
    check_dims(real, {"source": source, **refined})
    real, source = real.at_most(most_images, seed), source.at_most(most_images, seed)
    refined = {name: part.at_most(most_images, seed) for name, part in refined.items()}
    draws = Draws.of(real, source, refined, unit, samples, seed)
    real_unit = np.searchsorted(draws.real_units, real.units(unit))
    of_real = Within.of(real.features, real_unit, len(draws.real_units))
    halves = balanced_halves(of_real.images, splits, np.random.default_rng([seed, 1]))
    real_mean = of_real.mean(draws.real)
    floor = of_real.halves_apart(draws.real, halves)

    def distance(part: Described) -> np.ndarray:
        """(1 + samples,)"""
        own_unit = np.searchsorted(draws.source_units, part.units(unit))
        units = len(draws.source_units)
        within = Within.of(part.features, own_unit, units)
        across = Across.of(part.features, real.features, own_unit, real_unit, (units, len(draws.real_units)))
        return within.mean(draws.source) + real_mean - 2 * across.mean(draws.source, draws.real)

    ceiling = distance(source)
    gaps = {}
    for name, part in refined.items():
        found = distance(part)
        closed = gap_closed(ceiling, found, floor)
        gaps[name] = Gap(_interval(found, level), bounded(_interval(closed, level), closed))
    counts = {name: len(part) for name, part in {"real": real, "source": source, **refined}.items()}
    units = {"real": len(draws.real_units), "source": len(draws.source_units)}
    return Comparison(_interval(floor, level), _interval(ceiling, level), gaps, counts, units)


def bounded(interval: Interval, closed: np.ndarray) -> Interval:
    """An interval of gaps closed (1 + samples,), without bounds where many resamples have no gap to close."""
    unknown = bool(np.isnan(closed[1:]).mean() > MOST_UNKNOWN)
    return Interval(interval.value, np.nan, np.nan) if unknown else interval


def _interval(values: np.ndarray, level: float) -> Interval:
    """(1 + samples,), the figure itself first."""
    return percentile_interval(float(values[0]), values[1:], level)
