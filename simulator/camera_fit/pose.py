"""Where the camera stood and looked: the horizon and its height, from boxes on the ground.

An object of height H that stands on flat ground and is h px high has its underside H_camera / H * h px below the
horizon (Hoiem, Efros and Hebert, Putting objects in perspective, CVPR 2006): many boxes, of kinds whose usual height is
known, tell both. A vanishing point would need straight roads; boxes are there anyway.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from dataset.errors import InputError
from dataset.schema import Camera, Frame, Objects
from simulator.casting import Casting
from simulator.ground import AssumedCamera, Evidence, evidence, plane
from simulator.projection import horizon_row_px

HEIGHT_SD_M, PITCH_SD_DEG = 0.6, 4.0  # how far the camera may be from what was assumed, before any box
LEAST_OBJECTS = 3  # on a frame that is asked for its own pitch
PITCH_JITTER_DEG = (0.2, 3.0)  # a car's body always nods a little


@dataclass(frozen=True)
class Pose:
    """The camera of most frames, over the ground that their boxes tell, and how its pitch varies between frames."""

    camera: Camera
    width_px: int
    height_px: int
    objects: int  # that told; without any the camera is as assumed
    pitch_jitter_deg: float
    calibrated: bool  # some frames tell a camera of their own

    @property
    def horizon_share(self) -> float:
        """The horizon's row, as a share of the picture's height."""
        return horizon_row_px(self.camera) / self.height_px


def fit_pose(frames: Iterable[tuple[Frame, Objects]], casting: Casting, assumed: AssumedCamera) -> Pose:
    """Intrinsics are the frames' own, or assumed; pictures of the most common size count, the others are left out.

    Raises InputError where there is no frame.
    """
    pairs = list(frames)
    if not pairs:
        raise InputError("the data set", "holds no frame", "name one that does, see its meta.json")
    sizes = [(frame.width_px, frame.height_px) for frame, _ in pairs]
    size = max(dict.fromkeys(sizes), key=sizes.count)
    alike = [pair for pair, one in zip(pairs, sizes, strict=True) if one == size]
    camera = alike[0][0].camera or assumed.camera(*size)
    camera = replace(camera, height_m=assumed.height_m, pitch_deg=assumed.pitch_deg)
    told = [evidence(frame.camera or camera, objects, casting, size) for frame, objects in alike]
    rows = [row for one in told for row in one]
    height_m, pitch_deg = plane(rows, camera.height_m, camera.pitch_deg, HEIGHT_SD_M, PITCH_SD_DEG)
    camera = replace(camera, height_m=height_m, pitch_deg=pitch_deg)
    calibrated = any(frame.camera is not None for frame, _ in pairs)
    return Pose(camera, *size, len(rows), _pitch_jitter_deg(camera, told), calibrated)


def _pitch_jitter_deg(camera: Camera, told: list[list[Evidence]]) -> float:
    """Spread of the frames' own pitches at the height of all: the median deviation, made a standard deviation."""
    own = [plane(rows, camera.height_m, camera.pitch_deg, 0.02, 3.0)[1] for rows in told if len(rows) >= LEAST_OBJECTS]
    if len(own) < 8:
        return PITCH_JITTER_DEG[0]
    return float(np.clip(1.4826 * np.median(np.abs(np.array(own) - np.median(own))), *PITCH_JITTER_DEG))
