"""Whether a place on the map suits a scene: ground under its actors, and nothing between the camera and the target."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulator.carla.connect import Connection
from simulator.carla.unreal import Anchor
from simulator.scene import Actor, Scene

# What an actor may stand on, by the names of carla.CityObjectLabel.
GROUND = ("Roads", "Sidewalks", "RoadLines", "Terrain", "Ground", "Bridge", "RailTrack", "Other", "Static", "Dynamic")
FROM_OVER_M, DOWN_TO_M = 3.0, 4.0  # the ground is looked for between, over and under the camera's
MAX_STEP_M = 1.5  # an actor further over or under the camera's ground is not shown
# How much the target's ground may rise, and a share of its distance: what it moves the target's picture by.
MAX_TARGET_STEP_M, MAX_TARGET_RISE = 0.05, 0.004


@dataclass(frozen=True)
class Spot:
    """A scene's place: where its level frame lies, and how far its actors are lifted to stand on the ground."""

    anchor: Anchor
    lift_m: tuple[float | None, ...]  # by actor; None where something else stands there


def find_spot(
    connection: Connection, anchors: Iterable[Anchor], scene: Scene, actors: Sequence[Actor], target: int | None
) -> Spot | None:
    """The first anchor that suits; None when none does."""
    looker = _Looker(connection)
    for anchor in anchors:
        here = looker.ground_m(anchor, 0.0, 0.0)
        if here is None:
            continue
        anchor = anchor._replace(z_m=anchor.z_m + here)
        if target is not None:
            actor = actors[target]
            rise = looker.ground_m(anchor, actor.x_m, actor.z_m)
            allowed = MAX_TARGET_STEP_M + MAX_TARGET_RISE * float(np.hypot(actor.x_m, actor.z_m))
            if rise is None or abs(rise) > allowed or looker.hidden(anchor, scene, replace(actor, lift_m=rise)):
                continue
        ground = [looker.ground_m(anchor, actor.x_m, actor.z_m) for actor in actors]
        # Who was drawn on this very map has its slopes and kerbs in his lift already.
        lifts = ground if scene.place.map is None else [None if g is None else 0.0 for g in ground]
        return Spot(
            anchor,
            tuple(None if g is None or abs(g) > MAX_STEP_M else lift for g, lift in zip(ground, lifts, strict=True)),
        )
    return None


class _Looker:
    """Asks the server what is where, in a scene's level frame."""

    def __init__(self, connection: Connection):
        carla = connection.carla
        self._carla, self._world = carla, connection.world
        self._ground = {getattr(carla.CityObjectLabel, name) for name in GROUND}

    def ground_m(self, anchor: Anchor, x_m: float, z_m: float) -> float | None:
        """Height of the ground at a level point over the anchor's; None where a wall or the like stands, or nothing."""
        down = self._carla.Vector3D(0.0, 0.0, -1.0)
        hit = self._world.project_point(self._at(anchor, x_m, FROM_OVER_M, z_m), down, FROM_OVER_M + DOWN_TO_M)
        return hit.location.z - anchor.z_m if hit is not None and hit.label in self._ground else None

    def hidden(self, anchor: Anchor, scene: Scene, actor: Actor) -> bool:
        """Whether the map hides part of an actor from the camera: rays to its middle and its upper sides."""
        height, width, length = actor.dimensions_hwl_m
        bearing = np.arctan2(actor.x_m, actor.z_m)
        turned = actor.yaw_rad - bearing
        across = 0.4 * (abs(length * np.cos(turned)) + abs(width * np.sin(turned)))
        reach = np.hypot(actor.x_m, actor.z_m) - np.hypot(width, length) / 2
        camera = self._at(anchor, 0.0, scene.camera.intrinsics.height_m, 0.0)
        for side, up in ((0.0, 0.5), (-across, 0.8), (across, 0.8)):
            x, z = actor.x_m + side * np.cos(bearing), actor.z_m - side * np.sin(bearing)
            end = self._at(anchor, float(x), actor.lift_m + up * height, float(z))
            if any(point.location.distance(camera) < reach for point in self._world.cast_ray(camera, end)):
                return True
        return False

    def _at(self, anchor: Anchor, x_m: float, up_m: float, z_m: float):
        pose = anchor.transform_of(x_m, z_m, 0.0, up_m)
        return self._carla.Location(pose.x_m, pose.y_m, pose.z_m)
