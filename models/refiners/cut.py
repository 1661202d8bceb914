"""CUT (Park et al. 2020): unpaired translation that keeps content, as each patch must remain findable by its source.

The generator is held by PatchNCE instead of a way back, so that it has no reason to hide the source in the painting.
Its own encoder's maps are compared; on target pictures the same loss asks it to change nothing ('identity').
"""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from .config import Preset
from .crops import CropConfig, Crops, to_rgb, to_tensor
from .gan_lesson import GanConfig, GanLesson
from .nce import Projector, draw_places, nce_loss
from .painting import PaintingRefiner
from .patch_gan import PatchGan, discriminator_loss, generator_loss
from .pictures import Pictures
from .refiner import OnLog, OnSamples, provenance
from .resnet_generator import ResnetGenerator
from .tensor_file import fill
from .training import autocast, run_lesson, seeded

SOURCE, TARGET, SHOWN_SOURCE, SHOWN_TARGET = range(4)  # streams of crops
SHOWN_CROPS = 4


class CutConfig(GanConfig):
    """Settings of CUT."""

    blocks: int = Field(default=9, ge=2, description="Residual blocks of the generator.")
    largest_change: float | None = Field(
        default=None, gt=0, le=2, description="The most that is added to a pixel, -1 to 1; None: painted anew."
    )
    patches: int = Field(default=256, ge=2, description="Patches of each map that are told apart.")
    gan: float = Field(default=1.0, ge=0, description="Weight of the least squares adversarial loss.")
    nce: float = Field(default=1.0, ge=0, description="Weight of PatchNCE.")
    identity: bool = Field(default=True, description="Whether PatchNCE also asks target pictures to stay as they are.")

    @classmethod
    def preset(cls, name: Preset) -> "CutConfig":
        """paper: networks, losses and rates as published, at the 256x512 of the other refiner and for fewer passes
        (CamVid's 367 pictures 200 times); but the first weights are normal with deviation 0.02, as pix2pix's, where
        the authors' code draws Xavier's. small: minutes on two cores, and so a bounded change of the render: what a
        narrow network painted anew after 500 steps had dark halos and glowing edges, also of target pictures."""
        if name == "paper":
            return cls(crops=CropConfig(width_px=512, height_px=256, batch=1, scale_range=(0.5, 1.0)), steps=73_400)
        crops = CropConfig(width_px=192, height_px=96, batch=1, scale_range=(0.3, 0.7))
        return cls(crops=crops, width=16, discriminator_width=32, blocks=6, largest_change=0.3, patches=128, steps=1000)


class CutLesson(GanLesson):
    """The generator, the discriminator and the projector of patches in training."""

    def __init__(
        self,
        config: CutConfig,
        generator: ResnetGenerator,
        discriminator: PatchGan,
        projector: Projector,
        source: Pictures,
        target: Pictures,
        *,
        seed: int,
    ):
        super().__init__(config, {"generator": generator, "discriminator": discriminator, "projector": projector})
        self.config = config
        self.generator, self.discriminator, self.projector = generator, discriminator, projector
        self.source = Crops(source, config.crops, seed, SOURCE)
        self.target = Crops(target, config.crops, seed, TARGET)
        sheet = config.crops.model_copy(update={"batch": SHOWN_CROPS})
        self.shown = (
            Crops(source, sheet, seed, SHOWN_SOURCE).batch(0).rgb,
            Crops(target, sheet, seed, SHOWN_TARGET).batch(0).rgb,
        )

    def step(self, step: int) -> dict[str, float]:
        """The discriminator first, then generator and projector against it, as the authors' code does."""
        self.set_rate(step)
        source, target = self._onto(self.source.batch(step).rgb), self._onto(self.target.batch(step).rgb)
        count = len(source)
        read = torch.cat([source, target]) if self.config.identity else source
        with autocast(self.device):
            maps = self.generator.features(read)
            made = self.generator.painted(maps)
            telling = discriminator_loss("lsgan", self.discriminator(target), self.discriminator(made[:count].detach()))
        self.descend(telling, "discriminator")
        self.discriminator.requires_grad_(False)  # its gradients would be thrown away
        with autocast(self.device):
            fooling = generator_loss("lsgan", self.discriminator(made[:count]))
            losses = self._nce(self.generator.features(made), maps)
        # The mean of both where there are two, as published: the weight is that of one.
        content = losses[:count].mean()
        kept = {"identity": losses[count:].mean()} if self.config.identity else {}
        both = torch.stack([content, *kept.values()]).mean()
        self.descend(self.config.gan * fooling + self.config.nce * both, "generator", "projector")
        self.discriminator.requires_grad_(True)
        values = {"telling": telling, "fooling": fooling, "nce": content} | kept
        return {name: value.item() for name, value in values.items()}

    def samples(self) -> np.ndarray:
        """Source crops and what becomes of them; target crops and what becomes of those."""
        rows = []
        for crops in self.shown:
            with autocast(self.device):
                rows += [to_rgb(crops), to_rgb(self.generator(self._onto(crops)))]
        return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])

    def _nce(self, made: list[Tensor], read: list[Tensor]) -> Tensor:
        """(B,) loss of each picture, a mean over maps and patches."""
        places = draw_places(read, self.config.patches)
        painted, own = self.projector(made, places), self.projector([m.detach() for m in read], places)
        return torch.stack([nce_loss(p, q) for p, q in zip(painted, own, strict=True)]).mean(0)

    def _onto(self, rgb: Tensor) -> Tensor:
        return rgb.to(self.device, memory_format=torch.channels_last)


class CutRefiner(PaintingRefiner):
    """A refiner that reads the render alone."""

    kind: ClassVar[str] = "cut"
    config_type: ClassVar[type[GanConfig]] = CutConfig
    config: CutConfig

    @classmethod
    def fit(
        cls,
        source: Pictures,
        target: Pictures,
        out: Path,
        config: CutConfig,
        *,
        seed: int,
        weights: Path | str | None = None,
        detector: Path | None = None,
        on_log: OnLog | None = None,
        on_samples: OnSamples | None = None,
        progress: bool = True,
    ) -> "CutRefiner":
        """See Refiner.fit; `weights` and `detector` do not concern it."""
        with seeded(seed, 2):
            generator = cls.network(config)
            discriminator = PatchGan(3, config.discriminator_width, affine=False)
            projector = Projector(generator.widths)
        lesson = CutLesson(config, generator, discriminator, projector, source, target, seed=seed)
        run_lesson(
            lesson,
            out,
            config.steps,
            seed,
            identity={
                "kind": cls.kind,
                "config": config.model_dump(),
                "source": source.digest,
                "target": target.digest,
            },
            on_log=on_log,
            on_samples=on_samples,
            progress=progress,
            description=cls.kind,
        )
        refiner = cls(config, provenance(source, target, steps=config.steps, seed=seed), generator)
        refiner.save(Path(out) / "refiner.pt")
        return refiner

    @staticmethod
    def network(config: CutConfig) -> ResnetGenerator:
        """The generator with its first weights."""
        return ResnetGenerator(config.width, config.blocks, config.largest_change)

    def planes(self, rgb: np.ndarray, semantic: np.ndarray | None) -> Tensor:
        return to_tensor(rgb[None])

    def state(self) -> dict[str, Any]:
        return self.weights()

    @classmethod
    def of_state(cls, config: CutConfig, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        generator = cls.network(config)
        fill(generator, state, path)
        return cls(config, provenance, generator)
