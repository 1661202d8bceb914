"""From a failure on a real frame to a scene that asks the detector the same question again.

What was missed (or wrongly boxed, or confused) is shown again: same category, distance, bearing, yaw, occlusion and
truncation, with its neighbours. What was seen where nothing is becomes clutter of that size at that place.
Everything moves a little, and together, so that variants of one failure remain the same kind of failure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dataset.schema import Frame, Objects
from evaluation.failure import RECREATED_KINDS, Failure
from simulator.casting import Casting, CastingConfig
from simulator.clutter import clutter_for
from simulator.footprint import overlap
from simulator.ground import AssumedCamera, fit_ground
from simulator.lift import Pose3D, play
from simulator.occlude import push_in_front, thin_out
from simulator.preview import Sight, distance_m, sight, whole_box
from simulator.projection import box_iou
from simulator.scene import Actor, Request, Scene, SceneCamera

# What remains to be seen of a hidden target is small: the same error of an edge costs more IoU.
HIDDEN_EASE = 0.4


class RecreateConfig(BaseModel):
    """How a failure becomes scenes, and when a rendered scene counts as an answer to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    casting: CastingConfig = Field(default=CastingConfig(), description="What plays the data set's categories.")
    camera: AssumedCamera = Field(
        default=AssumedCamera(), description="The camera where the data set does not tell its own."
    )
    variants: int = Field(default=1, ge=1, description="Scenes for each failure.")
    distance_jitter: float = Field(default=0.03, ge=0, le=0.5, description="Spread of distances, as a share of them.")
    bearing_jitter_deg: float = Field(default=0.6, ge=0, le=20, description="Spread of the direction from the camera.")
    yaw_jitter_deg: float = Field(default=4.0, ge=0, le=90, description="Spread of headings.")
    max_occlusion: float = Field(
        default=0.8, gt=0, lt=1, description="An object hidden further than this is shown hidden by just this share."
    )
    max_truncation: float = Field(
        default=0.94, gt=0, lt=1, description="A target that reaches further out of the image than this is not shown."
    )
    max_neighbours: int = Field(
        default=24, ge=0, description="Other objects of the frame that are shown, nearest first."
    )
    min_iou: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="Of the target's rendered and requested visible boxes; 28% less where 70% is hidden.",
    )
    max_occlusion_error: float = Field(default=0.15, gt=0, le=1, description="Rendered against requested occlusion.")
    max_truncation_error: float = Field(default=0.15, gt=0, le=1, description="Rendered against requested truncation.")


class NotRecreatable(Exception):
    """This draw cannot answer the failure; another may. The text says why."""


def recreate(
    failure: Failure,
    frame: Frame,
    objects: Objects,
    categories: Sequence[str],
    config: RecreateConfig,
    rng: np.random.Generator,
) -> Scene:
    """One variant of the failure's scene, with its Request; place, light and camera response are still the defaults.

    The target is `actors[0]`. Raises NotRecreatable when this draw cannot be built, InputError for categories that
    no asset plays.
    """
    if failure.kind not in RECREATED_KINDS:
        raise NotRecreatable(f"failures of kind {failure.kind} are not rendered")
    casting = Casting(categories, config.casting)
    arrangement = _arrange(failure, frame, objects, casting, config, rng)
    camera, actors, wanted = arrangement.camera, arrangement.actors, arrangement.occlusion
    sure = bool(np.isfinite(wanted))
    wanted = min(float(wanted), config.max_occlusion) if sure else config.max_occlusion
    tolerance = 0.5 * config.max_occlusion_error if sure else 0.0
    actors = thin_out(camera, actors, 0, wanted, tolerance)
    if sure and sight(camera, actors, 0).occlusion < wanted - tolerance:
        occluder = push_in_front(camera, actors, wanted, casting, rng)
        if occluder is None:
            raise NotRecreatable(f"nothing fits in front of the target to hide {wanted:.0%} of it")
        actors.append(occluder)
    shown = sight(camera, actors, 0)
    _refuse_unseen(shown, config)
    request = Request(
        failure_id=failure.failure_id,
        kind=failure.kind,
        actor_index=0,
        box_xyxy_px=shown.box_xyxy_px,
        occlusion=shown.occlusion,
        truncation=shown.truncation,
        min_iou=config.min_iou * (1 - HIDDEN_EASE * shown.occlusion),
        max_occlusion_error=config.max_occlusion_error,
        max_truncation_error=config.max_truncation_error,
    )
    return Scene(camera=camera, actors=tuple(actors), seed=int(rng.integers(2**31)), request=request)


