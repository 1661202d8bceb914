"""Whether a detector means what it says: of detections with score 0.7, are 70% true; of things said to be half
hidden, is half hidden.

The expected calibration error sorts N claims into M bins by what was said and averages the gaps:

    ECE = sum over bins of (n_m / N) |came_m - said_m|,

said_m and came_m being the means of the n_m claims of a bin (Guo et al., On Calibration of Modern Neural Networks,
ICML 2017, equation 3). For detections, what comes is whether a detection is true, so came_m is the bin's precision
(Kueppers et al., Multivariate Confidence Calibration for Object Detection, CVPR Workshops 2020, section 3: D-ECE
without its box terms). Bins are of equal width from 0 to 1, as in both papers, or adaptive, each with as many claims
as the others (Nixon et al., Measuring Calibration in Deep Learning, 2019): equal widths say little where nearly all
scores are low.

Detections on ignore regions make no claim. Weak ones are left out (MIN_SCORE): a detector says a hundred of them an
image, whose small gaps would hide the others'.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from dataset.errors import InputError
from dataset.scaling import ScoreScaling, logit
from dataset.store import Dataset
from evaluation.batch import Batch, batches
from evaluation.matching import IGNORED, TRUE, match
from evaluation.overlap import overlaps

BINS = 15  # Guo's
MIN_SCORE = 0.05
IOU_THRESHOLD = 0.5
CAUTION = 1e-4  # pulls a fit to too few claims towards no change


@dataclass(frozen=True)
class Claims:
    """N probabilities or shares that were said, and what came of each."""

    said: np.ndarray  # (N,) float64 0-1
    came: np.ndarray  # (N,) float64 0-1; of detections 1 where true, else 0
    category: np.ndarray  # (N,) int64

    def __len__(self) -> int:
        return len(self.said)

    def where(self, keep: np.ndarray) -> "Claims":
        return Claims(self.said[keep], self.came[keep], self.category[keep])

    def scaled(self, scaling: Callable[[np.ndarray], np.ndarray]) -> "Claims":
        return Claims(scaling(self.said), self.came, self.category)


@dataclass(frozen=True)
class Reliability:
    """The M bins that hold claims, from low to high."""

    said: np.ndarray  # (M,) mean of what was said
    came: np.ndarray  # (M,) mean of what came
    count: np.ndarray  # (M,) int64

    @property
    def expected_error(self) -> float:
        """ECE, 0-1; NaN without claims."""
        gaps = np.abs(self.came - self.said)
        return float((gaps * self.count).sum() / self.count.sum()) if len(gaps) else float("nan")

    @property
    def largest_error(self) -> float:
        """MCE, Guo's equation 5: the largest gap of a bin; NaN without claims."""
        return float(np.abs(self.came - self.said).max()) if len(self.said) else float("nan")


def reliability(claims: Claims, *, bins: int = BINS, adaptive: bool = False) -> Reliability:
    """Claims by what was said. adaptive: bins of equal count; equal claims stay together, so there may be fewer."""
    if adaptive:
        weaker = np.searchsorted(np.sort(claims.said), claims.said)  # how many claims said less
        number = weaker * bins // max(len(claims), 1)
    else:
        number = np.minimum(claims.said * bins, bins - 1).astype(np.int64)
    count = np.bincount(number, minlength=1)
    held = np.flatnonzero(count)
    said, came = (np.bincount(number, values, minlength=len(count))[held] for values in (claims.said, claims.came))
    return Reliability(said / count[held], came / count[held], count[held])


@dataclass(frozen=True)
class Calibration:
    """A detector's claims on a data set."""

    scores: Claims  # every detection of at least MIN_SCORE: is it true
    occlusion: Claims  # every true one whose object's hidden share is known: is it as hidden as said

    def figures(self) -> dict[str, float]:
        """ECE with equal-width and adaptive bins and MCE of the scores; ECE and mean error of the occlusion, 0-1."""
        scores, occlusion = reliability(self.scores), reliability(self.occlusion)
        gap = np.abs(self.occlusion.said - self.occlusion.came)
        return {
            "ECE": scores.expected_error,
            "ECE_adaptive": reliability(self.scores, adaptive=True).expected_error,
            "MCE": scores.largest_error,
            "ECE_occlusion": occlusion.expected_error,
            "MAE_occlusion": float(gap.mean()) if len(gap) else float("nan"),
        }

    def per_category(self, categories: tuple[str, ...]) -> dict[str, float]:
        """ECE of each category's scores; NaN where it has no detection."""
        mine = {name: self.scores.where(self.scores.category == i) for i, name in enumerate(categories)}
        return {name: reliability(claims).expected_error for name, claims in mine.items()}


def calibration(
    ds: Dataset, detections_file: Path, *, iou_threshold: float = IOU_THRESHOLD, min_score: float = MIN_SCORE
) -> Calibration:
    """Match as COCO does and gather the claims; memory grows by some 24 bytes a detection, images are never read."""
    scores, hidden = [_NOTHING], [_NOTHING]
    for batch in batches(ds, detections_file):
        of_batch = _claims(batch, iou_threshold, min_score)
        scores.append(of_batch[0])
        hidden.append(of_batch[1])
    return Calibration(_joined(scores), _joined(hidden))


_NOTHING = Claims(np.zeros(0), np.zeros(0), np.zeros(0, np.int64))


def _claims(batch: Batch, iou_threshold: float, min_score: float) -> tuple[Claims, Claims]:
    matching = match(batch, overlaps(batch), [iou_threshold])
    verdict, taken = matching.verdict[0, 0], matching.object[0, 0]
    detections = batch.detections.where(matching.kept)
    strong = detections.score >= min_score
    counts, true = strong & (verdict != IGNORED), strong & (verdict == TRUE)
    score, category = detections.score.astype(np.float64), detections.category.astype(np.int64)
    scores = Claims(score[counts], (verdict[counts] == TRUE).astype(np.float64), category[counts])
    hidden = batch.objects.occlusion[taken[true]].astype(np.float64)
    said = detections.occlusion[true].astype(np.float64)
    known = np.isfinite(hidden) & np.isfinite(said)
    return scores, Claims(said[known], hidden[known], category[true][known])


def _joined(parts: Iterable[Claims]) -> Claims:
    said, came, category = zip(*((part.said, part.came, part.category) for part in parts), strict=True)
    return Claims(np.concatenate(said), np.concatenate(came), np.concatenate(category))


def fit_scaling(claims: Claims) -> ScoreScaling:
    """The logistic scaling under which what came was likeliest. Fit on one split, judge on another.

    One for all categories: a few hundred hits do not carry more. Raises InputError without claims.
    """
    if not len(claims):
        problem = f"no detection of score {MIN_SCORE:g} or more, nothing to fit"
        raise InputError("calibration", problem, "fit on data where the detector finds something")
    said = logit(claims.said)

    def unlikeliness(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean negative log-likelihood of (log of 1 / temperature, bias), and its gradient."""
        slope = np.exp(parameters[0])
        value = slope * said + parameters[1]
        off = 1 / (1 + np.exp(-value)) - claims.came
        loss = float(np.mean(np.logaddexp(0, value) - claims.came * value)) + CAUTION * float(parameters @ parameters)
        return loss, np.array([np.mean(off * said) * slope, np.mean(off)]) + 2 * CAUTION * parameters

    found = minimize(unlikeliness, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-20, 20)]).x
    return ScoreScaling(temperature=float(np.exp(-found[0])), bias=float(found[1]))
