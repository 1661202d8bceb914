"""One optimiser step: the gradient of a batch, in one part or several, on one device or many."""

import math
from itertools import chain
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from dataset.errors import InputError

from .architecture import Architecture
from .augment import apply
from .config import TrainConfig
from .norm import train_mode
from .samples import Batch


class Learner:
    """The network with its optimiser, set up for the devices of `fabric`."""

    def __init__(self, fabric: Fabric, network: Architecture, config: TrainConfig):
        self.fabric, self.network, self.config = fabric, network, config
        groups = [
            {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.model, self.optimizer = fabric.setup(network, optimizer)
        self.model.mark_forward_method("learn")  # or a call of it would bypass DDP

    def learn(self, step: int, batch: Batch) -> dict[str, float]:
        """Step number `step`, counted from 0, on this process's share of its images; the loss terms as numbers.

        InputError naming the frames when the loss or its gradient is no number; the weights are then as they were.
        """
        rate = learning_rate(step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        train_mode(self.network, self.config.batch_norm)
        parts = batch.parts(self.config.accumulate)
        totals = self._totals(parts)
        terms = [self._backward(step, number, part, totals) for number, part in enumerate(parts)]
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
        )
        told = torch.stack([torch.stack([value.detach().float() for value in part.values()]) for part in terms])
        means = self._mean_over_devices(told.mean(0))
        numbers = [*means.tolist(), float(norm)]  # type: ignore[arg-type]
        values = dict(zip(terms[0], numbers, strict=False))
        if not math.isfinite(values["loss"] + numbers[-1]):
            own = [float(part["loss"].detach()) for part in terms]
            faulty = [part for part, loss in zip(parts, own, strict=True) if not math.isfinite(loss)]
            raise self._no_number(step, values["loss"], numbers[-1], faulty, parts)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return values | {"learning_rate": rate}

    def _backward(self, step: int, number: int, part: Batch, totals: Tensor | None) -> dict[str, Tensor]:
        """Add the gradient of one part of this device's share."""
        fabric, config = self.fabric, self.config
        device = fabric.device
        matrices = part.source_from_output.to(device, non_blocking=True), part.colour.to(device, non_blocking=True)
        images = apply(part.images.to(device, non_blocking=True), *matrices)
        place = (step * config.accumulate + number) * fabric.world_size + fabric.global_rank
        waits = number + 1 < config.accumulate  # devices exchange gradients once a step
        # Samplers of anchors draw from the global generator: its draws belong to the step, not to what ran before.
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            fabric.no_backward_sync(self.model, enabled=waits),
        ):
            torch.manual_seed((config.seed << 32) + place)
            with fabric.autocast():  # Fabric itself adds it only where it wraps the model, as for several devices
                terms = self.model.learn(images, part.objects.to(device), config.loss, totals)
            fabric.backward(terms["loss"] / config.accumulate)
        return terms

    def _totals(self, parts: list[Batch]) -> Tensor | None:
        """What every part's loss is to be divided by, so that the parts of all devices add up to the whole batch."""
        if len(parts) * self.fabric.world_size == 1:
            return None
        totals = [self.network.totals(part.objects.to(self.fabric.device)) for part in parts]
        known = [total for total in totals if total is not None]
        return self._mean_over_devices(torch.stack(known).mean(0)) if known else None

    def _mean_over_devices(self, values: Tensor) -> Tensor:
        if self.fabric.world_size == 1:
            return values
        return cast(Tensor, self.fabric.all_reduce(values, reduce_op="mean"))

    def _no_number(self, step: int, loss: float, norm: float, faulty: list[Batch], parts: list[Batch]) -> InputError:
        """The error of all processes alike: it names the frames of every part whose own loss is no number."""
        frames = list(chain.from_iterable(part.frame_ids for part in faulty))
        if self.fabric.world_size > 1:
            shares: list[list[str]] = [[] for _ in range(self.fabric.world_size)]
            torch.distributed.all_gather_object(shares, frames)
            frames = list(chain.from_iterable(shares))
        frames = frames or list(chain.from_iterable(part.frame_ids for part in parts))
        return InputError(
            f"training, step {step + 1}, frames {', '.join(frames)}",
            f"the loss is {loss} and its gradient {norm}",
            "look at these frames' labels or lower learning_rate (baseline. or retrain.); "
            "last.pt, if there is one, holds the last good weights",
        )


def learning_rate(step: int, config: TrainConfig) -> float:
    """A straight rise over the warm-up, then a cosine to 1% of the peak at the last step."""
    warm = max(round(config.warm_up * config.steps), 1)
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    done = (step - warm) / max(config.steps - warm, 1)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
