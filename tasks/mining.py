"""Mine the pool for what the detector gets wrong, and choose which failures are worth a scene."""

import json
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.store import Dataset
from evaluation.failure import RECREATED_KINDS, Failure
from evaluation.failures import FailureTable, mine
from simulator.resize import scale_to
from tasks.campaign import Campaign
from tasks.config import SimulatorConfig
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
def choose_failures(campaign: Campaign, cycle: Cycle, data: Data, failures: Step) -> Step:
    """The costliest failures that a scene can answer: scenes/chosen.json, a list of failure ids (none left: empty)."""
    limit, simulator = campaign.config.mining.max_failures, campaign.config.simulator
    pool = Dataset.open(data.pool)
    row_of = {frame_id: row for row, frame_id in enumerate(pool.frame_ids().tolist())}

    def work(folder: Path) -> str:
        chosen: list[str] = []
        for failure in failures_of(cycle).iterate():
            width_px = pool.frame(row_of[failure.frame_id]).width_px
            if failure.kind in RECREATED_KINDS and can_be_labelled(failure, width_px, simulator):
                chosen.append(failure.failure_id)
            if len(chosen) == limit:
                break
        partial = folder / "chosen.partial"
        partial.write_text(json.dumps(chosen))
        partial.replace(folder / "chosen.json")
        return file_digest(folder / "chosen.json")

    step = run_step(
        cycle.scenes,
        work,
        failures=failures.digest,
        limit=limit,
        limits=simulator.limits,
        max_width_px=simulator.max_width_px,
    )
    say(step)
    return step


def nothing_left(chosen: Step) -> str | None:
    """Why there is no cycle to run, where no failure was chosen: a reason to stop, see stopping.py."""
    if json.loads((chosen.folder / "chosen.json").read_text()):
        return None
    return (
        "the detector makes no failure on the pool that a scene could answer (data.pool_share, simulator.max_width_px)"
    )


def can_be_labelled(failure: Failure, frame_width_px: int, simulator: SimulatorConfig) -> bool:
    """Whether the failure's box, at the size it is rendered, is large enough for a label to be learned from."""
    scale, limits = scale_to(frame_width_px, simulator.max_width_px), simulator.limits
    left, top, right, bottom = (edge * scale for edge in failure.box_xyxy_px)
    tall, wide = bottom - top >= limits.min_height_px, right - left >= limits.min_width_px
    return tall and wide and (bottom - top) * (right - left) >= limits.min_visible_px


def failures_of(cycle: Cycle) -> FailureTable:
    return FailureTable.open(cycle.failures / "failures.parquet")
