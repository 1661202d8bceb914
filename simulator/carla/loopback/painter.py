"""Pictures of a town: bodies and a view in Unreal's frame, drawn by the embedded simulator's ray tracer.

The tracer's world is OpenDRIVE's: x as Unreal's, y negated, z up, right-handed. The town stays in it as it is, and
the camera and the bodies move.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import warp as wp

from dataset.errors import InputError
from simulator.carla.loopback.blueprints import Blueprint, library
from simulator.carla.loopback.records import Body, Picture, View, Weather
from simulator.carla.loopback.town import Town
from simulator.carla.unreal import Transform
from simulator.carla.weather import environment_of
from simulator.embedded.assets import actor_mesh
from simulator.embedded.assets.materials import (
    HEADLIGHT,
    TAILLIGHT,
    UNLIT_HEADLIGHT,
    UNLIT_TAILLIGHT,
    is_paint,
    srgb,
)
from simulator.embedded.film import develop
from simulator.embedded.kernels.records import Pinhole
from simulator.embedded.mesh import Lamp, Mesh
from simulator.embedded.rain import with_streaks
from simulator.embedded.sky import LAMPS_ON_BELOW_DEG, sky_of
from simulator.embedded.stage import Standing
from simulator.embedded.tracer import Quality, Traced, label_through, trace_through
from simulator.embedded.world import start_warp
from simulator.scene import Actor, CameraResponse, Environment

TRACER_YAW_DEG = -90.0  # the heading, in Unreal's frame, of the tracer's +y
SEEN_M = 250.0  # bodies further than this from the camera are left out
LIT = {UNLIT_HEADLIGHT: HEADLIGHT, UNLIT_TAILLIGHT: TAILLIGHT}
RESPONSE = CameraResponse(noise_sigma=0.003, blur_px=0.35, vignetting=0.05, jpeg_quality=100)


class Painter:
    """Paints one town, for several threads at once. Made once per episode; the parts it has seen are kept."""

    def __init__(self, town: Town, device: str = "cpu", quality: Quality | None = None) -> None:
        start_warp()
        known = [str(one) for one in wp.get_devices()]
        if device not in known:
            raise InputError("simulator device", f"{device!r} is not one of {', '.join(known)}", "name one of those")
        self.town, self.device = town, device
        self.quality = Quality() if quality is None else quality

    def paint(self, view: View, bodies: Sequence[Body], weather: Weather, *, color: bool, frame: int) -> Picture:
        """What the view sees. The same arguments give the same picture; `frame` draws its noise."""
        environment = environment_of(weather, TRACER_YAW_DEG)
        night = environment.sun_altitude_deg < LAMPS_ON_BELOW_DEG
        at = view.transform
        near = [body for body in bodies if _gap_m(body.transform, at) < SEEN_M and _blueprint(body).asset is not None]
        stage = self.town.stage(at.x_m, at.y_m, night, self.device)
        world = stage.world([_standing(body) for body in near], (at.x_m, -at.y_m))
        pinhole = pinhole_of(view)
        ids = np.array([0, *(body.actor_id for body in near)], np.uint32)
        if not color:
            seen = label_through(world, pinhole)
            return Picture(None, ids[seen.instance], seen.semantic, seen.depth_m)
        traced = trace_through(world, pinhole, sky_of(environment, 0), self.quality, frame)
        rgb = self._developed(traced, environment, pinhole, frame)
        return Picture(rgb, ids[traced.instance], traced.semantic, traced.depth_m)

    def _developed(self, traced: Traced, environment: Environment, pinhole: Any, frame: int) -> np.ndarray:
        radiance = traced.radiance
        if environment.rain > 0:
            radiance = with_streaks(radiance, traced.depth_m, environment.rain, pinhole.focal[0], frame)
        return develop(radiance, RESPONSE, frame)


def pinhole_of(view: View) -> Any:
    """The tracer's camera."""
    forward, left, up = axes_of(view.transform).T
    focal_px = view.width_px / (2 * np.tan(np.radians(view.fov_deg) / 2))
    at = view.transform
    pinhole = Pinhole()
    pinhole.origin = wp.vec3(at.x_m, -at.y_m, at.z_m)
    pinhole.forward, pinhole.right, pinhole.up = (wp.vec3(*axis.tolist()) for axis in (forward, -left, up))
    pinhole.focal = wp.vec2(focal_px, focal_px)
    pinhole.centre = wp.vec2(view.width_px / 2, view.height_px / 2)
    pinhole.width, pinhole.height = view.width_px, view.height_px
    return pinhole


