"""The embedded simulator: a street of our own making, ray traced with NVIDIA Warp on the CPU or on CUDA."""

from pathlib import Path

import numpy as np
import warp as wp

from dataset.errors import InputError
from simulator.assets.library import Library
from simulator.backend import Render
from simulator.embedded.assets import actor_mesh, support_mesh
from simulator.embedded.film import develop
from simulator.embedded.glare import with_glare
from simulator.embedded.lens import lens_of, with_fringes
from simulator.embedded.mesh import Lamp, Mesh, join, placed
from simulator.embedded.motion import Seen, with_motion
from simulator.embedded.places import Footprint, place_mesh
from simulator.embedded.rain import with_streaks
from simulator.embedded.silhouettes import silhouettes
from simulator.embedded.sky import LAMPS_ON_BELOW_DEG, sky_of
from simulator.embedded.snow import with_flakes
from simulator.embedded.town_street import town_street
from simulator.embedded.tracer import Labels, Quality, Traced, pinhole_of, trace
from simulator.embedded.world import Pose, World, build_world, start_warp
from simulator.scene import Actor, Scene, SceneCamera

__all__ = ["EmbeddedBackend", "Quality"]

SMALLEST_PX = 16  # of width and height: the lens's glare is worked out at a quarter of the size


class EmbeddedBackend:
    """Renders scenes, one at a time; the same scene gives the same bytes in any process."""

    def __init__(self, device: str = "cpu", quality: Quality | None = None, models: Path | None = None) -> None:
        """models: a folder of the user's own models, see simulator/assets/manifest.py."""
        start_warp()
        known = [str(one) for one in wp.get_devices()]
        if device not in known:
            raise InputError("simulator device", f"{device!r} is not one of {', '.join(known)}", "name one of those")
        self.device = device
        self.quality = Quality() if quality is None else quality
        self._library = None if models is None else Library(models)

    def render(self, scene: Scene) -> Render:
        environment, camera = scene.environment, scene.camera
        if min(camera.width_px, camera.height_px) < SMALLEST_PX:
            size = f"{camera.width_px}x{camera.height_px}"
            raise InputError(f"scene {scene.scene_id}", f"a picture of {size} px", f"ask for {SMALLEST_PX} px at least")
        lens = lens_of(camera)
        looked = camera if lens is None else lens.pinhole
        world = self.build(scene)
        sky = sky_of(environment, scene.place.seed)
        traced = trace(world, looked, sky, self.quality, scene.seed)
        whole = silhouettes(world, camera, lens)
        radiance = with_glare(traced.radiance, world, pinhole_of(looked), sky)
        radiance = self._with_motion(radiance, traced, looked, scene)
        labels = Labels(traced.instance, traced.semantic, traced.depth_m)
        if lens is not None:
            radiance = lens.shown_light(radiance)
            labels = Labels(*map(lens.shown, (labels.instance, labels.semantic, labels.depth_m)))
        given = camera.intrinsics
        if environment.rain > 0:
            open_s = scene.response.exposure_s
            radiance = with_streaks(radiance, labels.depth_m, environment.rain, given.fx_px, scene.seed, open_s)
        if environment.snow > 0:
            radiance = with_flakes(radiance, labels.depth_m, environment.snow, given.fx_px, scene.seed)
        radiance = with_fringes(radiance, scene.response.chromatic_aberration, (given.cx_px, given.cy_px))
        return Render(
            rgb=develop(radiance, scene.response, scene.seed),
            instance=labels.instance,
            semantic=labels.semantic,
            depth_m=labels.depth_m,
            silhouettes=whole,
        )

    def _with_motion(self, radiance: np.ndarray, traced: Traced, looked: SceneCamera, scene: Scene) -> np.ndarray:
        seen = Seen(traced.depth_m, traced.instance)
        return with_motion(radiance, seen, looked.intrinsics, scene.response, scene.actors, scene.place, self.device)

    def build(self, scene: Scene) -> World:
        """The street and its actors as one ray-traced world."""
        return self.world(scene, *self.meshes(scene))

    def meshes(self, scene: Scene) -> tuple[Mesh, list[tuple[Mesh, Pose]]]:
        """Scenery in the world frame, and each actor in its own with its pose."""
        eye_m = scene.camera.intrinsics.height_m
        clear = [
            Footprint(a.x_m, a.z_m, float(np.hypot(*a.dimensions_hwl_m[1:])) / 2, _highest_sight_m(a, eye_m))
            for a in scene.actors
        ]
        spot, night = scene.place.map, _lamps_are_lit(scene)
        place = place_mesh(scene.place, clear, scene.asset_set, night) if spot is None else town_street(spot, night)
        # The post that carries a light or a sign is scenery: it has no label and is no part of the silhouette.
        posts = [
            placed(post, actor.x_m, actor.z_m, actor.yaw_rad)
            for actor in scene.actors
            if (post := support_mesh(actor)) is not None
        ]
        scenery = join([place, *posts]) if posts else place
        return scenery, [(self._mesh(actor, scene.asset_set), _pose(actor)) for actor in scene.actors]

    def _mesh(self, actor: Actor, asset_set: str) -> Mesh:
        own = None if self._library is None else self._library.mesh(actor, asset_set)
        return actor_mesh(actor, asset_set) if own is None else own

    def world(self, scene: Scene, scenery: Mesh, actors: list[tuple[Mesh, Pose]]) -> World:
        headlights = _own_headlights(scene.camera) if _lamps_are_lit(scene) else []
        return build_world(scenery, actors, self.device, headlights)

    def close(self) -> None:
        """Nothing outlives a frame."""


def _lamps_are_lit(scene: Scene) -> bool:
    return scene.environment.sun_altitude_deg < LAMPS_ON_BELOW_DEG


def _highest_sight_m(actor: Actor, eye_m: float) -> float:
    return max(actor.lift_m + actor.dimensions_hwl_m[0], eye_m)


def _pose(actor: Actor) -> Pose:
    return Pose(actor.x_m, actor.z_m, actor.yaw_rad, actor.lift_m)


def _own_headlights(camera: SceneCamera) -> list[Lamp]:
    """The low beams of the car that carries the camera."""
    height_m = min(0.7, camera.intrinsics.height_m)
    return [Lamp((side, 0.8, height_m), (1.0, 0.95, 0.85), 80.0, (0.02, 1.0, -0.05), 24.0) for side in (-0.6, 0.6)]
