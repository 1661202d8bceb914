"""Real pictures to measure: spread over the data set, by day, at the size that the simulator will render."""

import io
from dataclasses import dataclass

import fsspec
import numpy as np
from PIL import Image

from dataset.errors import InputError
from dataset.images import read_image
from dataset.store import Dataset
from simulator.camera_fit.measures import jpeg_quality
from simulator.camera_fit.pose import Pose

FEWEST = 4
LOSSLESS = (97, 100)
SHRUNK = 0.8  # below this scale the files' blocks are averaged away


@dataclass(frozen=True)
class RealFrames:
    pictures: list[np.ndarray]  # (H, W, 3) uint8, all of one size
    quality: tuple[int, int]  # least and greatest of their JPEG files


def real_frames(dataset: Dataset, pose: Pose, width_px: int, count: int) -> RealFrames:
    """At most `count` frames of the pose's size, made `width_px` wide. Frames known to be of the night are left out.

    Raises InputError where fewer than FEWEST are left.
    """
    pictures, qualities = [], []
    height_px = round(pose.height_px * width_px / pose.width_px)
    for row in np.unique(np.linspace(0, len(dataset) - 1, count).astype(int)).tolist():
        frame = dataset.frame(row)
        if frame.time_of_day == "night" or (frame.width_px, frame.height_px) != (pose.width_px, pose.height_px):
            continue
        picture = Image.fromarray(read_image(frame.image_path))
        pictures.append(np.asarray(picture.resize((width_px, height_px), Image.Resampling.BOX)))
        with fsspec.open(frame.image_path, "rb") as file, Image.open(io.BytesIO(file.read())) as image:  # type: ignore[union-attr]
            quality = jpeg_quality(image)
        if quality is not None:
            qualities.append(quality)
    if len(pictures) < FEWEST:
        size = f"{pose.width_px}x{pose.height_px} px"
        raise InputError(
            dataset.folder,
            f"{len(pictures)} frames of {size} by day, {FEWEST} needed",
            "fit with more frames (--frames)",
        )
    if not qualities or width_px < SHRUNK * pose.width_px:
        return RealFrames(pictures, LOSSLESS)
    return RealFrames(pictures, (max(min(qualities) - 2, 1), min(max(qualities) + 2, 100)))
