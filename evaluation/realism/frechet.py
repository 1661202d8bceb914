"""Frechet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, equation 6).

|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2). With S1 = A'A and S2 = B'B the trace of the root is the sum of the singular
values of A B', so no matrix root is taken, which is unstable where a covariance lacks rank.

The estimate is too high, the more so the fewer images: sets are compared at one common size only, and resamples, which
lose a third of the images to copies, lie above it; their spread is used, about the figure itself. Chong and Forsyth,
Effectively Unbiased FID (2020).
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import svdvals

from dataset.errors import InputError
from evaluation.bootstrap import Interval, Unit, percentile_interval
from evaluation.realism.described import Described, check_dims
from evaluation.realism.gap import Comparison, Draws, Gap, bounded, gap_closed
from evaluation.realism.kid import balanced_halves

ENOUGH_IMAGES = 2048


@dataclass(frozen=True)
class Gaussian:
    """Mean and a root A of the covariance A'A of a set of features."""

    mean: np.ndarray  # (d,) float64
    root: np.ndarray  # (R, d) float64, R at most the smaller of images and d

    @staticmethod
    def of(features: np.ndarray, weight: np.ndarray | None = None) -> "Gaussian":
        """(N, d), (N,) how often each image counts, two in all at least. The covariance is divided by N - 1."""
        weight = np.ones(len(features)) if weight is None else weight
        total = weight.sum()
        mean = weight @ features / total
        rows = weight > 0
        root = np.sqrt(weight[rows] / (total - 1))[:, None] * (features[rows] - mean)
        return Gaussian(mean, _triangle(root) if len(root) > root.shape[1] else root)

    def distance(self, other: "Gaussian") -> float:
        traces = (self.root**2).sum() + (other.root**2).sum()
        common = np.asarray(svdvals(self.root @ other.root.T)).sum()
        return float(((self.mean - other.mean) ** 2).sum() + traces - 2 * common)


def _triangle(root: np.ndarray) -> np.ndarray:
    """(N, d) -> the (d, d) R of its QR decomposition: R'R is the same covariance."""
    return np.asarray(np.linalg.qr(root, mode="r"))


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Features (N, d), (M, d) -> the squared distance that FID reports."""
    return Gaussian.of(x.astype(np.float64)).distance(Gaussian.of(y.astype(np.float64)))


def cautions(images: int, dims: int) -> tuple[str, ...]:
    """What to say beside a Frechet distance of sets of this size; empty where nothing is."""
    told = []
    if images < ENOUGH_IMAGES:
        told.append(f"{images:,} images, fewer than the {ENOUGH_IMAGES:,} that the distance wants: it is too high")
    if images <= dims:
        told.append(f"{images:,} images for {dims:,} features: the covariance lacks rank, so most of it is not seen")
    return tuple(told)


@dataclass(frozen=True)
class FrechetComparison:
    """Floor, ceiling and gaps, all between sets of `images` images, and what makes them doubtful."""

    comparison: Comparison
    images: int
    cautions: tuple[str, ...]


def frechet_comparison(
    real: Described,
    source: Described,
    refined: dict[str, Described],
    *,
    samples: int = 100,
    seed: int = 0,
    level: float = 0.95,
    unit: Unit = "group",
) -> FrechetComparison:
    """As gap.kernel_comparison, every distance to the same half of the real images and from equally many images.

    The other half gives the floor. With the whole real set on one side only, the floor would be too high for its size.
    Time: (samples + 1) x (sets + 1) singular value decompositions of a matrix as wide as images or features, whichever
    are fewer. Raises InputError as kernel_comparison does.
    """
    check_dims(real, {"source": source, **refined})
    units, unit_of_image = np.unique(real.units(unit), return_inverse=True)
    if len(units) < 2:
        raise InputError("real images", f"{len(units)} {unit}, at least 2 needed to halve", "resample images")
    counts = np.bincount(unit_of_image).astype(np.float64)
    half = balanced_halves(counts, 1, np.random.default_rng([seed, 1]))[0][unit_of_image]
    images = min(int(half.sum()), int((~half).sum()), len(source), *(len(part) for part in refined.values()))
    if images < 2:
        raise InputError("images", "one image on a side, at least 2 needed", "give more images or scenes")
    reference = real.rows(half).at_most(images, seed)
    parts = {"": real.rows(~half), "source": source, **{f"refined {name}": part for name, part in refined.items()}}
    parts = {name: part.at_most(images, seed) for name, part in parts.items()}
    shown = {name: part for name, part in parts.items() if name.startswith("refined ")}
    draws = Draws.of(real, parts["source"], shown, unit, samples, seed)

    def gaussians(part: Described, drawn: np.ndarray, drawn_units: np.ndarray) -> list[Gaussian | None]:
        values, at = part.features.astype(np.float64), np.searchsorted(drawn_units, part.units(unit))
        weights = drawn[:, at]
        return [Gaussian.of(values, weight) if weight.sum() > 1 else None for weight in weights]

    of_reference = gaussians(reference, draws.real, draws.real_units)

    def distances(name: str) -> np.ndarray:
        side = (draws.source, draws.source_units) if name else (draws.real, draws.real_units)
        pairs = zip(gaussians(parts[name], *side), of_reference, strict=True)
        return np.array([a.distance(b) if a and b else np.nan for a, b in pairs])

    floor, ceiling = distances(""), distances("source")
    gaps = {}
    for name in refined:
        found = distances(f"refined {name}")
        closed = gap_closed(ceiling, found, floor)
        gaps[name] = Gap(_centred_interval(found, level), bounded(_centred_interval(closed, level), closed))
    compared = Comparison(
        _centred_interval(floor, level),
        _centred_interval(ceiling, level),
        gaps,
        {"real": len(real), "source": len(source), **{name: len(part) for name, part in refined.items()}},
        {"real": len(draws.real_units), "source": len(draws.source_units)},
    )
    return FrechetComparison(compared, images, cautions(images, real.dims))


def _centred_interval(values: np.ndarray, level: float) -> Interval:
    """The spread of the resamples about the figure itself, which comes first. (1 + samples,)."""
    resampled = values[1:][~np.isnan(values[1:])]
    off = resampled.mean() - values[0] if len(resampled) else 0.0
    return percentile_interval(float(values[0]), resampled - off, level)
