"""What training and prediction need of a network, whichever it is. Images are at the input size of its config."""

from abc import abstractmethod

from torch import Tensor, nn

from dataset.schema import Detections

from .config import DetectorConfig, LossWeights
from .targets import ObjectBatch


class Finder(nn.Module):
    """A network that finds objects in images."""

    config: DetectorConfig
    categories: int

    @abstractmethod
    def find(self, images: Tensor) -> list[Detections]:
        """images (B, 3, H, W), ImageNet-normalised -> the objects of each, strongest first, in input px."""


class Architecture(Finder):
    """One that learns from labelled images, too.

    `trunk` has torchvision's own names of a ResNet, so that its ImageNet weights fit.
    """

    trunk: nn.Module

    @abstractmethod
    def learn(
        self, images: Tensor, objects: ObjectBatch, weights: LossWeights, totals: Tensor | None = None
    ) -> dict[str, Tensor]:
        """images (B, 3, H, W), ImageNet-normalised -> scalars "loss" and, detached, its terms "loss_...".

        totals: where these images are one of several equal parts of a batch, the mean of the parts' `totals`.
        """

    def totals(self, objects: ObjectBatch) -> Tensor | None:
        """(K,) float32: what the loss of these images is divided by; None where each part is to divide by its own."""
        return None
