"""Clutter where a detector saw something that was not there: what of that shape may stand at that place."""

import numpy as np

from simulator.casting import Size
from simulator.projection import ground_point, horizon_row_px
from simulator.scene import Actor, SceneCamera

# What stands about in streets. Its size spreads widely: a bush or a billboard comes in every size.
CLUTTER_SIZES: dict[str, Size] = {
    "pole": Size(4.5, 0.16, 0.16, 0.3),
    "bin": Size(1.1, 0.6, 0.65, 0.15),
    "bollard": Size(0.9, 0.2, 0.2, 0.15),
    "bush": Size(1.4, 1.7, 1.7, 0.3),
    "tree": Size(6.0, 4.0, 4.0, 0.3),
    "container": Size(2.0, 2.1, 3.4, 0.2),
    "barrier": Size(1.0, 0.4, 2.4, 0.15),
    "billboard": Size(2.8, 0.35, 3.2, 0.25),
    "hydrant": Size(0.8, 0.35, 0.35, 0.12),
    "kiosk": Size(2.7, 2.3, 2.6, 0.12),
}
ACROSS = ("barrier", "billboard")  # they show their long side: turned across the view
MAX_DISTANCE_M = 90.0


def clutter_for(box_xyxy_px, camera: SceneCamera, rng: np.random.Generator) -> Actor:
    """A piece of clutter whose picture fills the box.

    Every asset is tried at the distance where its usual height fills the box's height, and judged by how far its
    width, and the ground below it, are from the box's; one is drawn by that likelihood. What the box's lower edge shows
    off the ground hangs there (a billboard, a crown).
    """
    x0, y0, x1, y1 = (float(v) for v in box_xyxy_px)
    width_px, height_px = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    intrinsics = camera.intrinsics
    _, ground_z = ground_point(intrinsics, (x0 + x1) / 2, y1)
    names, places, misfits = [], [], []
    for asset, size in CLUTTER_SIZES.items():
        z_by_size = min(intrinsics.fy_px * size.height_m / height_px, MAX_DISTANCE_M)
        z = float(np.clip(ground_z, z_by_size / 2, z_by_size * 2)) if np.isfinite(ground_z) else z_by_size
        z = min(z, MAX_DISTANCE_M)
        h, face = height_px * z / intrinsics.fy_px, width_px * z / intrinsics.fx_px
        usual_face = max(size.width_m, size.length_m) if asset in ACROSS else (size.width_m + size.length_m) / 2
        lift = max((intrinsics.height_m - (y1 - horizon_row_px(intrinsics)) * z / intrinsics.fy_px), 0.0)
        misfit = (np.log(h / size.height_m) / (2 * size.spread)) ** 2 + (np.log(face / usual_face) / 0.45) ** 2
        misfit += (lift / (3.0 if asset == "billboard" else 0.5)) ** 2
        names.append(asset)
        places.append((z, h, face, lift))
        misfits.append(misfit)
    likelihood = np.exp(-0.5 * (np.array(misfits) - min(misfits)))
    chosen = int(rng.choice(len(names), p=likelihood / likelihood.sum()))
    return _filling(names[chosen], (x0 + x1) / 2, places[chosen], camera, rng)


def _filling(asset: str, u_px: float, place: tuple, camera: SceneCamera, rng: np.random.Generator) -> Actor:
    """An actor whose near face is as wide and high as the box at that distance."""
    z, h, face, lift = place
    thin = CLUTTER_SIZES[asset].width_m if asset in ACROSS else face
    depth = min(thin, 0.5 * z)
    bearing = np.arctan2(u_px - camera.intrinsics.cx_px, camera.intrinsics.fx_px)
    # Long side across the view (heading along the picture plane) for what is flat; square things face the camera.
    yaw = bearing if asset in ACROSS else bearing - np.pi / 2
    length, width = (face, depth) if asset in ACROSS else (depth, face)
    away = z + depth / 2
    return Actor(
        asset=asset,
        x_m=float((u_px - camera.intrinsics.cx_px) / camera.intrinsics.fx_px * away),
        z_m=float(away),
        yaw_rad=float(yaw),
        dimensions_hwl_m=(float(h), float(width), float(length)),
        lift_m=float(lift),
        appearance_seed=int(rng.integers(2**31)),
    )
