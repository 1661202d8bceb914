"""DCGAN's two networks (Radford et al. 2016) as DataGAN has them, for pictures of any power of two."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from .config import GeneratorConfig

FIRST_SPREAD = 0.02  # standard deviation of the first weights (Radford et al. 2016)
LEAK = 0.2


class Generator(nn.Module):
    """Random numbers (B, latent) -> pictures (B, 3, size, size) in [-1, 1].

    With classes, AC-GAN's (Odena et al. 2017): the class is one-hot beside the random numbers.
    """

    def __init__(self, config: GeneratorConfig, classes: int = 0):
        super().__init__()
        self.latent, self.classes = config.latent, classes
        widths = config.generator_channels
        # Kernel 4 without padding on the 1x1 input fills the 4x4 map from all its 16 taps. DataGAN's stride 2 with
        # padding 1 would give 2x2, uses 4 of the 16, and needs a map more.
        layers: list[nn.Module] = [nn.ConvTranspose2d(self.latent + classes, widths[0], 4, 1, 0, bias=False)]
        for wide, narrow in pairwise(widths):
            layers += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers)
        self.apply(_begin)

    def forward(self, latent: Tensor, classes: Tensor | None = None) -> Tensor:
        """latent: (B, latent) standard normal; classes: (B,) int64, for a generator with classes and no other."""
        if self.classes:
            assert classes is not None, "this generator wants classes"
            latent = torch.cat([latent, nn.functional.one_hot(classes, self.classes).to(latent)], dim=1)
        return self.layers(latent[:, :, None, None]).tanh()


class Discriminator(nn.Module):
    """Pictures (B, 3, size, size) -> logit that they are real (B,), logits of their classes (B, classes)."""

    def __init__(self, config: GeneratorConfig, classes: int = 0):
        super().__init__()
        widths = config.discriminator_channels
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(LEAK)]
        for narrow, wide in pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(LEAK)]
        self.layers = nn.Sequential(*layers)
        self.real = nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False)  # the 4x4 map -> one number
        self.kind = nn.Conv2d(widths[-1], classes, 4, 1, 0) if classes else None
        self.apply(_begin)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.layers(pictures)
        kinds = maps.new_zeros(len(maps), 0) if self.kind is None else self.kind(maps).flatten(1)
        return self.real(maps).flatten(), kinds


def _begin(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, FIRST_SPREAD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, FIRST_SPREAD)
        nn.init.zeros_(module.bias)
