"""What a campaign found, in plain words, and how numbers are written on the page."""

import math
from typing import Any

from tasks.comparison import REFINING
from tasks.layout import ARMS, BASELINE, IMITATION, RANDOM, REAL
from tasks.report.charts import Interval, known, outside_noise

UNKNOWN = "unknown"
CONTROLS = {
    REAL: "the same training on real frames alone",
    RANDOM: "the same training with as many random synthetic scenes",
}
OPPONENTS = {
    REAL: "real only",
    RANDOM: "real + random scenes",
    "previous": "the cycle before",
    "champion": "the champion so far",
}


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """A figure with a true minus sign; 'unknown' where there is none."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def percent(value: float | None) -> str:
    return UNKNOWN if value is None or math.isnan(value) else f"{round(100 * value)}%"


def bounds(interval: Interval, digits: int = 3, sign: bool = False) -> str:
    """The interval's two ends, e.g. '+0.012 to +0.051'."""
    if math.isnan(interval["low"]) or math.isnan(interval["high"]):
        return UNKNOWN
    return f"{number(interval['low'], digits, sign)} to {number(interval['high'], digits, sign)}"


def percent_bounds(interval: Interval) -> str:
    """The interval of a share, e.g. '12% to 40%'; empty where nothing is known of it."""
    if math.isnan(interval["low"]) or math.isnan(interval["high"]):
        return ""
    return f"{percent(interval['low'])} to {percent(interval['high'])}"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def detector_that_counts(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of the cycle whose detector is champion, where an imitation cycle made it; else the newest."""
    champion = records[-1]["champion"]["cycle"]
    return next((record for record in records if record["cycle"] == champion > 0), records[-1])


def headline(records: list[dict[str, Any]]) -> list[str]:
    """A sentence for the detector that counts and one for each control. records: metrics.json of the cycles, in order.

    The test split speaks where there is one, as val has already chosen.
    """
    record = detector_that_counts(records)
    arm = IMITATION if record["cycle"] else BASELINE
    split = "test" if "test" in record["arms"][arm] else "val"
    score = record["arms"][arm][split]["intervals"]["mAP"]
    reaches = f"reaches {number(score['value'])} mAP on {split} ({bounds(score)})"
    if arm == BASELINE:
        return [f"The baseline {reaches}. No imitation cycle is finished yet."]
    crowned = record["champion"]["promoted"] and record["champion"]["cycle"] == record["cycle"]
    title = "the champion" if crowned else "the newest; none has beaten the baseline on val outside the noise"
    sentences = [f"Cycle {record['cycle']}'s detector ({title}) {reaches}."]
    sentences += [gain_sentence(record["gains"][other][split]["mAP"], CONTROLS[other]) for other in CONTROLS]
    if REFINING in record:
        sentences.append(refining_sentence(record[REFINING][split]["mAP"]))
    if split == "val":
        sentences.append("Val also decides when to stop and who is champion: a test split would be the fairer judge.")
    return sentences


def fix_sentence(fixed: dict[str, Interval]) -> str:
    """Which share of the failures each arm no longer makes. fixed: arm -> share of the same failures."""
    said = {arm: f"{percent(fixed[arm]['value'])} ({percent_bounds(fixed[arm])})" for arm in ARMS}
    return (
        f"Of the failures mined for that cycle it no longer makes {said[IMITATION]}; "
        f"training with random scenes mends {said[RANDOM]}, on real frames alone {said[REAL]}."
    )


def refining_sentence(gain: Interval) -> str:
    """Whether refining the scenes paid, on top of rendering them."""
    return gain_sentence(gain, "the same training with the scenes as they were rendered").replace(
        "It", "The arm with refined scenes", 1
    )


def gain_sentence(gain: Interval, control: str) -> str:
    """One gain against one control, and whether it can be told from chance."""
    if not known(gain):
        return f"Its gain over {control} is unknown: there is nothing to find in these frames."
    if gain["value"] == gain["low"] == gain["high"] == 0:
        return f"It does exactly as well as {control}."
    verb = "gains" if gain["value"] >= 0 else "loses"
    over = "over" if gain["value"] >= 0 else "against"
    sentence = f"It {verb} {number(abs(gain['value']))} mAP {over} {control} (95% interval {bounds(gain, sign=True)})"
    if math.isnan(gain["low"]):
        return f"{sentence}: how sure that is, is unknown."
    return f"{sentence}." if outside_noise(gain) else f"{sentence}: not outside the noise."


def mean_of_seeds(seeds: list[dict[str, float]], metric: str) -> float:
    """A metric's mean over the training seeds that know it; NaN where none does."""
    values = [metrics[metric] for metrics in seeds if not math.isnan(metrics.get(metric, math.nan))]
    return sum(values) / len(values) if values else math.nan
