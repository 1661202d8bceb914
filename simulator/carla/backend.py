"""Scenes shown by a CARLA server: the same contract as the embedded simulator's, with Unreal's images.

One scene: models are chosen by size, a place is found on the map, the actors are spawned in the sky and stand in the
street until the server shows them; each layer of them is seen alone in the sky (a tick a layer); then all stand in the
street again, the world warms up, and one tick gives the picture (takes.py).
"""

from dataclasses import replace

import numpy as np

from simulator.backend import Render
from simulator.carla.alone import AloneInTheSky
from simulator.carla.anchors import Stretches, anchors_for, map_of, stretches_of
from simulator.carla.capture import Rig
from simulator.carla.config import CarlaConfig
from simulator.carla.connect import Connection, lost
from simulator.carla.errors import CaptureFailed
from simulator.carla.library import Library, Model, NoSuchModel, choose_all
from simulator.carla.masks import instances, layers_of
from simulator.carla.optics import Lens, Optics, optics_of
from simulator.carla.pixels import Ids, depth_m_of, ids_of, rgb_of, tags_of
from simulator.carla.spots import find_spot
from simulator.carla.takes import Images, Take, Takes
from simulator.carla.troupe import Troupe
from simulator.carla.unreal import Anchor, Transform
from simulator.carla.weather import weather_of
from simulator.embedded.film import respond
from simulator.embedded.lens import with_fringes
from simulator.recreate import NotRecreatable
from simulator.scene import Scene

LAMPS_ON_BELOW_DEG = 3.0  # altitude of the sun
RIGS_KEPT = 3  # cameras of so many lenses stay on the server
MAX_TAG_MISMATCH = 0.05  # share of the actors' pixels whose tags may differ in semantic and instance image: edges
FEW_PX = 20


