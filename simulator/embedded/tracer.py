"""From a world to pixels: exact labels at pixel centres, light there and, along edges, at more points of the film.

What the camera sees is drawn triangle by triangle (`cover`). Light is traced from there: `gather` and `spread` that of
sky and surroundings, `light_centres`, `soften` what chance had a part in, then `light_edges`. Every kernel runs on the
CPU and on CUDA alike.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import warp as wp

from simulator.embedded.kernels.ambient import CELL_PX, Gathered, gather, spread
from simulator.embedded.kernels.cover import LAST_FACE, cover
from simulator.embedded.kernels.rays import light_centres, light_edges
from simulator.embedded.kernels.records import Pinhole
from simulator.embedded.kernels.shading import Parts
from simulator.embedded.kernels.softening import first_mirrors, soften, spread_mirrors
from simulator.embedded.world import World
from simulator.scene import SceneCamera

CENTRE = np.array([[0.5, 0.5]], np.float32)
SKY_TAG = 11  # CARLA 0.9.16
AMBIENT_STRIDES = (1, 2, 4, 8)  # in cells: light is spread over some thirty pixels of a plane
MIRROR_STRIDES = (1 / 6, 1 / 3)  # of the reach of a mirror's blur: two passes of two strides each way cover it


@dataclass(frozen=True)
class Quality:
    """What a frame may cost. The default is meant for training images."""

    edge_samples: int = 3  # further ones in pixels where something ends
    ambient_rays: bool = True
    mirror_rays: bool = True


@dataclass(frozen=True)
class Traced:
    """Light and labels of every pixel, before the camera's response."""

    radiance: np.ndarray  # (H, W, 3) float32, linear
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
    shape, device, seed = (pinhole.height, pinhole.width), world.device, seed % 2**24
    samples = _sample_points(quality.edge_samples)
    nearest = covered(world, pinhole, (0, len(world.instance)), Window(0, 0, *shape), samples)
    parts = _empty(shape, Parts, device)
    common = [world.geometry, sky, pinhole, *_ambient(world, pinhole, sky, quality, nearest, seed)]
    common += [int(quality.mirror_rays), seed]
    for turn in (0, 1):
        half = shape[0], (shape[1] + 1) // 2
        wp.launch(light_centres, half, [*common, turn, nearest, parts], device=device)
    mirrors, smoother, centre = (_empty(shape, dtype, device) for dtype in (wp.vec4, wp.vec4, wp.vec3))
    wp.launch(first_mirrors, shape, [parts, mirrors], device=device)
    for stride_per_reach in MIRROR_STRIDES:
        wp.launch(spread_mirrors, shape, [parts, mirrors, stride_per_reach, smoother], device=device)
        mirrors, smoother = smoother, mirrors
    wp.launch(soften, shape, [sky, pinhole, parts, mirrors, centre], device=device)
    radiance = centre
    if quality.edge_samples > 0:
        radiance = wp.clone(centre)
        places = wp.array(samples, dtype=wp.vec2, device=device)
        wp.launch(light_edges, shape, [*common, places, nearest, centre, radiance], device=device)
    labels = _labels(world, nearest)
    return Traced(radiance.numpy(), labels.instance, labels.semantic, labels.depth_m)


def _ambient(
    world: Traceable, pinhole: Any, sky: Any, quality: Quality, nearest: wp.array, seed: int
) -> tuple[wp.array, wp.array]:
    """Cells and the ratio of their light to that of an open sky, see kernels/ambient.py."""
    cells = -(-pinhole.height // CELL_PX), -(-pinhole.width // CELL_PX)
    at, ratio, smoother = (_empty(cells, dtype, world.device) for dtype in (Gathered, wp.vec3, wp.vec3))
    at.zero_()
    ratio.fill_(1.0)
    if quality.ambient_rays:
        wp.launch(gather, cells, [world.geometry, sky, pinhole, seed, nearest, at, ratio], device=world.device)
        for stride in AMBIENT_STRIDES:
            wp.launch(spread, cells, [stride, at, ratio, smoother], device=world.device)
            ratio, smoother = smoother, ratio
    return at, ratio


def label_through(world: Traceable, pinhole: Any) -> Labels:
    """The labels that `trace_through` gives, without its light."""
    window = Window(0, 0, pinhole.height, pinhole.width)
    return _labels(world, covered(world, pinhole, (0, len(world.instance)), window))


def _empty(shape: tuple[int, int], dtype: Any, device: str) -> wp.array:
    return wp.empty(shape, dtype=dtype, device=device)


class Window(NamedTuple):
    """The points of the film that are looked through: a grid of `rows` by `columns` from a corner on."""

    x_px: float
    y_px: float
    rows: int
    columns: int
    stride_px: float = 1.0


def covered(
    world: Traceable, pinhole: Any, faces: tuple[int, int], window: Window, samples: np.ndarray = CENTRE
) -> wp.array:
    """What is nearest of the faces from the first number to before the second: (samples, rows, columns) uint64.

    0 where there is nothing; else as `cover` tells. samples: (S, 2) places (x, y) in a cell of the window, 0-1.
    """
    nearest = wp.zeros((len(samples), window.rows, window.columns), dtype=wp.uint64, device=world.device)
    corner = wp.vec2(float(window.x_px), float(window.y_px))
    places = wp.array(samples, dtype=wp.vec2, device=world.device)
    inputs = [world.geometry, pinhole, faces[0], corner, float(window.stride_px), places, nearest]
    wp.launch(cover, faces[1] - faces[0], inputs, device=world.device)
    return nearest


def _sample_points(further: int) -> np.ndarray:
    """(1 + further, 2) places in a pixel: its centre, then one a stratum, spread across by the golden cut."""
    index = np.arange(further)
    spread = np.stack([(index + 1) * 0.618034 % 1, (index + 0.5) / max(further, 1)], axis=1)
    return np.concatenate([CENTRE, spread]).astype(np.float32)


def _labels(world: Traceable, nearest: wp.array) -> Labels:
    """Of the first of the samples."""
    numbers: np.ndarray = nearest.numpy()[0]
    seen = numbers > 0
    faces = np.where(seen, int(LAST_FACE) - (numbers & 0xFFFFFFFF).astype(np.int64), 0)
    per_depth = (numbers >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return Labels(
        instance=np.where(seen, world.instance[faces], 0).astype(np.int32),
        semantic=np.where(seen, world.tag[faces], SKY_TAG).astype(np.uint8),
        depth_m=np.divide(1.0, per_depth, out=np.full(per_depth.shape, np.inf, np.float32), where=seen),
    )
