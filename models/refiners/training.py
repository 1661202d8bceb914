"""The loop that trains any adversarial method: it saves, resumes bit-equal, tells what happens, and stops at a NaN.

Step n draws from a generator seeded with (seed, n), so that nothing random needs saving: what a step does follows
from the weights, the optimisers, the method's own extra state and the step's number.
"""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from dataset.errors import InputError
from models.detector.precision import has_fast_bf16

from .curves import Curves
from .refiner import OnLog, OnSamples
from .tensor_file import fill, read_tensors, write_aside

FORMAT = "hardcase-lesson-1"


class Lesson(ABC):
    """One method being trained: its networks (with one optimiser or more) and what one step does to them."""

    nets: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    @abstractmethod
    def step(self, step: int) -> dict[str, float]:
        """One step of training (from 0) with its updates; returns what to watch. Draws from torch's generator only.

        Names may come and go between steps, as a pre-training's do.
        """

    def extra_state(self) -> dict[str, Any]:
        """What else changes from step to step, as tensors and plain values: a history buffer, a moving mean."""
        return {}

    def load_extra(self, state: dict[str, Any]) -> None:
        """Takes over what `extra_state` gave."""
        if state:
            raise ValueError(f"{type(self).__name__} cannot take over {', '.join(state)}")

    def samples(self) -> np.ndarray | None:
        """(H, W, 3) uint8 contact sheet of the present state; None where there is nothing to see. Changes nothing."""
        return None


def training_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU that computes it; elsewhere a context that changes nothing."""
    enabled = device.type == "cuda" and has_fast_bf16(device.type)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Draws from torch's generators inside follow from these numbers (>= 0) alone; outside they go on undisturbed."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]))
        yield


def run_lesson(
    lesson: Lesson,
    out: Path,
    steps: int,
    seed: int,
    *,
    identity: dict[str, Any],
    save_every: int = 500,
    log_every: int = 20,
    sample_every: int = 500,
    on_log: OnLog | None = None,
    on_samples: OnSamples | None = None,
    progress: bool = True,
    description: str = "refiner",
) -> None:
    """Train for `steps` steps in all; `lesson` then holds the result, and out/last.pt the state.

    out/curves.csv: the means of each `log_every` steps, which on_log(step, values) is told too.
    out/samples/step-000123.png: contact sheets, told to on_samples(step, sheet).
    identity: plain values that decide the outcome (settings, digests of data and weights). A folder whose last.pt
    has the same goes on from there; another's raises InputError naming what differs.
    A value or weight that is no finite number raises InputError; last.pt keeps the last good state.
    """
    run = _Run(lesson, out, identity | {"steps": steps, "seed": seed})
    run.resume()
    with tqdm(total=steps, initial=run.step, desc=description, unit="step", disable=not progress) as bar:
        while run.step < steps:
            with seeded(seed, 0, run.step):
                values = lesson.step(run.step)
            run.require_finite_values(values)
            run.step += 1
            run.curves.add(values)
            bar.update()
            bar.set_postfix({name: f"{value:.3g}" for name, value in values.items()}, refresh=False)
            if run.step % log_every == 0 or run.step == steps:
                means = run.curves.log(run.step)
                if on_log is not None:
                    on_log(run.step, means)
            if run.step % sample_every == 0 or run.step == steps:
                with seeded(seed, 1, run.step), torch.no_grad():
                    sheet = lesson.samples()
                if sheet is not None:
                    save_sheet(sheet, out / "samples" / f"step-{run.step:06d}.png")
                    if on_samples is not None:
                        on_samples(run.step, sheet)
            if run.step % save_every == 0 or run.step == steps:
                run.require_finite_weights()
                run.save()


def save_sheet(sheet: np.ndarray, path: Path) -> None:
    """(H, W, 3) uint8 as a PNG, written aside and renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.partial")
    Image.fromarray(sheet).save(aside, format="png")
    aside.replace(path)


class _Run:
    """A lesson and its folder."""

    def __init__(self, lesson: Lesson, out: Path, identity: dict[str, Any]):
        self.lesson, self.out = lesson, Path(out)
        self.identity = {name: _digest(value) for name, value in identity.items()}
        self.curves, self.step, self.saved = Curves(self.out / "curves.csv"), 0, 0

    @property
    def path(self) -> Path:
        return self.out / "last.pt"

    def resume(self) -> None:
        if not self.path.is_file():
            self.curves.start([])
            return
        content = read_tensors(self.path, "delete it to start afresh")
        if content.get("format") != FORMAT:
            raise InputError(self.path, "this is no state of a training of ours", "train into another folder")
        found = content["identity"]
        differ = sorted(name for name in found.keys() | self.identity if found.get(name) != self.identity.get(name))
        if differ:
            problem = f"it was trained with another {', '.join(differ)}"
            raise InputError(self.path, problem, "train into another folder, or delete this one's last.pt")
        lesson = self.lesson
        _same_names(self.path, "networks", content["nets"], lesson.nets)
        _same_names(self.path, "optimisers", content["optimizers"], lesson.optimizers)
        for name, net in lesson.nets.items():
            fill(net, content["nets"][name], self.path)
        for name, optimizer in lesson.optimizers.items():
            optimizer.load_state_dict(content["optimizers"][name])
        lesson.load_extra(content["extra"])
        self.step = self.saved = content["step"]
        self.curves.start(content["pending"], self.step)

    def save(self) -> None:
        content = {
            "format": FORMAT,
            "identity": self.identity,
            "step": self.step,
            "nets": {name: net.state_dict() for name, net in self.lesson.nets.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.lesson.optimizers.items()},
            "extra": self.lesson.extra_state(),
            "pending": self.curves.pending,
        }
        write_aside(self.path, content)
        self.saved = self.step

    def require_finite_values(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._diverged(f"{name} became {value}")

    def require_finite_weights(self) -> None:
        for name, net in self.lesson.nets.items():
            for key, weight in net.state_dict().items():
                if weight.is_floating_point() and not torch.isfinite(weight).all():
                    raise self._diverged(f"the weights {name}.{key} are no finite numbers any more")

    def _diverged(self, what: str) -> InputError:
        kept = f"{self.path} keeps the state of step {self.saved}" if self.saved else "nothing was saved before"
        remedy = "lower the learning rates, or look for broken pictures; an unchanged training will diverge again"
        return InputError(self.out, f"{what} in step {self.step}; {kept}", remedy)


def _same_names(path: Path, what: str, found: dict[str, Any], own: dict[str, Any]) -> None:
    if found.keys() != own.keys():
        problem = f"it holds the {what} {', '.join(sorted(found))}; this method has {', '.join(sorted(own))}"
        raise InputError(path, problem, "train into another folder")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
