"""How SimGAN and the Shen variant train: imitate, learn to tell, then play against each other.

1. The refiner learns to leave pictures as they are ('imitation': a loss of the method's own).
2. The discriminator learns to tell what it makes from real crops.
3. Rounds of `refiner_updates` refiner steps and one discriminator step, the latter with a history of earlier pictures.

A round in which the refiner fools best is kept, not the last: Shen et al. stop where the discriminator's loss is
lowest on real crops and highest on refined ones, since later pictures looked better and trained worse. A gate, where
given, has the first word: a round that it lets pass beats all that it does not.
Every loss is a mean, over patches, pixels and images alike, of values in -1 to 1 or of logits: weights mean the same
at any resolution and batch size.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from .config import MethodConfig
from .crops import CropConfig, Crops, to_rgb
from .history import History
from .patch_networks import Output, PatchDiscriminator, PatchRefiner
from .pictures import Pictures
from .training import Lesson, autocast, training_device

Imitation = Callable[[Tensor, Tensor], Tensor]  # (made, source), both (B, 3, h, w) in [-1, 1] -> scalar loss
SOURCE, TARGET, JUDGED_SOURCE, JUDGED_TARGET = range(4)  # streams of crops
JUDGED_CROPS = 16
SHOWN_CROPS = 6


class PatchConfig(MethodConfig):
    """Networks and training of SimGAN and its variant. Rates are Adam's."""

    crops: CropConfig = Field(description="What the networks see at a time.")
    channels: int = Field(default=64, ge=4, description="Maps of every layer of the refiner.")
    blocks: int = Field(ge=1, description="Residual blocks of the refiner, two convolutions each.")
    output: Output = Field(
        default="tanh",
        description="tanh: as published. residual: the refiner makes a change that is added to its input.",
    )
    largest_change: float = Field(
        default=0.2, gt=0, le=2, description="For residual: the most that is added to a pixel, which spans -1 to 1."
    )
    discriminator_width: float = Field(
        default=1.0, gt=0, le=4, description="The discriminator's published channels are multiplied by this."
    )
    imitation_steps: int = Field(ge=0, description="Steps in which the refiner learns to copy.")
    telling_steps: int = Field(ge=0, description="Steps in which the discriminator then learns alone.")
    steps: int = Field(ge=1, description="Rounds of the game that follow.")
    refiner_updates: int = Field(default=2, ge=1, description="Refiner steps a round, for one discriminator step.")
    refiner_rate: float = Field(gt=0, description="Learning rate of the refiner.")
    discriminator_rate: float = Field(gt=0, description="Learning rate of the discriminator.")
    adversarial: float = Field(default=1.0, ge=0, description="Weight of the mean log loss of being told from real.")
    l1: float = Field(ge=0, description="Weight of the mean change of a pixel, which spans -1 to 1.")
    imitation: float = Field(
        default=0.0, ge=0, description="Weight of the loss of imitation during the game; the papers drop it there."
    )
    history: int = Field(default=256, ge=1, description="Earlier refined crops that the discriminator goes on seeing.")
    choose_every: int = Field(default=50, ge=1, description="Rounds between two looks at how well the refiner fools.")
    settle: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the rounds, the first, of which none is kept. A refiner that leaps ahead fools its "
        "discriminator at once, with tints of neither set; what that one says counts once both have come to terms.",
    )

    @property
    def total_steps(self) -> int:
        """Steps of all three phases; a round is one."""
        return self.imitation_steps + self.telling_steps + self.steps


def discriminator_loss(on_refined: Tensor, on_real: Tensor) -> Tensor:
    """Mean log loss of logits (of any shape) that say how likely 'refined' is. Lower when it is right.

    Shen et al. print Eq. 1 with a sign that D = 1 everywhere would minimise; their Eq. 3 shows what is meant.
    """
    return (F.softplus(-on_refined).mean() + F.softplus(on_real).mean()) / 2


def fooling_loss(on_refined: Tensor) -> Tensor:
    """-log(1 - P(refined)), mean over patches (Eq. 3): falls as refined pictures are taken for real ones."""
    return F.softplus(on_refined).mean()


def change(made: Tensor, source: Tensor) -> Tensor:
    """Mean absolute change of a pixel between two (B, 3, h, w) in [-1, 1]."""
    return (made - source).abs().mean()


