"""Training samples: images decoded once and kept at the network's size, in an order that only the seed decides."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from dataset.errors import InputError
from dataset.images import read_image
from dataset.schema import Frame, Objects
from dataset.store import Dataset
from models.reserved_file import reserve

from .augment import Augmentation
from .config import DetectorConfig, TrainConfig
from .mosaic import TILES, Mosaic
from .sampling import Order, repeats
from .targets import ObjectBatch

AUGMENTATION, MOSAIC = 1, 2  # separate streams of random numbers under one seed, beside sampling.ORDER


def resized(image: np.ndarray, config: DetectorConfig) -> np.ndarray:
    """(H, W, 3) uint8 RGB of any size -> the network's input size; x and y are scaled each for itself."""
    size = (config.input_width_px, config.input_height_px)
    if image.shape[1::-1] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


class ImageCache:
    """Resized images in one memory-mapped file, shared by the processes of a machine and bounded in size.

    Frames past the bound are decoded every time. Its space is reserved at once: a write into a map of a file that
    the disk cannot hold would kill the process (SIGBUS).
    """

    def __init__(self, folder: Path, frames: int, config: DetectorConfig, max_gib: float):
        self.shape = (config.input_height_px, config.input_width_px, 3)
        self._frame_bytes = int(np.prod(self.shape)) + 1  # the picture, and whether it is there
        self._wanted_frames = min(frames, int(max_gib * 2**30 / self._frame_bytes))
        self.path = folder / f"images-{platform.node()}.cache"  # a map is coherent within one machine only

    def create(self) -> None:
        """Make an empty file, whatever was there before. Once a machine, before anyone reads.

        A disk without room for it means no cache, and a warning.
        """
        reserve(self.path, self._wanted_frames * self._frame_bytes, "free space or lower cache_gib")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name not in ("_filled", "_images")}

    @cached_property
    def frames(self) -> int:
        """How many frames the file holds, the same for every process: what `create` found room for."""
        return self.path.stat().st_size // self._frame_bytes

    @cached_property
    def _filled(self) -> np.ndarray:
        return np.memmap(self.path, np.uint8, "r+", shape=(self.frames,))

    @cached_property
    def _images(self) -> np.ndarray:
        return np.memmap(self.path, np.uint8, "r+", offset=self.frames, shape=(self.frames, *self.shape))

    def get(self, index: int, frame: Frame, config: DetectorConfig) -> np.ndarray:
        if index >= self.frames:
            return resized(_read(frame), config)
        if not self._filled[index]:
            self._images[index] = resized(_read(frame), config)
            self._filled[index] = 1  # last, so that no one reads half an image
        return self._images[index]


def _read(frame: Frame) -> np.ndarray:
    """A frame's image; InputError where its size is not the frame's, as its boxes would lie elsewhere."""
    image = read_image(frame.image_path)
    if image.shape[:2] != (frame.height_px, frame.width_px):
        raise InputError(
            frame.image_path,
            f"{image.shape[1]}x{image.shape[0]} px, the data set says {frame.width_px}x{frame.height_px}",
            "the file is not the one that was imported: import the data set again",
        )
    return image


@dataclass(frozen=True)
class Batch:
    images: Tensor  # (B, H, W, 3) uint8 RGB at the input's size, not yet changed
    source_from_output: Tensor  # (B, 2, 3) float32
    colour: Tensor  # (B, 3, 4) float32
    objects: ObjectBatch  # as the changed images show them
    frame_ids: list[str]

    def parts(self, count: int) -> list["Batch"]:
        """The batch in `count` equal parts, in order."""
        size = len(self.images) // count
        cuts = [slice(start, start + size) for start in range(0, count * size, size)]
        return [
            Batch(
                self.images[cut],
                self.source_from_output[cut],
                self.colour[cut],
                ObjectBatch(*(values[cut] for values in self.objects)),
                self.frame_ids[cut],
            )
            for cut in cuts
        ]

    def pin_memory(self) -> "Batch":
        objects = ObjectBatch(*(values.pin_memory() for values in self.objects))
        source_from_output, colour = self.source_from_output.pin_memory(), self.colour.pin_memory()
        return Batch(self.images.pin_memory(), source_from_output, colour, objects, self.frame_ids)


Sample = tuple[np.ndarray, Augmentation, Objects, str]  # image, its change, objects as changed, frame's id


