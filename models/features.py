"""Features of whole images, by name, for the realism scores: Inception v3, a detector's trunk, or hand-made ones.

The name goes into the name of every score, as scores of different features cannot be compared. Inception's are
torchvision's weights: near, but not equal to, the network of the published FID, so its figures are for comparisons
made here.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import Inception3
from tqdm import tqdm

from dataset.errors import InputError
from models import hand_features
from models.detector import checkpoint
from models.detector.network import normalise
from models.refiners.tensor_file import read_tensors
from models.views import View

INCEPTION_SIDE_PX = 299
BATCH = 16


class Images(Protocol):
    """Any set of images that are decoded when asked for, such as refiners.pictures.Pictures."""

    def __len__(self) -> int: ...
    def rgb(self, i: int) -> np.ndarray: ...  # (H, W, 3) uint8


class Extractor(ABC):
    """Turns images into features."""

    name: str
    dims: int
    # Whether the features have a scale of their own, so that they are compared as they are; others are standardised.
    has_scale: bool = False

    @abstractmethod
    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """(B, H, W, 3) uint8 -> (B, dims) float32. One image gives the same features in any batch."""


class Hand(Extractor):
    """Lab histograms, gradients, spectrum and noise residual."""

    name, dims = "hand", hand_features.DIMS

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        return np.stack([hand_features.hand_features(image) for image in rgb]).astype(np.float32)


class Trunk(Extractor):
    """A detector's last two ResNet stages, averaged over the image: what it saw of it before deciding."""

    def __init__(self, path: Path, device: str | None = None):
        self.device = device or _device()
        self.name = f"detector:{(checkpoint.digest(path) or '')[:8]}"
        trunk = cast(Any, checkpoint.model_of(checkpoint.load(path), path).trunk)
        self._stem = nn.Sequential(trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool, trunk.layer1, trunk.layer2)
        self._last = nn.ModuleList([trunk.layer3, trunk.layer4])
        for part in (self._stem, self._last):
            part.eval().requires_grad_(False).to(self.device)
        self.dims = int(_widths(self._last).sum())

    @torch.inference_mode()
    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        x = self._stem(normalise(_tensor(rgb, self.device)))
        found = []
        for stage in self._last:
            x = stage(x)
            found.append(x.mean((2, 3)))
        return torch.cat(found, 1).cpu().numpy()


class Inception(Extractor):
    """torchvision's Inception v3 before its classifier, 2,048 features, from a state dict at `path`."""

    name, dims, has_scale = "inception", 2048, True

    def __init__(self, path: Path, device: str | None = None):
        self.device = device or _device()
        state = read_tensors(path, "give a torchvision inception_v3 state dict (.pth)")
        has_aux = any(name.startswith("AuxLogits.") for name in state)
        network = Inception3(aux_logits=has_aux, transform_input=False, init_weights=False)
        checkpoint.fill(network, state, path)
        network.fc = nn.Identity()  # type: ignore[assignment]
        self._network = network.eval().requires_grad_(False).to(self.device)

    @torch.inference_mode()
    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        side = (INCEPTION_SIDE_PX, INCEPTION_SIDE_PX)
        small = np.stack([np.asarray(Image.fromarray(image).resize(side, Image.Resampling.BICUBIC)) for image in rgb])
        return self._network(_tensor(small, self.device) * 2 - 1).cpu().numpy()  # it learned on -1 to 1


def extractor(
    choice: str, *, weights: Path | None = None, detector: Path | None = None, device: str | None = None
) -> Extractor:
    """choice: "inception" (from `weights`), "detector" (a checkpoint of ours), "hand", or "auto": the first of these
    that can be had. InputError on other names, and where the file is not given."""
    if choice == "auto":
        choice = "inception" if weights is not None else "detector" if detector is not None else "hand"
    if choice == "hand":
        return Hand()
    if choice == "inception":
        if weights is None:
            raise InputError("features", "inception without its weights", "pass --weights PATH, or use features 'hand'")
        return Inception(Path(weights), device)
    if choice == "detector":
        if detector is None:
            raise InputError("features", "detector without a checkpoint", "give one, or use features 'hand'")
        return Trunk(Path(detector), device)
    raise InputError("features", f"{choice!r} is not known", "take one of auto, inception, detector, hand")


def features_of(images: Images, extract: Extractor, view: View, *, progress: bool = True) -> np.ndarray:
    """(N, dims) float32 of all images through one view. Streams: memory holds a few batches of images.

    Raises InputError where an image does not decode.
    """
    found = np.zeros((len(images), extract.dims), np.float32)
    with tqdm(total=len(images), desc=f"features ({extract.name})", unit="image", disable=not progress) as bar:
        for rows, batch in viewed(images, view):
            found[rows] = extract(batch)
            bar.update(len(batch))
    return found


def viewed(images: Images, view: View, batch: int = BATCH) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows and (B, height_px, width_px, 3) uint8 of all images in order, the next batch read while one is used."""
    starts = range(0, len(images), batch)
    with ThreadPoolExecutor(2) as pool:

        def start(first: int):
            return [
                pool.submit(lambda i: view.of(images.rgb(i)), i) for i in range(first, min(first + batch, len(images)))
            ]

        following = start(0)
        for first in starts:
            pending, following = following, start(first + batch)
            yield slice(first, first + len(pending)), np.stack([image.result() for image in pending])


def _tensor(rgb: np.ndarray, device: str) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 0-1."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).to(device).permute(0, 3, 1, 2).float() / 255


def _widths(stages: nn.ModuleList) -> np.ndarray:
    """Channels that each ResNet stage gives."""
    last = [cast(Any, stage)[-1] for stage in stages]
    return np.array([(block.conv3 if hasattr(block, "conv3") else block.conv2).out_channels for block in last])


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
