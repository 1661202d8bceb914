"""pix2pix (Isola et al. 2017): photographs painted from label maps, against a discriminator of patches that sees both.

It never sees the render's colours, so nothing of the renderer's look can stay; nor can anything that the labels do
not tell, such as the shape of a window. Trained on the target's own maps and photographs, it reads the simulator's
tags in the target's terms (`label_sets`), or one palette of colours where there are no maps (`palette`).
"""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dataset.errors import InputError

from .config import Preset
from .crops import Batch, CropConfig, Crops, to_rgb
from .gan_lesson import GanConfig, GanLesson
from .label_sets import LabelSetName, Planes, numbered, planes, shown
from .painting import PaintingRefiner
from .palette import Palette, PaletteMaps, fit_palette
from .patch_gan import PatchGan, discriminator_loss, generator_loss
from .pictures import Pictures
from .refiner import OnLog, OnSamples, provenance
from .tensor_file import fill
from .training import autocast, run_lesson, seeded
from .unet import UNet, Upsampling

TARGET, SHOWN_SOURCE, SHOWN_TARGET = range(3)  # streams of crops
SHOWN_CROPS = 4


class Pix2pixConfig(GanConfig):
    """Settings of pix2pix."""

    labels: LabelSetName | Literal["palette"] = Field(
        default="camvid",
        description="What the target's label maps hold. palette: there are none; colours take their place.",
    )
    source_labels: LabelSetName = Field(
        default="carla", description="What the label maps hold that are to be painted; carla: the simulators' tags."
    )
    levels: int = Field(default=8, ge=3, le=10, description="Halvings of the U-Net: 8 for 256 px, 9 for 512.")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Of the innermost maps, while training.")
    upsampling: Upsampling = Field(
        default="transposed",
        description="Of the U-Net. transposed: as published; trainings of a few thousand steps leave its mesh in the "
        "pictures. resized: nearest neighbours before a convolution, which has none.",
    )
    l1: float = Field(default=100.0, ge=0, description="Weight of the mean difference of a pixel, from -1 to 1.")
    colours: int = Field(default=16, ge=2, le=256, description="Of the palette.")
    palette_position: float = Field(
        default=20.0, ge=0, description="What the picture's width or height counts in the palette, in units of Lab."
    )
    palette_smooth_px: float = Field(default=1.5, ge=0, description="Blur before colours are named, against speckles.")

    @property
    def multiple_px(self) -> int:
        return 2**self.levels

    @classmethod
    def preset(cls, name: Preset) -> "Pix2pixConfig":
        """paper: 256x512, networks and rates as published, 200 epochs of CamVid's 367 pictures. small: minutes on two
        cores."""
        if name == "paper":
            crops = CropConfig(width_px=512, height_px=256, batch=1, scale_range=(256 / 286, 1.0))
            return cls(crops=crops, steps=73_400)
        return cls(
            crops=CropConfig(width_px=256, height_px=128, batch=1, scale_range=(0.4, 0.9)),
            width=32,
            discriminator_width=32,
            levels=6,
            upsampling="resized",
            steps=3000,
            rate=5e-4,
        )


class Pix2pixLesson(GanLesson):
    """`target` has label maps that `planes` reads, `source` maps that `source_planes` reads."""

    def __init__(
        self,
        config: Pix2pixConfig,
        generator: UNet,
        discriminator: PatchGan,
        source: Pictures,
        target: Pictures,
        source_planes: Planes,
        target_planes: Planes,
        *,
        seed: int,
    ):
        super().__init__(config, {"generator": generator, "discriminator": discriminator})
        self.l1, self.planes, self.crops = config.l1, target_planes, Crops(target, config.crops, seed, TARGET)
        self.generator, self.discriminator = self.nets["generator"], self.nets["discriminator"]
        sheet = config.crops.model_copy(update={"batch": SHOWN_CROPS})
        self.shown = [
            (names, crops.batch(0))
            for names, crops in (
                (target_planes, Crops(target, sheet, seed, SHOWN_TARGET)),
                (source_planes, Crops(source, sheet, seed, SHOWN_SOURCE)),
            )
        ]
        for names, batch in self.shown:  # unknown ids and missing maps are told before the training, not after
            self._read(batch, names)

    def step(self, step: int) -> dict[str, float]:
        """The discriminator first, then the generator against it, as the authors' code does."""
        self.set_rate(step)
        batch = self.crops.batch(step)
        labels, photo = self._read(batch, self.planes), self._onto(batch.rgb)
        with autocast(self.device):
            made = self.generator(labels)
            on_made = self.discriminator(torch.cat([labels, made.detach()], 1))
            on_photo = self.discriminator(torch.cat([labels, photo], 1))
            telling = discriminator_loss("vanilla", on_photo, on_made)
        self.descend(telling, "discriminator")
        self.discriminator.requires_grad_(False)  # its gradients would be thrown away
        with autocast(self.device):
            fooling = generator_loss("vanilla", self.discriminator(torch.cat([labels, made], 1)))
            difference = (made.float() - photo).abs().mean()
        self.descend(fooling + self.l1 * difference, "generator")
        self.discriminator.requires_grad_(True)
        return {"telling": telling.item(), "fooling": fooling.item(), "l1": difference.item()}

    def samples(self) -> np.ndarray:
        """Above: the target's maps, what they are painted as, their photographs. Below: the same of the source."""
        self.generator.eval()
        rows = []
        for names, batch in self.shown:
            labels = self._read(batch, names)
            with autocast(self.device):
                made = to_rgb(self.generator(labels))
            maps = shown(labels.argmax(1).cpu().numpy())
            rows += [maps, made, to_rgb(batch.rgb)]
        self.generator.train()
        return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])

    def _read(self, batch: Batch, names: Planes) -> Tensor:
        if batch.semantic is None:
            raise InputError("pix2pix", "the crops hold no label maps", "set crops.semantic")
        return self._onto(names(batch.semantic.numpy(), "label maps"))

    def _onto(self, x: Tensor) -> Tensor:
        return x.to(self.device, memory_format=torch.channels_last)