@dataclass(frozen=True)
class _Arrangement:
    """The failure's street: its camera, its actors (the target first) and how much of the target to hide."""

    camera: SceneCamera
    actors: list[Actor]
    occlusion: float  # NaN: unknown, as the neighbours make it


def _arrange(
    failure: Failure, frame: Frame, objects: Objects, casting: Casting, config: RecreateConfig, rng: np.random.Generator
) -> _Arrangement:
    size = (frame.width_px, frame.height_px)
    given = frame.camera or config.camera.camera(*size)
    target = failure.object_index
    level = fit_ground(given, objects, casting, image_size_px=size, target=target)
    camera = SceneCamera(level, *size)
    played = [play(frame, objects, i, level, casting, rng) for i in range(len(objects))]
    stretch = float(np.exp(np.clip(rng.normal(0, 1), -2, 2) * config.distance_jitter))
    turn = float(np.radians(np.clip(rng.normal(0, 1), -2, 2) * config.bearing_jitter_deg))

    def moved(actor: Actor) -> Actor:
        x, z = actor.x_m * stretch, actor.z_m * stretch
        yaw = actor.yaw_rad + turn + np.radians(np.clip(rng.normal(0, 1), -2, 2) * config.yaw_jitter_deg)
        return replace(
            actor,
            x_m=float(x * np.cos(turn) + z * np.sin(turn)),
            z_m=float(z * np.cos(turn) - x * np.sin(turn)),
            yaw_rad=float(yaw),
        )

    if failure.kind == "background":
        hero = moved(clutter_for(failure.box_xyxy_px, camera, rng))
        wanted = np.nan
    else:
        part = played[target]
        if part is None:
            raise NotRecreatable(f"category {failure.category!r} is played by no asset, or its object is ignored")
        hero = moved(_actor(part, failure.category, rng))
        wanted = float(objects.occlusion[target])
    others = {i: part for i, part in enumerate(played) if part is not None and i != target}
    actors = [moved(_actor(part, casting.categories[int(objects.category[i])], rng)) for i, part in others.items()]
    neighbours = _beside(camera, hero, actors)
    return _Arrangement(camera, [hero, *neighbours[: config.max_neighbours]], wanted)


def _beside(camera: SceneCamera, hero: Actor, actors: list[Actor]) -> list[Actor]:
    """The frame's other objects, nearest first, without those that collide with the target or sit on its box."""
    neighbours: list[Actor] = []
    hero_box = whole_box(camera, hero)
    for actor in sorted(actors, key=distance_m):
        box = whole_box(camera, actor)
        if box is None or any(overlap(actor, other, 0.0) for other in (hero, *neighbours)):
            continue
        if hero.category is None and hero_box is not None and box_iou(hero_box, box) > 0.1:
            continue  # clutter must not be seen together with what it was taken for
        neighbours.append(actor)
    return neighbours


def _actor(part: tuple[str, Pose3D], category: str, rng: np.random.Generator) -> Actor:
    asset, pose = part
    return Actor(
        asset=asset,
        x_m=pose.x_m,
        z_m=pose.z_m,
        yaw_rad=pose.yaw_rad,
        dimensions_hwl_m=pose.dimensions_hwl_m,
        category=category,
        lift_m=pose.lift_m,
        appearance_seed=int(rng.integers(2**31)),
    )


def _refuse_unseen(shown: Sight, config: RecreateConfig) -> None:
    x0, y0, x1, y1 = shown.box_xyxy_px
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise NotRecreatable("the target would not be seen")
    if shown.truncation > config.max_truncation:
        raise NotRecreatable(f"{shown.truncation:.0%} of the target would lie outside the image")
