"""What MLflow shows: a parent run for the campaign, a child run a cycle.

The parent carries `mAP/val/ARM` against step = cycle, so that its chart is the campaign's learning curve. The child
carries the training curves, the tables, the pictures and the digests of the data. Ids of runs are kept in the run's
folder, so that a resumed campaign goes on in the same runs.
"""

import json
import os
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from dataset.errors import InputError
from tasks.campaign import Campaign
from tasks.config import CampaignConfig
from tasks.log import say

PARENT, NAME = "mlflow.parentRunId", "mlflow.runName"


def tracking_uri(config: CampaignConfig) -> str:
    """Where runs are logged: the config, else the environment, else a database beside the runs."""
    if config.mlflow.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI"):
        return config.mlflow.tracking_uri or os.environ["MLFLOW_TRACKING_URI"]
    return local_store(config.runs)


def local_store(runs: Path) -> str:
    return f"sqlite:///{runs.absolute() / 'mlflow.db'}"


def artifact_root(runs: Path) -> Path:
    """Where a local store keeps its files."""
    return runs.absolute() / "mlartifacts"


def redacted(uri: str) -> str:
    """The address without its password, for files, keys and screens."""
    return re.sub(r"(://[^/@:]*:)[^/@]+(?=@)|(password=)[^&]+", r"\1\2***", uri)


class Tracker:
    """The MLflow runs of one campaign. Uses the client throughout: MLflow's 'active run' is bound to a thread."""

    def __init__(self, campaign: Campaign):
        uri = tracking_uri(campaign.config)
        self.client = connect(uri)
        self.uri = redacted(uri)
        self._ids_file = campaign.run.folder / "mlflow.json"
        self._ids = self._known_ids()
        if self._ids.get("uri") != self.uri:
            self._ids = {"uri": self.uri, "experiment": self._experiment(campaign)}
        self._name = campaign.run.name

    @property
    def experiment_id(self) -> str:
        return self._ids["experiment"]

    def parent(self) -> str:
        """The campaign's run, begun where it is new."""
        return self._run("parent", {NAME: self._name, "hardcase.kind": "campaign"})

    def child(self, cycle: int) -> str:
        """The run of a cycle, below the campaign's."""
        name = "baseline" if cycle == 0 else f"cycle {cycle}"
        tags = {
            PARENT: self.parent(),
            NAME: f"{self._name} {name}",
            "hardcase.kind": "cycle",
            "hardcase.cycle": str(cycle),
        }
        return self._run(f"cycle-{cycle}", tags)

    def log_params(self, run_id: str, params: dict[str, Any]) -> None:
        """Parameters; a name that a resumed run logs again with another value keeps its first one in MLflow."""
        known = self.client.get_run(run_id).data.params
        for name, value in params.items():
            if name not in known:
                self.client.log_param(run_id, name, value)

    def log_metrics(self, run_id: str, values: dict[str, float], step: int) -> None:
        """All values in one call; NaN (no such objects) is left out."""
        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now_ms, step) for name, value in values.items() if value == value]
        self.client.log_batch(run_id, metrics=metrics)

    def log_curves(self, cycle: int, prefix: str, step: int, values: dict[str, float]) -> None:
        """A point of a training's curves in a cycle's run, e.g. with the prefix `training/imitation/seed-0`."""
        named = {f"{prefix}/{name}": value for name, value in values.items()}
        told_if_lost(lambda: self.log_metrics(self.child(cycle), named, step), f"step {step} of {prefix}")

    def log_sheet(self, cycle: int, folder: str, step: int, sheet: np.ndarray) -> None:
        """A contact sheet (H, W, 3) uint8 of a training's present state."""
        name = f"{folder}/step-{step:06d}.png"
        told_if_lost(lambda: self.client.log_image(self.child(cycle), sheet, name), f"the picture {name}")

    def finish(self, run_id: str, failed: bool = False) -> None:
        self.client.set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def _known_ids(self) -> dict[str, str]:
        """Ids of the runs that were begun; none where MLflow no longer knows them (its database was deleted)."""
        try:
            ids = json.loads(self._ids_file.read_text())
            if "parent" in ids:
                self.client.get_run(ids["parent"])
        except (FileNotFoundError, json.JSONDecodeError, MlflowException):
            return {}
        return ids

    def _run(self, key: str, tags: dict[str, str]) -> str:
        if key not in self._ids:
            self._ids[key] = self.client.create_run(self.experiment_id, tags=tags).info.run_id
            partial = self._ids_file.with_suffix(".partial")
            partial.write_text(json.dumps(self._ids, indent=1))
            partial.replace(self._ids_file)
        return self._ids[key]

    def _experiment(self, campaign: Campaign) -> str:
        name = campaign.config.mlflow.experiment
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        local = self.uri.startswith("sqlite:")
        return self.client.create_experiment(name, artifact_root(campaign.config.runs).as_uri() if local else None)


def told_if_lost(act: Callable[[], object], what: str) -> None:
    """Do what tells MLflow something; where it does not answer, say so and go on."""
    try:
        act()
    except (MlflowException, OSError) as error:  # a point of a curve is not worth a training
        reason, _, _ = str(error).partition("\n")
        say(f"MLflow did not take {what}: {reason}")


@cache
def connect(uri: str) -> MlflowClient:
    """A client whose server (or database) has answered once."""
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7, its default, hangs minutes on a wrong address
    try:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"mlflow.tracking_uri {redacted(uri)}",
            f"no answer ({reason})",
            "start it (python -m flows serve) or unset MLFLOW_TRACKING_URI",
        ) from error
    mlflow.set_tracking_uri(uri)
    return client
