"""CUT's generator: two halvings, residual blocks, two doublings, each change of size low-pass filtered.

The layout is CycleGAN's (Johnson et al. 2016); the filters, after Zhang 2019, keep the painting from flickering when
the picture moves by a pixel, and from the checkerboard that strided convolutions leave.
"""

import torch
from torch import Tensor, nn

from .picture_norm import PictureNorm
from .unet import start_small


class Halve(nn.Module):
    """Every second pixel after the filter [1 2 1]."""

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("kernel", _separable([1.0, 2.0, 1.0], channels), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        padded = nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
        return nn.functional.conv2d(padded, self.kernel, stride=2, groups=x.shape[1])  # type: ignore[arg-type]


class Double(nn.Module):
    """Twice the pixels by the filter [1 3 3 1], which is bilinear interpolation."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Block(nn.Module):
    """x + conv(relu(conv(x))), each convolution followed by its norm."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(*_conv(channels, channels, 3), nn.ReLU(), *_conv(channels, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class ResnetGenerator(nn.Module):
    """(B, 3, H, W) in [-1, 1] -> the same; H and W are multiples of 4. The paper's has width 64 and 9 blocks.

    largest_change: None paints the picture anew, as published. A number bounds what is added to it instead, from
    nothing at first: a few hundred steps do not teach a network to copy, and its edges glow and its skies blotch.
    """

    multiple_px = 4

    def __init__(self, width: int = 64, blocks: int = 9, largest_change: float | None = None):
        super().__init__()
        self.largest_change = largest_change
        # Cut where the authors' layers 0, 4, 8, 12 and 16 of 9 blocks lie: the picture, both halving convolutions
        # before their norms, the first block and the middle one.
        self.encoder = nn.ModuleList(
            [
                nn.Sequential(*_conv(3, width, 7), nn.ReLU(), _plain(width, 2 * width)),
                nn.Sequential(_norm(2 * width), nn.ReLU(), Halve(2 * width), _plain(2 * width, 4 * width)),
                nn.Sequential(_norm(4 * width), nn.ReLU(), Halve(4 * width), Block(4 * width)),
                nn.Sequential(*(Block(4 * width) for _ in range((blocks - 1) // 2))),
            ]
        )
        rest = blocks - 1 - (blocks - 1) // 2
        to_rgb = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")
        self.decoder = nn.Sequential(
            *(Block(4 * width) for _ in range(rest)),
            *_doubling(4 * width),
            *_doubling(2 * width),
            to_rgb,
        )
        self.widths = (3, 2 * width, 4 * width, 4 * width, 4 * width)
        self.blocks = blocks
        self.apply(start_small)
        if largest_change is not None:
            nn.init.zeros_(to_rgb.weight)

    @property
    def halo_px(self) -> int:
        """How far the painting of a block of 4 pixels looks, where tiles begin at multiples of 4: 21 + 8 blocks.

        A residual block looks 2 of the quarter-sized cells to each side; all else looks 21 pixels farther: the 7x7
        at both ends 3 each, the 3x3 beside them 1 each, those at half the size 2 each, and the filters the rest.
        """
        return 24 + 8 * self.blocks

    def forward(self, x: Tensor) -> Tensor:
        return self.painted(self.features(x))

    def painted(self, maps: list[Tensor]) -> Tensor:
        """The picture that is made of `features`: (B, 3, H, W) in [-1, 1]."""
        made = self.decoder(maps[-1])
        if self.largest_change is None:
            return torch.tanh(made)
        return (maps[0] + self.largest_change * torch.tanh(made / self.largest_change)).clamp(-1, 1)

    def features(self, x: Tensor) -> list[Tensor]:
        """The five maps that patches are compared in: (B, widths[i], H/s, W/s), s = 1, 1, 2, 4, 4."""
        maps = [x]
        for stage in self.encoder:
            maps.append(stage(maps[-1]))
        return maps


def _conv(before: int, after: int, size: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, size, padding=size // 2, padding_mode="reflect", bias=False)
    return [convolution, _norm(after)]


def _plain(before: int, after: int) -> nn.Module:
    return nn.Conv2d(before, after, 3, padding=1, bias=False)


def _norm(channels: int) -> nn.Module:
    return PictureNorm(channels, affine=False)


def _doubling(wide: int) -> list[nn.Module]:
    return [Double(), _plain(wide, wide // 2), _norm(wide // 2), nn.ReLU()]


def _separable(taps: list[float], channels: int) -> Tensor:
    """(channels, 1, n, n) filter of sum 1, one for each channel."""
    row = torch.tensor(taps)
    kernel = torch.outer(row, row) / row.sum() ** 2
    return kernel.expand(channels, 1, -1, -1).clone()
