"""The verb `evaluate`: a detector's figures on labelled data, by COCO's or KITTI's rules, in bins, against another."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.table import Table

from dataset.errors import InputError
from dataset.readers import open_source
from dataset.scaling import ScoreScaling
from dataset.schema import Camera
from dataset.store import Dataset
from evaluation.average_precision import evaluate
from evaluation.bootstrap import interval, paired_difference
from evaluation.by_attribute import ATTRIBUTES, ap_by
from evaluation.error_table import evaluate_with_errors
from evaluation.kitti import evaluate_kitti, to_dict
from flows.calibrate import fit_calibration, show_calibration
from flows.console import text
from models.detector.predict import Detector, predict
from tasks.config import CampaignConfig, DataConfig
from tasks.data import import_source

Rules = Literal["coco", "kitti"]
MIN_SCORE = 0.01  # of a detection that is written, before it is scaled
RULES: tuple[Rules, ...] = ("coco", "kitti")


def evaluate_once(
    config: CampaignConfig,
    checkpoint: Path,
    out: Path,
    rules: str = "coco",
    by: Sequence[str] = (),
    against: Path | None = None,
    *,
    errors: bool = False,
    calibrated: bool = False,
    fit: bool = False,
) -> str:
    """The figures as tables; all of them in out/metrics.json, the detections in out/detections.parquet.

    rules: coco or kitti. by: attributes to bin the objects by. against: another detector's detections of the same
    data; the differences are paired, by COCO's figures, and above 0 where this detector is better. errors: what kinds
    of failures there are, and what they cost; takes the memory of all detections at once. calibrated: the
    scores are probabilities by what was fitted before; fit: fit that to this data, beside the checkpoint.
    """
    check_request(rules, by, against)
    if calibrated and fit:
        raise InputError("--fit-calibration", "scores that are calibrated already", "fit without --calibrated")
    (out / "metrics.json").unlink(missing_ok=True)  # of an earlier call: this one may fail before it has its own
    dataset, detections = detect(config, checkpoint, out, calibrated)
    samples, title = config.loop.bootstrap_samples, f"{checkpoint} on {config.data.train}"
    record: dict[str, Any] = {}
    try:
        if rules == "kitti":
            tables = [kitti_table(labels_for_kitti(config.data, dataset, out), detections, title, record)]
        else:
            tables = [coco_table(dataset, detections, title, samples, record)]
        if errors:
            tables.append(errors_table(dataset, detections, record))
        tables += [bins_table(dataset, detections, attribute, record) for attribute in by]
        if against is not None:
            tables.append(difference_table(dataset, against, detections, samples, record))
        told = [text(table) for table in tables]
        if fit:
            told.append(fit_calibration(dataset, detections, out, record, checkpoint))
        else:
            scaling = ScoreScaling.load(checkpoint) if calibrated else None
            told.append(show_calibration(dataset, detections, out, record, scaling))
    finally:
        if record:  # what was found out stays, whatever fails after it
            partial = out / "metrics.json.partial"
            partial.write_text(json.dumps(record, indent=1))
            partial.replace(out / "metrics.json")
    return "\n".join(told)


def check_request(rules: str, by: Sequence[str], against: Path | None) -> None:
    """Raises InputError before anything slow is done."""
    if rules not in RULES:
        raise InputError("--rules", f"{rules!r} is none of {', '.join(RULES)}", "choose one of these")
    for attribute in by:
        if attribute not in ATTRIBUTES:
            raise InputError("--by", f"{attribute!r} is none of {', '.join(ATTRIBUTES)}", "choose one of these")
    if against is not None and not against.is_file():
        raise InputError("--against", f"{against} is no file", "give a detections.parquet that `evaluate` wrote")


def detect(config: CampaignConfig, checkpoint: Path, out: Path, calibrated: bool = False) -> tuple[Dataset, Path]:
    """The data with the detector's categories, and what it says of them."""
    categories = Detector.load(checkpoint, "cpu").categories
    dataset = import_source(config.data.train, out / "data", config.data, known=categories)
    least = np.array([MIN_SCORE], np.float32)
    if calibrated:  # the cut is scaled with the scores, so that the same detections are judged and --against is fair
        least = ScoreScaling.load(checkpoint)(least).astype(np.float32)
    file = out / "detections.parquet"
    return dataset, predict(checkpoint, dataset, file, min_score=float(least[0]), calibrated=calibrated)


