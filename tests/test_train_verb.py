"""The verb `train` among several processes: what one does alone, and told once."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from dataset.errors import InputError
from flows.__main__ import app
from flows.processes import imported_once
from flows.settings import resolve
from flows.single import train_once
from models.detector.checkpoint import load
from tasks import curves
from tests.test_dataset_readers import CAR, kitti

SETTINGS = {
    "detector.input_width_px": 96, "detector.input_height_px": 64, "detector.neck_channels": 16,
    "baseline.steps": 2, "baseline.batch_size": 2, "baseline.log_every": 2, "baseline.score_every": 1,
    "baseline.accelerator": "cpu", "baseline.precision": "fp32",
}  # fmt: skip


@pytest.mark.usefixtures("one_thread")
def test_two_processes_of_train_read_the_data_once_and_learn_what_one_does(tmp_path):
    spec = kitti(tmp_path / "kitti", {f"{i:06d}": f"{CAR}\n" if i else "Car nonsense\n" for i in range(5)})
    flags = {"data.train": spec, "data.val": spec, "data.skip_bad": True}
    train_once(resolve(flags=flags | SETTINGS), tmp_path / "one", None)

    (tmp_path / "two").mkdir()
    curves.note(tmp_path / "two", 1, {"loss": 99.0})  # of a training that was here before

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "flows"]
    verb = ["train", "--data", spec, "--val", spec, "--skip-bad", "--out", str(tmp_path / "two")]
    done = subprocess.run(
        [*command, *verb, *(part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}"))],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = done.stdout + done.stderr
    assert told.count("1 bad frames left out") == 2, "of the training data and of the validation data, by one process"
    assert told.count("detector: ") == 1 and (tmp_path / "two" / "learning_curves.png").is_file()
    one, two = (curves.curves_of(tmp_path / name)["loss"] for name in ("one", "two"))
    assert two[0].tolist() == [2] and two[1] == pytest.approx(one[1], rel=1e-4)
    found = [load(tmp_path / name / "best.pt") for name in ("one", "two")]
    assert found[0]["data"] == found[1]["data"] and load(tmp_path / "two" / "last.pt")["step"] == 2


def process(first: bool, failed: bool):
    """A process of several, as Fabric shows it: the first one's answer reaches all."""
    return SimpleNamespace(is_global_zero=first, rank_zero_first=nullcontext, broadcast=lambda _: failed)


def test_data_that_cannot_be_read_is_told_by_the_first_process_and_ends_the_others(tmp_path):
    def make() -> None:
        raise InputError("kitti:nowhere", "is no folder", "give one")

    with pytest.raises(InputError, match="nowhere"):
        imported_once(process(first=True, failed=True), make, [tmp_path])  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match="2"):
        imported_once(process(first=False, failed=True), make, [tmp_path])  # type: ignore[arg-type]


def test_verbs_that_do_not_share_their_work_are_refused_under_torchrun(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    error = CliRunner().invoke(app, ["render", "--count", "1"]).exception
    assert isinstance(error, InputError) and "render under torchrun" in str(error)
