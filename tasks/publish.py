"""Show a finished cycle in MLflow: per-cycle mAP on the campaign's run, the rest on the cycle's; then the report."""

import json
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset as LoggedDataset
from mlflow.entities import DatasetInput
from mlflow.exceptions import MlflowException
from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.store import Dataset
from evaluation.calibration import calibration
from simulator.carla.losses import LOSSES, losses_by_kind
from tasks.campaign import Campaign
from tasks.comparison import CHAMPION, REFINING, metrics_of
from tasks.data import Data
from tasks.layout import IMITATION, RANDOM, REFINED, Cycle
from tasks.learn import checkpoint_of, training_of
from tasks.log import say
from tasks.refining import gate_summary
from tasks.report.page import write_report
from tasks.report.plots import write_cycle_plots
from tasks.steps import Step, file_digest, run_step
from tasks.tracking import Tracker


@task(cache_policy=NO_CACHE, task_run_name="publish-cycle")
def publish_cycle(campaign: Campaign, cycle: Cycle, data: Data) -> Step:
    """Log a compared cycle, once: a killed run that comes back does not log it twice."""
    tracker = Tracker(campaign)
    record = metrics_of(cycle)
    digest = file_digest(cycle.comparison / "metrics.json")

    def work(folder: Path) -> str:
        parent, child = tracker.parent(), tracker.child(cycle.number)
        if cycle.number == 0:
            tracker.log_params(parent, _flat(campaign.config.model_dump(mode="json")))
            tracker.client.log_artifact(parent, str(campaign.run.config))
        _log_data(tracker, child, data)
        tracker.log_metrics(parent, per_cycle(record), step=cycle.number)
        tracker.log_metrics(
            child, _scores(record) | _losses(cycle) | _gate(cycle) | _calibration(cycle, data), step=cycle.number
        )
        tracker.client.log_artifacts(child, str(cycle.comparison), "comparison")
        if cycle.number > 0:
            tracker.client.log_artifacts(child, str(cycle.failures), "failures")
        write_cycle_plots(campaign, cycle, data, folder / "plots")
        tracker.client.log_artifacts(child, str(folder / "plots"), "plots")
        if record[CHAMPION]["promoted"]:
            _register(campaign, tracker, child, cycle, record[CHAMPION]["arm"], digest)
        tracker.finish(child)
        return digest

    return run_step(cycle.folder / "published", work, comparison=digest, uri=tracker.uri)


@task(cache_policy=NO_CACHE, task_run_name="publish-campaign")
def publish_campaign(campaign: Campaign, data: Data, reason: str | None) -> Path:
    """Write the HTML report and hand it to MLflow. reason: why the campaign ended, None while it may go on."""
    page = write_report(campaign, data, reason)
    say(f"report: {page}")
    tracker = Tracker(campaign)
    tracker.client.log_artifact(tracker.parent(), str(page), "report")
    tracker.client.set_tag(tracker.parent(), "hardcase.stopped", reason or "not yet")
    tracker.finish(tracker.parent())
    return page


def per_cycle(record: dict[str, Any]) -> dict[str, float]:
    """What the campaign's run charts against the cycle, e.g. `mAP/val/imitation`."""
    values = {}
    for arm, splits in record["arms"].items():
        for split, scores in splits.items():
            for metric, interval in scores["intervals"].items():
                values[f"{metric}/{split}/{arm}"] = interval["value"]
                values[f"{metric}_low/{split}/{arm}"] = interval["low"]
                values[f"{metric}_high/{split}/{arm}"] = interval["high"]
    for opponent, splits in record["gains"].items():
        for split, metrics in splits.items():
            values |= {f"{metric}_gain/{split}/against_{opponent}": gain["value"] for metric, gain in metrics.items()}
    for split, metrics in record.get(REFINING, {}).items():
        for metric, gain in metrics.items():
            values[f"{metric}_gain/{split}/refined_against_imitation"] = gain["value"]
    values |= {f"synthetic_share/{arm}": mix["synthetic_share"] for arm, mix in record["mix"].items()}
    return values


def _scores(record: dict[str, Any]) -> dict[str, float]:
    """Every metric of every arm, split and seed, e.g. `imitation/val/seed-0/AP50/car`."""
    return {
        f"{arm}/{split}/seed-{seed}/{metric}": value
        for arm, splits in record["arms"].items()
        for split, scores in splits.items()
        for seed, metrics in enumerate(scores["seeds"])
        for metric, value in metrics.items()
    }


def _calibration(cycle: Cycle, data: Data) -> dict[str, float]:
    """Calibration errors of every arm (training seed 0) on val, e.g. `imitation/val/seed-0/ECE`."""
    val = Dataset.open(data.val)
    return {
        f"{arm}/val/seed-0/{name}": value
        for arm in cycle.arms
        for name, value in calibration(val, cycle.detections(arm, 0) / "val.parquet").figures().items()
    }


def _losses(cycle: Cycle) -> dict[str, float]:
    """Captures that CARLA lost and that were made good, e.g. `carla_losses/imitation/crashed`."""
    return {
        f"carla_losses/{arm}/{kind.replace(' ', '_')}": count
        for arm in (IMITATION, RANDOM)
        for kind, count in losses_by_kind(cycle.synthetic(arm) / LOSSES).items()
    }


def _gate(cycle: Cycle) -> dict[str, float]:
    """What became of the refined frames, e.g. `gate/keep`."""
    if REFINED not in cycle.arms:
        return {}
    return {f"gate/{outcome}": count for outcome, count in gate_summary(cycle).outcomes.items()}


def _log_data(tracker: Tracker, run_id: str, data: Data) -> None:
    """Name, digest and place of each split, so that MLflow shows what a run was made from."""
    stores = {"train": data.train, **data.judged()}
    inputs = []
    for name, folder in stores.items():
        dataset = Dataset.open(folder)
        source = json.dumps({"uri": folder.as_uri()})
        profile = json.dumps({"frames": len(dataset), **dataset.counts()})
        inputs.append(DatasetInput(LoggedDataset(name, dataset.digest[:36], "local", source, None, profile), []))
    tracker.client.log_inputs(run_id, inputs)


def _register(campaign: Campaign, tracker: Tracker, run_id: str, cycle: Cycle, arm: str, comparison: str) -> None:
    """Register the detector that beat the champion (seed 0's weights), once, and move the alias to it."""
    client, name = tracker.client, f"hardcase-{campaign.run.name}"
    try:
        client.create_registered_model(name, description="Detectors that beat the champion outside the noise")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {"cycle": str(cycle.number), "arm": arm, "comparison": comparison}
    known = [one for one in client.search_model_versions(f"name='{name}'") if one.run_id == run_id and one.tags == tags]
    if not known:
        client.log_artifact(run_id, str(checkpoint_of(training_of(cycle, arm, seed=0))), "detector")
        source = f"{client.get_run(run_id).info.artifact_uri}/detector"
        known = [client.create_model_version(name, source, run_id, tags=tags)]
    client.set_registered_model_alias(name, CHAMPION, known[0].version)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted names, as `--set` takes them."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)[:6000]
    return flat
