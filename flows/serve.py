"""Prefect, MLflow and the deployments on one machine, for as long as the terminal stays open."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import typer

from dataset.errors import InputError
from flows.settings import resolve
from tasks.config import CampaignConfig

START_S = 120.0  # a fresh database is migrated first


def serve(host: str, prefect_port: int, mlflow_port: int, runs: Path, simulator: str | None) -> None:
    """Start both servers, serve `campaign` and `cycle`, and end what was started on Ctrl-C or SIGTERM.

    `simulator` is the deployments' own; for CARLA's servers Prefect gets its limit, one slot a server.
    """
    config = resolve("laptop", flags={"runs": str(runs), "simulator.address": simulator})
    runs.mkdir(parents=True, exist_ok=True)
    prefect_url, mlflow_url = f"http://{host}:{prefect_port}", f"http://{host}:{mlflow_port}"
    quiet = os.environ | {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    # Prefect reads its settings once, when it is first imported, as tasks.tracking does. Without the address it would
    # start a second server on the same database.
    assert "prefect" not in sys.modules
    os.environ["PREFECT_API_URL"] = f"{prefect_url}/api"
    os.environ["MLFLOW_TRACKING_URI"] = mlflow_url
    from tasks.tracking import artifact_root, local_store

    prefect_server = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(prefect_port)]
    mlflow_server = [
        *(sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(mlflow_port), "--workers", "1"),
        *("--backend-store-uri", local_store(runs), "--artifacts-destination", str(artifact_root(runs))),
        *("--allowed-hosts", f"{host}:{mlflow_port},localhost:{mlflow_port},127.0.0.1:{mlflow_port}"),
    ]
    with (
        _process("Prefect", prefect_server, f"{prefect_url}/api/health", runs / "prefect.log", quiet),
        _process("MLflow", mlflow_server, f"{mlflow_url}/health", runs / "mlflow.log", quiet),
    ):
        typer.echo(f"Prefect  {prefect_url}\nMLflow   {mlflow_url}")
        typer.echo("deployments: campaign/campaign (a schedule, off), cycle/cycle (by hand); Ctrl-C ends all")
        _serve_deployments(config)


def _serve_deployments(config: CampaignConfig) -> None:
    from prefect import serve as serve_flows
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Cron

    from flows.imitation import campaign, cycle
    from tasks.rendering import make_slots

    if config.simulator.uses_carla:
        typer.echo(f"Prefect's limit {make_slots(config.simulator)} keeps CARLA's servers to one client each")
    weekly = Cron("0 22 * * 5", timezone="UTC", active=False)
    parameters = {"config": config.model_dump(mode="json", exclude_defaults=True)}
    shared = {"parameters": parameters, "tags": ["hardcase"]}
    deployments = [
        campaign.to_deployment("campaign", schedules=[weekly], **shared),
        cycle.to_deployment("cycle", **shared),
    ]
    # Prefect's types allow for coroutines, which these are only inside an event loop.
    # One run at a time, of either kind: a run fills the machine. The runner holds the others back; Prefect's
    # `concurrency_limit` on a deployment cancelled runs that had lost a lease between pending and running.
    serve_flows(*cast(list[RunnerDeployment], deployments), limit=1, print_starting_message=False)


@contextmanager
def _process(name: str, command: list[str], health_url: str, log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A server in a process of its own, answering before the block runs and ended after it."""
    if _answers(health_url):
        raise InputError(
            health_url, f"something answers there before {name} was started", "choose another port, or stop it"
        )
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        deadline_s = time.monotonic() + START_S
        while not _answers(health_url):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise InputError(name, f"did not start within {START_S:.0f} s", f"read {log}")
            time.sleep(0.3)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
