"""Training the detector: Lightning Fabric, so that the CPU, one GPU and many (under torchrun) run the same code.

Nothing is drawn from a global generator while training: a step's images and augmentations follow from the seed and
the step's number. An interrupted run therefore goes on exactly where it stopped.
"""

import hashlib
import json
import math
import multiprocessing
import os
import time
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
from .augment import apply
from .averaging import WeightAverage
from .build import build
from .checkpoint import fill, fill_backbone
from .config import DetectorConfig, TrainConfig
from .precision import has_fast_bf16
from .samples import Batch, BatchPositions, ImageCache, Samples, collate

# Choices that change how fast or how often, never what is learned.
NEUTRAL = {"workers", "cache_gib", "log_every", "save_every", "score_every"}
OnLog = Callable[[int, dict[str, float]], None]


def train(
    data: Dataset,
    out: Path,
    detector: DetectorConfig,
    config: TrainConfig,
    *,
    init: Path | None = None,
    weights: Path | str | None = None,
    score: Callable[[Path], float] | None = None,
    on_log: OnLog | None = None,
    progress: bool = True,
) -> Path:
    """Train for `config.steps` steps and return out/best.pt, or out/last.pt where no `score` chooses the best.

    init: a checkpoint of ours whose weights to start from. weights: ImageNet weights of the backbone: "torchvision"
    downloads them, a path reads a torchvision state dict, None starts from scratch. score: the value, larger is
    better, of the checkpoint at a path (the caller's mAP on its validation set). on_log(step, values) every
    `log_every` steps, values being means since the last call.
    A run whose folder holds a last.pt of the same inputs goes on from there; of other inputs, InputError.
    """
    if len(data) == 0:
        raise InputError(data.folder, "the data set has no frames", "train on one that has")
    fabric = _fabric(config)
    if config.batch_size % fabric.world_size:
        problem = f"{config.batch_size} images do not divide among {fabric.world_size} devices"
        raise InputError("batch_size (baseline. or retrain.)", problem, f"use a multiple of {fabric.world_size}")
    identity = {
        "detector": detector.model_dump(),
        "train": config.model_dump(exclude=NEUTRAL),
        "categories": list(data.categories),
        "data": data.digest,
        "init": checkpoint.digest(init),
        "weights": checkpoint.digest(weights),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build(detector, len(data.categories))
    if weights is not None:
        fill_backbone(network, weights)
    if init is not None:
        fill(network, checkpoint.load(init)["weights"], init)
    run = _Run(fabric, network.to(memory_format=torch.channels_last), config, out, identity)  # type: ignore[call-overload]
    run.resume()
    if run.step < config.steps:
        run.learn(data, detector, score, on_log, progress)
    return out / ("best.pt" if score else "last.pt")


def _fabric(config: TrainConfig) -> Fabric:
    """One device, or under torchrun as many as it started processes."""
    accelerator = config.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    bf16 = config.precision == "bf16" or (config.precision == "auto" and has_fast_bf16(accelerator))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=int(os.environ.get("WORLD_SIZE", 1)) // local,
        precision="bf16-mixed" if bf16 else "32-true",
    )
    fabric.launch()
    return fabric


