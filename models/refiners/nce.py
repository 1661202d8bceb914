"""PatchNCE: a patch of the painting should know, among many patches, the one it was painted from (Park et al. 2020)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .unet import start_small

TEMPERATURE = 0.07


class Projector(nn.Module):
    """Features of patches, from each of the generator's maps, on a sphere of `size` dimensions."""

    def __init__(self, widths: Sequence[int], size: int = 256):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, size), nn.ReLU(), nn.Linear(size, size)) for width in widths
        )
        self.apply(start_small)

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """maps: (B, widths[i], H, W); places: (P,) indices into H*W -> (B, P, size) of length 1, for each map."""
        gathered = (m.flatten(2)[:, :, where].transpose(1, 2) for m, where in zip(maps, places, strict=True))
        return [
            F.normalize(layer(features).float(), dim=2) for layer, features in zip(self.layers, gathered, strict=True)
        ]


def draw_places(maps: Sequence[Tensor], patches: int) -> list[Tensor]:
    """`patches` different places in each map, or all where it has fewer; from torch's generator of the CPU."""
    counts = [m.shape[2] * m.shape[3] for m in maps]
    return [torch.randperm(n)[:patches].to(m.device) for n, m in zip(counts, maps, strict=True)]


def nce_loss(painted: Tensor, source: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Cross entropy of finding each patch's own source among those of its picture; gradients reach `painted` only.

    painted, source: (B, P, size) of length 1, row i of both from the same place -> (B,), means over P.
    """
    alike = torch.bmm(painted, source.detach().transpose(1, 2)) / temperature
    own = torch.arange(alike.shape[1], device=alike.device).expand(alike.shape[0], -1)
    return F.cross_entropy(alike.transpose(1, 2), own, reduction="none").mean(1)
