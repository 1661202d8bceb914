"""The ground under a frame: camera height and pitch for which its labelled objects stand on a plane."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dataset.schema import Camera, Frame, Objects
from simulator.casting import Casting

BORDER_PX = 2.0  # a box this near to the image's border may go on outside


class AssumedCamera(BaseModel):
    """The camera of a data set that does not tell its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizontal_fov_deg: float = Field(default=60.0, gt=5, lt=170, description="Angle of view from left to right.")
    height_m: float = Field(default=1.65, gt=0.1, description="Camera over the ground.")
    pitch_deg: float = Field(default=0.0, gt=-45, lt=45, description="How far the camera looks down.")

    calibrate: bool = Field(
        default=True, description="Fit height and pitch to the data set's boxes first, by the usual sizes of things."
    )

    def camera(self, width_px: int, height_px: int) -> Camera:
        """A camera with square pixels and its axis through the middle of the image."""
        f_px = width_px / 2 / np.tan(np.radians(self.horizontal_fov_deg) / 2)
        return Camera(f_px, f_px, width_px / 2, height_px / 2, self.height_m, self.pitch_deg)


class Evidence(NamedTuple):
    """One object that stands on the ground, in the camera frame."""

    depth_m: float
    y_m: float  # of its underside
    sd_m: float  # of y
    index: int


def fit_ground(
    camera: Camera,
    objects: Objects,
    casting: Casting,
    *,
    image_size_px: tuple[int, int],
    target: int = -1,
    height_sd_m: float = 0.12,
    pitch_sd_deg: float = 1.0,
) -> Camera:
    """The camera with the height and pitch for which the labelled objects of a frame stand on flat ground.

    3D labels give depth and y of the underside; a whole 2D box gives depth by the usual height of its kind. The given
    camera is the prior, so a frame that tells nothing keeps it. `target`, an index, is fitted almost exactly: it is
    what the scene is about.
    """
    rows = evidence(camera, objects, casting, image_size_px)
    rows = [row._replace(sd_m=0.02) if row.index == target else row for row in rows]
    height_m, pitch_deg = plane(rows, camera.height_m, camera.pitch_deg, height_sd_m, pitch_sd_deg, trusted=target)
    return replace(camera, height_m=height_m, pitch_deg=pitch_deg)


def calibrate(frames: Iterable[tuple[Frame, Objects]], casting: Casting, assumed: AssumedCamera) -> AssumedCamera:
    """The assumed camera with the height and pitch that suit a data set's boxes best.

    The angle of view stays as assumed: boxes on the ground do not tell it.
    """
    rows: list[Evidence] = []
    for frame, objects in frames:
        size = (frame.width_px, frame.height_px)
        rows += evidence(assumed.camera(*size), objects, casting, size)
    height_m, pitch_deg = plane(rows, assumed.height_m, assumed.pitch_deg, 0.6, 4.0)
    return assumed.model_copy(update={"height_m": height_m, "pitch_deg": pitch_deg})


def plane(
    rows: list[Evidence], height_m: float, pitch_deg: float, height_sd_m: float, pitch_sd_deg: float, trusted: int = -1
) -> tuple[float, float]:
    """(height_m, pitch_deg) of the ground plane  y = height / cos p - depth tan p  through the evidence.

    Least squares with Huber weights, reweighted a dozen times, and a Gaussian prior at the given height and pitch;
    the object `trusted` is never weighted down.
    """
    if not rows:
        return height_m, pitch_deg
    depth, y, sd, index = np.array(rows).T
    prior_pitch = np.radians(pitch_deg)
    design = np.concatenate([np.stack([np.ones_like(depth), -depth], 1), np.eye(2)])
    wanted = np.concatenate([y, [height_m / np.cos(prior_pitch), np.tan(prior_pitch)]])
    scale = np.concatenate([sd, [height_sd_m, np.radians(pitch_sd_deg)]])
    kept = np.concatenate([(index == trusted) & (index >= 0), [True, True]])
    weight = np.ones_like(wanted)
    solution = wanted[-2:]
    for _ in range(12):
        root = np.sqrt(weight) / scale
        solution = np.linalg.lstsq(design * root[:, None], wanted * root, rcond=None)[0]
        residual = np.abs(design @ solution - wanted) / scale
        weight = np.where(kept | (residual < 1.5), 1.0, 1.5 / np.maximum(residual, 1e-9))
    pitch = float(np.clip(np.arctan(solution[1]), prior_pitch - np.radians(8), prior_pitch + np.radians(8)))
    height = float(np.clip(solution[0] * np.cos(pitch), 0.4 * height_m, 2.5 * height_m))
    return height, float(np.degrees(pitch))


def evidence(camera: Camera, objects: Objects, casting: Casting, image_size_px: tuple[int, int]) -> list[Evidence]:
    """What the objects of a frame tell of the ground: those that stand on it, seen whole or labelled in 3D."""
    rows: list[Evidence] = []
    for i in range(len(objects)):
        category = int(objects.category[i])
        if objects.ignore[i] or category < 0 or casting.hangs(casting.categories[category]):
            continue
        _, y0, _, y1 = objects.box_xyxy_px[i].tolist()
        _, y, depth = objects.location_xyz_m[i].tolist()
        if np.isfinite([y, depth]).all():
            rows.append(Evidence(depth, y, 0.08 + 0.006 * abs(depth), i))
            continue
        size = casting.size(casting.categories[category])
        cut = y0 <= BORDER_PX or y1 >= image_size_px[1] - BORDER_PX
        hidden = np.nan_to_num(objects.occlusion[i]) > 0.3
        if size is None or cut or hidden or y1 - y0 < 4:
            continue
        depth = camera.fy_px * size.height_m / (y1 - y0)
        y = depth * (y1 - camera.cy_px) / camera.fy_px
        sd = float(np.hypot(abs(y) * (size.spread + 0.04), 2 * depth / camera.fy_px))
        rows.append(Evidence(depth, y, sd, i))
    return rows
