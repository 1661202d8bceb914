"""The network: ResNet features, a light top-down path to one grid, and one 1x1 head per question asked of a cell."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ResNet, get_model

from .config import DetectorConfig

# Prior probability of a covered cell at the start: keeps thousands of background cells from flooding the first steps
# (Lin et al., Focal Loss for Dense Object Detection, section 4.1).
COVERAGE_PRIOR = 0.01
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class GridOutput(NamedTuple):
    """What the heads say, float32. B images, C categories, a grid of H x W cells."""

    coverage: Tensor  # (B, C, H, W) logits
    box: Tensor  # (B, C, 4, H, W) encoded as targets.encode does
    occlusion: Tensor  # (B, C, H, W) logits of the hidden share
    category: Tensor  # (B, C, H, W) logits: which categories the object covering this cell may be


class GridNetwork(nn.Module):
    """images (B, 3, input height, input width) float RGB, ImageNet-normalised -> GridOutput at the config's stride."""

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
        self.first_lateral = {8: 1, 16: 2}[config.stride]  # index of the layer whose stride is the grid's
        neck = config.neck_channels
        self.lateral = nn.ModuleList([_conv(width, neck, 1) for width in widths[self.first_lateral :]])
        self.mix = _conv(neck, neck, 3)
        self.heads = nn.Conv2d(neck, categories * 7, 1)
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.heads.bias[:categories] = -torch.log(torch.tensor(1 / COVERAGE_PRIOR - 1))  # type: ignore[index]

    def forward(self, images: Tensor) -> GridOutput:
        trunk = self.trunk
        features = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(images))))
        maps = []
        for layer in (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4):
            features = layer(features)
            maps.append(features)
        maps = maps[self.first_lateral :]
        grid = self.lateral[-1](maps[-1])
        for lateral, finer in zip(self.lateral[-2::-1], maps[-2::-1], strict=True):
            grid = lateral(finer) + F.interpolate(grid, scale_factor=2, mode="nearest")
        grid = self.mix(F.relu(grid))
        with torch.autocast(grid.device.type, enabled=False):  # a log size in bf16 would be off by 1%
            raw = self.heads(grid.float())
        coverage, box, occlusion, category = raw.split([self.categories * n for n in (1, 4, 1, 1)], dim=1)
        return GridOutput(coverage, box.unflatten(1, (self.categories, 4)), occlusion, category)


def _conv(inputs: int, outputs: int, size: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    norm = nn.BatchNorm2d(outputs)
    return nn.Sequential(conv, norm) if size == 1 else nn.Sequential(conv, norm, nn.ReLU(inplace=True))


def normalise(images: Tensor) -> Tensor:
    """(B, 3, H, W) float 0-1 RGB -> ImageNet-normalised."""
    mean = images.new_tensor(IMAGENET_MEAN)[:, None, None]
    std = images.new_tensor(IMAGENET_STD)[:, None, None]
    return (images - mean) / std
