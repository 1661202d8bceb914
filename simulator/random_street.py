"""Random street scenes that no failure asked for: the control arm, and the demo's stand-in for the real world.

Structured domain randomisation (Prakash et al. 2019): a scenario first, then its global parameters, then the road and
its lanes, then objects on lanes and pavements. Light, weather and camera have the ranges of the re-created scenes.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.car_park import fill_bays
from simulator.casting import Casting, CastingConfig
from simulator.embedded.lens import require_usable
from simulator.map_street import draw_spot
from simulator.randomise import (
    RandomisationConfig,
    at_pace_of,
    draw_clutter,
    draw_environment,
    draw_place,
    draw_response,
)
from simulator.ranges import Counts, Range
from simulator.scene import Actor, Scene, SceneCamera
from simulator.traffic import add_traffic, park

STRAIGHT_KINDS = ("urban", "junction", "car_park")


class RandomStreetConfig(BaseModel):
    """What random streets hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    casting: CastingConfig = Field(default=CastingConfig(), description="What plays the data set's categories.")
    category_mix: dict[str, float] = Field(
        default={}, description="Shares of the categories, as counted in the data set; all alike when empty."
    )
    objects: Counts = Field(default=(2, 14), description="Least and most road users that are tried.")
    distance_m: Range = Field(default=(5, 70), description="Where they stand, from the camera.")
    curvature_per_m: float = Field(default=0.003, ge=0, le=0.05, description="Most a road bends, one over its radius.")
    road_yaw_deg: float = Field(default=3.0, ge=0, le=20, description="Most a road leads off the camera's axis.")
    parked_rows: float = Field(
        default=0.5, ge=0, le=1, description="Share of the streets in towns whose cars mostly park in rows at the kerb."
    )
    maps: tuple[Path, ...] = Field(
        default=(), description="OpenDRIVE files (.xodr): some streets are those of these towns, CARLA's or your own."
    )
    map_share: float = Field(default=0.5, ge=0, le=1, description="Share of the streets that lie on `maps`, if any.")
    height_jitter_m: float = Field(default=0.08, ge=0, description="Spread of the camera's height.")
    pitch_jitter_deg: float = Field(default=0.6, ge=0, description="Spread of the camera's pitch.")
    radial_k1: Range = Field(
        default=(0.0, 0.0),
        description="Distortion of the lens, OpenCV's k1: -0.1 bulges mildly. How far below 0 it may be depends on the "
        "field of view: -0.3 is refused where the corner lies over 0.69 focal lengths from the axis, -0.18 over 0.89 "
        "(80 degrees across, a broad picture). Only random streets have it: what a re-created one must look like is "
        "told by a pinhole. Frames' cameras do not tell it. A campaign and a cycle refuse it: of their arms the random "
        "one alone would have it.",
    )
    radial_k2: Range = Field(default=(0.0, 0.0), description="And its k2.")
    asset_set: Literal["default", "stand-in"] = Field(
        default="default", description="'stand-in' has other shapes, paints and facades: the demo's 'real' world."
    )

    @property
    def distorts(self) -> bool:
        """Whether lenses other than a pinhole may be drawn."""
        return any((*self.radial_k1, *self.radial_k2))


def random_scene(
    camera: Camera,
    width_px: int,
    height_px: int,
    categories: Sequence[str],
    config: RandomStreetConfig,
    randomisation: RandomisationConfig,
    rng: np.random.Generator,
) -> Scene:
    """One random street. Raises InputError for a mix without any category that can be shown."""
    casting = Casting(categories, config.casting)
    kinds = list(randomisation.places)
    weights = np.array([randomisation.places[kind] for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    bend = float(rng.normal(0, config.curvature_per_m / 2)) if kind not in STRAIGHT_KINDS else 0.0
    place = replace(
        draw_place(kind, rng),
        curvature_per_m=float(np.clip(bend, -config.curvature_per_m, config.curvature_per_m)),
        road_yaw_deg=float(rng.uniform(-config.road_yaw_deg, config.road_yaw_deg)),
    )
    if config.maps and rng.random() < config.map_share:
        place = replace(place, map=draw_spot(str(config.maps[int(rng.integers(len(config.maps)))]), rng))
    posed = replace(
        camera,
        height_m=max(camera.height_m + float(rng.normal(0, config.height_jitter_m)), 0.3),
        pitch_deg=camera.pitch_deg + float(rng.normal(0, config.pitch_jitter_deg)),
    )
    view = SceneCamera(posed, width_px, height_px)
    shown, shares = _mix(casting, config.category_mix)
    count = int(rng.integers(config.objects[0], config.objects[1] + 1))
    drawn = [shown[int(rng.choice(len(shown), p=shares))] for _ in range(count)]
    wanted: list[tuple[str, str | None]] = [(casting.draw_asset(category, rng), category) for category in drawn]
    parked: tuple[Actor, ...] = ()
    if place.map is None and kind in ("urban", "suburb") and rng.random() < config.parked_rows:
        parked, wanted = park(view, place, wanted, rng, reach_m=config.distance_m)
    elif place.map is None and kind == "car_park":
        parked, wanted = fill_bays(view, place, wanted, rng, reach_m=config.distance_m)
    wanted += draw_clutter(randomisation, rng)
    actors = add_traffic(view, place, parked, wanted, rng, reach_m=config.distance_m, target=None)
    environment = draw_environment(randomisation, rng)
    scene = Scene(
        camera=view,
        actors=actors,
        place=place,
        environment=environment,
        response=at_pace_of(place, draw_response(randomisation, environment, rng)),
        asset_set=config.asset_set,
        seed=int(rng.integers(2**31)),
    )
    k1, k2 = (float(rng.uniform(*bounds)) for bounds in (config.radial_k1, config.radial_k2))
    return replace(scene, camera=replace(view, radial_k1=k1, radial_k2=k2))


def require_lenses(config: RandomStreetConfig, cameras: Sequence[tuple[Camera, int, int]]) -> None:
    """Raises InputError where a lens that may be drawn squeezes the border of a camera's picture.

    The lower a coefficient, the more the border is squeezed, so that the least of both tell for all.
    """
    k1, k2 = config.radial_k1[0], config.radial_k2[0]
    for camera, width_px, height_px in dict.fromkeys(cameras):
        try:
            require_usable(SceneCamera(camera, width_px, height_px, k1, k2))
        except InputError as error:
            where = "simulator.street.radial_k1 and radial_k2"
            raise InputError(where, error.problem, "let their ranges begin nearer to 0") from None


def _mix(casting: Casting, mix: dict[str, float]) -> tuple[list[str], np.ndarray]:
    """Categories that can be shown, and their shares."""
    unknown = [name for name in mix if name not in casting.categories]
    if unknown:
        raise InputError("category_mix", f"{unknown[0]!r} is no category of the data set", "use its names")
    shown = [c for c in casting.categories if casting.assets(c) and (not mix or mix.get(c, 0.0) > 0)]
    if not shown:
        raise InputError(
            "category_mix", "no category in it can be shown", "map one in simulator.recreate.casting.assets"
        )
    shares = np.array([mix.get(category, 1.0) if mix else 1.0 for category in shown])
    return shown, shares / shares.sum()
