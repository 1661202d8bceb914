"""A perceptual loss: how far two pictures lie apart in the features of a trained network.

Shen et al. 2023 pre-train their refiner with Inception v3's activations (Eq. 5). Where its weights are not at hand,
the backbone of a detector checkpoint takes its place, and `name` says so: the two are not the same loss.
Features are cut off after stride 8, since deeper ones tell little of how a picture looks.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import Inception3, ResNet

from dataset.errors import InputError
from models.detector import checkpoint
from models.detector.network import normalise

from .tensor_file import read_tensors
from .training import training_device

INCEPTION_LAYERS = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
INCEPTION_LAYERS += ("maxpool2", "Mixed_5b", "Mixed_5c", "Mixed_5d")
INCEPTION_READ = ("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d")
SILENT = 1e-6  # mean square below which a feature map counts as empty: a black image has no scale to divide by


class Perceptual(nn.Module):
    """(B, 3, H, W) in [-1, 1], twice -> scalar: mean squared distance of features, relative to their mean square.

    A mean over stages of ratios of means: it changes neither with the batch, nor with the resolution, nor with the
    scale of a network's features. stages: run one after another, each result is compared. Frozen.
    """

    def __init__(self, name: str, stages: Sequence[nn.Module], prepare: Callable[[Tensor], Tensor]):
        super().__init__()
        self.name, self.stages, self.prepare = name, nn.ModuleList(stages), prepare
        self.requires_grad_(False).eval()

    def features(self, rgb: Tensor) -> list[Tensor]:
        x, found = self.prepare(rgb), []
        for stage in self.stages:
            x = stage(x)
            found.append(x.float())
        return found

    def forward(self, rgb: Tensor, reference: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.features(reference)
        terms = [
            (ours - theirs).square().mean() / theirs.square().mean().clamp_min(SILENT)
            for ours, theirs in zip(self.features(rgb), wanted, strict=True)
        ]
        return torch.stack(terms).mean()


def perceptual(weights: Path | str | None, detector: Path | None) -> Perceptual:
    """Inception v3 with the torchvision state dict at `weights`, else the backbone of a detector checkpoint.

    It lies where refiners train. InputError where neither is given, or where the file holds another layout (it names
    the keys).
    """
    if weights is not None:
        return of_inception(Path(weights)).to(training_device())
    if detector is not None:
        return of_detector(detector).to(training_device())
    raise InputError(
        "refiner.kind shen",
        "its pre-training compares features of a trained network, and none was named",
        "give torchvision's Inception v3 weights (--weights PATH), or a detector checkpoint (--detector PATH)",
    )


def of_inception(path: Path) -> Perceptual:
    """torchvision's Inception v3 (a state dict with or without the auxiliary head), up to Mixed_5d."""
    state = read_tensors(path, "give a torchvision inception_v3 state dict (.pth)")
    network = Inception3(aux_logits=any(name.startswith("AuxLogits.") for name in state), init_weights=False)
    checkpoint.fill(network, state, path)
    stages, stage = [], []
    for layer in INCEPTION_LAYERS:
        stage.append(getattr(network, layer))
        if layer in INCEPTION_READ:
            stages.append(nn.Sequential(*stage))
            stage = []
    return Perceptual(f"inception:{_short(path)}", stages, _as_it_is)  # these weights were trained on [-1, 1]


def of_detector(path: Path) -> Perceptual:
    """The first stages of a detector checkpoint's ResNet: its stem, layer1 and layer2."""
    trunk = cast(ResNet, checkpoint.model_of(checkpoint.load(path), path).trunk)
    stem = nn.Sequential(trunk.conv1, trunk.bn1, nn.ReLU())
    deeper = nn.Sequential(trunk.maxpool, trunk.layer1)
    return Perceptual(f"detector:{_short(path)}", [stem, deeper, trunk.layer2], _for_imagenet)


def _as_it_is(rgb: Tensor) -> Tensor:
    return rgb


def _for_imagenet(rgb: Tensor) -> Tensor:
    return normalise((rgb + 1) / 2)


def _short(path: Path) -> str:
    return str(checkpoint.digest(path))[:8]
