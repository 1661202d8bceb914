"""BatchNorm over several devices, or held still: what each image is compared with while it is learned from."""

from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

from .config import BatchNormKind


def prepare_norms(network: nn.Module, kind: BatchNormKind, device: str, devices: int) -> None:
    """Have the layers of a network share statistics where `kind` asks for it; its state dict stays as it is."""
    if kind != "synced" or devices == 1:
        return
    if device == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SyncedBatchNorm2d  # same parameters and buffers, another forward


def train_mode(network: nn.Module, kind: BatchNormKind) -> None:
    """As `network.train()`, but "frozen" statistics are used and not renewed; scales and shifts learn all the same."""
    network.train()
    if kind == "frozen":
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the images of all processes, on any device: torch's own SyncBatchNorm has no CPU kernel.

    Every process must bring as many pixels as the others.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        pixels = input.float()
        variance, mean = torch.var_mean(pixels, dim=(0, 2, 3), correction=0)
        means, variances = cast(Tensor, _Gather.apply(torch.stack([mean, variance]))).unbind(1)  # (ranks, channels)
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        self._remember(mean.detach(), variance.detach(), len(means) * pixels[:, 0].numel())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return (pixels * scale[:, None, None] + shift[:, None, None]).to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, pixels: int) -> None:
        momentum = cast(float, self.momentum)
        cast(Tensor, self.running_mean).lerp_(mean, momentum)
        cast(Tensor, self.running_var).lerp_(variance * (pixels / (pixels - 1)), momentum)
        cast(Tensor, self.num_batches_tracked).add_(1)


class _Gather(Function):
    """x (...) of each process -> (processes, ...) in all of them, with gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, x.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        grad = grad.contiguous()
        distributed.all_reduce(grad)
        return grad[distributed.get_rank()]
