"""A small fresh network that learns to tell real images from others, asked about scenes it has never seen.

It is not a refiner's discriminator: that one has learned to be fooled by its own refiner. Its scores are judged by
evaluation.realism.domain_classifier, beside a logistic regression on frozen features.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from dataset.errors import InputError
from models.features import Images, viewed
from models.views import View

TRAINING, TESTING = 0, 1  # streams of random numbers
FINE_GAIN = 8.0


@dataclass(frozen=True)
class PixelClassifierConfig:
    """Small enough for a CPU: the question is whether a difference is there, not how far it can be pushed."""

    steps: int = 200
    batch: int = 32  # crops, half of them real
    crop_px: int = 64
    test_crops: int = 8  # of an image, whose mean logit is its score
    learning_rate: float = 1e-3
    max_images: int = 2000  # of each side, drawn by the seed; decoded once and kept, 400 kB each at the usual view


class PixelClassifier(nn.Module):
    """(B, 3, h, w) in [-1, 1] -> (B,) logits of 'real'. Group norm: batches hold both sides, and tests may not.

    It reads the picture and, enlarged, what a 3x3 mean takes from it: the traces of generators are fine and faint, and
    a network would need thousands of steps to look for them beneath the colours.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((6, 24), (24, 48), (48, 96)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.GroupNorm(8, outputs), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(96, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = x - F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        return self.head(self.features(torch.cat([x, FINE_GAIN * fine], 1)).mean((2, 3)))[:, 0]


def pixel_scores(
    real: Images,
    other: Images,
    real_fold: np.ndarray,
    other_fold: np.ndarray,
    view: View,
    config: PixelClassifierConfig,
    *,
    seed: int,
    progress: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of images by a network that did not train on their fold: above 0 says 'real'. Two (N,) float64.

    Folds (N,) int come from evaluation.realism.domain_classifier.two_sided_folds. Images are decoded at once:
    `config.max_images` bounds the memory, and InputError tells of more. Crops are mirrored at random.
    """
    for name, images in (("real", real), ("other", other)):
        if len(images) > config.max_images:
            problem = f"{len(images)} images, at most {config.max_images} are kept in memory"
            raise InputError(f"{name} images", problem, "take a sample of them")
    if config.crop_px > min(view.width_px, view.height_px):
        problem = f"crops of {config.crop_px} px from views of {view.width_px}x{view.height_px} px"
        raise InputError("domain classifier", problem, "use smaller crops or a larger view")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pixels = [_pixels(images, view) for images in (real, other)]
    folds = [real_fold, other_fold]
    scores = [np.zeros(len(part)) for part in pixels]
    for fold in tqdm(np.unique(real_fold).tolist(), desc="domain classifier", unit="fold", disable=not progress):
        known = [part[fold_of != fold] for part, fold_of in zip(pixels, folds, strict=True)]
        network = _trained(known, config, np.random.default_rng([seed, fold, TRAINING]), device)
        for score, part, fold_of in zip(scores, pixels, folds, strict=True):
            asked = np.flatnonzero(fold_of == fold)
            rng = np.random.default_rng([seed, fold, TESTING])  # the same places on both sides
            score[asked] = _asked(network, part[asked], config, rng, device)
    return scores[0], scores[1]


def _pixels(images: Images, view: View) -> np.ndarray:
    """(N, height_px, width_px, 3) uint8."""
    kept = np.zeros((len(images), view.height_px, view.width_px, 3), np.uint8)
    for rows, batch in viewed(images, view):
        kept[rows] = batch
    return kept


def _trained(
    sides: list[np.ndarray], config: PixelClassifierConfig, rng: np.random.Generator, device: str
) -> PixelClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = PixelClassifier().to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    each = config.batch // 2
    is_real = torch.cat([torch.ones(each), torch.zeros(each)]).to(device)
    for _ in range(config.steps):
        crops = np.concatenate(
            [_crops(side[rng.integers(len(side), size=each)], config.crop_px, rng) for side in sides]
        )
        loss = F.binary_cross_entropy_with_logits(network(_tensor(crops, device)), is_real)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def _asked(
    network: PixelClassifier, pixels: np.ndarray, config: PixelClassifierConfig, rng: np.random.Generator, device: str
) -> np.ndarray:
    """Mean logit of each image's crops, which lie at the same places in all images: (N,) float64."""
    height, width = pixels.shape[1:3]
    total = np.zeros(len(pixels))
    for _ in range(config.test_crops):
        top, left = (int(rng.integers(size - config.crop_px + 1)) for size in (height, width))
        for first in range(0, len(pixels), 64):
            crops = pixels[first : first + 64, top : top + config.crop_px, left : left + config.crop_px]
            total[first : first + 64] += network(_tensor(crops, device)).double().cpu().numpy()
    return total / config.test_crops


def _crops(images: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of each image, half of them mirrored: (B, H, W, 3) -> (B, side, side, 3)."""
    cut = []
    for image in images:
        top, left = (int(rng.integers(size - side + 1)) for size in image.shape[:2])
        crop = image[top : top + side, left : left + side]
        cut.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return np.stack(cut)


def _tensor(rgb: np.ndarray, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
