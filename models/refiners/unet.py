"""pix2pix's generator: an encoder and a decoder with a link at every size (Isola et al. 2017, 'unet_256').

Each level halves the picture: eight bring 256 pixels down to one, 512 need a ninth.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from .picture_norm import PictureNorm

WIDEST = 8  # the levels stop getting wider at this multiple of the first
LEAK = 0.2

Upsampling = Literal["transposed", "resized"]


class UNet(nn.Module):
    """(B, planes, H, W) -> (B, 3, H, W) in [-1, 1]; H and W are multiples of `multiple_px`.

    Dropout, which the paper uses as its noise, is on while training and off afterwards: at test time it changed the
    pictures little in the paper, and masks drawn anew in each tile would show as seams.

    upsampling: `transposed` convolutions as published, or maps `resized` to their nearest neighbours before a
    convolution (Odena et al. 2016, 'Deconvolution and checkerboard artifacts').
    """

    def __init__(
        self,
        planes: int,
        width: int = 64,
        levels: int = 8,
        dropout: float = 0.5,
        upsampling: Upsampling = "transposed",
    ):
        super().__init__()
        widths = [width * min(2**level, WIDEST) for level in range(levels)]
        down, up = [], []
        for level, wide in enumerate(widths):
            outermost, innermost = level == 0, level == levels - 1
            normed = not (outermost or innermost)  # the innermost map may be one pixel, whose variance is 0
            down.append(
                nn.Sequential(
                    nn.Identity() if outermost else nn.LeakyReLU(LEAK),
                    nn.Conv2d(planes if outermost else widths[level - 1], wide, 4, 2, 1, bias=not normed),
                    PictureNorm(wide, affine=True) if normed else nn.Identity(),
                )
            )
            linked = wide if innermost else 2 * wide  # the link beside what comes up
            if outermost:
                up.append(nn.Sequential(nn.ReLU(), doubled(upsampling, linked, 3, bias=True), nn.Tanh()))
            else:
                narrower = widths[level - 1]
                # Levels between the innermost and the widest but one's end, as the authors' code has it.
                dropped = not innermost and narrower == wide
                up.append(
                    nn.Sequential(
                        nn.ReLU(),
                        doubled(upsampling, linked, narrower, bias=False),
                        PictureNorm(narrower, affine=True),
                        nn.Dropout(dropout) if dropped else nn.Identity(),
                    )
                )
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.apply(start_small)

    @property
    def multiple_px(self) -> int:
        """Widths and heights that it can halve at every level."""
        return 2 ** len(self.down)

    @property
    def halo_px(self) -> int:
        """How far the painting of a block of `multiple_px` looks, where tiles begin at such multiples.

        Transposed 4x4 convolutions of stride 2 read the cell that a pixel lies in and one next to it, at every level,
        and so do 3x3 convolutions of doubled maps; so a block reads its own innermost cell and the two around it, and
        each of these sees 1.5 (2^n - 1) pixels beyond its middle: 2 * 2^n - 1 from the block's border.
        """
        return 2 * self.multiple_px

    def forward(self, x: Tensor) -> Tensor:
        links = []
        for level in self.down:
            x = level(x)
            links.append(x)
        for level, link in zip(reversed(self.up), reversed(links), strict=True):
            x = level(x if link is x else torch.cat([link, x], 1))
        return x


def doubled(upsampling: Upsampling, planes: int, wide: int, *, bias: bool) -> nn.Module:
    """(B, planes, H, W) -> (B, wide, 2H, 2W)."""
    if upsampling == "transposed":
        return nn.ConvTranspose2d(planes, wide, 4, 2, 1, bias=bias)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(planes, wide, 3, 1, 1, bias=bias))


def start_small(module: nn.Module) -> None:
    """The first weights of GANs since DCGAN: normal with deviation 0.02, norms' scale about 1, shifts 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, PictureNorm) and module.weight is not None:
        nn.init.normal_(module.weight, 1.0, 0.02)
