"""The loop that trains refiners: resuming, stopping at a NaN, and what it leaves in its folder."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dataset.errors import InputError
from models.refiners.training import Lesson, run_lesson, seeded

pytestmark = pytest.mark.usefixtures("one_thread")


class Interrupted(Exception):
    pass


class Duel(Lesson):
    """Two tiny networks with batch norm, momentum, noise, and a buffer of what was made: all that resuming restores."""

    def __init__(self, stop_at: int | None = None, nan_at: int | None = None, spoil_at: int | None = None):
        self.stop_at, self.nan_at, self.spoil_at = stop_at, nan_at, spoil_at
        with seeded(7):
            maker, judge = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 1)
        self.nets = {"maker": maker, "judge": judge}
        self.optimizers = {
            "maker": torch.optim.Adam(maker.parameters(), 1e-2),
            "judge": torch.optim.SGD(judge.parameters(), 1e-2, momentum=0.9),
        }
        self.buffer = torch.zeros(4, 4)

    def step(self, step: int) -> dict[str, float]:
        if step == self.stop_at:
            raise Interrupted
        made = self.nets["maker"](torch.randn(4, 3))
        loss = (self.nets["judge"](torch.cat([made, self.buffer])) - torch.rand(8, 1)).square().mean()
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.buffer[torch.randint(4, (1,))] = made.detach()[:1]
        if step == self.spoil_at:
            with torch.no_grad():
                self.nets["judge"].weight[0, 0] = math.nan  # type: ignore[index]
        values = {"loss": math.nan if step == self.nan_at else loss.item()}
        return values | ({"warm_up": float(step)} if step < 3 else {})

    def extra_state(self) -> dict[str, Any]:
        return {"buffer": self.buffer}

    def load_extra(self, state: dict[str, Any]) -> None:
        self.buffer = state["buffer"]

    def samples(self) -> np.ndarray:
        torch.rand(5)  # whatever it draws, training must not notice
        return np.full((4, 6, 3), 200, np.uint8)


def run(lesson: Lesson, out: Path, steps: int = 20, seed: int = 3, identity: dict[str, Any] | None = None, **options):
    settings = {"save_every": 4, "log_every": 5, "sample_every": 10, "progress": False} | options
    run_lesson(lesson, out, steps, seed, identity=identity or {"config": {"width": 4}, "source": "abc"}, **settings)


def everything(lesson: Duel) -> list[torch.Tensor]:
    found = [value for net in lesson.nets.values() for value in net.state_dict().values()] + [lesson.buffer]
    for optimizer in lesson.optimizers.values():
        for state in optimizer.state_dict()["state"].values():
            found += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return found


def rows(out: Path) -> list[list[str]]:
    with (out / "curves.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_an_interrupted_training_ends_bit_equal_to_one_that_was_not(tmp_path):
    whole = Duel()
    run(whole, tmp_path / "whole")
    for stop in (0, 6, 7, 13):  # before any save, at and between saves and logs
        with pytest.raises(Interrupted):
            run(Duel(stop_at=stop), tmp_path / "cut")
        torch.rand(11)  # another process has another generator
    resumed = Duel()
    run(resumed, tmp_path / "cut")
    for ours, theirs in zip(everything(resumed), everything(whole), strict=True):
        assert torch.equal(ours, theirs)
    assert (tmp_path / "cut" / "curves.csv").read_bytes() == (tmp_path / "whole" / "curves.csv").read_bytes()


def test_what_is_logged_follows_the_seed_and_not_how_often_it_is_saved_or_shown(tmp_path):
    often, seldom, other = Duel(), Duel(), Duel()
    run(often, tmp_path / "often", save_every=1, sample_every=1)
    run(seldom, tmp_path / "seldom", save_every=20, sample_every=20)
    run(other, tmp_path / "other", seed=4)
    assert all(torch.equal(a, b) for a, b in zip(everything(often), everything(seldom), strict=True))
    assert not torch.equal(often.buffer, other.buffer)


def test_the_callers_generator_is_left_alone(tmp_path):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    run(Duel(), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_a_finished_training_is_loaded_and_not_trained_on(tmp_path):
    first, again = Duel(), Duel(stop_at=0)
    run(first, tmp_path)
    run(again, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(everything(first), everything(again), strict=True))


def test_a_nan_stops_training_and_the_last_good_state_stays(tmp_path):
    with pytest.raises(InputError, match=r"loss became nan in step 10; .*last\.pt keeps the state of step 8"):
        run(Duel(nan_at=10), tmp_path)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["step"] == 8
    healthy = Duel()
    run(healthy, tmp_path)  # without what made it diverge, it goes on from there
    whole = Duel()
    run(whole, tmp_path / "whole")
    assert all(torch.equal(a, b) for a, b in zip(everything(healthy), everything(whole), strict=True))


def test_weights_that_are_no_numbers_are_never_saved(tmp_path):
    with pytest.raises(InputError, match=r"the weights judge\.weight are no finite numbers .*; .* step 4"):
        run(Duel(spoil_at=7), tmp_path)  # the step before a save, whose own loss was still fine
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert torch.isfinite(saved["nets"]["judge"]["weight"]).all()


def test_a_nan_before_the_first_save_leaves_nothing_to_go_on_from(tmp_path):
    with pytest.raises(InputError, match="nothing was saved before"):
        run(Duel(nan_at=1), tmp_path)
    assert not (tmp_path / "last.pt").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"identity": {"config": {"width": 5}, "source": "abc"}}, "another config"),
        ({"identity": {"config": {"width": 4}, "source": "xyz"}}, "another source"),
        ({"seed": 4}, "another seed"),
        ({"steps": 30}, "another steps"),
    ],
)
def test_a_folder_of_another_training_is_refused_by_what_differs(tmp_path, change, told):
    run(Duel(), tmp_path, steps=4)
    with pytest.raises(InputError, match=told):
        run(Duel(), tmp_path, **({"steps": 4} | change))


def test_a_state_of_other_networks_is_refused_by_name(tmp_path):
    run(Duel(), tmp_path, steps=4)
    other = Duel()
    other.nets["critic"] = other.nets.pop("judge")
    with pytest.raises(InputError, match="it holds the networks judge, maker; this method has critic, maker"):
        run(other, tmp_path, steps=4)
    wider = Duel()
    wider.nets["judge"] = nn.Linear(5, 1)
    with pytest.raises(InputError, match=r"1 of another shape \(weight \(1, 4\) for \(1, 5\)\)"):
        run(wider, tmp_path, steps=4)
    torch.save({"weights": 1}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="no state of a training"):
        run(Duel(), tmp_path, steps=4)


def test_curves_hold_the_mean_of_the_steps_that_had_a_value(tmp_path):
    told = []
    run(Duel(), tmp_path, steps=7, on_log=lambda step, values: told.append((step, values)))
    assert [step for step, _ in told] == [5, 7]
    assert told[0][1]["warm_up"] == 1.0  # steps 0, 1 and 2 told it
    assert "warm_up" not in told[1][1]
    found = [(int(step), name, float(value)) for step, name, value in rows(tmp_path)[1:]]
    assert found == [(step, name, value) for step, values in told for name, value in values.items()]


def test_contact_sheets_come_at_their_steps(tmp_path):
    sheets = []
    run(Duel(), tmp_path, on_samples=lambda step, sheet: sheets.append((step, sheet.shape)))
    assert sheets == [(10, (4, 6, 3)), (20, (4, 6, 3))]
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["step-000010.png", "step-000020.png"]
    assert np.asarray(Image.open(tmp_path / "samples" / "step-000010.png")).mean() == 200


def test_nothing_half_written_is_left(tmp_path):
    run(Duel(), tmp_path)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_save_that_fails_leaves_the_old_state_whole(tmp_path, monkeypatch):
    with pytest.raises(Interrupted):
        run(Duel(stop_at=5), tmp_path)
    before = (tmp_path / "last.pt").read_bytes()

    def full_disk(content: Any, file: Any) -> None:
        file.write(b"part")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full_disk)
        with pytest.raises(OSError, match="No space left"):
            run(Duel(), tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert not (tmp_path / "last.pt.partial").exists()


def test_draws_follow_from_their_numbers():
    with seeded(1, 2):
        first = torch.rand(3)
    with seeded(1, 2):
        again = torch.rand(3)
    with seeded(2, 1):
        other = torch.rand(3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
