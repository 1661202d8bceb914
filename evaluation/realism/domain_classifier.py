"""Can a fresh classifier tell one set of images from another, on scenes that it never saw?

AUC 0.5: it cannot; 1: always. Proxy A-distance 2 (1 - 2 error): 0 and 2 (Ben-David et al., Analysis of Representations
for Domain Adaptation, 2007). The classifier here is a logistic regression on frozen features; scores of any other, such
as a network on pixels, are judged by the same `separability`. A pixel AUC that stays near 1 while that of features
falls tells of artefacts.

Folds never cut a group. Scores are compared within a fold only: those of two folds come from two classifiers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from dataset.errors import InputError
from evaluation.bootstrap import Interval, Unit, percentile_interval
from evaluation.realism.described import Described, check_dims

FOLDS = 5


@dataclass(frozen=True)
class Separability:
    """How well the scores of a classifier tell real images from others."""

    auc: Interval
    a_distance: Interval  # 2 (1 - 2 error), the error averaged over both sides; below 0 where it is wrong more often
    folds: int


@dataclass(frozen=True)
class Scored:
    """What classifiers said of N images they had not seen: above 0 means real."""

    score: np.ndarray  # (N,) float64
    fold: np.ndarray  # (N,) int, which classifier said it
    unit: np.ndarray  # (N,) str, what is resampled as one


def scene_folds(group: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each image: groups uncut, folds of about equal size. (N,) str -> (N,) int.

    Large groups are dealt out first, each to the smallest fold; equal ones in random order.
    """
    names, index, size = np.unique(group, return_inverse=True, return_counts=True)
    rng = np.random.default_rng(seed)
    filled, of_group = np.zeros(folds), np.zeros(len(names), np.int64)
    for place in np.lexsort((rng.permutation(len(names)), -size)).tolist():
        of_group[place] = int(filled.argmin())
        filled[of_group[place]] += size[place]
    return of_group[index]


def two_sided_folds(
    real_group: np.ndarray, other_group: np.ndarray, folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Folds that each hold images of both sides, at most `folds`, fewer where a side has fewer groups: two (N,) int.

    InputError where a side has a single group.
    """
    scenes = [len(np.unique(group)) for group in (real_group, other_group)]
    if min(scenes) < 2:
        problem = f"{scenes[0]} real scenes and {scenes[1]} others, at least 2 of each needed to judge on unseen ones"
        raise InputError("domain classifier", problem, "give images of more scenes")
    count = min(folds, *scenes)
    return scene_folds(real_group, count, seed), scene_folds(other_group, count, seed + 1)


def auc(real_score: np.ndarray, other_score: np.ndarray) -> float:
    """Chance that a real image scores above another; ties count half. (N,), (M,) -> 0-1."""
    return float(_wins(real_score, other_score).mean())


def _wins(real_score: np.ndarray, other_score: np.ndarray) -> np.ndarray:
    """(N,), (M,) -> (N, M) float32: 1 where the real image scores higher, 0.5 at a tie."""
    higher = real_score[:, None] > other_score
    return higher.astype(np.float32) + 0.5 * (real_score[:, None] == other_score).astype(np.float32)


def separability(
    real: Scored, other: Scored, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> Separability:
    """AUC and A-distance with intervals over resampled units; the classifiers are not trained again for them.

    The intervals tell how sure the figure is for these classifiers, not how others would do.
    """
    sides = (real, other)
    units = [np.unique(side.unit, return_inverse=True)[1] for side in sides]
    rng = np.random.default_rng(seed)
    weights = []  # of both sides' images, (1 + samples, N)
    for side, unit in zip(sides, units, strict=True):
        count = int(unit.max()) + 1
        drawn = [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(samples)]
        weights.append(np.stack([np.ones(len(side.score)), *(draw[unit] for draw in drawn)]).astype(np.float32))
    won, pairs = np.zeros(samples + 1), np.zeros(samples + 1)
    for fold in np.unique(real.fold).tolist():
        mine = [side.fold == fold for side in sides]
        ours, theirs = (weight[:, rows] for weight, rows in zip(weights, mine, strict=True))
        wins = _wins(real.score[mine[0]], other.score[mine[1]])
        won += ((ours @ wins) * theirs).sum(axis=1)
        pairs += ours.sum(axis=1) * theirs.sum(axis=1)
    wrong = ((1 - np.sign(real.score)) / 2, (1 + np.sign(other.score)) / 2)  # a score of 0 is half wrong
    error = np.mean([weight @ side / weight.sum(axis=1) for weight, side in zip(weights, wrong, strict=True)], axis=0)
    found = np.divide(won, pairs, out=np.full(samples + 1, np.nan), where=pairs > 0)
    distance = 2 * (1 - 2 * error)
    return Separability(
        percentile_interval(float(found[0]), found[1:], level),
        percentile_interval(float(distance[0]), distance[1:], level),
        len(np.unique(real.fold)),
    )


def feature_separability(
    real: Described,
    other: Described,
    *,
    folds: int = FOLDS,
    penalty: float = 1.0,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    unit: Unit = "group",
) -> Separability:
    """A logistic regression on the features, judged on scenes it did not see. `penalty`: of its squared weights."""
    check_dims(real, {"other": other})
    fold_real, fold_other = two_sided_folds(real.group, other.group, folds, seed)
    score_real, score_other = np.zeros(len(real)), np.zeros(len(other))
    for fold in np.unique(fold_real).tolist():
        classify = fit_logistic(real.features[fold_real != fold], other.features[fold_other != fold], penalty)
        score_real[fold_real == fold] = classify(real.features[fold_real == fold])
        score_other[fold_other == fold] = classify(other.features[fold_other == fold])
    sides = (
        Scored(score_real, fold_real, real.units(unit)),
        Scored(score_other, fold_other, other.units(unit)),
    )
    return separability(*sides, samples=samples, seed=seed, level=level)


def fit_logistic(real: np.ndarray, other: np.ndarray, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
    """Both sides weigh the same, whatever their size. (N, d), (M, d) -> a function (K, d) -> (K,) logits of 'real'.

    Minimises mean cross-entropy + penalty / (2 images) |w|^2 over features standardised on these images.
    """
    x = np.concatenate([real, other]).astype(np.float64)
    is_real = np.repeat([1.0, 0.0], [len(real), len(other)])
    weight = np.repeat([0.5 / len(real), 0.5 / len(other)], [len(real), len(other)])
    centre = weight @ x
    spread = np.sqrt(weight @ (x - centre) ** 2)
    scale = np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1.0)
    x = (x - centre) / scale
    decay = penalty / len(x)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, bias = parameters[:-1], parameters[-1]
        logit = x @ slope + bias
        off = weight * (expit(logit) - is_real)
        value = weight @ (np.logaddexp(0, logit) - is_real * logit) + decay / 2 * slope @ slope
        return float(value), np.append(off @ x + decay * slope, off.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return lambda features: ((features - centre) / scale) @ found[:-1] + found[-1]
