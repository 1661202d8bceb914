"""What the training's options promise: parts add up, devices agree, and nothing depends on where it was interrupted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dataset.errors import InputError
from models.detector.build import build
from models.detector.checkpoint import load
from models.detector.config import AugmentConfig, TrainConfig
from models.detector.launch import compile_trunk, determinism
from models.detector.predict import Detector
from models.detector.train import train
from tests.detector_shapes import DETECTOR, shapes_data

CONFIG = TrainConfig(steps=4, batch_size=4, log_every=1, accelerator="cpu", precision="fp32")
# Every grid has objects: the longer sides of the shapes are 12 to 30 px at this size.
TINY = DETECTOR.model_copy(update={"neck_channels": 16, "cells_across": 1.5})
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return shapes_data(tmp_path_factory.mktemp("shapes"), frames=5)


def changed(config: TrainConfig, **values) -> TrainConfig:
    return TrainConfig(**config.model_dump() | values)


def run(data, out: Path, config: TrainConfig, **options) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """The live weights after training, and what was logged."""
    logged: list[dict[str, float]] = []
    train(data, out, TINY, config, progress=False, on_log=lambda step, values: logged.append(values), **options)
    return load(out / "last.pt")["resume"]["model"], logged


def gradients(folder: Path) -> torch.Tensor:
    """AdamW's running mean of every gradient as one vector; the weights' own steps are all as long."""
    state = load(folder / "last.pt")["resume"]["optimizer"]["state"]
    return torch.cat([values["exp_avg"].flatten() for values in state.values()])


def alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """But for the rounding of float32, summed in another order."""
    return bool((a - b).norm() < 1e-3 * a.norm())


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_batch_learned_in_parts_teaches_what_the_whole_one_does(data, tmp_path):
    frozen = changed(CONFIG, batch_norm="frozen", steps=3)
    _, logged = run(data, tmp_path / "whole", frozen)
    for parts in (2, 4):
        _, log = run(data, tmp_path / str(parts), changed(frozen, accumulate=parts))
        assert alike(gradients(tmp_path / "whole"), gradients(tmp_path / str(parts)))
        assert all(log[-1][name] == pytest.approx(logged[-1][name], rel=1e-4) for name in log[-1] if "loss" in name)


def test_a_part_is_all_that_batch_norm_sees(data, tmp_path):
    for parts in (1, 2):
        run(data, tmp_path / str(parts), changed(CONFIG, steps=1, accumulate=parts))
    assert not alike(gradients(tmp_path / "1"), gradients(tmp_path / "2"))


def test_parts_must_be_equal():
    with pytest.raises((ValidationError, InputError), match="4 images do not divide into 3 equal parts"):
        changed(CONFIG, accumulate=3)


def test_frozen_statistics_stay_those_of_the_first_weights_while_their_scales_learn(data, tmp_path):
    weights, _ = run(data, tmp_path, changed(CONFIG, batch_norm="frozen"))
    first = build(TINY, 2).state_dict()
    assert all(torch.equal(weights[name], first[name]) for name in weights if "running_" in name)
    assert not torch.equal(weights["trunk.bn1.weight"], first["trunk.bn1.weight"])


def test_it_stops_after_so_many_scores_without_a_new_best_and_stays_stopped(data, tmp_path):
    scores = {2: 0.1, 4: 0.5, 6: 0.5, 8: 0.3, 10: 0.9}
    config = changed(CONFIG, steps=12, batch_size=2, score_every=2, save_every=100, patience=2)
    seen = []

    def score(path: Path) -> float:
        seen.append(load(path)["step"])
        return scores[seen[-1]]

    for _ in range(2):  # the second finds it finished
        best = train(data, tmp_path, TINY, config, score=score, progress=False)
        assert seen == [2, 4, 6, 8] and load(tmp_path / "last.pt")["step"] == 8
        assert load(best)["step"] == 4 and best.name == "best.pt"


def test_a_score_that_is_no_number_is_no_new_best_and_is_waited_for(data, tmp_path):
    nan = float("nan")
    scores = {1: nan, 2: 0.3, 3: nan, 4: 0.4, 5: nan, 6: nan}
    config = changed(CONFIG, steps=8, batch_size=2, score_every=1, save_every=100, patience=2)
    best = train(data, tmp_path / "some", TINY, config, score=lambda p: scores[load(p)["step"]], progress=False)
    assert load(best)["step"] == 4 and load(best.with_name("last.pt"))["step"] == 6
    best = train(data, tmp_path / "none", TINY, config, score=lambda path: nan, progress=False)
    assert load(best)["step"] == 1 and load(best.with_name("last.pt"))["step"] == 2


def test_a_run_cut_after_a_score_that_was_no_number_goes_on_as_if_it_had_not_been(data, tmp_path):
    config = changed(CONFIG, steps=4, batch_size=2, score_every=1, save_every=100, patience=3)

    def stop(step, values):
        if step == 2:  # step 1 was scored, and nothing saved
            raise KeyboardInterrupt

    def go(folder: Path, on_log=None) -> list[int]:
        train(data, folder, TINY, config, score=lambda path: float("nan"), progress=False, on_log=on_log)
        return [load(folder / name)["step"] for name in ("best.pt", "last.pt")]

    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "best.pt").write_bytes(b"of a training that was here before")
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "cut", on_log=stop)
    assert go(tmp_path / "cut") == go(tmp_path / "whole") == [1, 3]


def test_patience_without_anything_to_score_on_is_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"patience.*nothing scores.*--val"):
        train(data, tmp_path, TINY, changed(CONFIG, patience=3), progress=False)


def test_the_deterministic_option_reaches_torch_and_two_runs_are_equal_bit_for_bit(data, tmp_path):
    held = []

    def look(step, values):
        cudnn = torch.backends.cudnn
        held.append((torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, not cudnn.benchmark))

    config = changed(CONFIG, steps=2, deterministic=True)
    for name in ("one", "other"):
        train(data, tmp_path / name, TINY, config, progress=False, on_log=look)
    assert held == [(True, True, True)] * 4
    assert not torch.are_deterministic_algorithms_enabled(), "torch is left as it was found"
    assert same(*(load(tmp_path / name / "last.pt")["weights"] for name in ("one", "other")))


def test_a_kernel_that_varies_is_an_error_while_determinism_is_asked_for():
    with determinism(True), pytest.raises(RuntimeError, match="deterministic"):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2), accumulate=False)


@pytest.mark.parametrize("architecture", ["grid", "retinanet"])
def test_half_precision_reaches_the_backbone_in_training_and_detecting(architecture, data, tmp_path, monkeypatch):
    """bf16 is the point of the option: a network that is handed float32 and computes in it would pass unseen."""
    from torchvision.models.resnet import BasicBlock

    seen = set()
    forward = BasicBlock.forward
    monkeypatch.setattr(BasicBlock, "forward", lambda self, x: seen.add(x.dtype) or forward(self, x))
    detector = TINY.model_copy(update={"architecture": architecture})
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        seen.clear()
        config = changed(CONFIG, steps=1, batch_size=2, precision=precision)
        checkpoint = train(data, tmp_path / precision, detector, config, progress=False)
        assert dtype in seen, seen
        seen.clear()
        Detector.load(checkpoint, "cpu").detect([np.zeros((64, 96, 3), np.uint8)])
        assert dtype in seen, "a checkpoint detects as it was trained"


@pytest.mark.parametrize("architecture", ["grid", "fcos"])
def test_what_is_compiled_is_the_backbone_and_the_weights_keep_their_names(architecture):
    network = build(TINY.model_copy(update={"architecture": architecture}), 2)
    names = list(network.state_dict())
    compile_trunk(network)
    compiled = [name for name, module in network.named_modules() if module._compiled_call_impl is not None]
    assert [name.rpartition(".")[2] for name in compiled] == ["layer1", "layer2", "layer3", "layer4"]
    assert list(network.state_dict()) == names


EVERYTHING = {
    "accumulate": 2,
    "sampling": "repeat_factor",
    "repeat_below": 1.0,
    "deterministic": True,
    "augment": AugmentConfig(mosaic=0.5),
}


def test_a_resumed_run_with_every_option_on_equals_an_uninterrupted_one_bit_for_bit(data, tmp_path):
    config = changed(CONFIG, steps=6, score_every=1, patience=2, **EVERYTHING)
    scores = {1: 0.1, 2: 0.3, 3: 0.2, 4: 0.4, 5: 0.3, 6: 0.4}

    def score(path: Path) -> float:
        return scores[load(path)["step"]]

    def stop(step, values):
        if step == 4:
            raise KeyboardInterrupt

    def go(name: str, **values) -> Path:
        return train(data, tmp_path / name, TINY, changed(config, **values), score=score, progress=False, on_log=on_log)

    on_log = None
    go("whole")
    on_log = stop
    with pytest.raises(KeyboardInterrupt):
        go("cut", save_every=3)
    on_log = None
    assert load(tmp_path / "cut" / "last.pt")["step"] == 3
    torch.manual_seed(5)
    go("cut")
    one, other = (load(tmp_path / name / "last.pt") for name in ("whole", "cut"))
    assert one["step"] == other["step"] == 6
    assert same(one["weights"], other["weights"]) and same(one["resume"]["model"], other["resume"]["model"])
    assert [one["resume"][key] for key in ("best_score", "waited")] == [0.4, 2]
    assert [other["resume"][key] for key in ("best_score", "waited")] == [0.4, 2]


def test_two_processes_learn_what_one_does(data, tmp_path):
    """torchrun with two CPU processes: one's losses, gradients and BatchNorm statistics; with every option on, too."""
    configs = {name: changed(CONFIG, steps=2, **options) for name, options in (("plain", {}), ("all", EVERYTHING))}
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, json; from pathlib import Path\n"
        "from dataset.store import Dataset\n"
        "from models.detector.config import TrainConfig\n"
        "from tests.test_detector_options import run\n"
        "for name, config in json.loads(sys.argv[3]).items():\n"
        "    config = TrainConfig(**config)\n"
        "    _, logged = run(Dataset.open(Path(sys.argv[1])), Path(sys.argv[2]) / name, config)\n"
        "    print(*(f'{name} {values[\"loss\"]}\\n' for values in logged), sep='', end='', flush=True)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    text = json.dumps({name: config.model_dump() for name, config in configs.items()})
    done = subprocess.run(
        [*command, str(data.folder), str(tmp_path / "two"), text],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = [line.split() for line in done.stdout.splitlines()]
    for name, config in configs.items():
        one, logged = run(data, tmp_path / name, config)
        losses = [float(loss) for which, loss in told if which == name]
        assert losses == pytest.approx([values["loss"] for values in logged], rel=1e-4)
        assert alike(gradients(tmp_path / name), gradients(tmp_path / "two" / name))
        two = load(tmp_path / "two" / name / "last.pt")["resume"]["model"]
        for key in (key for key in one if "running_" in key):
            assert torch.allclose(one[key], two[key], rtol=1e-3, atol=1e-4), key


def test_a_finished_training_is_scored_when_a_validation_set_comes_and_anew_on_another(data, tmp_path):
    config = changed(CONFIG, steps=2, batch_size=2, score_every=1)
    train(data, tmp_path, TINY, config, progress=False)
    scored = []

    def score(path: Path) -> float:
        scored.append(load(path)["step"])
        return 0.5

    for digest, times in (("a", 1), ("a", 1), ("b", 2)):
        best = train(data, tmp_path, TINY, config, score=score, scored_on=digest, progress=False)
        assert best.is_file() and len(scored) == times
    best.unlink()
    assert train(data, tmp_path, TINY, config, score=score, scored_on="b", progress=False).is_file()
    assert load(best)["step"] == 2


def test_weights_of_grids_that_mean_something_else_are_refused_though_their_shapes_fit(data, tmp_path):
    config = changed(CONFIG, steps=1, batch_size=2)
    first = train(data, tmp_path / "first", TINY, config, progress=False)
    for name, value in (("box_code", "edges"), ("strides", (8, 16, 16)), ("cells_across", 4.0)):
        other = TINY.model_copy(update={name: value})
        with pytest.raises(InputError, match=f"its .*{name.replace('_', '.')}.* is .*, here it is"):
            train(data, tmp_path / name, other, config, init=first, progress=False)


def test_a_checkpoint_of_another_version_says_so(tmp_path):
    torch.save({"format": "hardcase-detector-1"}, tmp_path / "old.pt")
    with pytest.raises(InputError, match=r"old\.pt: another version wrote it \(hardcase-detector-1"):
        load(tmp_path / "old.pt")
