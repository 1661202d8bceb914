"""One MLflow run for a model that is fitted outside a campaign."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from tasks.tracking import artifact_root, connect, local_store, told_if_lost


class FitRun:
    """The run of a folder, in which a resumed fit goes on. At $MLFLOW_TRACKING_URI, else beside the folder.

    A context that closes the run: as failed or killed where what is inside ends so. An MLflow that no longer answers is
    told of and costs nothing else.
    """

    def __init__(self, out: Path, experiment: str):
        self._file, self._experiment = out / "mlflow.json", experiment
        uri = os.environ.get("MLFLOW_TRACKING_URI") or local_store(out.parent)
        self._root = artifact_root(out.parent).as_uri() if uri.startswith("sqlite:") else None
        self._client = connect(uri)
        self._run = self._known() or self._client.create_run(self._experiment_id(), run_name=out.name).info.run_id
        out.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps({"run": self._run}))

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings; a name that a resumed fit tells again keeps its first value."""

        def tell() -> None:
            known = self._client.get_run(self._run).data.params
            for name, value in values.items():
                if name not in known:
                    self._client.log_param(self._run, name, str(value)[:6000])

        told_if_lost(tell, "the settings")

    def log(self, step: int, values: dict[str, float]) -> None:
        """A point of every curve."""
        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now_ms, step) for name, value in values.items()]
        told_if_lost(lambda: self._client.log_batch(self._run, metrics=metrics), f"step {step}")

    def show(self, step: int, sheet: np.ndarray) -> None:
        """A contact sheet (H, W, 3) uint8."""
        name = f"samples/step-{step:06d}.png"
        told_if_lost(lambda: self._client.log_image(self._run, sheet, name), f"the pictures of step {step}")

    def keep(self, files: Sequence[Path]) -> None:
        """What the fit made."""
        for file in files:
            told_if_lost(partial(self._client.log_artifact, self._run, str(file)), file.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        status = "FINISHED" if failed is None else "FAILED" if issubclass(failed, Exception) else "KILLED"
        told_if_lost(lambda: self._client.set_terminated(self._run, status), f"that the run is {status}")

    def _known(self) -> str | None:
        """The folder's run, if MLflow still knows it."""
        try:
            run = json.loads(self._file.read_text())["run"]
            self._client.get_run(run)
        except (FileNotFoundError, json.JSONDecodeError, MlflowException):
            return None
        return run

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        return found.experiment_id if found else self._client.create_experiment(self._experiment, self._root)
