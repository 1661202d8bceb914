"""From a detector's scores to probabilities: two numbers fitted on one data set, kept beside the detector."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dataset.errors import InputError

FORMAT = "hardcase-scaling-1"
CERTAIN = 1e-7  # scores closer to 0 or 1 than this are taken as this close: their logits would be infinite


@dataclass(frozen=True)
class ScoreScaling:
    """Logistic scaling: probability = sigmoid(logit(score) / temperature + bias).

    Temperature alone is Guo et al. 2017, section 4.2; with the bias it is Platt's, which Kueppers et al. 2020 find
    detectors to need. The temperature is above 0, so the order of the detections, and with it AP, stays as it is.
    """

    temperature: float
    bias: float

    def __call__(self, score: np.ndarray) -> np.ndarray:
        """(N,) 0-1 -> (N,) float64 0-1."""
        return 1 / (1 + np.exp(-(logit(score) / self.temperature + self.bias)))

    def undone(self) -> "ScoreScaling":
        """What turns the probabilities back into scores."""
        return ScoreScaling(1 / self.temperature, -self.bias * self.temperature)

    def save(self, detector: Path) -> Path:
        """Write it beside the detector's file, which alone it holds for; written aside and renamed."""
        file = scaling_file(detector)
        partial = file.with_name(f"{file.name}.partial")
        partial.write_text(
            json.dumps({"format": FORMAT, "detector_sha256": _digest(detector)} | asdict(self), indent=1)
        )
        partial.replace(file)
        return file

    @staticmethod
    def load(detector: Path) -> "ScoreScaling":
        """What was fitted for this very file; InputError where nothing was, or the detector has changed since."""
        file, remedy = scaling_file(detector), "fit it on held-back data: evaluate --fit-calibration"
        try:
            content = json.loads(file.read_text())
        except FileNotFoundError:
            raise InputError(file, "there is no calibration of this detector", remedy) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(file, f"is no JSON ({error})", remedy) from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(file, f"is no calibration in the format {FORMAT}", remedy)
        if content["detector_sha256"] != _digest(detector):
            raise InputError(file, f"was fitted to another detector than {detector.name} is now", remedy)
        return ScoreScaling(content["temperature"], content["bias"])


def logit(score: np.ndarray) -> np.ndarray:
    """(N,) 0-1 -> (N,) float64, finite."""
    score = np.clip(np.asarray(score, np.float64), CERTAIN, 1 - CERTAIN)
    return np.log(score) - np.log1p(-score)


def scaling_file(detector: Path) -> Path:
    return detector.with_name(f"{detector.name}.calibration.json")


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
