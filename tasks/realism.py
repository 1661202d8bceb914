"""How real pictures look: renders and what refiners made of them against real images, with every score that is sound.

Distances by features and what gap is closed, with the floor (real against other real images) and the ceiling (the
renders); how well a fresh classifier tells the sets apart; likeness to an image's own render; time an image.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from evaluation.bootstrap import Interval, Unit, percentile_interval
from evaluation.realism.described import Described, score_name, standardised
from evaluation.realism.domain_classifier import (
    FOLDS,
    Scored,
    Separability,
    feature_separability,
    separability,
    two_sided_folds,
)
from evaluation.realism.frechet import frechet_comparison
from evaluation.realism.gap import Comparison, kernel_comparison
from evaluation.realism.neighbours import nearest
from evaluation.realism.similarity import structural_similarity
from models.domain_classifier import PixelClassifierConfig, pixel_scores
from models.features import Extractor, features_of
from models.lpips import Lpips
from models.refiners.pictures import Pictures
from models.views import View
from tasks.compared import RefinedSet, Sides, cautions, spread_rows

SOURCE = "source"
COMPARED = 200  # images of a set that are compared with their own renders
WIDE, FEW_SAMPLES, SAMPLES = 512, 20, 100  # Frechet resamples are singular value decompositions as wide as the features


@dataclass(frozen=True)
class Row:
    """All scores of one set of pictures against the real ones; None where it was not asked for, or is not known."""

    name: str
    images: int
    kernel: Interval
    kernel_closed: Interval | None
    frechet: Interval
    frechet_closed: Interval | None
    features: Separability | None
    pixels: Separability | None
    ssim: Interval | None
    lpips: Interval | None
    seconds: float | None


@dataclass(frozen=True)
class Realism:
    """Everything that was found. Rows: the renders first, then each refiner."""

    features: str
    kernel_name: str
    frechet_name: str
    kernel_floor: Interval
    frechet_floor: Interval
    rows: list[Row]
    unit: Unit
    resampled: str  # the unit in words
    units: dict[str, int]
    real_images: int
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    sides: Sides,
    refined_sets: Sequence[RefinedSet],
    extract: Extractor,
    view: View,
    *,
    pixels: PixelClassifierConfig | None,
    lpips: Lpips | None,
    samples: int = 1000,
    seed: int = 0,
) -> tuple[Realism, np.ndarray]:
    """All scores; and for each picture of the source the row of the real image nearest to it, (N,) int64."""
    notes = cautions(sides, refined_sets, view.jpeg_quality)
    real = Described(features_of(sides.real, extract, view), sides.real_names, sides.real_groups)
    source = Described(features_of(sides.source, extract, view), sides.source_names, sides.source_groups)
    parts = {
        one.name: Described(
            features_of(one.pictures, extract, view),
            sides.source_names[one.source_row],
            sides.source_groups[one.source_row],
        )
        for one in refined_sets
    }
    if not extract.has_scale:
        real, source, *others = standardised(real, source, list(parts.values()))
        parts = dict(zip(parts, others, strict=True))
    unit = sides.unit
    kernel = kernel_comparison(real, source, parts, samples=samples, seed=seed, unit=unit)
    few = FEW_SAMPLES if extract.dims > WIDE else SAMPLES
    frechet = frechet_comparison(real, source, parts, samples=min(few, samples), seed=seed, unit=unit)
    notes += [*frechet.cautions, *_doubtful(kernel, frechet.comparison, extract.name, min(few, samples))]
    told_apart, told_by_pixels = {}, {}
    pictures = {SOURCE: sides.source, **{one.name: one.pictures for one in refined_sets}}
    for name, part in {SOURCE: source, **parts}.items():
        if min(len(np.unique(real.group)), len(np.unique(part.group))) < 2:
            notes.append(f"{name}: one scene on a side, so no classifier can be judged on scenes it did not see")
            continue
        told_apart[name] = feature_separability(real, part, samples=samples, seed=seed, unit=unit)
        if pixels is not None:
            told_by_pixels[name] = _by_pixels(sides.real, pictures[name], real, part, view, pixels, samples, seed, unit)
    rows = [_row(SOURCE, len(source), kernel, frechet.comparison, told_apart, told_by_pixels)]
    for one in refined_sets:
        row = _row(one.name, len(one.pictures), kernel, frechet.comparison, told_apart, told_by_pixels)
        ssim, distance = _likeness(sides, one, lpips, samples, seed)
        rows.append(replace(row, ssim=ssim, lpips=distance, seconds=one.seconds))
    found = Realism(
        extract.name, score_name("kernel", extract.name), score_name("frechet", extract.name),
        kernel.floor, frechet.comparison.floor, rows, unit, sides.resampled, kernel.units, len(real), notes,
    )  # fmt: skip
    return found, nearest(source.features, real.features)[0][:, 0]


def _doubtful(kernel: Comparison, frechet: Comparison, features: str, frechet_samples: int) -> list[str]:
    """Of which intervals there is less than their figures seem to say."""
    notes = []
    if frechet_samples < SAMPLES:
        notes.append(
            f"{score_name('frechet', features)}: its intervals rest on {frechet_samples} resamples, too few for bounds "
            "of 95%: take them for a rough spread"
        )
    scores = {score_name("kernel", features): kernel, score_name("frechet", features): frechet}
    for name, found in scores.items():
        if any(math.isnan(gap.closed.low) for gap in found.refined.values()):
            notes.append(
                f"{name}: the gap closed has no bounds, as in too many resamples the renders are "
                "no farther from real images than the floor"
            )
    return notes


def _row(
    name: str,
    images: int,
    kernel: Comparison,
    frechet: Comparison,
    features: dict[str, Separability],
    pixels: dict[str, Separability],
) -> Row:
    of_source = name == SOURCE
    return Row(
        name,
        images,
        kernel.ceiling if of_source else kernel.refined[name].distance,
        None if of_source else kernel.refined[name].closed,
        frechet.ceiling if of_source else frechet.refined[name].distance,
        None if of_source else frechet.refined[name].closed,
        features.get(name),
        pixels.get(name),
        None,
        None,
        None,
    )


def _by_pixels(
    real_pictures: Pictures,
    pictures: Pictures,
    real: Described,
    part: Described,
    view: View,
    config: PixelClassifierConfig,
    samples: int,
    seed: int,
    unit: Unit,
) -> Separability:
    folds = two_sided_folds(real.group, part.group, FOLDS, seed)
    scores = pixel_scores(real_pictures, pictures, *folds, view, config, seed=seed)
    sides = [
        Scored(score, fold, side.units(unit)) for score, fold, side in zip(scores, folds, (real, part), strict=True)
    ]
    return separability(sides[0], sides[1], samples=samples, seed=seed)


def _likeness(
    sides: Sides, one: RefinedSet, lpips: Lpips | None, samples: int, seed: int
) -> tuple[Interval, Interval | None]:
    """SSIM and LPIPS of refined pictures to their own renders, means with intervals over images."""
    ssim, distance = [], []
    rows = spread_rows(len(one.pictures), COMPARED).tolist()
    for i in tqdm(rows, desc=f"likeness ({one.name})", unit="image"):
        render, made = sides.source.rgb(int(one.source_row[i])), one.pictures.rgb(i)
        ssim.append(structural_similarity(render, made))
        if lpips is not None:
            distance.append(float(lpips(render[None], made[None])[0]))
    return _mean(ssim, samples, seed), _mean(distance, samples, seed) if distance else None


def _mean(values: Sequence[float], samples: int, seed: int) -> Interval:
    drawn = np.random.default_rng(seed).integers(0, len(values), (samples, len(values)))
    return percentile_interval(float(np.mean(values)), np.asarray(values)[drawn].mean(1), 0.95)