class Pix2pixRefiner(PaintingRefiner):
    """Paints renders from their tags, or, with a palette, from their colours."""

    kind: ClassVar[str] = "pix2pix"
    config_type: ClassVar[type[GanConfig]] = Pix2pixConfig
    needs_semantic: ClassVar[bool] = True
    config: Pix2pixConfig

    def __init__(self, config: Pix2pixConfig, provenance: dict[str, Any], generator: UNet, palette: Palette | None):
        super().__init__(config, provenance, generator)
        self.palette = palette
        self.needs_semantic = palette is None  # type: ignore[misc]
        self._planes = _source_planes(config)

    @classmethod
    def fit(
        cls,
        source: Pictures,
        target: Pictures,
        out: Path,
        config: Pix2pixConfig,
        *,
        seed: int,
        weights: Path | str | None = None,
        detector: Path | None = None,
        on_log: OnLog | None = None,
        on_samples: OnSamples | None = None,
        progress: bool = True,
    ) -> "Pix2pixRefiner":
        """See Refiner.fit; `weights` and `detector` do not concern it.

        InputError where a picture has no label map, or one with ids that `labels` or `source_labels` do not know.
        """
        crops = config.crops.model_copy(update={"semantic": True})
        digests = {"source": source.digest, "target": target.digest}
        palette = None
        if config.labels == "palette":
            palette = fit_palette(
                source,
                target,
                colours=config.colours,
                position=config.palette_position,
                smooth_px=config.palette_smooth_px,
                seed=seed,
            )
            source, target = PaletteMaps(source, palette, render=True), PaletteMaps(target, palette, render=False)
        ours, theirs = _source_planes(config), _target_planes(config)
        with seeded(seed, 2):
            generator = cls.network(config)
            discriminator = PatchGan(theirs.count + 3, config.discriminator_width)
        lesson = Pix2pixLesson(
            config.model_copy(update={"crops": crops}),
            generator,
            discriminator,
            source,
            target,
            ours,
            theirs,
            seed=seed,
        )
        run_lesson(
            lesson,
            out,
            config.steps,
            seed,
            identity={"kind": cls.kind, "config": config.model_dump()} | digests,
            on_log=on_log,
            on_samples=on_samples,
            progress=progress,
            description=cls.kind,
        )
        refiner = cls(config, provenance(source, target, steps=config.steps, seed=seed), generator, palette)
        refiner.save(Path(out) / "refiner.pt")
        return refiner

    @staticmethod
    def network(config: Pix2pixConfig) -> UNet:
        """The generator with its first weights."""
        return UNet(_target_planes(config).count, config.width, config.levels, config.dropout, config.upsampling)

    def planes(self, rgb: np.ndarray, semantic: np.ndarray | None) -> Tensor:
        ids = semantic if self.palette is None else self.palette.ids_of_render(rgb)
        if ids is None:
            raise InputError("refiner pix2pix", "it needs label maps and was given none", "give one for each picture")
        return self._planes(ids[None], "refiner pix2pix")

    def state(self) -> dict[str, Any]:
        return {"generator": self.weights(), "palette": None if self.palette is None else self.palette.state()}

    @classmethod
    def of_state(cls, config: Pix2pixConfig, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        missing = sorted({"generator", "palette"} - state.keys())
        if missing:
            raise InputError(path, f"what it learned lacks {', '.join(missing)}", "fit the refiner again")
        palette = None if state["palette"] is None else Palette.of_state(state["palette"], path)
        generator = cls.network(config)
        fill(generator, state["generator"], path)
        return cls(config, provenance, generator, palette)


def _target_planes(config: Pix2pixConfig) -> Planes:
    # As many planes as colours were asked for, also where the photographs have fewer.
    return numbered(config.colours) if config.labels == "palette" else planes(config.labels)


def _source_planes(config: Pix2pixConfig) -> Planes:
    return _target_planes(config) if config.labels == "palette" else planes(config.labels, config.source_labels)
