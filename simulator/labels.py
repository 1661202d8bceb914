"""From rendered masks to labels, the same for every simulator.

Visible box from the instance mask; occlusion = 1 - visible / silhouette inside the image; truncation = 1 - silhouette
inside the image / whole silhouette; 3D box in the camera frame from the scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.ndimage import find_objects

from dataset.errors import InputError
from dataset.schema import Objects
from simulator.backend import Render
from simulator.projection import camera_from_level
from simulator.scene import Scene


class LabelLimits(BaseModel):
    """What counts as an object to be found. What is seen, but worse than this, becomes an ignore region."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_visible_px: int = Field(default=24, ge=1, description="Pixels of the object that are seen.")
    min_height_px: float = Field(default=8.0, ge=0, description="Height of the visible box.")
    min_width_px: float = Field(default=3.0, ge=0, description="Width of the visible box.")
    max_occlusion: float = Field(default=0.9, ge=0, le=1, description="Hidden share of what is inside the image.")
    max_truncation: float = Field(default=0.95, ge=0, le=1, description="Share outside the image.")
    min_contrast: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of an object's contrast that haze and fog leave; one sees as far as 0.05 is left.",
    )
    min_ignored_px: int = Field(
        default=4, ge=1, description="With fewer visible pixels than this there is neither an object nor a region."
    )


@dataclass(frozen=True)
class Visibility:
    """What the masks tell of each actor; row i belongs to `scene.actors[i]`."""

    visible_px: np.ndarray  # (A,) int64
    box_xyxy_px: np.ndarray  # (A, 4) float64 around the visible pixels; NaN where there are none
    occlusion: np.ndarray  # (A,) float64; 1 where nothing is inside the image
    truncation: np.ndarray  # (A,) float64; 1 where there is no silhouette at all


def visibility(render: Render) -> Visibility:
    """Visible pixels, box, occlusion and truncation of every actor of a render."""
    whole, inside = (np.asarray(a, np.float64) for a in (render.silhouettes.area_px, render.silhouettes.inside_px))
    count = len(whole)
    visible = np.bincount(np.maximum(render.instance, 0).ravel(), minlength=count + 1)[1 : count + 1]
    box = np.full((count, 4), np.nan)
    for i, window in enumerate(find_objects(render.instance, max_label=count)):
        if window is not None:
            rows, columns = window
            box[i] = columns.start, rows.start, columns.stop, rows.stop
    with np.errstate(divide="ignore", invalid="ignore"):
        occlusion = np.where(inside > 0, 1 - visible / inside, 1.0)
        truncation = np.where(whole > 0, 1 - inside / whole, 1.0)
    # Silhouettes and pixels are counted on different rasters: a share may come out slightly outside 0-1.
    return Visibility(visible, box, occlusion.clip(0, 1), truncation.clip(0, 1))


def labels(render: Render, scene: Scene, categories: Sequence[str], limits: LabelLimits) -> Objects:
    """The labelled objects of a render, in the order of the scene's actors; clutter gets none.

    What is below the limits is an ignore region of its category; what is not seen at all is left out.
    Raises InputError for an actor whose category the data set does not have.
    """
    seen = visibility(render)
    index = {name: i for i, name in enumerate(categories)}
    kept = [
        i for i, a in enumerate(scene.actors) if a.category is not None and seen.visible_px[i] >= limits.min_ignored_px
    ]
    for i in kept:
        if scene.actors[i].category not in index:
            raise InputError(
                f"scene {scene.scene_id}, actor {i}",
                f"category {scene.actors[i].category!r} is not one of {', '.join(categories)}",
                "make the scene for this data set",
            )
    actors = [scene.actors[i] for i in kept]
    standing = np.array([(a.x_m, a.lift_m, a.z_m) for a in actors]).reshape(-1, 3)
    return Objects.of(
        [index[a.category] for a in actors if a.category is not None],
        seen.box_xyxy_px[kept],
        occlusion=seen.occlusion[kept],
        truncation=seen.truncation[kept],
        ignore=~findable(seen, scene, limits)[kept],
        dimensions_hwl_m=[a.dimensions_hwl_m for a in actors],
        location_xyz_m=camera_from_level(scene.camera.intrinsics, standing),
        yaw_rad=[a.yaw_rad for a in actors],
    )


def findable(seen: Visibility, scene: Scene, limits: LabelLimits) -> np.ndarray:
    """Which actors (A,) of the scene are seen well enough to be asked for."""
    width, height = (seen.box_xyxy_px[:, 2:] - seen.box_xyxy_px[:, :2]).T
    return (
        (seen.visible_px >= limits.min_visible_px)
        & (height >= limits.min_height_px)
        & (width >= limits.min_width_px)
        & (seen.occlusion <= limits.max_occlusion)
        & (seen.truncation <= limits.max_truncation)
        & (contrast_in_air(scene) >= limits.min_contrast)
    )


def contrast_in_air(scene: Scene) -> np.ndarray:
    """(A,) share of each actor's contrast that reaches the camera: exp(-ln 20 d / V), Koschmieder's visibility V."""
    distance_m = np.array([np.hypot(actor.x_m, actor.z_m) for actor in scene.actors])
    return np.exp(-np.log(20.0) * distance_m / scene.environment.visibility_in_rain_and_snow_m)
