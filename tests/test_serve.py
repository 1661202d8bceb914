"""`serve` in one terminal, a run triggered through Prefect's API, its mAP read back through MLflow's."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
import yaml
from mlflow import MlflowClient

from flows.settings import resolve
from tests.servers import ROOT, free_port, wait_for


def request(url: str, body: dict | None = None) -> dict:
    """The answer; asked for again where Prefect says 503, which is its word for an SQLite that was busy.

    Prefect's own clients do the same; nothing was written by a request that was answered so.
    """
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    deadline_s = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline_s:
                raise
            time.sleep(1)


def hear_ctrl_c() -> None:
    """A shell that runs the tests in the background has its children ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def served(tmp_path):
    """The addresses of a running `python -m flows serve`."""
    prefect, mlflow, log = free_port(), free_port(), tmp_path / "serve.log"
    command = [sys.executable, "-m", "flows", "serve", "--runs", str(tmp_path / "runs")]
    command += ["--prefect-port", str(prefect), "--mlflow-port", str(mlflow)]
    env = os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, preexec_fn=hear_ctrl_c
        )
    try:
        api = f"http://127.0.0.1:{prefect}/api"
        wait_for(f"{api}/deployments/name/cycle/cycle", process, log, seconds=180)
        yield api, f"http://127.0.0.1:{mlflow}", log
        family = [" ".join(one.cmdline()) for one in psutil.Process(process.pid).children(recursive=True)]
        assert sum("prefect" in one and "server" in one for one in family) == 1, f"two servers, one database: {family}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(120)  # its servers have 15 s each to end, on a machine that may be busy


@pytest.mark.timeout(900)
def test_a_cycle_triggered_by_hand_shows_its_map_in_mlflow(served, tmp_path):
    api, mlflow, log = served
    deployment = request(f"{api}/deployments/name/cycle/cycle")
    form = deployment["parameter_openapi_schema"]["properties"]
    assert "config" in form, "the configuration must be the form in the UI"
    schedules = request(f"{api}/deployments/name/campaign/campaign")["schedules"]
    assert [schedule["active"] for schedule in schedules] == [False]

    config = resolve("smoke", flags={"runs": str(tmp_path / "runs")}).model_dump(mode="json", exclude_defaults=True)
    run = request(f"{api}/deployments/{deployment['id']}/create_flow_run", {"parameters": {"config": config}})
    deadline_s = time.monotonic() + 600
    ended = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    while (state := request(f"{api}/flow_runs/{run['id']}")["state"])["type"] not in ended:
        assert time.monotonic() < deadline_s, f"still {state['type']}: {log.read_text()[-3000:]}"
        time.sleep(1)
    assert state["type"] == "COMPLETED", f"{state}: {log.read_text()[-3000:]}"

    client = MlflowClient(mlflow)
    experiment = client.get_experiment_by_name("hardcase")
    assert experiment is not None
    parents = client.search_runs([experiment.experiment_id], "tags.`hardcase.kind` = 'campaign'")
    assert len(parents) == 1
    for arm in ("imitation", "random", "real"):
        history = client.get_metric_history(parents[0].info.run_id, f"mAP/val/{arm}")
        assert [point.step for point in history] == [1]
        assert 0 <= history[0].value <= 1


def test_prefect_yaml_names_flows_that_exist_and_an_inactive_schedule():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert {deployment["name"] for deployment in deployments} == {"campaign", "cycle"}
    for deployment in deployments:
        file, _, function = deployment["entrypoint"].partition(":")
        assert f"def {function}(" in (ROOT / file).read_text()
        assert all(not schedule["active"] for schedule in deployment["schedules"])


def test_the_compose_file_publishes_on_loopback_only():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(services) == {"postgres", "prefect", "mlflow", "worker", "carla"}
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert services["carla"]["profiles"] == ["carla"]
    mounts = [mount for service in services.values() for mount in service.get("volumes", []) if mount.startswith("./")]
    for mount in mounts:
        source = Path(mount.split(":")[0])
        assert (ROOT / source).exists() or source.name == "runs", f"{source} is not in the repository"
