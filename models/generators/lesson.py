"""One DCGAN being trained, with or without classes (AC-GAN)."""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from models.detector.precision import autocast
from models.refiners.crops import to_rgb, to_tensor
from models.refiners.training import Lesson, seeded, training_device

from .classes import UNKNOWN
from .config import GeneratorConfig
from .dcgan import Discriminator, Generator
from .sheets import sheet
from .squares import Squares

SHEET_COLUMNS, SHEET_ROWS = 8, 6
AT_A_TIME = 64  # pictures made at once
FORGETTING_STEPS = 10  # of a younger average the first weights are soon gone


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Binary cross-entropy of the logits (B,) that pictures are real; lowest where it is right about both kinds."""
    return softplus(-real).mean() + softplus(generated).mean()


def generator_loss(generated: Tensor) -> Tensor:
    """Cross-entropy with 'real' as the wanted answer, which teaches even where the discriminator is sure."""
    return softplus(-generated).mean()


class DcganLesson(Lesson):
    """squares: pictures to learn from; rows (N,): which of them; kinds (len(squares),) int64: the class of each."""

    def __init__(
        self, config: GeneratorConfig, squares: Squares, rows: np.ndarray, kinds: np.ndarray, classes: int, seed: int
    ):
        self.config, self.squares, self.kinds, self.classes, self.seed = config, squares, kinds, classes, seed
        self.shown = equally_often(rows, kinds) if classes and config.balanced else rows
        self._order: tuple[int, np.ndarray] | None = None  # the last epoch asked for
        self.device = training_device()
        with seeded(seed, 2):
            generator, discriminator = Generator(config, classes), Discriminator(config, classes)
        self.nets: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        if config.average:
            self.nets["average"] = copy.deepcopy(generator).requires_grad_(False)
        for net in self.nets.values():
            net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator, self.discriminator = generator, discriminator
        self.optimizers = {
            "generator": self._adam(generator, config.generator_rate),
            "discriminator": self._adam(discriminator, config.discriminator_rate),
        }

    @property
    def result(self) -> Generator:
        """The generator to keep."""
        kept = self.nets.get("average", self.generator)
        assert isinstance(kept, Generator)
        return kept

    def step(self, step: int) -> dict[str, float]:
        rows = self._rows(step)
        real = to_tensor(self.squares.stack(rows)).to(self.device, memory_format=torch.channels_last)
        if self.config.mirror:
            turned = torch.rand(len(real), device=self.device) < 0.5
            real = torch.where(turned[:, None, None, None], real.flip(3), real)
        kinds = torch.from_numpy(self.kinds[rows]).to(self.device) if self.classes else None
        latent = torch.randn(len(real), self.config.latent, device=self.device)
        with autocast(self.device.type):
            generated = self.generator(latent, kinds)
        values = self._learn_to_tell(real, generated.detach(), kinds) | self._learn_to_make(generated, kinds)
        if "average" in self.nets:
            self._average(min(self.config.average, (1 + step) / (FORGETTING_STEPS + step)))
        return values

    def _learn_to_tell(self, real: Tensor, generated: Tensor, kinds: Tensor | None) -> dict[str, float]:
        """The discriminator's update. Real and generated pictures go through it apart, each with its own statistics.

        It learns classes from real pictures alone: AC-GAN's paper also teaches it those of generated ones, with which
        both networks may agree on marks of a class that no real picture bears.
        """
        with autocast(self.device.type):
            real_logit, real_kind = self.discriminator(real)
            generated_logit, _ = self.discriminator(generated)
        loss = discriminator_loss(real_logit.float(), generated_logit.float())
        values = {
            "loss_discriminator": loss.item(),
            "real_taken_for_real": real_logit.float().sigmoid().mean().item(),
            "generated_taken_for_real": generated_logit.float().sigmoid().mean().item(),
        }
        if kinds is not None:
            class_loss = cross_entropy(real_kind.float(), kinds)
            loss = loss + self.config.class_weight * class_loss
            values |= {"loss_class_real": class_loss.item(), "class_right_real": _right(real_kind, kinds)}
        self._update("discriminator", loss)
        return values

    def _learn_to_make(self, generated: Tensor, kinds: Tensor | None) -> dict[str, float]:
        with autocast(self.device.type):
            logit, kind = self.discriminator(generated)
        loss = generator_loss(logit.float())
        values = {"loss_generator": loss.item()}
        if kinds is not None:
            class_loss = cross_entropy(kind.float(), kinds)
            loss = loss + self.config.class_weight * class_loss
            values |= {"loss_class_generated": class_loss.item(), "class_right_generated": _right(kind, kinds)}
        self._update("generator", loss)
        return values

    def _update(self, name: str, loss: Tensor) -> None:
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        # The generator's loss runs back through the discriminator; gradients left there are cleared before its turn.
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        """Moves the averaged generator, running statistics included, towards the present one.

        The decay rises with the steps: the first weights and statistics, of which a short training's average would
        keep a share, make nothing but grey.
        """
        for mean, now in zip(self.result.state_dict().values(), self.generator.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - decay)
            else:
                mean.copy_(now)

    def _rows(self, step: int) -> np.ndarray:
        """The pictures of a step. Each epoch shows every one once, in an order of its own."""
        size = self.config.batch_size
        places = [divmod(position, len(self.shown)) for position in range(step * size, (step + 1) * size)]
        return self.shown[[self._order_of(epoch)[place] for epoch, place in places]]

    def _order_of(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, 0, epoch])
            self._order = epoch, rng.permutation(len(self.shown))
        return self._order[1]

    def _adam(self, net: nn.Module, rate: float) -> torch.optim.Adam:
        return torch.optim.Adam(net.parameters(), lr=rate, betas=(self.config.beta1, 0.999))

    def samples(self) -> np.ndarray:
        """Pictures from the same random numbers at every step; with classes a row a class."""
        rows = min(self.classes, 2 * SHEET_ROWS) or SHEET_ROWS
        rng = np.random.default_rng([self.seed, 1])
        latent = torch.from_numpy(rng.standard_normal((rows * SHEET_COLUMNS, self.config.latent), np.float32))
        kinds = torch.arange(rows).repeat_interleave(SHEET_COLUMNS) if self.classes else None
        return sheet(make(self.result, latent, kinds), SHEET_COLUMNS)


@torch.no_grad()
def make(generator: Generator, latent: Tensor, kinds: Tensor | None = None) -> np.ndarray:
    """(N, latent), (N,) int64 -> (N, S, S, 3) uint8, each as if it were alone: with the running statistics."""
    device, was_training = next(generator.parameters()).device, generator.training
    generator.eval()
    try:
        parts = [slice(first, first + AT_A_TIME) for first in range(0, len(latent), AT_A_TIME)]
        made = [
            to_rgb(generator(latent[part].to(device), None if kinds is None else kinds[part].to(device)))
            for part in parts
        ]
    finally:
        generator.train(was_training)
    return np.concatenate(made)


def equally_often(rows: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Rows repeated so that each class comes as often as the most frequent one. rows (N,), kinds: of every picture."""
    of_class = [rows[kinds[rows] == kind] for kind in np.unique(kinds[rows]) if kind != UNKNOWN]
    most = max(len(group) for group in of_class)
    return np.concatenate([np.resize(group, most) for group in of_class])


def _right(logits: Tensor, kinds: Tensor) -> float:
    """Share of pictures (B, classes) whose class is the strongest."""
    return (logits.argmax(1) == kinds).float().mean().item()
