"""A whole campaign, as a user runs it: to the end, killed in every stage, and through the servers."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dataset.store import Dataset
from models.detector.checkpoint import load
from tasks.layout import ARMS_WITH_REFINED, Run
from tests.servers import ROOT

# Every stage of a run, and where in it the power fails.
DEATHS = [
    ("data/all", "half"),
    ("data/splits", "unrecorded"),
    ("cycle-00/training/baseline/seed-0", "half"),
    ("cycle-00/detections/baseline/seed-0", "unrecorded"),
    ("cycle-00/comparison", "begun"),
    ("cycle-00/published", "unrecorded"),
    ("cycle-01/failures", "unrecorded"),
    ("cycle-01/scenes", "unrecorded"),
    ("cycle-01/synthetic/imitation", "half"),
    ("cycle-01/refiner", "unrecorded"),
    ("cycle-01/synthetic/refined", "unrecorded"),
    ("cycle-01/mix/imitation", "unrecorded"),
    ("cycle-01/training/imitation/seed-0", "half"),
    ("cycle-01/detections/imitation/seed-0", "begun"),
    ("cycle-01/comparison", "unrecorded"),
]


def run_campaign(env: dict[str, str], runs: Path, *death: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tests.killed_run", str(runs), *death]
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="module")
def uninterrupted(prefect_env, tmp_path_factory) -> Run:
    runs = tmp_path_factory.mktemp("whole")
    result = run_campaign(prefect_env, runs)
    assert result.returncode == 0, result.stderr[-4000:]
    return Run(runs / "smoke")


def fingerprint(run: Run) -> dict[str, object]:
    """What must not depend on interruptions: failures, scenes, pictures, mixes, detectors, numbers."""
    cycle = run.cycle(1)
    metrics = json.loads((cycle.comparison / "metrics.json").read_text())
    return {
        "failures": (cycle.failures / "failures.parquet").read_bytes(),
        "chosen": (cycle.scenes / "chosen.json").read_text(),
        "scenes": {arm: (cycle.synthetic(arm) / "scenes.jsonl").read_text() for arm in ("imitation", "random")},
        "synthetic": {arm: Dataset.open(cycle.synthetic(arm)).digest for arm in ("imitation", "random")},
        "refined": [path.read_bytes() for path in sorted((cycle.synthetic("refined") / "images").rglob("*.png"))],
        "mix": {arm: Dataset.open(cycle.mix(arm) / "store").digest for arm in ("imitation", "refined", "random")},
        "metrics": json.dumps(metrics, sort_keys=True),
    }


def test_a_campaign_leaves_what_its_user_looks_at(uninterrupted):
    cycle = uninterrupted.cycle(1)
    metrics = json.loads((cycle.comparison / "metrics.json").read_text())
    assert set(metrics["arms"]) == set(ARMS_WITH_REFINED)
    steps = {arm: load(cycle.training(arm, 0) / "last.pt")["step"] for arm in ARMS_WITH_REFINED}
    assert len(set(steps.values())) == 1, "arms trained for unequal steps"
    assert metrics["mix"]["imitation"]["synthetic_share"] <= 0.5
    assert metrics["mix"]["refined"]["synthetic"] <= metrics["mix"]["imitation"]["synthetic"], "the gate only drops"
    assert metrics["mix"]["imitation"]["synthetic"] == metrics["mix"]["random"]["synthetic"], "arms of unequal size"
    page = (uninterrupted.report / "report.html").read_text()
    assert "stand-in" in page
    assert not re.search(r'(src|href)="https?://', page), "the page must not need a network"


def test_mlflow_holds_map_against_cycle_on_the_campaigns_run(uninterrupted):
    ids = json.loads((uninterrupted.folder / "mlflow.json").read_text())
    client = MlflowClient(ids["uri"])
    for arm in ARMS_WITH_REFINED:
        history = client.get_metric_history(ids["parent"], f"mAP/val/{arm}")
        assert [point.step for point in history] == [1]
    assert [point.step for point in client.get_metric_history(ids["parent"], "mAP/val/baseline")] == [0]
    child = client.get_run(ids["cycle-1"])
    assert child.data.tags["mlflow.parentRunId"] == ids["parent"]
    assert child.inputs is not None
    assert {given.dataset.name for given in child.inputs.dataset_inputs} == {"train", "pool", "val"}
    registered = client.get_model_version_by_alias("hardcase-smoke", "champion")
    assert registered.run_id == ids["cycle-0"] or registered.run_id == ids["cycle-1"]


def test_running_again_does_nothing_twice(uninterrupted, prefect_env):
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.folder.glob("cycle-*/**/step.json")}
    result = run_campaign(prefect_env, uninterrupted.folder.parent)
    assert result.returncode == 0, result.stderr[-4000:]
    assert before == {path: path.stat().st_mtime_ns for path in uninterrupted.folder.glob("cycle-*/**/step.json")}


def test_a_campaign_ends_where_no_failure_is_left_to_answer(prefect_env, tmp_path):
    nothing_is_tall_enough = "simulator.max_width_px=16"
    command = [sys.executable, "-m", "flows", "campaign", "--preset", "smoke", "--set", f"runs={tmp_path}"]
    result = subprocess.run(
        [*command, "--set", nothing_is_tall_enough],
        cwd=ROOT,
        env=os.environ | prefect_env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "no failure on the pool that a scene could answer" in result.stdout + result.stderr
    assert Run(tmp_path / "smoke").finished_cycles() == [0]
    assert "no failure on the pool" in (Run(tmp_path / "smoke").report / "report.html").read_text()


@pytest.mark.timeout(1200)
def test_a_campaign_killed_in_every_stage_ends_like_one_that_was_not(uninterrupted, prefect_env, tmp_path):
    for stage, moment in DEATHS:
        result = run_campaign(prefect_env, tmp_path, stage, moment)
        assert result.returncode == -signal.SIGKILL, f"{stage} was not reached:\n{result.stderr[-3000:]}"
    result = run_campaign(prefect_env, tmp_path)
    assert result.returncode == 0, result.stderr[-4000:]
    assert fingerprint(Run(tmp_path / "smoke")) == fingerprint(uninterrupted)
    partial = [path for path in tmp_path.rglob("*.partial*")]
    assert not partial, f"left behind: {partial}"
