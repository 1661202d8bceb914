"""Motion blur: what the camera's own way smears while the shutter is open, from each pixel's depth.

A camera that travels by T and turns by W (vectors of its own frame: x right, y down, z forward) sees the point
Z (a, b, 1) move on the film by
    da = -(Tx - a Tz) / Z - (Wy - Wz b) + a (Wx b - Wy a),    db = -(Ty - b Tz) / Z - (Wz a - Wx) + b (Wx b - Wy a)
focal lengths: away from where it travels to, the slower the further; the sky moves with the turn alone. The exposure
lies about the instant that the labels tell of. The world stands still, but for vehicles ahead in the camera's own lane:
they go as fast as it does.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import warp as wp

from dataset.schema import Camera
from simulator.casting import VEHICLE_ASSETS
from simulator.embedded.kernels.motion import smear
from simulator.embedded.world import start_warp
from simulator.road import centre_line_x_m, heading_rad
from simulator.scene import Actor, CameraResponse, Place

STILL_PX = 0.5  # where nothing moves further the picture is left as it is
LOOKED_AT = 4  # every so many pixels, to tell that
LEAST_TILE_PX = 8
FURTHEST = 0.1  # of the picture's width: things that near are a blur anyway
SAME_WAY_RAD = np.radians(25)
NEAREST_M = 0.05  # what a lens touches; nearer still, the way over the film is without end
LEAST_ROOM_M = 0.3  # to either side of the lane's middle, also for what is as wide as the lane


class Seen(NamedTuple):
    """What moves: depth along the axis (inf: sky) and the actors that the pixels show."""

    depth_m: np.ndarray  # (H, W) float32
    instance: np.ndarray  # (H, W) int32, 0 = scenery, i + 1 = actor i


def with_motion(
    light: np.ndarray,
    seen: Seen,
    camera: Camera,
    response: CameraResponse,
    actors: Sequence[Actor],
    place: Place,
    device: str = "cpu",
) -> np.ndarray:
    """light (H, W, 3) float32, linear, as smeared by the camera's motion."""
    if not response.moves:
        return light
    alike = goes_along(actors, place)
    fewer = flow_px(seen, camera, response, alike, LOOKED_AT)
    if np.einsum("ijk,ijk->ij", fewer, fewer).max() < STILL_PX**2:
        return light
    start_warp()  # another simulator's process has not yet
    flow = flow_px(seen, camera, response, alike)
    furthest = FURTHEST * light.shape[1]
    length = np.sqrt(np.einsum("ijk,ijk->ij", flow, flow))
    if length.max() > furthest:
        flow *= (furthest / np.maximum(length, furthest))[..., None]
    # Half the way of what moves fastest must not lead beyond the tiles about a pixel's own.
    tile = max(int(np.ceil(min(length.max(), furthest) / 2)), LEAST_TILE_PX)
    arrays = ((light, wp.vec3), (seen.depth_m, wp.float32), (flow, wp.vec2), (_fastest(flow, length, tile), wp.vec2))
    inputs = [wp.array(np.ascontiguousarray(values), dtype=dtype, device=device) for values, dtype in arrays]
    smeared = wp.empty_like(inputs[0])
    wp.launch(smear, light.shape[:2], [*inputs, tile, smeared], device=device)
    return smeared.numpy()


def flow_px(seen: Seen, camera: Camera, response: CameraResponse, goes_along: np.ndarray, every: int = 1) -> np.ndarray:
    """(H, W, 2) float32: how far right and down each pixel moves during the exposure; of every so many pixels.

    goes_along: (A,) bool, the actors that travel as the camera does.
    """
    depth, instance = seen.depth_m[::every, ::every], seen.instance[::every, ::every]
    height, width = seen.depth_m.shape
    a = ((np.arange(0, width, every) + 0.5 - camera.cx_px) / camera.fx_px).astype(np.float32)
    b = ((np.arange(0, height, every) + 0.5 - camera.cy_px) / camera.fy_px).astype(np.float32)[:, None]
    cos, sin = np.cos(np.radians(camera.pitch_deg)), np.sin(np.radians(camera.pitch_deg))
    # It travels and turns level, whatever its pitch; to the right is about the axis that points down.
    travel_m = response.speed_mps * response.exposure_s
    turn_rad = np.radians(response.yaw_rate_dps) * response.exposure_s
    travel_y, travel_z = np.float32(-travel_m * sin), np.float32(travel_m * cos)
    turn_y, turn_z = np.float32(turn_rad * cos), np.float32(turn_rad * sin)
    per_depth = 1 / np.maximum(depth, np.float32(NEAREST_M))
    if goes_along.any():
        per_depth = per_depth * np.append(True, ~goes_along).astype(np.float32)[instance]
    flow = np.empty((*depth.shape, 2), np.float32)
    nearer = travel_z * per_depth
    flow[..., 0] = camera.fx_px * (a * nearer - (turn_y - turn_z * b) - turn_y * a * a)
    flow[..., 1] = camera.fy_px * (b * nearer - travel_y * per_depth - turn_z * a - turn_y * a * b)
    return flow


def goes_along(actors: Sequence[Actor], place: Place) -> np.ndarray:
    """(A,) bool: vehicles ahead in the camera's own lane, none of them half on the kerb, that head its way."""
    return np.array([_goes_along(actor, place) for actor in actors], bool)


def _goes_along(actor: Actor, place: Place) -> bool:
    bends = place.map is None
    lane_x_m = centre_line_x_m(place, actor.z_m) + place.camera_offset_m if bends else 0.0
    turned = actor.yaw_rad + np.pi / 2 - (heading_rad(place, actor.z_m) if bends else 0.0)
    room_m = max((place.lane_width_m - actor.dimensions_hwl_m[1]) / 2, LEAST_ROOM_M)
    return (
        actor.asset in VEHICLE_ASSETS
        and actor.z_m > 0
        and abs(actor.x_m - lane_x_m) <= room_m
        and np.cos(turned) > np.cos(SAME_WAY_RAD)
    )


def _fastest(flow: np.ndarray, length: np.ndarray, tile: int) -> np.ndarray:
    """The longest flow of each tile and the eight about it: (H / tile, W / tile, 2), rounded up."""
    height, width = length.shape
    rows, columns = -(-height // tile), -(-width // tile)
    padded = np.full((rows * tile, columns * tile), -1.0, np.float32)
    padded[:height, :width] = length
    tiles = padded.reshape(rows, tile, columns, tile).swapaxes(1, 2).reshape(rows, columns, -1)
    down, across = np.divmod(tiles.argmax(axis=2), tile)
    down, across = down + tile * np.arange(rows)[:, None], across + tile * np.arange(columns)
    own, longest = flow[down, across], length[down, across]
    best, furthest = own.copy(), longest.copy()
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            to = slice(max(-i, 0), rows - max(i, 0)), slice(max(-j, 0), columns - max(j, 0))
            of = slice(max(i, 0), rows - max(-i, 0)), slice(max(j, 0), columns - max(-j, 0))
            longer = longest[of] > furthest[to]
            best[to][longer] = own[of][longer]
            furthest[to][longer] = longest[of][longer]
    return best
