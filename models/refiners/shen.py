"""The variant of Shen et al. 2023 ('A Study on Improving Realism of Synthetic Data for Machine Learning').

Against SimGAN: wider kernels, a deeper refiner, a coarser discriminator, and a refiner that first learns to copy what
a trained network sees in a picture rather than its pixels.
"""

from pathlib import Path
from typing import ClassVar

from .config import Preset
from .crops import CropConfig
from .patch_lesson import Imitation, PatchConfig
from .patch_networks import SHEN_LAYERS, Layer
from .perceptual import perceptual
from .simgan import SimganConfig, SimganRefiner


class ShenConfig(PatchConfig):
    """Settings of the variant."""

    @classmethod
    def preset(cls, name: Preset) -> "ShenConfig":
        """paper: Table 1, section 3 and its rates. Their alpha = 50 and beta = 4e-6, on sums over pixels of 0 to 255,
        are 1 and 0.39 on means over -1 to 1 at 160x80. small: SimGAN's. A few hundred steps do not teach
        a network to copy colours (trees turned brown), so its refiner starts as a copy, and the perceptual loss holds
        it there during the game instead of before.
        """
        if name == "paper":
            return cls(
                crops=CropConfig(width_px=160, height_px=80, batch=16, scale_range=(0.6, 1.0)),
                blocks=5,
                imitation_steps=1200,
                telling_steps=400,
                steps=5000,
                refiner_rate=1e-4,
                discriminator_rate=1e-3,
                l1=0.39,
            )
        return cls.model_validate(SimganConfig.preset("small").model_dump() | {"imitation": 1.0})


class ShenRefiner(SimganRefiner):
    """As SimganRefiner, of the variant's networks. Fitting needs `weights` (Inception v3) or a `detector`."""

    kind: ClassVar[str] = "shen"
    config_type: ClassVar[type[PatchConfig]] = ShenConfig
    kernel: ClassVar[int] = 4
    layers: ClassVar[tuple[Layer, ...]] = SHEN_LAYERS

    @classmethod
    def imitation(cls, weights: Path | str | None, detector: Path | None) -> tuple[Imitation, str]:
        """The perceptual loss; its name tells whose features it compares."""
        loss = perceptual(weights, detector)
        return loss, loss.name