class PatchLesson(Lesson):
    """One refiner and its discriminator in training. `chosen` is the best round so far, empty before the first look.

    gate: whether a refiner with these weights leaves labels alone. imitation: the loss of phase 1.
    """

    def __init__(
        self,
        config: PatchConfig,
        refiner: PatchRefiner,
        discriminator: PatchDiscriminator,
        source: Pictures,
        target: Pictures,
        *,
        seed: int,
        imitation: Imitation,
        gate: Callable[[dict[str, Tensor]], bool] | None = None,
    ):
        self.config, self.imitation, self.gate = config, imitation, gate
        self.device = training_device()
        self.refiner, self.discriminator = self._placed(refiner), self._placed(discriminator)
        self.nets = {"refiner": self.refiner, "discriminator": self.discriminator}
        self.optimizers = {
            "refiner": torch.optim.Adam(refiner.parameters(), config.refiner_rate),
            "discriminator": torch.optim.Adam(discriminator.parameters(), config.discriminator_rate),
        }
        self.source = Crops(source, config.crops, seed, SOURCE)
        self.target = Crops(target, config.crops, seed, TARGET)
        judged = config.crops.model_copy(update={"batch": JUDGED_CROPS})
        self.judged_source = self._onto(Crops(source, judged, seed, JUDGED_SOURCE).batch(0).rgb)
        self.judged_target = self._onto(Crops(target, judged, seed, JUDGED_TARGET).batch(0).rgb)
        self.history = History(config.history)
        self.chosen: dict[str, Any] = {}  # step, score, passed, weights

    def step(self, step: int) -> dict[str, float]:
        """Step `step` of config.total_steps, whichever phase it falls into."""
        config = self.config
        if step < config.imitation_steps:
            return self._imitate(self._crop(self.source, step))
        if step < config.imitation_steps + config.telling_steps:
            made = self._made(self._crop(self.source, step))
            return self._tell(made, self._crop(self.target, step))
        start = config.imitation_steps + config.telling_steps
        played = step - start
        first = start + played * (config.refiner_updates + 1)  # of the source batches that this round shows
        values: dict[str, float] = {}
        for k in range(config.refiner_updates):
            values |= self._fool(self._crop(self.source, first + k))
        made = self._made(self._crop(self.source, first + config.refiner_updates))
        values |= self._tell(self.history.mix(made), self._crop(self.target, step))
        looks = (played + 1) % config.choose_every == 0 or played + 1 == config.steps
        if looks and played + 1 > config.settle * config.steps:
            values |= self._choose(step + 1)
        return values

    def extra_state(self) -> dict[str, Any]:
        return {"history": self.history.state(), "chosen": self.chosen}

    def load_extra(self, state: dict[str, Any]) -> None:
        self.history.load(state["history"])
        self.chosen = state["chosen"]

    def samples(self) -> np.ndarray:
        """Rows: source crops, what the refiner makes of them, real crops."""
        source, real = self.judged_source[:SHOWN_CROPS], self.judged_target[:SHOWN_CROPS]
        rows = [to_rgb(crops) for crops in (source, self._made(source), real)]
        return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])

    def _imitate(self, source: Tensor) -> dict[str, float]:
        with autocast(self.device):
            loss = self.imitation(self.refiner(source), source)
        self._descend("refiner", loss)
        return {"imitation": loss.item()}

    def _fool(self, source: Tensor) -> dict[str, float]:
        self.discriminator.requires_grad_(False)  # its gradients would be thrown away
        with autocast(self.device):
            made = self.refiner(source)
            fooling, changed = fooling_loss(self.discriminator(made)), change(made, source)
            loss = self.config.adversarial * fooling + self.config.l1 * changed
            if self.config.imitation:
                loss = loss + self.config.imitation * self.imitation(made, source)
        self.discriminator.requires_grad_(True)
        self._descend("refiner", loss)
        return {"fooling": fooling.item(), "change": changed.item()}

    def _tell(self, made: Tensor, real: Tensor) -> dict[str, float]:
        with autocast(self.device):
            loss = discriminator_loss(self.discriminator(made), self.discriminator(real))
        self._descend("discriminator", loss)
        return {"telling": loss.item()}

    @torch.no_grad()
    def _choose(self, step: int) -> dict[str, float]:
        """Keep this round if it is the best: by the gate first, then by how much more refined crops cost than real."""
        with autocast(self.device):
            on_refined = self.discriminator(self.refiner(self.judged_source))
            on_real = self.discriminator(self.judged_target)
        cost_refined, cost_real = F.softplus(-on_refined).mean().item(), F.softplus(on_real).mean().item()
        score = cost_refined - cost_real
        if not self.chosen or not self.chosen["passed"] or score > self.chosen["score"]:
            weights = {name: value.detach().cpu().clone() for name, value in self.refiner.state_dict().items()}
            passed = self.gate is None or self.gate(weights)
            if not self.chosen or (passed, score) > (self.chosen["passed"], self.chosen["score"]):
                self.chosen = {"step": step, "score": score, "passed": passed, "weights": weights}
        return {"cost_on_refined": cost_refined, "cost_on_real": cost_real, "chosen_step": float(self.chosen["step"])}

    def _descend(self, name: str, loss: Tensor) -> None:
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def _made(self, source: Tensor) -> Tensor:
        with autocast(self.device):
            return self.refiner(source)

    def _crop(self, crops: Crops, step: int) -> Tensor:
        return self._onto(crops.batch(step).rgb)

    def _onto(self, rgb: Tensor) -> Tensor:
        return rgb.to(self.device, memory_format=torch.channels_last)

    def _placed(self, net: nn.Module) -> nn.Module:
        return net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
