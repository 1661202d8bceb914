"""Label maps for those who have photographs only: one palette of colours, found by K-means over a whole folder.

Clusters found in each picture by itself are no labels, as their numbers mean another thing in each. These are the same
for all pictures. Renders are brought to the photographs' mean and deviation in Lab before their colours are named, as
their road would else be the photographs' sky on a dull day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter

from dataset.colour import lab_of
from dataset.errors import InputError

from .lab import moments
from .pictures import Pictures
from .tensor_file import require_state

SAMPLED_PICTURES, SAMPLED_PIXELS = 200, 400
MOST_ROUNDS = 60
FLAT = 0.5  # deviations below this, in Lab, are rounding
MOST_GAIN = 3.0  # of a render's contrast


@dataclass(frozen=True)
class Palette:
    """`centres`: (K, 5) float32: L, a, b, and x and y (0-1 of the picture) times `position`, K <= 256.

    `ours`, `theirs`: (2, 3) mean and deviation in Lab of renders and photographs.
    """

    centres: np.ndarray
    position: float
    smooth_px: float
    ours: np.ndarray
    theirs: np.ndarray

    def __len__(self) -> int:
        return len(self.centres)

    def ids_of_photo(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (H, W) uint8, the nearest centre of each pixel."""
        return self._nearest(_smoothed_lab(rgb, self.smooth_px))

    def ids_of_render(self, rgb: np.ndarray) -> np.ndarray:
        """As `ids_of_photo`, in the photographs' light."""
        wide = self.ours[1] >= FLAT
        gain = np.where(wide, np.minimum(self.theirs[1] / np.maximum(self.ours[1], FLAT), MOST_GAIN), 1)
        lab = (_smoothed_lab(rgb, self.smooth_px) - self.ours[0]) * gain + self.theirs[0]
        return self._nearest(lab.astype(np.float32))

    def _nearest(self, lab: np.ndarray) -> np.ndarray:
        height, width = lab.shape[:2]
        points = _with_places(lab, self.position)
        return nearest(points.reshape(-1, 5), self.centres).astype(np.uint8).reshape(height, width)

    def state(self) -> dict[str, Any]:
        arrays = {name: torch.from_numpy(getattr(self, name)) for name in ("centres", "ours", "theirs")}
        return arrays | {"position": self.position, "smooth_px": self.smooth_px}

    @staticmethod
    def of_state(state: dict[str, Any], path: Path) -> "Palette":
        """What `state` gave. InputError naming `path` and the keys that are missing, left over or of another shape."""
        shapes: dict[str, tuple[int | None, ...]] = {"centres": (None, 5), "ours": (2, 3), "theirs": (2, 3)}
        require_state(state, shapes | {"position": (), "smooth_px": ()}, path)
        arrays = {name: state[name].numpy() for name in ("centres", "ours", "theirs")}
        return Palette(position=state["position"], smooth_px=state["smooth_px"], **arrays)


class PaletteMaps(Pictures):
    """Pictures whose label maps are their palette's."""

    def __init__(self, pictures: Pictures, palette: Palette, *, render: bool):
        super().__init__(pictures._source, pictures._rows)
        self._palette, self._render = palette, render

    def subset(self, rows: Sequence[int] | np.ndarray) -> "PaletteMaps":
        return PaletteMaps(super().subset(rows), self._palette, render=self._render)

    def semantic(self, i: int) -> np.ndarray:
        rgb = self.rgb(i)
        return self._palette.ids_of_render(rgb) if self._render else self._palette.ids_of_photo(rgb)


def fit_palette(
    renders: Pictures, photos: Pictures, *, colours: int, position: float, smooth_px: float, seed: int
) -> Palette:
    """`colours` centres, or fewer where the photographs do not have as many. InputError where there are no pictures.

    position: how many units of Lab the picture's whole width or height counts; 0 for colours alone.
    """
    if len(photos) == 0 or len(renders) == 0:
        raise InputError("palette", "there are no pictures to find colours in", "give at least one of each set")
    ours, _ = _sampled(renders, position, smooth_px, np.random.default_rng([seed, 0]))
    theirs, points = _sampled(photos, position, smooth_px, np.random.default_rng([seed, 1]))
    centres = k_means(points, colours, np.random.default_rng([seed, 2]))
    return Palette(centres, position, smooth_px, moments(ours), moments(theirs))


def k_means(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(N, D) float32 -> (K, D) centres, K <= count where fewer points differ. Lloyd's rounds from k-means++ seeds."""
    centres = points[rng.integers(len(points))][None]
    distance = np.square(points - centres[0]).sum(1)
    while len(centres) < count and distance.max() > 1e-6:
        chosen = points[rng.choice(len(points), p=distance / distance.sum(dtype=np.float64))]
        centres = np.concatenate([centres, chosen[None]])
        distance = np.minimum(distance, np.square(points - chosen).sum(1))
    for _ in range(MOST_ROUNDS):
        own = nearest(points, centres)
        size = np.bincount(own, minlength=len(centres))
        sums = np.stack([np.bincount(own, points[:, d], len(centres)) for d in range(points.shape[1])], 1)
        moved = np.where(size[:, None] > 0, sums / np.maximum(size, 1)[:, None], centres).astype(np.float32)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres[np.argsort(centres[:, 0])]  # dark to light, so that the numbers mean something to a reader


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(N, D), (K, D) -> (N,) index of the nearest centre, the first of equals."""
    return np.argmin(np.square(centres).sum(1) - 2 * points @ centres.T, axis=1)


def _sampled(
    pictures: Pictures, position: float, smooth_px: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lab and (Lab, place) of pixels drawn from pictures that are spread evenly over the set."""
    points = []
    for i in np.unique(np.linspace(0, len(pictures) - 1, SAMPLED_PICTURES).round().astype(int)):
        of_picture = _with_places(_smoothed_lab(pictures.rgb(int(i)), smooth_px), position).reshape(-1, 5)
        points.append(of_picture[rng.integers(len(of_picture), size=SAMPLED_PIXELS)])
    joined = np.concatenate(points)
    return joined[:, :3], joined


def _with_places(lab: np.ndarray, position: float) -> np.ndarray:
    """(H, W, 3) -> (H, W, 5), with x and y in 0-1 times `position`."""
    height, width = lab.shape[:2]
    x = np.broadcast_to((np.arange(width) + 0.5) / width * position, (height, width))
    y = np.broadcast_to((np.arange(height)[:, None] + 0.5) / height * position, (height, width))
    return np.dstack([lab, x, y]).astype(np.float32)


def _smoothed_lab(rgb: np.ndarray, smooth_px: float) -> np.ndarray:
    """Lab of a picture without its noise, which would speckle the map."""
    picture = Image.fromarray(rgb)
    return lab_of(np.asarray(picture.filter(ImageFilter.GaussianBlur(smooth_px)) if smooth_px else picture))
