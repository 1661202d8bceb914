"""The single verbs: one stage on its own, without the campaign around it. Each returns what the terminal shows."""

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.average_precision import evaluate
from evaluation.bootstrap import interval
from evaluation.failure import RECREATED_KINDS
from evaluation.failures import FailureTable, mine
from models.detector.predict import Detector, predict
from models.detector.train import train
from simulator.jobs import RandomJobs, RecreationJobs
from tasks.campaign import Campaign
from tasks.config import CampaignConfig
from tasks.data import Data, import_source
from tasks.rendering import render
from tasks.report.gallery import contact_sheet
from tasks.report.page import write_report
from tasks.stand_in import CATEGORY_MIX, stand_in_camera
from tasks.stopping import why_stop


def train_once(config: CampaignConfig, out: Path, init: Path | None) -> Path:
    """A detector trained on all of `data.train`: out/last.pt, or with `data.val` out/best.pt, the best by its mAP."""
    dataset = import_source(config.data.train, out / "data", config.data)
    val = (
        import_source(config.data.val, out / "val", config.data, known=dataset.categories) if config.data.val else None
    )

    def score(checkpoint: Path) -> float:
        assert val is not None
        return evaluate(val, predict(checkpoint, val, out / "val.parquet", progress=False)).mAP

    return train(
        dataset,
        out,
        config.detector,
        config.baseline,
        init=init,
        weights=config.weights,
        score=None if val is None else score,
    )


def evaluate_once(config: CampaignConfig, checkpoint: Path, out: Path) -> str:
    """COCO's figures with intervals, as a table; written to out/metrics.json as well."""
    dataset, detections = _detect(config, checkpoint, out)
    metrics = evaluate(dataset, detections)
    samples = config.loop.bootstrap_samples
    sure = {name: interval(dataset, detections, name, samples=samples, unit="group") for name in ("mAP", "AP50")}
    record = {"metrics": metrics.to_dict(), "intervals": {name: asdict(value) for name, value in sure.items()}}
    (out / "metrics.json").write_text(json.dumps(record, indent=1))
    table = Table("metric", "value", "95% interval", title=f"{checkpoint} on {config.data.train}")
    for name, value in metrics.to_dict().items():
        bounds = f"{sure[name].low:.4f} - {sure[name].high:.4f}" if name in sure else ""
        table.add_row(name, f"{value:.4f}", bounds)
    return _text(table)


def mine_once(config: CampaignConfig, checkpoint: Path, out: Path) -> str:
    """The failures of a detector: out/failures.parquet, counted by kind."""
    dataset, detections = _detect(config, checkpoint, out)
    settings = config.mining
    failures = mine(
        dataset,
        detections,
        out / "failures.parquet",
        score_threshold=settings.score_threshold,
        iou_threshold=settings.iou_threshold,
    )
    table = Table("kind", "failures", title=f"{len(failures)} failures on {len(dataset)} frames")
    for kind, count in failures.counts().items():
        table.add_row(kind, str(count))
    return f"{_text(table)}\ntable: {out / 'failures.parquet'}"


def render_once(config: CampaignConfig, mined: Path | None, count: int, out: Path) -> str:
    """Re-created failures, or random streets, with a contact sheet to look at."""
    simulator, seed = config.simulator, config.loop.seed
    if mined is None:
        camera, categories = stand_in_camera(640, 192), tuple(CATEGORY_MIX)
        street = simulator.street.model_copy(update={"category_mix": CATEGORY_MIX})
        jobs = RandomJobs(count, categories, [camera], street, simulator.randomisation, seed=seed, cycle=0)
    else:
        table = FailureTable.open(mined / "failures.parquet")
        wanted = [failure for failure in table.iterate() if failure.kind in RECREATED_KINDS]
        jobs = RecreationJobs(
            Dataset.open(mined / "data"),
            wanted[: config.mining.max_failures],
            simulator.recreate,
            simulator.randomisation,
            seed=seed,
            cycle=0,
            max_width_px=simulator.max_width_px,
        )
    report = render(jobs, out, simulator)
    sheet = contact_sheet(report.dataset, out / "contact_sheet.jpg")
    return f"{report.used} of {report.jobs} scenes in {report.attempts} tries\nframes: {out}\nlook at: {sheet}"


def report_once(folder: Path) -> str:
    """The report of a run's folder, written anew from what is in it."""
    campaign = Campaign.reopen(folder)
    finished = campaign.run.finished_cycles()
    if not finished:
        raise InputError(folder, "no cycle is finished yet", "let the campaign run on; it writes the report itself")
    return str(write_report(campaign, Data.of(campaign.run), why_stop(campaign, finished[-1])))


def _detect(config: CampaignConfig, checkpoint: Path, out: Path) -> tuple[Dataset, Path]:
    categories = Detector.load(checkpoint, "cpu").categories
    dataset = import_source(config.data.train, out / "data", config.data, known=categories)
    return dataset, predict(checkpoint, dataset, out / "detections.parquet")


def _text(table: Table) -> str:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table)
    return captured.get()
