"""Training the detector: Lightning Fabric, so that the CPU, one GPU and many (under torchrun) run the same code.

Nothing is drawn from a global generator while training: a step's images and augmentations follow from the seed and
the step's number. An interrupted run therefore goes on exactly where it stopped.
"""

import hashlib
import json
import logging
import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader
from tqdm import tqdm

from dataset.errors import InputError
from dataset.store import Dataset

from . import checkpoint
from .architecture import Architecture
from .averaging import WeightAverage
from .build import build
from .checkpoint import fill_backbone, fill_first
from .config import DetectorConfig, TrainConfig
from .launch import compile_trunk, determinism, launch
from .norm import prepare_norms
from .samples import Batches, BatchPositions, ImageCache, Samples
from .step import Learner
from .training_log import OnLog, TrainingLog

LOG = logging.getLogger(__name__)
# Choices that change how fast or how often, never what is learned.
NEUTRAL = {"workers", "cache_gib", "log_every", "save_every", "score_every"}
Score = Callable[[Path], float]


def train(
    data: Dataset,
    out: Path,
    detector: DetectorConfig,
    config: TrainConfig,
    *,
    init: Path | None = None,
    weights: Path | str | None = None,
    score: Score | None = None,
    scored_on: str | None = None,
    on_log: OnLog | None = None,
    progress: bool = True,
    fabric: Fabric | None = None,
) -> Path:
    """Train for `config.steps` steps and return out/best.pt, or out/last.pt where no `score` chooses the best.

    init: a checkpoint of ours whose weights to start from. weights: ImageNet weights of the backbone: "torchvision"
    downloads them, a path reads a torchvision state dict, None starts from scratch. score: the value, larger is
    better, of the checkpoint at a path (the caller's mAP on its validation set). scored_on: the digest of that set; a
    run that goes on with another chooses its best anew. on_log(step, values) every `log_every` steps, values being
    means since the last call. fabric: the devices, where the caller has launched them.
    Under torchrun all processes call this alike; `score` and `on_log` are called in the first one alone.
    A run whose folder holds a last.pt of the same inputs goes on from there; of other inputs, InputError.
    """
    _check(data, config, score)
    with determinism(config.deterministic):
        fabric = fabric or launch(config)
        parts = fabric.world_size * config.accumulate
        if config.batch_size % parts:
            problem = f"{config.batch_size} images do not divide among {fabric.world_size} devices"
            problem += f", {config.accumulate} parts each" if config.accumulate > 1 else ""
            raise InputError("batch_size (baseline. or retrain.)", problem, f"use a multiple of {parts}")
        identity = {
            "detector": detector.model_dump(),
            "train": config.model_dump(exclude=NEUTRAL - ({"score_every"} if config.patience else set())),
            "categories": list(data.categories),
            "data": data.digest,
            "init": checkpoint.digest(init),
            "weights": checkpoint.digest(weights),
        }
        network = _first(data, detector, config, init, weights)
        prepare_norms(network, config.batch_norm, fabric.device.type, fabric.world_size)
        if config.compile:
            compile_trunk(network)
        run = _Run(fabric, network.to(memory_format=torch.channels_last), config, out, identity)  # type: ignore[call-overload]
        run.resume(scored_on)
        if not run.finished:
            run.learn(data, detector, score, on_log, progress)
        elif score is not None and run.best_score == -math.inf:  # trained without it, or with another
            run.choose_best(score)
            run.save()
    return out / ("best.pt" if score else "last.pt")


def _check(data: Dataset, config: TrainConfig, score: Score | None) -> None:
    if len(data) == 0:
        raise InputError(data.folder, "the data set has no frames", "train on one that has")
    if config.patience is not None and score is None:
        raise InputError(
            "patience (baseline. or retrain.)",
            f"{config.patience}, but nothing scores this training",
            "name a validation set (train --val), or leave patience out: the arms of a campaign do equal work",
        )


