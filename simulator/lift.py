"""From boxes in the picture to things on the street.

Where a data set has no 3D labels, the pose of an object is the one whose projected 3D box, of a size usual for its
kind and standing on the ground, best fits the labelled 2D box. The ground itself (camera height and pitch) is fitted
to all objects of a frame first, so that they stand on it.
"""

from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dataset.schema import Camera, Frame, Objects
from simulator.casting import Casting, Size
from simulator.projection import box_corners, project

ROAD_YAWS_RAD = np.radians([-90.0, -70, -110, -45, -135, -20, -160, 0])  # the other half of the circle looks alike
YAW_MISFIT = np.array([0.0, 0.3, 0.3, 1.0, 1.0, 1.0, 1.0, 0.6])  # most things go along the road, or cross it
ONCOMING_X_M = -1.7  # left of the camera's lane traffic comes towards us
BORDER_PX = 2.0  # a box this near to the image's border may go on outside


class AssumedCamera(BaseModel):
    """The camera of a data set that does not tell its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizontal_fov_deg: float = Field(default=60.0, gt=5, lt=170, description="Angle of view from left to right.")
    height_m: float = Field(default=1.65, gt=0.1, description="Camera over the ground.")
    pitch_deg: float = Field(default=0.0, gt=-45, lt=45, description="How far the camera looks down.")

    def camera(self, width_px: int, height_px: int) -> Camera:
        """A camera with square pixels and its axis through the middle of the image."""
        f_px = width_px / 2 / np.tan(np.radians(self.horizontal_fov_deg) / 2)
        return Camera(f_px, f_px, width_px / 2, height_px / 2, self.height_m, self.pitch_deg)


@dataclass(frozen=True)
class Pose3D:
    """Where an object stands in the level frame, how large it is, and how badly that fits its box (0 = exactly)."""

    x_m: float
    z_m: float
    yaw_rad: float
    dimensions_hwl_m: tuple[float, float, float]
    lift_m: float = 0.0
    misfit: float = 0.0


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
    """The camera with the height and pitch for which the labelled objects stand on flat ground.

    Robust least squares (Huber weights) of  y_bottom = height / cos p - z tan p  with the given camera as the prior,
    so that a frame that tells nothing keeps it. 3D labels give y and z; a 2D box gives z by the usual height of its
    kind. `target`, an index, is fitted almost exactly: it is the object that the scene is about.
    Objects of several frames may be given together to calibrate an unknown camera: then widen the priors.
    """
    rows = _ground_evidence(camera, objects, casting, image_size_px)
    if not rows:
        return camera
    depth, y, sd, index = np.array(rows).T
    sd = np.where(index == target, 0.02, sd)
    prior_pitch = np.radians(camera.pitch_deg)
    design = np.concatenate([np.stack([np.ones_like(depth), -depth], 1), np.eye(2)])
    wanted = np.concatenate([y, [camera.height_m / np.cos(prior_pitch), np.tan(prior_pitch)]])
    scale = np.concatenate([sd, [height_sd_m, np.radians(pitch_sd_deg)]])
    trusted = np.concatenate([index == target, [True, True]])
    weight = np.ones_like(wanted)
    solution = wanted[-2:]
    for _ in range(12):
        root = np.sqrt(weight) / scale
        solution = np.linalg.lstsq(design * root[:, None], wanted * root, rcond=None)[0]
        residual = np.abs(design @ solution - wanted) / scale
        weight = np.where(trusted | (residual < 1.5), 1.0, 1.5 / np.maximum(residual, 1e-9))
    pitch = float(np.clip(np.arctan(solution[1]), prior_pitch - np.radians(8), prior_pitch + np.radians(8)))
    height = float(np.clip(solution[0] * np.cos(pitch), 0.4 * camera.height_m, 2.5 * camera.height_m))
    return replace(camera, height_m=height, pitch_deg=float(np.degrees(pitch)))


def _ground_evidence(camera: Camera, objects: Objects, casting: Casting, image_size_px: tuple[int, int]) -> list:
    """(depth, y of the underside, standard deviation of y, object) in the camera frame, of all that stands."""
    rows = []
    for i in range(len(objects)):
        category = int(objects.category[i])
        if objects.ignore[i] or category < 0 or casting.hangs(casting.categories[category]):
            continue
        _, y0, _, y1 = objects.box_xyxy_px[i]
        location = objects.location_xyz_m[i]
        if np.isfinite(location).all():
            rows.append((location[2], location[1], 0.08 + 0.006 * abs(location[2]), i))
            continue
        size = casting.size(casting.categories[category])
        cut = y0 <= BORDER_PX or y1 >= image_size_px[1] - BORDER_PX
        hidden = np.nan_to_num(objects.occlusion[i]) > 0.3
        if size is None or cut or hidden or y1 - y0 < 4:
            continue
        depth = camera.fy_px * size.height_m / (y1 - y0)
        y = depth * (y1 - camera.cy_px) / camera.fy_px
        rows.append((depth, y, np.hypot(abs(y) * (size.spread + 0.04), 2 * depth / camera.fy_px), i))
    return rows


def lift(
    box_xyxy_px,
    camera: Camera,
    size: Size,
    *,
    image_size_px: tuple[int, int],
    occlusion: float = np.nan,
    hung: bool = False,
) -> Pose3D:
    """The pose of an object of a usual `size` that best explains its box (xyxy, px, clipped to the image).

    Searches yaw, distance and scale; the lateral position follows from the box's sides. Edges at the image's border
    are compared after clipping, so a truncated object may reach outside. For what is hung, distance comes from size
    alone and `lift_m` from the box's lower edge.
    """
    box = np.asarray(box_xyxy_px, np.float64)
    width_px, height_px = image_size_px
    cut = np.array([box[0], box[1], width_px - box[2], height_px - box[3]]) <= BORDER_PX
    # An occluded object's box says less about the whole object.
    sd_px = (1.0 + 0.03 * max(box[2] - box[0], box[3] - box[1])) * (1 + 3 * float(np.nan_to_num(occlusion)))
    nominal = camera.fy_px * size.height_m / max(box[3] - box[1], 1.0)
    z = nominal * np.exp(np.linspace(np.log(0.15 if cut.any() else 0.6), np.log(1.7), 48))
    scale = np.exp(np.linspace(-2, 2, 5) * size.spread)
    yaw, yaw_misfit = ROAD_YAWS_RAD, YAW_MISFIT
    if hung:
        yaw, yaw_misfit, scale = np.array([np.pi / 2]), np.zeros(1), np.ones(1)
        z = nominal * np.exp(np.linspace(-0.15, 0.15, 61))
    best = (0.0, 0.0, 0.0, 0.0, 0.0, np.inf)
    for _ in range(2):
        best = min(
            best, _search(box, cut, camera, size, image_size_px, sd_px, yaw, yaw_misfit, z, scale, hung), key=_misfit
        )
        chosen = np.argmin(np.abs(yaw - best[2]))
        yaw, yaw_misfit = yaw[chosen : chosen + 1], yaw_misfit[chosen : chosen + 1]
        if not hung:
            z = best[1] * np.exp(np.linspace(-0.05, 0.05, 21))
            scale = best[3] * np.exp(np.linspace(-0.5, 0.5, 5) * size.spread)
    x_m, z_m, yaw_rad, chosen_scale, lift_m, misfit = best
    if x_m < ONCOMING_X_M and yaw_rad < 0:
        yaw_rad += np.pi
    h, w, length = (float(chosen_scale * d) for d in size[:3])
    return Pose3D(x_m, z_m, float(yaw_rad), (h, w, length), lift_m, misfit)


def _misfit(candidate: tuple) -> float:
    return candidate[-1]


def _search(box, cut, camera, size, image_size_px, sd_px, yaw, yaw_misfit, z, scale, hung) -> tuple:
    """Best of all combinations of yaw (Y), z (Z) and scale (S): (x, z, yaw, scale, lift, misfit)."""
    yaw_g, z_g, scale_g = (g.ravel() for g in np.meshgrid(yaw, z, scale, indexing="ij"))
    prior = np.repeat(yaw_misfit, len(z) * len(scale)) + (np.log(scale_g) / size.spread) ** 2
    dimensions = scale_g[:, None] * np.array(size[:3])
    lift = np.zeros_like(z_g)
    if hung:
        lift = np.maximum(camera.height_m - z_g * (_row_slope(camera, box[3])), 0.3)
    if cut[0] and not cut[2]:
        anchor, seen_u = 1, box[2]
    elif cut[2] and not cut[0]:
        anchor, seen_u = 0, box[0]
    else:
        anchor, seen_u = 2, (box[0] + box[2]) / 2
    x = (seen_u - camera.cx_px) / camera.fx_px * z_g
    left = right = top = bottom = np.zeros_like(x)
    for _ in range(4):
        pixels = project(camera, box_corners(x, z_g, yaw_g, dimensions, lift))
        left, top = np.moveaxis(pixels.min(axis=-2), -1, 0)
        right, bottom = np.moveaxis(pixels.max(axis=-2), -1, 0)
        found = (left, right, (left + right) / 2)[anchor]
        x = x + (seen_u - found) * z_g / camera.fx_px
    seen = np.stack(
        [
            np.clip(left, 0, image_size_px[0]),
            np.clip(top, 0, image_size_px[1]),
            np.clip(right, 0, image_size_px[0]),
            np.clip(bottom, 0, image_size_px[1]),
        ]
    )
    misfit = (((seen - box[:, None]) / sd_px) ** 2).sum(axis=0) + prior
    i = int(np.argmin(misfit))
    return float(x[i]), float(z_g[i]), float(yaw_g[i]), float(scale_g[i]), float(lift[i]), float(misfit[i])


def _row_slope(camera: Camera, v_px: float) -> float:
    """Metres that the ray of an image row falls in a metre of level distance."""
    return float(np.tan(np.arctan((v_px - camera.cy_px) / camera.fy_px) + np.radians(camera.pitch_deg)))


def poses(frame: Frame, objects: Objects, camera: Camera, casting: Casting) -> list[Pose3D | None]:
    """The pose of every object of a frame; None for ignore regions and categories that are left out.

    `camera` has the fitted ground. 3D labels are taken as they are, set down on that ground.
    """
    found: list[Pose3D | None] = []
    for i in range(len(objects)):
        category = int(objects.category[i])
        size = casting.size(casting.categories[category]) if category >= 0 and not objects.ignore[i] else None
        found.append(None if size is None else pose_of(frame, objects, i, camera, casting, size))
    return found


def pose_of(frame: Frame, objects: Objects, i: int, camera: Camera, casting: Casting, size: Size) -> Pose3D:
    """The pose of object `i`: from its 3D label where it has one, else lifted from its box."""
    hung = casting.hangs(casting.categories[int(objects.category[i])])
    location, dimensions = objects.location_xyz_m[i].astype(np.float64), objects.dimensions_hwl_m[i]
    if np.isfinite(location).all() and np.isfinite(dimensions).all() and np.isfinite(objects.yaw_rad[i]):
        cos, sin = np.cos(np.radians(camera.pitch_deg)), np.sin(np.radians(camera.pitch_deg))
        x, y, depth = location
        up = camera.height_m - (y * cos + depth * sin)
        h, w, length = (float(d) for d in dimensions)
        return Pose3D(
            float(x), float(depth * cos - y * sin), float(objects.yaw_rad[i]), (h, w, length), up if hung else 0.0
        )
    return lift(
        objects.box_xyxy_px[i],
        camera,
        size,
        image_size_px=(frame.width_px, frame.height_px),
        occlusion=float(objects.occlusion[i]),
        hung=hung,
    )
