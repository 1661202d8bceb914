"""The networks of SimGAN and of Shen et al.: a refiner without striding and a discriminator of local patches.

Refiners keep the resolution throughout and hold no normalisation, so a pixel depends on its neighbourhood alone and
an image may be refined in tiles. Sources: Shrivastava et al. 2017 (SimGAN), section 3.1 and its appendix; Shen et al.
2023 ('A Study on Improving Realism of Synthetic Data for Machine Learning'), Table 1.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Output = Literal["tanh", "residual"]


class SameConv2d(nn.Module):
    """A convolution whose output has ceil(size / stride) pixels, whatever the kernel. (B, C, H, W) -> (B, O, h, w).

    A kernel of even width has no middle: with stride 1 one side is padded by a pixel more, the right and lower one,
    or with `lean_left` the left and upper one. Two such layers that lean to opposite sides shift nothing; layers that
    all lean to one side, as TensorFlow's 'same' does, move the picture by half a pixel each.
    Borders are mirrored rather than filled with black, which would darken them.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, lean_left: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")  # torch's own starts a discriminator half blind
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        self.kernel, self.stride, self.lean_left = kernel, stride, lean_left

    def forward(self, x: Tensor) -> Tensor:
        padding = _same_padding(x, self.kernel, self.stride, self.lean_left)
        mirrored = min(x.shape[-2:]) > max(padding)
        return self.conv(F.pad(x, padding, mode="reflect" if mirrored else "replicate"))


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), then relu. Its second layer leans against the first, so that the block is centred."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.first = SameConv2d(channels, channels, kernel)
        self.second = SameConv2d(channels, channels, kernel, lean_left=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class PatchRefiner(nn.Module):
    """rgb (B, 3, H, W) in [-1, 1] -> the refined picture, same shape and range.

    output: "tanh" as published, where the network has to learn to copy first; "residual" adds what it makes to its
    input, starting from nothing: a small network then keeps sharpness that it could not reproduce. largest_change
    bounds what is added: a colour that the real pictures lack would otherwise be driven out wherever it stands, and
    tail lamps turn violet.
    """

    def __init__(self, channels: int, blocks: int, kernel: int, output: Output = "tanh", largest_change: float = 0.2):
        super().__init__()
        self.stem = SameConv2d(3, channels, kernel)
        self.blocks = nn.Sequential(*[ResidualBlock(channels, kernel) for _ in range(blocks)])
        self.to_rgb = nn.Conv2d(channels, 3, 1)
        self.output, self.largest_change = output, largest_change
        self.halo_px = kernel // 2 + blocks * (kernel - 1)  # how far to any side a pixel looks
        if output == "residual":
            nn.init.zeros_(self.to_rgb.weight)
            nn.init.zeros_(self.to_rgb.bias)  # type: ignore[arg-type]

    def forward(self, rgb: Tensor) -> Tensor:
        made = self.to_rgb(self.blocks(F.relu(self.stem(rgb)))).float()
        if self.output == "tanh":
            return torch.tanh(made)
        return (rgb + self.largest_change * torch.tanh(made / self.largest_change)).clamp(-1, 1)


class Layer(NamedTuple):
    """One layer of a discriminator. A pool has no channels."""

    kernel: int
    stride: int
    channels: int | None = None


# As printed: both tables end in 1x1 convolutions to 32 and to the 2 outputs of a softmax.
SIMGAN_LAYERS = (Layer(3, 2, 96), Layer(3, 2, 64), Layer(3, 1), Layer(3, 1, 32), Layer(1, 1, 32))
SHEN_LAYERS = (Layer(5, 3, 96), Layer(4, 2, 64), Layer(3, 2), Layer(3, 2, 32), Layer(1, 1, 32))


class PatchDiscriminator(nn.Module):
    """rgb (B, 3, H, W) in [-1, 1] -> (B, h, w) float32: log odds that each local patch is refined, not real.

    layers: SIMGAN_LAYERS or SHEN_LAYERS; width: their channels are multiplied by it.
    The papers' softmax over two outputs is the sigmoid of their difference, which is what this returns.
    """

    def __init__(self, layers: tuple[Layer, ...], width: float = 1.0):
        super().__init__()
        inputs, parts = 3, []
        for kernel, stride, channels in layers:
            if channels is None:
                parts.append(SamePool2d(kernel, stride))
                continue
            outputs = max(round(channels * width), 4)
            parts += [SameConv2d(inputs, outputs, kernel, stride), nn.ReLU()]
            inputs = outputs
        self.features = nn.Sequential(*parts)
        self.head = nn.Conv2d(inputs, 2, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        real, refined = self.head(self.features(rgb)).float().unbind(1)
        return refined - real


class SamePool2d(nn.Module):
    """The largest value of each window: ceil(size / stride) of them. Only for inputs that are nowhere negative."""

    def __init__(self, kernel: int, stride: int):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(x, _same_padding(x, self.kernel, self.stride)), self.kernel, self.stride)


def _same_padding(x: Tensor, kernel: int, stride: int, lean_left: bool = False) -> tuple[int, int, int, int]:
    """Pixels to add left, right, above and below."""
    sides = []
    for size in (x.shape[-1], x.shape[-2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        less = total // 2
        sides += [total - less, less] if lean_left else [less, total - less]
    return tuple(sides)