def _first(
    data: Dataset, detector: DetectorConfig, config: TrainConfig, init: Path | None, weights: Path | str | None
) -> Architecture:
    """The network as training finds it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build(detector, len(data.categories))
    if weights is not None:
        fill_backbone(network, weights)
    if init is not None:
        fill_first(network, init, data.categories)
    return network


class _Run:
    """What changes from step to step, and how it is saved and restored."""

    def __init__(self, fabric: Fabric, network: Architecture, config: TrainConfig, out: Path, identity: dict[str, Any]):
        self.fabric, self.config, self.out, self.identity = fabric, config, out, identity
        self.network, self.learner = network, Learner(fabric, network, config)
        self.average = WeightAverage(network, config.ema_decay)
        self.step, self.best_score, self.waited, self.scored_on = 0, -math.inf, 0, None

    @property
    def finished(self) -> bool:
        """All steps are done, or no score was a new best for so long that it stopped."""
        patience = self.config.patience
        return self.step == self.config.steps or (patience is not None and self.waited >= patience)

    def resume(self, scored_on: str | None) -> None:
        """Take over out/last.pt where there is one. InputError when it was trained on other inputs."""
        path, self.scored_on = self.out / "last.pt", scored_on
        if not path.is_file():
            return
        content = checkpoint.load(path)
        if content["identity"] != _digest(self.identity):
            problem = "it was trained with another configuration, data set or first weights"
            raise InputError(path, problem, "train into another folder, or delete this one's last.pt to start afresh")
        state = content["resume"]
        self.network.load_state_dict(state["model"])
        self.learner.optimizer.load_state_dict(state["optimizer"])
        self.average.load(content["weights"])
        self.step = content["step"]
        if state["scored_on"] == scored_on and (self.out / "best.pt").is_file():
            self.best_score, self.waited = state["best_score"], state["waited"]

    def content(self) -> dict[str, Any]:
        """What predicting needs; plain values, so that it loads with weights_only."""
        return {
            "detector": self.identity["detector"],
            "train": self.identity["train"],
            "categories": self.identity["categories"],
            "data": self.identity["data"],
            "identity": _digest(self.identity),
            "step": self.step,
            "weights": self.average.weights(),
        }

    def save(self) -> None:
        if self.fabric.is_global_zero:
            model, optimizer = self.network.state_dict(), self.learner.optimizer.state_dict()
            state = {"model": model, "optimizer": optimizer}
            chosen = {"best_score": self.best_score, "waited": self.waited, "scored_on": self.scored_on}
            checkpoint.save(self.out / "last.pt", self.content() | {"resume": state | chosen})
        self.fabric.barrier()

    def choose_best(self, score: Score) -> None:
        """Keep the present weights as best.pt when they score higher than all before.

        The first score of all leaves a best.pt whatever it is, so that there is one. Else a score that is no number
        (mAP where the validation set shows no object) is no new best, and is waited for as a lower one is.
        """
        with self.fabric.rank_zero_first():  # the others wait without a limit, however long the score takes
            if self.fabric.is_global_zero:
                candidate = self.out / "candidate.pt"
                checkpoint.save(candidate, self.content())
                value = score(candidate)
                # Not whether a best.pt is there: it may be of steps that this run repeats, or of another training.
                first = self.best_score == -math.inf
                higher = not (math.isnan(value) or value <= self.best_score)  # than NaN is every number
                if first or higher:
                    candidate.replace(self.out / "best.pt")
                    self.best_score = value
                candidate.unlink(missing_ok=True)
                self.waited = 0 if higher else self.waited + 1
        self.waited = self.fabric.broadcast(self.waited)

    def learn(
        self, data: Dataset, detector: DetectorConfig, score: Score | None, on_log: OnLog | None, progress: bool
    ) -> None:
        fabric, config = self.fabric, self.config
        cache = ImageCache(self.out, len(data), detector, config.cache_gib)
        if fabric.local_rank == 0:
            cache.create()
        fabric.barrier()
        loader = self._loader(Samples(data, cache, detector, config))
        log = TrainingLog(on_log if fabric.is_global_zero else None, config.log_every, config.batch_size)
        bar = tqdm(
            total=config.steps,
            initial=self.step,
            desc="train",
            unit="step",
            disable=not (progress and fabric.is_global_zero),
        )
        try:
            with bar:
                for batch in loader:
                    if isinstance(batch, InputError):
                        raise batch
                    values = self.learner.learn(self.step, batch)
                    self.step += 1
                    self.average.update(self.step)
                    bar.update()
                    bar.set_postfix(loss=f"{values['loss']:.3f}", refresh=False)
                    log.add(self.step, values)
                    if score is not None and (self.step == config.steps or self.step % config.score_every == 0):
                        self.choose_best(score)
                    if self.finished or self.step % config.save_every == 0:
                        self.save()
                    if self.finished:
                        break
        finally:
            if fabric.local_rank == 0:
                cache.remove()
        if self.step < config.steps and fabric.is_global_zero:
            LOG.warning("stopped after step %d of %d: no new best in %d scores", self.step, config.steps, self.waited)

    def _loader(self, samples: Samples) -> DataLoader:
        fabric, config = self.fabric, self.config
        positions = BatchPositions(
            self.step, config.steps, config.batch_size, fabric.global_rank, fabric.world_size, config.accumulate
        )
        on_cpu = fabric.device.type == "cpu"
        workers = config.workers if config.workers is not None else (0 if on_cpu else 4)
        context = None
        if workers:  # a fork of this process would copy the locks of its threads
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["models.detector.samples"])  # imported once, not by every worker
        return DataLoader(
            Batches(samples),
            batch_size=None,  # a sample of this set is a batch
            sampler=positions,
            collate_fn=_as_it_is,
            num_workers=workers,
            multiprocessing_context=context,
            pin_memory=not on_cpu,
        )


def _as_it_is(batch: Any) -> Any:
    return batch


def _digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