class CarlaBackend:
    """Renders scenes on one server; made in the process that holds the carla client. Scenes come one at a time."""

    def __init__(self, host: str, port: int, config: CarlaConfig | None = None):
        """Raises InputError when the server is not there, not ready, or of another version."""
        self.config = config or CarlaConfig()
        self._connection = Connection(host, port, self.config)
        try:
            self._library = Library(self._connection)
        except RuntimeError as reason:
            self._connection.close()
            raise lost(self._connection.address, "reading the blueprint library", reason) from None
        self._rigs: dict[Lens, Rig] = {}
        self._stretches: dict[str, Stretches] = {}
        self._troupe = Troupe(self._connection, self._library)

    @property
    def ticks(self) -> int:
        """Of the world since the connection was made."""
        return self._connection.ticks

    @property
    def map_loads(self) -> int:
        return self._connection.maps_loaded

    def render(self, scene: Scene) -> Render:
        """The scene as CARLA shows it; `scene` of the result has the models' own sizes and the map's own ground.

        Raises NotRecreatable when CARLA has no model for the target, or the map no place; CaptureFailed when another
        try may help; InputError for a map that the server does not have.
        """
        try:
            try:
                return self._render(scene)
            except BaseException:
                self._stop_cameras()
                raise
            finally:
                self._troupe.clear()
        except RuntimeError as reason:
            raise lost(self._connection.address, f"scene {scene.scene_id}", reason) from None

    def close(self) -> None:
        """Destroys the cameras and leaves the server as it was found."""
        self._stop_cameras()
        self._rigs = {}
        self._connection.close()

    def _render(self, scene: Scene) -> Render:
        wanted_map = map_of(scene, self.config.maps)
        if wanted_map is not None and self._connection.load_map(wanted_map):
            self._stop_cameras()
            self._rigs = {}
            self._troupe = Troupe(self._connection, self._library)
        optics = optics_of(scene.camera, self.config.max_width_px)
        shown, models, anchor = self._cast(scene)
        rig = self._rig(optics.lens)
        camera = _camera_pose(anchor, scene)
        poses = self._troupe.poses(anchor, models, shown.actors)
        self._set_weather(scene, anchor)
        self._troupe.spawn(models, shown.actors)
        night = shown.environment.sun_altitude_deg < LAMPS_ON_BELOW_DEG
        lit = models if night else None
        takes = Takes(self._connection, rig, self._troupe, camera, poses, lit, self.config)
        alone = AloneInTheSky(shown.camera, shown.actors)
        takes.appear()
        images = self._shoot(takes, alone, optics)
        takes.end()
        if unseen := [models[i].blueprint_id for i in alone.unseen()]:
            raise CaptureFailed(
                f"{self._connection.address}: not in the instance image though they stood before the camera: "
                f"{', '.join(sorted(set(unseen)))} (appear_ticks is {self.config.appear_ticks})",
                "not seen",
            )
        return self._developed(images, optics, shown, alone)

    def _cast(self, scene: Scene) -> tuple[Scene, list[Model], Anchor]:
        """The scene with CARLA's models on the map's ground, without what cannot be shown; models; where."""
        if scene.environment.snow > 0:
            raise NotRecreatable("CARLA has no snow: leave it out of simulator.randomisation.weather")
        if scene.camera.radial_k1 or scene.camera.radial_k2:
            raise NotRecreatable(
                "CARLA's cameras are pinholes here: leave simulator.street.radial_k1 and radial_k2 at 0"
            )
        target = None if scene.request is None else scene.request.actor_index
        config = self.config
        try:
            chosen = choose_all(self._library, scene.actors, target, config.size_tolerance, config.max_clutter_misfit)
        except NoSuchModel as reason:
            raise NotRecreatable(str(reason)) from None
        actors = [
            actor if model is None else replace(actor, dimensions_hwl_m=model.dimensions_hwl_m)
            for actor, model in zip(scene.actors, chosen, strict=True)
        ]
        anchors = anchors_for(scene, self._stretches_here(), config.anchor_attempts)
        spot = find_spot(self._connection, anchors, scene, actors, target)
        if spot is None:
            raise NotRecreatable(
                f"{len(anchors)} places on {self._connection.map_name} were tried: none is flat and free for the target"
            )
        kept = [
            i
            for i, (model, lift) in enumerate(zip(chosen, spot.lift_m, strict=True))
            if model is not None and lift is not None
        ]
        standing = tuple(replace(actors[i], lift_m=actors[i].lift_m + (spot.lift_m[i] or 0.0)) for i in kept)
        request = scene.request
        if request is not None:
            request = replace(request, actor_index=kept.index(request.actor_index))
        models = [model for i in kept if (model := chosen[i]) is not None]
        return replace(scene, actors=standing, request=request), models, spot.anchor

    def _shoot(self, takes: Takes, alone: AloneInTheSky, optics: Optics) -> Images:
        """The picture's images. On the way each layer of actors whose pictures do not touch is seen alone."""
        # Those with something outside the picture last: the wide camera listens from then on. While the server paints
        # one take the next one is arranged, and the layers are read while it paints the street.
        cut = [i for i in range(alone.count) if alone.leaves_picture(i)]
        layers = layers_of(alone.boxes_in_picture(), together=cut)
        layers = sorted(layers, key=lambda layer: any(map(alone.leaves_picture, layer)))
        shot = [takes.alone(layer, any(map(alone.leaves_picture, layer))) for layer in layers]
        street = takes.street()
        self._troupe.verify_gone()
        lost = [take for take in shot if not self._see_alone(alone, optics, take, takes.images(take))]
        images = takes.images(street)
        for take in lost:
            self._see_alone(alone, optics, take, takes.again(take))
        return takes.again(street) if images is None else images

    def _see_alone(self, alone: AloneInTheSky, optics: Optics, take: Take, images: Images | None) -> bool:
        if images is None:
            return False
        ids = _cut(optics, ids_of(images["instance"]))
        wide = ids_of(images["wide"]) if take.wide else None
        for i in take.layer or ():
            alone.see(i, self._troupe.actor_ids[i] & 0xFFFF, ids, wide)
        return True

    def _developed(self, images: Images, optics: Optics, shown: Scene, alone: AloneInTheSky) -> Render:
        low16 = [actor_id & 0xFFFF for actor_id in self._troupe.actor_ids]
        ids, tags = _cut(optics, ids_of(images["instance"])), optics.cut(tags_of(images["semantic"]))
        instance = instances(ids, low16, alone.patches)
        # Of scenery the two may differ: the instance image keeps objects that were hidden (CARLA issue 8750).
        ours = instance > 0
        differ = int((ids.tag != tags)[ours].sum())
        if differ > max(MAX_TAG_MISMATCH * ours.sum(), FEW_PX):
            raise CaptureFailed(
                f"{self._connection.address}: the semantic and the instance image differ in {differ} of the "
                f"{ours.sum()} pixels that show the scene's actors",
                "images disagree",
            )
        depth_m = depth_m_of(optics.cut(images["depth"]), tags)
        picture = optics.cut_color(rgb_of(images["rgb"]))
        return Render(
            rgb=respond(picture, shown.response, shown.seed, lambda light: _moved(light, depth_m, instance, shown)),
            instance=instance,
            semantic=np.ascontiguousarray(tags),
            depth_m=depth_m,
            silhouettes=alone.silhouettes(),
            scene=shown,
        )

    def _stop_cameras(self) -> None:
        for rig in self._rigs.values():
            rig.stop()

    def _set_weather(self, scene: Scene, anchor: Anchor) -> None:
        weather = weather_of(scene.environment, anchor.yaw_deg)
        self._connection.world.set_weather(self._connection.carla.WeatherParameters(**weather))

    def _stretches_here(self) -> Stretches:
        name = self._connection.map_name
        if name not in self._stretches:
            self._stretches[name] = stretches_of(self._connection.world.get_map())
        return self._stretches[name]

    def _rig(self, lens: Lens) -> Rig:
        """The cameras of a lens, which stay for the next scene."""
        rig = self._rigs.pop(lens, None)
        for other in self._rigs.values():
            other.stop()
        if rig is None:
            if len(self._rigs) >= RIGS_KEPT:
                self._rigs.pop(next(iter(self._rigs))).destroy()
            rig = Rig(self._connection, lens)
        self._rigs[lens] = rig  # the latest used is the last
        return rig


def _camera_pose(anchor: Anchor, scene: Scene) -> Transform:
    given = scene.camera.intrinsics
    # Our pitch looks down, Unreal's up.
    return Transform(
        anchor.x_m, anchor.y_m, anchor.z_m + given.height_m, pitch_deg=-given.pitch_deg, yaw_deg=anchor.yaw_deg
    )


def _moved(light: np.ndarray, depth_m: np.ndarray, instance: np.ndarray, shown: Scene) -> np.ndarray:
    """light (H, W, 3) under the response's motion and fringes, as the embedded simulator's."""
    response, given = shown.response, shown.camera.intrinsics
    if response.moves:
        from simulator.embedded.motion import Seen, with_motion  # Warp is loaded where something moves

        light = with_motion(light, Seen(depth_m, instance), given, response, shown.actors, shown.place)
    return with_fringes(light, response.chromatic_aberration, (given.cx_px, given.cy_px))


def _cut(optics: Optics, ids: Ids) -> Ids:
    return Ids(optics.cut(ids.low16), optics.cut(ids.tag))