class _Run:
    """What changes from step to step, and how it is saved and restored."""

    def __init__(self, fabric: Fabric, network: Architecture, config: TrainConfig, out: Path, identity: dict[str, Any]):
        self.fabric, self.config, self.out, self.identity = fabric, config, out, identity
        self.network = network
        groups = [
            {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.model, self.optimizer = fabric.setup(network, optimizer)
        self.model.mark_forward_method("learn")  # or a call of it would bypass DDP and the precision
        self.average = WeightAverage(network, config.ema_decay)
        self.step, self.best_score = 0, -math.inf

    def resume(self) -> None:
        """Take over out/last.pt where there is one. InputError when it was trained on other inputs."""
        path = self.out / "last.pt"
        if not path.is_file():
            return
        content = checkpoint.load(path)
        if content["identity"] != _digest(self.identity):
            problem = "it was trained with another configuration, data set or first weights"
            raise InputError(path, problem, "train into another folder, or delete this one's last.pt to start afresh")
        state = content["resume"]
        self.network.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load(content["weights"])
        self.step, self.best_score = content["step"], state["best_score"]

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
            model, optimizer = self.network.state_dict(), self.optimizer.state_dict()
            state = {"model": model, "optimizer": optimizer, "best_score": self.best_score}
            checkpoint.save(self.out / "last.pt", self.content() | {"resume": state})
        self.fabric.barrier()

    def choose_best(self, score: Callable[[Path], float]) -> None:
        """Keep the present weights as best.pt when they score higher than all before."""
        if self.fabric.is_global_zero:
            candidate = self.out / "candidate.pt"
            checkpoint.save(candidate, self.content())
            value = score(candidate)
            if value > self.best_score or not (self.out / "best.pt").is_file():
                self.best_score = value if value == value else -math.inf
                candidate.replace(self.out / "best.pt")
            candidate.unlink(missing_ok=True)
        self.fabric.barrier()

    def learn(self, data: Dataset, detector: DetectorConfig, score, on_log: OnLog | None, progress: bool) -> None:
        fabric, config = self.fabric, self.config
        cache = ImageCache(self.out, len(data), detector, config.cache_gib)
        if fabric.local_rank == 0:
            cache.create()
        fabric.barrier()
        loader = self._loader(Samples(data, cache, detector, config))
        log = _Log(on_log if fabric.is_global_zero else None, config.log_every, config.batch_size)
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
                    values = self._learn_from(batch)
                    bar.update()
                    bar.set_postfix(loss=f"{values['loss']:.3f}", refresh=False)
                    log.add(self.step, values)
                    finished = self.step == config.steps
                    if score is not None and (finished or self.step % config.score_every == 0):
                        self.choose_best(score)
                    if finished or self.step % config.save_every == 0:
                        self.save()
        finally:
            if fabric.local_rank == 0:
                cache.remove()

    def _loader(self, samples: Samples) -> DataLoader:
        fabric, config = self.fabric, self.config
        positions = BatchPositions(self.step, config.steps, config.batch_size, fabric.global_rank, fabric.world_size)
        on_cpu = fabric.device.type == "cpu"
        workers = config.workers if config.workers is not None else (0 if on_cpu else 4)
        context = None
        if workers:  # a fork of this process would copy the locks of its threads
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["models.detector.samples"])  # imported once, not by every worker
        return DataLoader(
            samples,
            batch_sampler=positions,  # type: ignore[arg-type]
            collate_fn=collate,
            num_workers=workers,
            multiprocessing_context=context,
            pin_memory=not on_cpu,
        )

    def _learn_from(self, batch: Batch) -> dict[str, float]:
        """One step; its loss terms as numbers."""
        device, config = self.fabric.device, self.config
        rate = learning_rate(self.step, config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        matrices = batch.source_from_output.to(device, non_blocking=True), batch.colour.to(device, non_blocking=True)
        images = apply(batch.images.to(device, non_blocking=True), *matrices)
        # Samplers of anchors draw from the global generator: its draws belong to the step, not to what ran before.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed((config.seed << 32) + self.step * self.fabric.world_size + self.fabric.global_rank)
            terms = self.model.learn(images, batch.objects.to(device), config.loss)
        self.fabric.backward(terms["loss"])
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=config.clip_norm, error_if_nonfinite=False
        )
        values = {name: float(value.detach()) for name, value in terms.items()}
        if not math.isfinite(values["loss"] + float(norm)):  # type: ignore[arg-type]
            raise InputError(
                f"training, step {self.step + 1}, frames {', '.join(batch.frame_ids)}",
                f"the loss is {values['loss']} and its gradient {float(norm)}",  # type: ignore[arg-type]
                "look at these frames' labels or lower learning_rate (baseline. or retrain.); "
                "last.pt holds the last good weights",
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.average.update(self.step)
        return values | {"learning_rate": rate}


def learning_rate(step: int, config: TrainConfig) -> float:
    """A straight rise over the warm-up, then a cosine to 1% of the peak at the last step."""
    warm = max(round(config.warm_up * config.steps), 1)
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    done = (step - warm) / max(config.steps - warm, 1)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


class _Log:
    """Means of the loss terms between two calls of `on_log`, and the images a second."""

    def __init__(self, on_log: OnLog | None, every: int, batch_size: int):
        self.on_log, self.every, self.batch_size = on_log, every, batch_size
        self.values: list[dict[str, float]] = []
        self.since = time.perf_counter()

    def add(self, step: int, values: dict[str, float]) -> None:
        self.values.append(values)
        if step % self.every:
            return
        means = {name: sum(v[name] for v in self.values) / len(self.values) for name in values}
        means["learning_rate"] = values["learning_rate"]
        means["images_per_s"] = self.batch_size * len(self.values) / (time.perf_counter() - self.since)
        if self.on_log is not None:
            self.on_log(step, means)
        self.values, self.since = [], time.perf_counter()


def _digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
