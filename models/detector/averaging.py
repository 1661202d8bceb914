"""An exponential moving average of a network's weights: what predicts, steadier than any single step's."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages parameters and BatchNorm statistics; the decay grows from 0 so that short runs forget their start."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self._live = model.state_dict()  # views: they follow the model
        self._mean = {name: value.detach().clone() for name, value in self._live.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After optimiser step number `step`, counted from 1."""
        decay = min(self.decay, step / (step + 9))
        means, values = [], []
        for name, value in self._live.items():
            if value.is_floating_point():
                means.append(self._mean[name])
                values.append(value)
            else:
                self._mean[name].copy_(value)  # BatchNorm's batch counter
        torch._foreach_lerp_(means, values, 1 - decay)  # type: ignore[attr-defined]

    def weights(self) -> dict[str, Tensor]:
        return self._mean

    def load(self, weights: dict[str, Tensor]) -> None:
        for name, value in self._mean.items():
            value.copy_(weights[name])
