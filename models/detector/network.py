"""The network: ResNet features, a light top-down path to the grids, and one 1x1 head per question asked of a cell."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ResNet, get_model

from .config import DetectorConfig

# Prior probability of a covered cell at the start: keeps thousands of background cells from flooding the first steps
# (Lin et al., Focal Loss for Dense Object Detection, section 4.1).
COVERAGE_PRIOR = 0.01
LAYER_STRIDES = (4, 8, 16, 32)  # of a ResNet's layer1 ... layer4
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class GridOutput(NamedTuple):
    """What the heads say, float32. B images, C categories, K cells of all grids (see cells.py)."""

    coverage: Tensor  # (B, C, K) logits
    box: Tensor  # (B, C, 4, K) encoded as boxes.encode does
    occlusion: Tensor  # (B, C, K) logits of the hidden share
    category: Tensor  # (B, C, K) logits: which categories the object covering this cell may be


class GridNetwork(nn.Module):
    """images (B, 3, input height, input width) float RGB, ImageNet-normalised -> GridOutput over the config's grids.

    Each grid has features of its own; the heads are common to all, as they speak in cells.
    """

    def __init__(self, config: DetectorConfig, categories: int):
        super().__init__()
        self.config, self.categories = config, categories
        trunk = cast(ResNet, get_model(config.backbone, weights=None))
        widths = [trunk.fc.in_features // 2**n for n in (3, 2, 1, 0)]  # of layer1 ... layer4
        trunk.fc = nn.Identity()  # type: ignore[assignment]
        self.trunk = trunk  # torchvision's own names, so that its state dicts fit
        for block in trunk.modules():  # residual branches start silent: steadier from scratch (Goyal et al. 2017)
            last_norm = getattr(block, "bn3", getattr(block, "bn2", None))
            if last_norm is not None:
                nn.init.zeros_(last_norm.weight)
        self.first_lateral = LAYER_STRIDES.index(config.strides[0])
        neck = config.neck_channels
        self.lateral = nn.ModuleList([_conv(width, neck, 1) for width in widths[self.first_lateral :]])
        self.mix = nn.ModuleList([_conv(neck, neck, 3) for _ in config.strides])
        self.heads = nn.Conv2d(neck, categories * 7, 1)
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.heads.bias[:categories] = -torch.log(torch.tensor(1 / COVERAGE_PRIOR - 1))  # type: ignore[index]

    def forward(self, images: Tensor) -> GridOutput:
        features = self._features(images)
        raw = []
        for mix, stride in zip(self.mix, self.config.strides, strict=True):
            grid = mix(F.relu(features[stride]))
            with torch.autocast(grid.device.type, enabled=False):  # a log size in bf16 would be off by 1%
                raw.append(self.heads(grid.float()).flatten(2))
        coverage, box, occlusion, category = torch.cat(raw, dim=2).split(
            [self.categories * n for n in (1, 4, 1, 1)], dim=1
        )
        return GridOutput(coverage, box.unflatten(1, (self.categories, 4)), occlusion, category)

    def _features(self, images: Tensor) -> dict[int, Tensor]:
        """By stride, from the finest grid's on: each layer's, with what the deeper ones know."""
        trunk = self.trunk
        layer = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(images))))
        maps = [layer := stage(layer) for stage in (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4)]
        maps, strides = maps[self.first_lateral :], LAYER_STRIDES[self.first_lateral :]
        features = {strides[-1]: self.lateral[-1](maps[-1])}
        for lateral, finer, stride in zip(self.lateral[-2::-1], maps[-2::-1], strides[-2::-1], strict=True):
            above = F.interpolate(features[2 * stride], scale_factor=2, mode="nearest")
            features[stride] = lateral(finer) + above
        return features


def _conv(inputs: int, outputs: int, size: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    norm = nn.BatchNorm2d(outputs)
    return nn.Sequential(conv, norm) if size == 1 else nn.Sequential(conv, norm, nn.ReLU(inplace=True))


def normalise(images: Tensor) -> Tensor:
    """(B, 3, H, W) float 0-1 RGB -> ImageNet-normalised."""
    mean = images.new_tensor(IMAGENET_MEAN)[:, None, None]
    std = images.new_tensor(IMAGENET_STD)[:, None, None]
    return (images - mean) / std
