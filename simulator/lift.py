"""From boxes in the picture to things on the street.

Where a data set has no 3D labels, the pose of an object is the one whose projected 3D box, of a size usual for its
kind and standing on the ground (see ground.py), best fits the labelled 2D box.
"""

from dataclasses import dataclass

import numpy as np

from dataset.schema import Camera, Frame, Objects
from simulator.casting import HUNG_ASSETS, SIZES, Casting, Size
from simulator.ground import BORDER_PX
from simulator.projection import box_corners, level_from_camera, project

ROAD_YAWS_RAD = np.radians([-90.0, -70, -110, -45, -135, -20, -160, 0])  # the other half of the circle looks alike
YAW_MISFIT = np.array([0.0, 0.3, 0.3, 1.0, 1.0, 1.0, 1.0, 0.6])  # most things go along the road, or cross it
ONCOMING_X_M = -1.7  # left of the camera's lane traffic comes towards us


@dataclass(frozen=True)
class Pose3D:
    """Where an object stands in the level frame, how large it is, and how badly that fits its box (0 = exactly)."""

    x_m: float
    z_m: float
    yaw_rad: float
    dimensions_hwl_m: tuple[float, float, float]
    lift_m: float = 0.0
    misfit: float = 0.0


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
        if not hung:
            yaw_misfit = np.full(5, yaw_misfit[np.argmin(np.abs(yaw - best[2]))])
            yaw = best[2] + np.radians([-12, -6, 0, 6, 12])
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


def play(
    frame: Frame, objects: Objects, i: int, camera: Camera, casting: Casting, rng: np.random.Generator
) -> tuple[str, Pose3D] | None:
    """An asset that plays object `i`, and its pose; None for ignore regions and categories that are left out.

    `camera` has the fitted ground. A 3D label is taken as it is and set down on that ground; without one the object is
    lifted from its box. Where several assets play a category, one is drawn by its weight and how well it fits.
    """
    category = int(objects.category[i])
    cast = {} if category < 0 or objects.ignore[i] else casting.assets(casting.categories[category])
    if not cast:
        return None
    found = [(asset, pose_of(frame, objects, i, camera, asset)) for asset in cast]
    misfit = np.array([pose.misfit for _, pose in found])
    likelihood = np.array(list(cast.values())) * np.exp(-0.5 * (misfit - misfit.min()))
    return found[int(rng.choice(len(found), p=likelihood / likelihood.sum()))]


def pose_of(frame: Frame, objects: Objects, i: int, camera: Camera, asset: str) -> Pose3D:
    """The pose of object `i` played by an asset: from its 3D label where it has one, else lifted from its box."""
    size, hung = SIZES[asset], asset in HUNG_ASSETS
    location, dimensions = objects.location_xyz_m[i].astype(np.float64), objects.dimensions_hwl_m[i].astype(np.float64)
    if np.isfinite([*location, *dimensions, objects.yaw_rad[i]]).all():
        x, up, z = level_from_camera(camera, location).tolist()
        h, w, length = dimensions.tolist()
        unusual = np.log(dimensions / size[:3]) / np.array([size.spread, size.spread + 0.05, size.spread + 0.05])
        return Pose3D(x, z, float(objects.yaw_rad[i]), (h, w, length), up if hung else 0.0, float((unusual**2).sum()))
    return lift(
        objects.box_xyxy_px[i],
        camera,
        size,
        image_size_px=(frame.width_px, frame.height_px),
        occlusion=float(objects.occlusion[i]),
        hung=hung,
    )