class Samples(TorchDataset):
    """Sample number p of an endless stream: the same whoever asks, whenever, from whatever process.

    The order of frames (see sampling.py) and the augmentation follow from (seed, p) alone, so a resumed run needs no
    state of any generator.
    """

    def __init__(self, data: Dataset, cache: ImageCache, detector: DetectorConfig, config: TrainConfig):
        self.data, self.cache, self.detector, self.config = data, cache, detector, config
        self.order = Order(len(data), config.seed, repeats(data, config))

    def __getitem__(self, position: int) -> Sample:
        seed, augment = self.config.seed, self.config.augment
        augmentation = Augmentation.draw(augment, np.random.default_rng([seed, AUGMENTATION, position]))
        width_px, height_px = self.detector.input_width_px, self.detector.input_height_px
        rng = np.random.default_rng([seed, MOSAIC, position])
        image, objects, frame_id = self._frame(self.order.at(position))
        if rng.random() < augment.mosaic:
            epoch = self.order.epoch(position // self.order.length)
            others = [self._frame(int(epoch[place])) for place in rng.integers(len(epoch), size=TILES - 1)]
            images, parts, frame_ids = zip((image, objects, frame_id), *others, strict=True)
            mosaic = Mosaic.draw(width_px, height_px, rng)
            image = mosaic.image(list(images))
            objects, frame_id = mosaic.objects(list(parts), augment.min_visible), " + ".join(frame_ids)
        return image, augmentation, augmentation.objects(objects, width_px, height_px, augment.min_visible), frame_id

    def _frame(self, row: int) -> tuple[np.ndarray, Objects, str]:
        """A frame's image and objects at the input's size, and its id."""
        frame, objects = self.data.frame(row), self.data.objects(row)
        scale = np.array(
            [self.detector.input_width_px / frame.width_px, self.detector.input_height_px / frame.height_px] * 2
        )
        image = self.cache.get(row, frame, self.detector)
        return image, Objects(**vars(objects) | {"box_xyxy_px": objects.box_xyxy_px * scale}), frame.frame_id


@dataclass(frozen=True)
class BatchPositions:
    """The positions in the stream that this rank reads from `first_step` on: its slice of every part of every batch.

    A part is consecutive, over all ranks: what is learned together does not depend on their number.
    """

    first_step: int
    steps: int
    batch_size: int  # over all ranks
    rank: int
    ranks: int
    parts: int = 1  # learned one after another

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch_size // self.ranks // self.parts
        for step in range(self.first_step, self.steps):
            starts = [(step * self.parts + part) * self.ranks + self.rank for part in range(self.parts)]
            yield [start * share + place for start in starts for place in range(share)]


class Batches(TorchDataset):
    """Whole batches by the positions in them.

    An image that cannot be read is handed over as its error: raised in a worker process, it would lose its form.
    """

    def __init__(self, samples: Samples):
        self.samples = samples

    def __getitem__(self, positions: list[int]) -> Batch | InputError:
        try:
            return collate([self.samples[position] for position in positions])
        except InputError as error:
            return error


def collate(samples: list[Sample]) -> Batch:
    images, augmentations, objects, frame_ids = zip(*samples, strict=True)
    matrices = [np.hstack([np.diag(a.source_scale), a.source_shift[:, None]]) for a in augmentations]
    return Batch(
        images=torch.from_numpy(np.stack(images)),
        source_from_output=torch.from_numpy(np.stack(matrices)).float(),
        colour=torch.from_numpy(np.stack([a.colour for a in augmentations])).float(),
        objects=padded(objects),
        frame_ids=list(frame_ids),
    )


def padded(objects: tuple[Objects, ...] | list[Objects]) -> ObjectBatch:
    """The objects of B frames, boxes in input px, as one padded batch."""
    shape = (len(objects), max((len(o) for o in objects), default=0))
    category, box = torch.zeros(shape, dtype=torch.int64), torch.zeros(*shape, 4)
    occlusion = torch.full(shape, torch.nan)
    ignore, exists = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    for row, of_frame in enumerate(objects):
        n = len(of_frame)
        category[row, :n] = torch.from_numpy(of_frame.category.astype(np.int64))
        box[row, :n] = torch.from_numpy(of_frame.box_xyxy_px.astype(np.float32))
        occlusion[row, :n] = torch.from_numpy(of_frame.occlusion)
        ignore[row, :n] = torch.from_numpy(of_frame.ignore)
        exists[row, :n] = True
    return ObjectBatch(category, box, occlusion, ignore, exists)