def labels_for_kitti(config: DataConfig, dataset: Dataset, out: Path) -> Dataset:
    """KITTI's labels under their own names, as Van and Person_sitting are neutral by rules that DontCare is not.

    Data of another format stay as they were imported: KITTI's rules then know what has KITTI's names.
    """
    if not config.train.startswith("kitti:"):
        return dataset
    camera = Camera(**config.camera.model_dump()) if config.camera else None
    return open_source(
        config.train, out / "kitti-labels", group_regex=config.group_regex, camera=camera, skip_bad=config.skip_bad
    )[0]


def coco_table(dataset: Dataset, detections: Path, title: str, samples: int, record: dict[str, Any]) -> Table:
    """COCO's figures with intervals over resampled clips."""
    metrics = evaluate(dataset, detections)
    sure = {name: interval(dataset, detections, name, samples=samples, unit="group") for name in ("mAP", "AP50")}
    record |= {"metrics": metrics.to_dict(), "intervals": {name: asdict(value) for name, value in sure.items()}}
    table = Table("metric", "value", "95% interval", title=title)
    for name, value in metrics.to_dict().items():
        bounds = f"{sure[name].low:.4f} - {sure[name].high:.4f}" if name in sure else ""
        table.add_row(name, f"{value:.4f}", bounds)
    return table


def kitti_table(labels: Dataset, detections: Path, title: str, record: dict[str, Any]) -> Table:
    """KITTI's official figures in percent, as its own tables have them."""
    figures = evaluate_kitti(labels, detections)
    record["kitti"] = to_dict(figures)
    table = Table("category", "difficulty", "objects", "AP R40 %", "AP R11 %", title=f"{title}, KITTI's rules")
    for found in figures:
        shares = (f"{100 * found.r40:.2f}", f"{100 * found.r11:.2f}")
        table.add_row(found.category, found.difficulty, str(found.objects), *shares)
    if not {"van", "person_sitting"} & {name.lower() for name in labels.categories}:
        table.caption = "no Van or Person_sitting among the labels: where they are ignore regions, they act as DontCare"
    return table


def bins_table(dataset: Dataset, detections: Path, by: str, record: dict[str, Any]) -> Table:
    figures = ap_by(dataset, detections, by)
    record.setdefault("by", {})[by] = [asdict(row) for row in figures]
    table = Table(by, "objects", "mAP", "AP50", "AR100", title=f"by {by}, objects of other bins ignored")
    for row in figures:
        table.add_row(row.bin, str(row.objects), *(f"{value:.4f}" for value in (row.mAP, row.AP50, row.AR100)))
    return table


def errors_table(dataset: Dataset, detections: Path, record: dict[str, Any]) -> Table:
    """How many failures of each kind `mine` would find, and how much mAP mending them, one at a time, would give."""
    _, found = evaluate_with_errors(dataset, detections)
    cost_map = {kind: cost / max(len(dataset.categories), 1) for kind, cost in found.cost_ap.items()}
    record["errors"] = {kind: {"count": count, "cost_map": cost_map[kind]} for kind, count in found.counts.items()}
    table = Table("error", "failures", "mAP at IoU 0.5 they cost", title="kinds of failures, as `mine` finds them")
    for kind, count in found.counts.items():
        table.add_row(kind, str(count), f"{cost_map[kind]:.4f}")
    return table


def difference_table(dataset: Dataset, other: Path, ours: Path, samples: int, record: dict[str, Any]) -> Table:
    """By how much ours is better than the other, both on the same resampled clips."""
    metrics = ["mAP", "AP50", *(f"AP/{name}" for name in dataset.categories)]
    found = {name: paired_difference(dataset, other, ours, name, samples=samples, unit="group") for name in metrics}
    record["against"] = {"file": str(other), "differences": {name: asdict(value) for name, value in found.items()}}
    table = Table("metric", "difference", "95% interval", "", title=f"against {other}, paired by clip")
    for name, gain in found.items():
        verdict = "better" if gain.low > 0 else "worse" if gain.high < 0 else ""
        table.add_row(name, f"{gain.value:+.4f}", f"{gain.low:+.4f} - {gain.high:+.4f}", verdict)
    return table
