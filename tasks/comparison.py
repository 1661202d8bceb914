"""Prove the gain: every arm on val and test with intervals over images and seeds, fix rates, and the champion."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.store import Dataset
from evaluation.average_precision import evaluate
from evaluation.fix_rate import fix_rate
from evaluation.seeds import interval_over_seeds, paired_difference_over_seeds
from tasks.campaign import Campaign
from tasks.data import Data
from tasks.layout import BASELINE, IMITATION, RANDOM, REAL, REFINED, Cycle
from tasks.log import say
from tasks.mining import failures_of
from tasks.mixing import summary_of
from tasks.steps import Step, code_digest, file_digest, finished, run_step

METRICS = ("mAP", "AP50")  # those that get intervals; the others are reported as they are
BINS = ("kind", "category", "distance", "occlusion", "truncation", "height", "time_of_day", "weather")
CHAMPION = "champion"
REFINING = "refining"  # gains of the refined arm over imitation, where there is one


@task(cache_policy=NO_CACHE, task_run_name="compare-arms")
def compare_arms(campaign: Campaign, cycle: Cycle, data: Data, detections: dict[str, list[Step]]) -> Step:
    """Write comparison/metrics.json and fix_rate_ARM.parquet. detections: by arm, one step a seed."""
    judges = {name: path for name, path in data.judged().items() if name != "pool"}

    def work(folder: Path) -> str:
        record: dict[str, Any] = {
            "cycle": cycle.number,
            "arms": {
                arm: {split: _score(campaign, cycle, arm, split, judges[split]) for split in judges}
                for arm in cycle.arms
            },
            "gains": {},
            "mix": {},
        }
        if cycle.number > 0:
            record["gains"] = {
                other: {
                    split: _gain(campaign, (where, arm), (cycle, IMITATION), split, judges[split]) for split in judges
                }
                for other, (where, arm) in opponents(cycle).items()
            }
            record["mix"] = {arm: summary_of(cycle, arm) for arm in cycle.mixed_arms}
            if REFINED in cycle.arms:
                record[REFINING] = {
                    split: _gain(campaign, (cycle, IMITATION), (cycle, REFINED), split, judges[split])
                    for split in judges
                }
            _write_fix_rates(cycle, data, folder)
        record[CHAMPION] = crown(cycle, record)
        partial = folder / "metrics.partial"
        partial.write_text(json.dumps(record, indent=1))
        partial.replace(folder / "metrics.json")
        return file_digest(folder / "metrics.json")

    step = run_step(
        cycle.comparison,
        work,
        detections={arm: [step.digest for step in steps] for arm, steps in detections.items()},
        earlier=[file_digest(cycle.run.cycle(n).comparison / "metrics.json") for n in range(cycle.number)],
        failures=None if cycle.number == 0 else finished(cycle.failures).digest,
        mix=[finished(cycle.mix(arm)).digest for arm in cycle.mixed_arms],
        data=data.digest,
        samples=campaign.config.loop.bootstrap_samples,
        code=code_digest("evaluation", "dataset"),
    )
    say(f"{step}; val mAP " + ", ".join(f"{arm} {val_map(cycle, arm):.4f}" for arm in cycle.arms))
    return step


def metrics_of(cycle: Cycle) -> dict[str, Any]:
    """The record that compare_arms wrote."""
    return json.loads((cycle.comparison / "metrics.json").read_text())


def val_map(cycle: Cycle, arm: str) -> float:
    return metrics_of(cycle)["arms"][arm]["val"]["intervals"]["mAP"]["value"]


def learner(cycle: Cycle) -> str:
    """The arm whose detector the next cycle mines, and which may become champion.

    It stays imitation where a refiner is on: taking the better of two arms on val would favour whichever was lucky
    there, and the record of what refining gained is only fair while nothing depends on it.
    """
    return BASELINE if cycle.number == 0 else IMITATION


def opponents(cycle: Cycle) -> dict[str, tuple[Cycle, str]]:
    """Whom this cycle's imitation arm is measured against: both controls, the cycle before, and the champion."""
    before = cycle.run.cycle(cycle.number - 1)
    holder = metrics_of(before)[CHAMPION]
    return {
        REAL: (cycle, REAL),
        RANDOM: (cycle, RANDOM),
        "previous": (before, learner(before)),
        CHAMPION: (cycle.run.cycle(holder["cycle"]), holder["arm"]),
    }


def detection_files(campaign: Campaign, cycle: Cycle, arm: str, split: str) -> list[Path]:
    return [cycle.detections(arm, seed) / f"{split}.parquet" for seed in campaign.seeds]


def _score(campaign: Campaign, cycle: Cycle, arm: str, split: str, store: Path) -> dict[str, Any]:
    dataset, files = Dataset.open(store), detection_files(campaign, cycle, arm, split)
    samples = campaign.config.loop.bootstrap_samples
    return {
        "seeds": [evaluate(dataset, file).to_dict() for file in files],
        "intervals": {
            metric: asdict(interval_over_seeds(dataset, files, metric, samples=samples)) for metric in METRICS
        },
    }


def _gain(
    campaign: Campaign, before: tuple[Cycle, str], after: tuple[Cycle, str], split: str, store: Path
) -> dict[str, Any]:
    """By how much the detectors of one cycle's arm are better than those of another's."""
    ours, theirs = detection_files(campaign, *after, split), detection_files(campaign, *before, split)
    samples = campaign.config.loop.bootstrap_samples
    dataset = Dataset.open(store)
    return {
        metric: asdict(paired_difference_over_seeds(dataset, theirs, ours, metric, samples=samples))
        for metric in METRICS
    }


def _write_fix_rates(cycle: Cycle, data: Data, folder: Path) -> None:
    """Of the failures mined for this cycle, how many each arm no longer makes (seed 0: the detector that was mined)."""
    pool, failures, before = Dataset.open(data.pool), failures_of(cycle), cycle.run.cycle(cycle.number - 1)
    mined = before.detections(learner(before), 0) / "pool.parquet"
    for arm in cycle.arms:
        after = cycle.detections(arm, 0) / "pool.parquet"
        for by in BINS:
            pq.write_table(fix_rate(pool, failures, mined, after, by=by), folder / f"fix_rate_{arm}_by_{by}.parquet")


def crown(cycle: Cycle, record: dict[str, Any]) -> dict[str, Any]:
    """The candidate becomes champion only when its gain on val mAP lies above 0 outside the noise."""
    if cycle.number == 0:
        return {"cycle": 0, "arm": BASELINE, "promoted": True}
    if record["gains"][CHAMPION]["val"]["mAP"]["low"] > 0:
        return {"cycle": cycle.number, "arm": IMITATION, "promoted": True}
    return metrics_of(cycle.run.cycle(cycle.number - 1))[CHAMPION] | {"promoted": False}
