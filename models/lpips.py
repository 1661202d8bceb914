"""LPIPS: how different an image looks from the very image it was made from, by a trained network's features.

Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (2018), equation 1, version 0.1 on
AlexNet. It needs two files, which are not part of this project: torchvision's AlexNet state dict, and the paper's
linear layers (lin0 ... lin4). Without both there is no LPIPS; other weights would give figures of no meaning.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import AlexNet

from dataset.errors import InputError
from models.detector import checkpoint
from models.refiners.tensor_file import read_tensors

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of the paper's input layer, on -1 to 1
STAGES = (2, 5, 8, 10, 12)  # ends of AlexNet's layers; each stage ends with a ReLU
WIDTHS = (64, 192, 384, 256, 256)
MIN_SIDE_PX = 63  # below it AlexNet's last maps are empty


class Lpips(nn.Module):
    """Call with two batches of images."""

    def __init__(self, backbone: Path, linear: Path, device: str | None = None):
        """backbone: torchvision's alexnet state dict. linear: the paper's alex.pth. InputError on other layouts."""
        super().__init__()
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        state = read_tensors(backbone, "give torchvision's alexnet state dict (.pth)")
        layers = AlexNet().features
        prefix = "features."
        checkpoint.fill(layers, {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}, backbone)
        ends = list(zip((0, *STAGES[:-1]), STAGES, strict=True))
        self.stages = nn.ModuleList([layers[start:end] for start, end in ends])
        remedy = "give the linear layers of LPIPS 0.1 for AlexNet (alex.pth)"
        found = read_tensors(linear, remedy)
        shapes = {f"lin{i}.model.1.weight": (1, width, 1, 1) for i, width in enumerate(WIDTHS)}
        if {name: tuple(getattr(value, "shape", ())) for name, value in found.items()} != shapes:
            raise InputError(linear, f"it holds {sorted(found)[:5]}, expected {list(shapes)} of {WIDTHS}", remedy)
        self.weights = [found[name].to(self.device) for name in shapes]
        self.eval().requires_grad_(False).to(self.device)

    @torch.inference_mode()
    def forward(self, source: np.ndarray, refined: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8 each, refined images and their own sources -> (B,) float64, 0 where equal."""
        if source.shape != refined.shape or min(source.shape[1:3]) < MIN_SIDE_PX:
            problem = f"shapes {source.shape} and {refined.shape}"
            raise InputError("LPIPS", problem, f"give images of one size, at least {MIN_SIDE_PX} px a side")
        x, y = (self._prepared(images) for images in (source, refined))
        total = torch.zeros(len(source), device=self.device)
        for stage, weight in zip(self.stages, self.weights, strict=True):
            x, y = stage(x), stage(y)
            total += ((_unit(x) - _unit(y)).square() * weight).sum(1).mean((1, 2))
        return total.double().cpu().numpy()

    def _prepared(self, rgb: np.ndarray) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(rgb)).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        return (x - x.new_tensor(SHIFT)[:, None, None]) / x.new_tensor(SCALE)[:, None, None]


def _unit(features: Tensor) -> Tensor:
    """(B, C, H, W): each place's channels scaled to length 1."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
