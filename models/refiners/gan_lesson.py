"""What pix2pix and CUT share in training: Adam with a short memory, and a rate that falls to 0 at the end."""

from typing import Self, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn, optim

from dataset.errors import InputError

from .config import MethodConfig
from .crops import CropConfig
from .patch_gan import LEAST_PX
from .training import Lesson, training_device

BETAS = (0.5, 0.999)
Network = TypeVar("Network", bound=nn.Module)


class GanConfig(MethodConfig):
    """Settings that both have. Losses are means over pixels, patches and pictures."""

    crops: CropConfig = Field(description="What the networks see at a time.")
    width: int = Field(default=64, ge=4, description="Maps of the generator's first layer.")
    discriminator_width: int = Field(default=64, ge=4, description="Maps of the discriminator's first layer.")
    steps: int = Field(ge=1, description="Training steps. The learning rate falls to 0 over the second half.")
    rate: float = Field(default=2e-4, gt=0, description="Adam's learning rate, of all networks.")

    @property
    def multiple_px(self) -> int:
        """What the sides of crops are multiples of, so that the generator can halve them."""
        return 4

    @model_validator(mode="after")
    def _crops_fit_the_networks(self) -> Self:
        for side in ("width_px", "height_px"):
            size, multiple = getattr(self.crops, side), self.multiple_px
            near = max(round(size / multiple), -(-LEAST_PX // multiple)) * multiple
            if size % multiple:
                raise InputError(f"crops.{side}", f"{size} is no multiple of {multiple}", f"use {near}")
            if size < LEAST_PX:
                problem = f"{size} is below {LEAST_PX}, of which the discriminator sees one patch"
                raise InputError(f"crops.{side}", problem, f"use {near} or more")
        return self


class GanLesson(Lesson):
    """Networks with an Adam each, on the training device in the layout that convolutions are fastest in."""

    def __init__(self, config: GanConfig, nets: dict[str, nn.Module]):
        self.steps, self.rate, self.device = config.steps, config.rate, training_device()
        self.nets = {name: placed(net, self.device).train() for name, net in nets.items()}
        self.optimizers = {
            name: optim.Adam(net.parameters(), config.rate, BETAS, fused=True) for name, net in self.nets.items()
        }

    def set_rate(self, step: int) -> None:
        rate = self.rate * falling(step, self.steps)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate

    def descend(self, loss: Tensor, *names: str) -> None:
        """One optimiser step of the networks named; gradients that others gathered are left to be thrown away."""
        for name in names:
            self.optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        for name in names:
            self.optimizers[name].step()


def falling(step: int, steps: int) -> float:
    """1 over the first half of the steps, then in a line to 0 after the last."""
    return min(1.0, 2 * (steps - step) / steps)


def placed(net: Network, device: torch.device) -> Network:
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
