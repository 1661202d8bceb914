"""The records that cross rooms: a camera, a frame, the objects of a frame, the detections of a frame.

Conventions, everywhere in this project:
- boxes are float64 `xyxy` in pixels of the original image; pixel centres lie at .5, so a box covering the
  whole image is (0, 0, width, height);
- the camera frame is KITTI's: x right, y down, z forward, metres; an object's location is the bottom centre
  of its 3D box; `yaw_rad` is KITTI's rotation_y (0 = heading to the right, -pi/2 = heading away from us);
- unknown floats are NaN; unknown texts are None;
- a category is an index into the data set's `categories`; EVERY_CATEGORY (-1) marks an ignore region that
  holds for all of them (KITTI's DontCare).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

EVERY_CATEGORY = -1
Source = Literal["real", "synthetic", "refined", "stand-in"]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera at `height_m` over flat ground, looking down by `pitch_deg`."""

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    height_m: float = 1.65
    pitch_deg: float = 0.0


@dataclass(frozen=True)
class Frame:
    """One image and where it came from.

    `group` (clip, city, town) is never cut by a split. `scene_id`, `failure_id` and `cycle` are the lineage of
    a synthetic frame: the scene it shows, the failure that scene answers, the cycle that asked for it.
    """

    frame_id: str
    image_path: str
    width_px: int
    height_px: int
    group: str
    source: Source = "real"
    camera: Camera | None = None
    time_of_day: str | None = None
    weather: str | None = None
    scene_id: str | None = None
    failure_id: str | None = None
    cycle: int | None = None


@dataclass(frozen=True)
class Objects:
    """The labelled objects of one frame, as a struct of arrays of length N."""

    category: np.ndarray  # (N,) int16
    box_xyxy_px: np.ndarray  # (N, 4) float64, visible box, clipped to the image
    occlusion: np.ndarray  # (N,) float32, hidden share of the object inside the image, 0-1
    truncation: np.ndarray  # (N,) float32, share of the object outside the image, 0-1
    ignore: np.ndarray  # (N,) bool, neither a target nor a false positive
    dimensions_hwl_m: np.ndarray  # (N, 3) float32
    location_xyz_m: np.ndarray  # (N, 3) float32, camera frame, bottom centre
    yaw_rad: np.ndarray  # (N,) float32, KITTI's rotation_y

    def __len__(self) -> int:
        return len(self.category)

    @staticmethod
    def of(
        category,
        box_xyxy_px,
        *,
        occlusion=None,
        truncation=None,
        ignore=None,
        dimensions_hwl_m=None,
        location_xyz_m=None,
        yaw_rad=None,
    ) -> "Objects":
        """Objects from what is known; the rest becomes NaN (or False for `ignore`)."""
        category = np.asarray(category, np.int16).reshape(-1)
        n = len(category)

        def known(values, shape, dtype, default):
            return np.full(shape, default, dtype) if values is None else np.asarray(values, dtype).reshape(shape)

        return Objects(
            category=category,
            box_xyxy_px=np.asarray(box_xyxy_px, np.float64).reshape(n, 4),
            occlusion=known(occlusion, n, np.float32, np.nan),
            truncation=known(truncation, n, np.float32, np.nan),
            ignore=known(ignore, n, bool, False),
            dimensions_hwl_m=known(dimensions_hwl_m, (n, 3), np.float32, np.nan),
            location_xyz_m=known(location_xyz_m, (n, 3), np.float32, np.nan),
            yaw_rad=known(yaw_rad, n, np.float32, np.nan),
        )

    @staticmethod
    def none() -> "Objects":
        return Objects.of([], np.zeros((0, 4)))

    def where(self, keep: np.ndarray | slice) -> "Objects":
        """The objects selected by a boolean mask, an index array or a slice."""
        return Objects(**{name: values[keep] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Detections:
    """What a detector says of one frame, as a struct of arrays of length N, in any order."""

    category: np.ndarray  # (N,) int16
    box_xyxy_px: np.ndarray  # (N, 4) float64, pixels of the original image
    score: np.ndarray  # (N,) float32, 0-1
    occlusion: np.ndarray  # (N,) float32, predicted, NaN where the detector has no such head

    def __len__(self) -> int:
        return len(self.category)

    @staticmethod
    def of(category, box_xyxy_px, score, occlusion=None) -> "Detections":
        category = np.asarray(category, np.int16).reshape(-1)
        n = len(category)
        unknown = np.full(n, np.nan, np.float32)
        return Detections(
            category=category,
            box_xyxy_px=np.asarray(box_xyxy_px, np.float64).reshape(n, 4),
            score=np.asarray(score, np.float32).reshape(n),
            occlusion=unknown if occlusion is None else np.asarray(occlusion, np.float32).reshape(n),
        )

    @staticmethod
    def none() -> "Detections":
        return Detections.of([], np.zeros((0, 4)), [])

    def where(self, keep: np.ndarray) -> "Detections":
        return Detections(**{name: values[keep] for name, values in vars(self).items()})
