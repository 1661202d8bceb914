"""SimGAN (Shrivastava et al. 2017): a small refiner that must not change pictures much, against local patches."""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from models.detector import checkpoint

from .config import Preset
from .crops import CropConfig, to_rgb, to_tensor
from .patch_lesson import Imitation, PatchConfig, PatchLesson, change
from .patch_networks import SIMGAN_LAYERS, Layer, PatchDiscriminator, PatchRefiner
from .pictures import Pictures
from .refiner import Gate, OnLog, OnSamples, Refiner, provenance
from .tensor_file import fill
from .tiling import tiled
from .training import autocast, run_lesson, seeded, training_device

TILE_PX = 1024
SAVE_EVERY = 100  # a save costs little beside the steps of a minute


class SimganConfig(PatchConfig):
    """Settings of SimGAN."""

    @classmethod
    def preset(cls, name: Preset) -> "SimganConfig":
        """paper: networks, pre-training and updates as published; its pictures were eyes of 55x35 px, so crops and
        the number of rounds are those with which Shen et al. ran it on streets. small: minutes on two cores; its
        refiner learns a third as fast as its discriminator, as at the same rate it leapt from tint to tint.
        """
        if name == "paper":
            return cls(
                crops=CropConfig(width_px=160, height_px=80, batch=16, scale_range=(0.6, 1.0)),
                blocks=4,
                imitation_steps=1000,
                telling_steps=200,
                steps=5000,
                refiner_rate=1e-3,
                discriminator_rate=1e-3,
                l1=0.39,
            )
        return cls(
            crops=CropConfig(width_px=96, height_px=64, batch=4, scale_range=(0.2, 0.5)),
            channels=24,
            blocks=3,
            output="residual",
            discriminator_width=0.5,
            imitation_steps=0,
            telling_steps=200,
            steps=300,
            refiner_rate=3e-4,
            discriminator_rate=1e-3,
            l1=1.0,
            history=128,
            choose_every=25,
            settle=0.5,
        )


class SimganRefiner(Refiner):
    """A refiner that keeps the resolution and sees a few pixels around each: no label map, any size of picture."""

    kind: ClassVar[str] = "simgan"
    config_type: ClassVar[type[PatchConfig]] = SimganConfig
    asks_gate: ClassVar[bool] = True
    kernel: ClassVar[int] = 3
    layers: ClassVar[tuple[Layer, ...]] = SIMGAN_LAYERS

    def __init__(self, config: PatchConfig, provenance: dict[str, Any], net: PatchRefiner):
        super().__init__(config, provenance)
        self.device = training_device()
        self.net = net.eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def fit(
        cls,
        source: Pictures,
        target: Pictures,
        out: Path,
        config: PatchConfig,
        *,
        seed: int,
        weights: Path | str | None = None,
        detector: Path | None = None,
        gate: Gate | None = None,
        on_log: OnLog | None = None,
        on_samples: OnSamples | None = None,
        progress: bool = True,
    ) -> Self:
        """See Refiner.fit. gate: asked of the rounds that fool best; the first choice is among those that it passes.

        The provenance tells the step kept and, with a gate, whether it passed: `gate` is then "passed" or "failed",
        the latter where no round passed.
        """
        imitation, imitated = cls.imitation(weights, detector)
        origin = provenance(source, target, steps=config.steps, seed=seed) | {"imitation": imitated}
        with seeded(seed, 2):
            net = cls.network(config)
            discriminator = PatchDiscriminator(cls.layers, config.discriminator_width)
        lesson = PatchLesson(
            config,
            net,
            discriminator,
            source,
            target,
            seed=seed,
            imitation=imitation,
            gate=None if gate is None else lambda state: gate(cls.of_state(config, state, origin, out)),
        )
        run_lesson(
            lesson,
            out,
            config.total_steps,
            seed,
            identity={
                "kind": cls.kind,
                "config": config.model_dump(),
                "source": source.digest,
                "target": target.digest,
                "weights": checkpoint.digest(weights),
                "detector": checkpoint.digest(detector),
                "gate": gate is not None,
            },
            save_every=SAVE_EVERY,
            sample_every=SAVE_EVERY,
            on_log=on_log,
            on_samples=on_samples,
            progress=progress,
            description=cls.kind,
        )
        chosen = lesson.chosen
        verdict = {} if gate is None else {"gate": "passed" if chosen["passed"] else "failed"}
        kept = cls.of_state(config, chosen["weights"], origin | {"chosen_step": chosen["step"]} | verdict, out)
        kept.save(out / "refiner.pt")
        return kept

    @classmethod
    def imitation(cls, weights: Path | str | None, detector: Path | None) -> tuple[Imitation, str]:
        """The loss that teaches the refiner to copy, and its name. SimGAN's own: the mean change of a pixel."""
        return change, "mean change of a pixel"

    @classmethod
    def network(cls, config: PatchConfig) -> PatchRefiner:
        return PatchRefiner(config.channels, config.blocks, cls.kernel, config.output, config.largest_change)

    def state(self) -> dict[str, Tensor]:
        return {name: value.cpu().contiguous() for name, value in self.net.state_dict().items()}

    @classmethod
    def of_state(cls, config: PatchConfig, state: dict[str, Any], provenance: dict[str, Any], path: Path) -> Self:
        net = cls.network(config)
        fill(net, state, path)
        return cls(config, provenance, net)

    @torch.inference_mode()
    def apply(self, rgb: np.ndarray, semantic: np.ndarray | None, seed: int) -> np.ndarray:
        """One picture at a time, so that memory does not grow with the batch."""
        return np.stack([self._apply(picture) for picture in rgb])

    def _apply(self, rgb: np.ndarray) -> np.ndarray:
        x = to_tensor(rgb[None]).to(self.device, memory_format=torch.channels_last)
        with autocast(self.device):
            return to_rgb(tiled(self.net, x, TILE_PX, self.net.halo_px))[0]
