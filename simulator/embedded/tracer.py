"""The camera's rays: exact labels from pixel centres, light from pixel centres and, along edges, from more points.

Three launches a frame: `label_and_light` (one ray through each pixel's centre), `mark_edges` (where one sample
aliases), `light_edges` (further jittered samples there). Every kernel runs on the CPU and on CUDA alike.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import warp as wp

from simulator.embedded.kernels.rays import label, label_and_light, light_again, mark_edges
from simulator.embedded.kernels.records import Pinhole
from simulator.embedded.world import World
from simulator.scene import SceneCamera

SKY_TAG = 11  # CARLA 0.9.16


@dataclass(frozen=True)
class Quality:
    """What a frame may cost. The default is meant for training images."""

    samples: int = 1  # 3 * samples more where edges would alias
    ambient_rays: bool = True
    mirror_rays: bool = True
    denoise: bool = True


@dataclass(frozen=True)
class Traced:
    """Light and labels of every pixel, before the camera's response."""

    radiance: np.ndarray  # (H, W, 3) float32, linear
    albedo: np.ndarray  # (H, W, 3) float32
    normal: np.ndarray  # (H, W, 3) float32, world frame
    instance: np.ndarray  # (H, W) int32, 0 = scenery
    semantic: np.ndarray  # (H, W) uint8
    depth_m: np.ndarray  # (H, W) float32, inf where there is sky


class Traceable(Protocol):
    """A World, or a StagedWorld."""

    @property
    def geometry(self) -> Any: ...
    @property
    def instance(self) -> np.ndarray: ...
    @property
    def tag(self) -> np.ndarray: ...
    @property
    def device(self) -> str: ...


@dataclass(frozen=True)
class Labels:
    """Labels of every pixel, without light."""

    instance: np.ndarray  # (H, W) int32, 0 = scenery
    semantic: np.ndarray  # (H, W) uint8
    depth_m: np.ndarray  # (H, W) float32, inf where there is sky


def pinhole_of(camera: SceneCamera) -> Any:
    pitch = np.radians(camera.intrinsics.pitch_deg)
    pinhole = Pinhole()
    pinhole.origin = wp.vec3(0.0, 0.0, camera.intrinsics.height_m)
    pinhole.right = wp.vec3(1.0, 0.0, 0.0)
    pinhole.forward = wp.vec3(0.0, float(np.cos(pitch)), float(-np.sin(pitch)))
    pinhole.up = wp.vec3(0.0, float(np.sin(pitch)), float(np.cos(pitch)))
    pinhole.focal = wp.vec2(camera.intrinsics.fx_px, camera.intrinsics.fy_px)
    pinhole.centre = wp.vec2(camera.intrinsics.cx_px, camera.intrinsics.cy_px)
    pinhole.width, pinhole.height = camera.width_px, camera.height_px
    return pinhole


def trace(world: World, camera: SceneCamera, sky: Any, quality: Quality, seed: int) -> Traced:
    """Light and labels of the world as the camera sees it; `sky` comes from sky.sky_of."""
    return trace_through(world, pinhole_of(camera), sky, quality, seed)


def trace_through(world: Traceable, pinhole: Any, sky: Any, quality: Quality, seed: int) -> Traced:
    """`trace` for a Pinhole that stands and looks anywhere."""
    shape, device = (pinhole.height, pinhole.width), world.device

    def film(dtype: Any) -> wp.array:
        return wp.empty(shape, dtype=dtype, device=device)

    radiance, albedo, normal = film(wp.vec3), film(wp.vec3), film(wp.vec3)
    face, depth_m, edge = film(wp.int32), film(wp.float32), film(wp.int32)
    rays = [int(quality.ambient_rays), int(quality.mirror_rays), seed % 2**24]
    lit = [radiance, albedo, normal]
    wp.launch(label_and_light, shape, [world.geometry, sky, pinhole, *rays, *lit, face, depth_m], device=device)

    wp.launch(mark_edges, shape, [world.geometry, normal, face, depth_m, edge], device=device)
    aliased = edge.numpy().reshape(-1) > 0
    first = [wp.clone(film) for film in lit]
    # along edges the further samples look for what the centre missed; elsewhere they average its noise
    for where, samples, reuse in ((aliased, 3 * quality.samples, 1), (~aliased, quality.samples - 1, 0)):
        pixels = np.flatnonzero(where).astype(np.int32)
        if samples > 0 and len(pixels):
            plan = [samples, reuse, wp.array(pixels, dtype=wp.int32, device=device), face]
            inputs = [world.geometry, sky, pinhole, *rays, *plan, *first, *lit]
            wp.launch(light_again, len(pixels), inputs, device=device)

    labels = _labels(world, face, depth_m)
    return Traced(
        radiance=radiance.numpy(),
        albedo=albedo.numpy(),
        normal=normal.numpy(),
        instance=labels.instance,
        semantic=labels.semantic,
        depth_m=labels.depth_m,
    )


def label_through(world: Traceable, pinhole: Any) -> Labels:
    """The labels that `trace_through` gives, at the cost of one ray a pixel."""
    shape, device = (pinhole.height, pinhole.width), world.device
    face, depth_m = wp.empty(shape, wp.int32, device), wp.empty(shape, wp.float32, device)  # type: ignore[arg-type]
    wp.launch(label, shape, [world.geometry, pinhole, face, depth_m], device=device)
    return _labels(world, face, depth_m)


def _labels(world: Traceable, face: wp.array, depth_m: wp.array) -> Labels:
    faces: np.ndarray = face.numpy()
    seen = faces >= 0
    return Labels(
        instance=np.where(seen, world.instance[faces], 0).astype(np.int32),
        semantic=np.where(seen, world.tag[faces], SKY_TAG).astype(np.uint8),
        depth_m=depth_m.numpy(),
    )
