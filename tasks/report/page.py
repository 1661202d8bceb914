"""The campaign's page: report/report.html, one file that needs no other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dataset.errors import InputError
from dataset.store import Dataset
from tasks.campaign import Campaign
from tasks.comparison import metrics_of
from tasks.data import Data
from tasks.layout import ARMS, BASELINE, IMITATION, RANDOM, REAL, REFINED, Cycle
from tasks.mixing import max_share_of_mix
from tasks.report import charts, findings, ledger, scores, tallies
from tasks.report.case import Case
from tasks.report.drawing import DETECTION, REQUEST, TRUTH, data_uri
from tasks.report.gallery import cases
from tasks.report.pairs import refining
from tasks.report.published import plots_of

FOLDER = Path(__file__).parent
CASES_A_CYCLE, CASES_IN_ALL = 8, 80  # about 80 kB a case: the page stays below 8 MB however long the campaign
PLOTTED_CYCLES = 8  # the latest; about 400 kB a cycle
ARM_NAMES = {
    IMITATION: "imitation: real + re-created failures",
    REFINED: "refined: real + the same scenes, refined",
    RANDOM: "random: real + random scenes",
    REAL: "real: real frames alone",
    BASELINE: "baseline",
}


def write_report(campaign: Campaign, data: Data, reason: str | None) -> Path:
    """Write the page anew from what lies in the run's folder. reason: why the campaign ended, None while it may go on.

    Only the frames shown are read. Raises InputError where a table that a finished cycle left is gone.
    """
    page = campaign.run.report / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    partial = page.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(environment().get_template("page.html.j2").generate(_contents(campaign, data, reason)))
    partial.replace(page)
    return page


def environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": findings.number,
        "percent": findings.percent,
        "bounds": findings.bounds,
        "percent_bounds": findings.percent_bounds,
        "duration": findings.duration,
        "known": charts.known,
        "outside_noise": charts.outside_noise,
        "share_bar": charts.share_bar,
        "key": charts.key,
        "data_uri": data_uri,
    }
    return environment


def _contents(campaign: Campaign, data: Data, reason: str | None) -> dict[str, Any]:
    run, loop = campaign.run, campaign.config.loop
    cycles = [campaign.cycle(number) for number in run.finished_cycles()]
    if not cycles:
        raise InputError(run.folder, "no cycle is finished yet", "let the baseline finish first")
    imitation = [cycle for cycle in cycles if cycle.number > 0]
    records = [metrics_of(cycle) for cycle in cycles]
    datasets = {name: Dataset.open(path) for name, path in {"train": data.train, **data.judged()}.items()}
    stages = ledger.stages(run)
    fixes = {cycle.number: tallies.fix_rates(cycle) for cycle in imitation}
    return {
        "name": run.name,
        "style": Markup((FOLDER / "style.css").read_text()),
        "stand_in": any((dataset.sources() == "stand-in").any() for dataset in datasets.values()),
        "headline": [*findings.headline(records), *_fixes(campaign, records)],
        "reason": reason,
        "frames": {name: len(dataset) for name, dataset in datasets.items()},
        "seeds": len(campaign.seeds),
        "arm_names": ARM_NAMES,
        "arms": list(dict.fromkeys(arm for record in records for arm in record["arms"])),
        "arms_of": {record["cycle"]: list(record["arms"]) for record in records},
        "opponents": findings.OPPONENTS,
        "records": records,
        "splits": scores.splits_of(records),
        "score_charts": scores.score_charts(records, "mAP"),
        "gain_charts": scores.gain_charts(records, "mAP"),
        "category_tables": [scores.category_table(record) for record in records],
        "plots": {cycle.number: plots_of(cycle) for cycle in cycles[-PLOTTED_CYCLES:]},
        "counts": tallies.counts_by_cycle(imitation),
        "fixes": fixes,
        "refining": refining(imitation),
        "galleries": _galleries(imitation, data),
        "colours": {"truth": TRUTH, "detection": DETECTION, "request": REQUEST},
        "reconstructions": {cycle.number: tallies.reconstruction(cycle, IMITATION) for cycle in imitation},
        "cap": findings.percent(max_share_of_mix(loop.max_synthetic_share, loop.cap_of)),
        "stages": stages,
        "total_s": sum(stage.seconds for stage in stages),
        "longest_s": max((stage.seconds for stage in stages), default=0) or 1,
        "places": ledger.places(run),
        "folder": campaign.config.runs / run.name,
        "commands": ledger.commands(campaign),
        "config": run.config.read_text(),
    }


def _galleries(imitation: list[Cycle], data: Data) -> dict[int, Iterator[Case]]:
    """Cycle -> its cases, made while the page is written, so that one at a time is in memory."""
    count = max(1, min(CASES_A_CYCLE, CASES_IN_ALL // max(len(imitation), 1)))
    return {cycle.number: cases(cycle, data, count) for cycle in imitation}


def _fixes(campaign: Campaign, records: list[dict[str, Any]]) -> list[str]:
    """The sentence on what was fixed, for the detector that the headline speaks of."""
    cycle = campaign.cycle(findings.detector_that_counts(records)["cycle"])
    return [findings.fix_sentence({arm: tallies.fixed_share(cycle, arm) for arm in ARMS})] if cycle.number else []
