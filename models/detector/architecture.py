"""What training and prediction need of a network, whichever it is. Images are at the input size of its config."""

from abc import abstractmethod

from torch import Tensor, nn

from dataset.schema import Detections

from .config import DetectorConfig, LossWeights
from .targets import ObjectBatch


class Architecture(nn.Module):
    """A network that learns from labelled images and finds objects in others.

    `trunk` has torchvision's own names of a ResNet, so that its ImageNet weights fit.
    """

    config: DetectorConfig
    categories: int
    trunk: nn.Module

    @abstractmethod
    def learn(self, images: Tensor, objects: ObjectBatch, weights: LossWeights) -> dict[str, Tensor]:
        """images (B, 3, H, W), ImageNet-normalised -> scalars "loss" and, detached, its terms "loss_..."."""

    @abstractmethod
    def find(self, images: Tensor) -> list[Detections]:
        """images (B, 3, H, W), ImageNet-normalised -> the objects of each, strongest first, in input px."""
