"""The discriminator that judges patches, and the two adversarial losses on its judgements.

Logits say 'real' where they are large. Every loss is a mean over patches and pictures, so that its weight holds at
any resolution and batch.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from .picture_norm import PictureNorm
from .unet import LEAK, start_small

GanLoss = Literal["vanilla", "lsgan"]
LEAST_PX = 24  # of a picture's side: three halvings and two more convolutions leave one patch of it


class PatchGan(nn.Module):
    """(B, planes, H, W) -> (B, 1, H/8 - 2, W/8 - 2) logits, each of a patch of 70x70 px (Isola et al. 2017).

    `strides_2`: convolutions that halve the picture; three give patches of 70 px, two 34.
    """

    def __init__(self, planes: int, width: int = 64, strides_2: int = 3, *, affine: bool = True):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(planes, width, 4, 2, 1), nn.LeakyReLU(LEAK)]
        before = width
        for level in range(1, strides_2 + 1):
            wide = width * min(2**level, 8)
            stride = 2 if level < strides_2 else 1
            layers += [nn.Conv2d(before, wide, 4, stride, 1, bias=False), PictureNorm(wide, affine=affine)]
            layers += [nn.LeakyReLU(LEAK)]
            before = wide
        layers.append(nn.Conv2d(before, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        self.apply(start_small)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def discriminator_loss(kind: GanLoss, on_real: Tensor, on_fake: Tensor) -> Tensor:
    """Half the sum over real and painted pictures: lowest when logits are large on real and small on painted ones."""
    return 0.5 * (_against(kind, on_real, 1.0) + _against(kind, on_fake, 0.0))


def generator_loss(kind: GanLoss, on_fake: Tensor) -> Tensor:
    """Lowest when the discriminator takes painted pictures for real (the form that does not saturate)."""
    return _against(kind, on_fake, 1.0)


def _against(kind: GanLoss, logits: Tensor, answer: float) -> Tensor:
    logits = logits.float()
    target = torch.full_like(logits, answer)
    if kind == "vanilla":
        return nn.functional.binary_cross_entropy_with_logits(logits, target)
    return nn.functional.mse_loss(logits, target)