def axes_of(transform: Transform) -> np.ndarray:
    """(3, 3) rotation from an actor's model frame (x forward, y left, z up) to the tracer's world."""
    pitch, yaw, roll = np.radians([transform.pitch_deg, transform.yaw_deg, transform.roll_deg])
    # Unreal's rotation seen in a right-handed frame: yaw turns the other way, the nose still lifts with pitch
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    lift = np.array([[np.cos(pitch), 0, -np.sin(pitch)], [0, 1, 0], [np.sin(pitch), 0, np.cos(pitch)]])
    lean = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
    return turn @ lift @ lean


def _gap_m(one: Transform, other: Transform) -> float:
    return float(np.linalg.norm((one.x_m - other.x_m, one.y_m - other.y_m, one.z_m - other.z_m)))


def _blueprint(body: Body) -> Blueprint:
    known = library()
    if body.blueprint_id not in known:
        raise InputError(f"actor {body.actor_id}", f"no blueprint '{body.blueprint_id}'", "spawn one of the library")
    return known[body.blueprint_id]


def _standing(body: Body) -> Standing:
    mesh = _painted(body.blueprint_id, body.color_rgb, body.lights_on)
    axes, at = axes_of(body.transform), body.transform
    origin = np.array([at.x_m, -at.y_m, at.z_m])
    lamps = tuple(
        Lamp(
            _triple(axes @ np.asarray(lamp.position_m) + origin),
            lamp.color,
            lamp.intensity,
            None if lamp.direction is None else _triple(axes @ np.asarray(lamp.direction)),
            lamp.cone_deg,
        )
        for lamp in mesh.lamps
    )
    vertices = (mesh.vertices_m @ axes.T + origin).astype(np.float32)
    moved = Mesh(vertices, mesh.faces, mesh.material, mesh.tag, mesh.materials, mesh.smooth, lamps)
    return Standing(moved, _triple(origin), float(np.arctan2(axes[1, 0], axes[0, 0])))


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


@lru_cache(maxsize=256)
def _painted(blueprint_id: str, color_rgb: tuple[int, int, int] | None, lights_on: bool) -> Mesh:
    """The blueprint's shape in its own frame, with its paint, its lights as they are switched."""
    blueprint = library()[blueprint_id]
    assert blueprint.asset is not None
    dimensions = blueprint.dimensions_hwl_m
    actor = Actor(blueprint.asset, 0.0, 0.0, 0.0, dimensions, appearance_seed=blueprint.appearance_seed)
    mesh = actor_mesh(actor, "default")
    materials, lamps = mesh.materials, mesh.lamps
    if color_rgb is not None:
        color = srgb(*color_rgb)
        materials = tuple(one._replace(color=color) if is_paint(one) else one for one in materials)
    if blueprint.is_vehicle and lights_on:
        materials = tuple(LIT.get(one, one) for one in materials)
        height, _, length = dimensions
        lamps = lamps or (
            Lamp((length / 2 + 0.1, 0.0, 0.4 * height), (1.0, 0.93, 0.82), 60.0, (0.997, 0.0, -0.08), 30.0),
        )
    elif blueprint.is_vehicle:
        materials, lamps = tuple(one._replace(emission=0.0) for one in materials), ()
    return Mesh(mesh.vertices_m, mesh.faces, mesh.material, mesh.tag, materials, mesh.smooth, lamps)
