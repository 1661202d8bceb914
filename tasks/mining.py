"""Mine the pool for what the detector gets wrong, and choose which failures are worth a scene."""

import json
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.failure import RECREATED_KINDS
from evaluation.failures import FailureTable, mine
from tasks.campaign import Campaign
from tasks.data import Data
from tasks.layout import Cycle
from tasks.log import say
from tasks.steps import Step, code_digest, file_digest, run_step


@task(cache_policy=NO_CACHE, task_run_name="mine-failures")
def mine_failures(campaign: Campaign, cycle: Cycle, data: Data, detections: Step) -> Step:
    """Everything the detector got wrong on the pool, costliest first: failures/failures.parquet."""
    config = campaign.config.mining

    def work(folder: Path) -> str:
        pool = Dataset.open(data.pool)
        mine(
            pool,
            detections.folder / "pool.parquet",
            folder / "failures.parquet",
            score_threshold=config.score_threshold,
            iou_threshold=config.iou_threshold,
        )
        return file_digest(folder / "failures.parquet")

    step = run_step(
        cycle.failures,
        work,
        detections=detections.digest,
        data=data.digest,
        config=config.model_dump(include={"score_threshold", "iou_threshold"}),
        code=code_digest("evaluation", "dataset"),
    )
    counts = failures_of(cycle).counts()
    say(f"{step}; " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count))
    return step


@task(cache_policy=NO_CACHE, task_run_name="choose-failures")
def choose_failures(campaign: Campaign, cycle: Cycle, failures: Step) -> Step:
    """The costliest failures that a scene can answer: scenes/chosen.json, a list of failure ids."""
    limit = campaign.config.mining.max_failures

    def work(folder: Path) -> str:
        chosen: list[str] = []
        for failure in failures_of(cycle).iterate():
            if failure.kind in RECREATED_KINDS:
                chosen.append(failure.failure_id)
            if len(chosen) == limit:
                break
        if not chosen:
            raise InputError(
                failures.folder,
                "the detector made no failure on the pool that a scene could answer",
                "raise data.pool_share, lower mining.score_threshold, or stop here: there is nothing to imitate",
            )
        partial = folder / "chosen.partial"
        partial.write_text(json.dumps(chosen))
        partial.replace(folder / "chosen.json")
        return file_digest(folder / "chosen.json")

    step = run_step(cycle.scenes, work, failures=failures.digest, limit=limit)
    say(step)
    return step


def failures_of(cycle: Cycle) -> FailureTable:
    return FailureTable.open(cycle.failures / "failures.parquet")
