"""A tiny data set for the detector's tests: bright rectangles ("car": red, "person": blue) on noise."""

from pathlib import Path

import numpy as np
from PIL import Image

from dataset.schema import Frame, Objects
from dataset.store import Dataset
from dataset.store_writer import DatasetWriter
from models.detector.config import DetectorConfig

WIDTH_PX, HEIGHT_PX = 128, 96
COLOURS = np.array([[230, 30, 30], [30, 30, 230]])
DETECTOR = DetectorConfig(input_width_px=96, input_height_px=64, neck_channels=32)


def shapes_data(folder: Path, frames: int, seed: int = 0, categories: tuple[str, ...] = ("car", "person")) -> Dataset:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with DatasetWriter(folder / "store", categories, "shapes") as writer:
        for i in range(frames):
            image = rng.integers(60, 120, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
            kinds, boxes = [], []
            for column in range(3):  # each in a third of its own, so that none hides another
                if rng.random() < 0.6:
                    width, height = rng.integers(16, 40, 2)
                    left, top = column * 42 + rng.integers(0, 43 - width), rng.integers(0, HEIGHT_PX - height)
                    kinds.append(int(rng.integers(2)))
                    image[top : top + height, left : left + width] = COLOURS[kinds[-1]]
                    boxes.append([left, top, left + width, top + height])
            path = folder / f"{i:04}.png"
            Image.fromarray(image).save(path)
            objects = Objects.of(kinds, np.array(boxes).reshape(-1, 4), occlusion=np.zeros(len(kinds)))
            writer.add(Frame(f"{i:04}", str(path), WIDTH_PX, HEIGHT_PX, group=f"{i:04}"), objects)
    return Dataset.open(folder / "store")
