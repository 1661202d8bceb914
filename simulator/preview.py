"""How much of an actor will be seen, before anything is rendered: convex blocks drawn on a small grid.

Good to a few per cent, in a millisecond or two: enough to place an occluder and to tell a request. The rendered masks
are what is checked and labelled later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.projection import (
    CORNER_SIGNS,
    actor_corners,
    box_of,
    clip_box,
    clip_polygon,
    outline,
    polygon_area_px,
)
from simulator.scene import Actor, SceneCamera

GRID = 40  # samples along each side of the target's box

# Blocks that fill an asset's box, as shares of it: (rear, front, bottom, top, width); forward runs from -0.5 to 0.5.
_WHOLE = ((-0.5, 0.5, 0.0, 1.0, 1.0),)
BLOCKS: dict[str, tuple[tuple[float, float, float, float, float], ...]] = {
    "car": ((-0.5, 0.5, 0.06, 0.6, 1.0), (-0.42, 0.2, 0.55, 1.0, 0.8)),
    "van": ((-0.5, 0.5, 0.06, 0.55, 1.0), (-0.48, 0.35, 0.5, 1.0, 0.92)),
    "pedestrian": ((-0.3, 0.3, 0.0, 0.85, 0.8), (-0.2, 0.2, 0.8, 1.0, 0.35)),
    "cyclist": ((-0.5, 0.5, 0.0, 0.42, 0.25), (-0.25, 0.25, 0.35, 1.0, 0.85)),
    "motorcyclist": ((-0.5, 0.5, 0.0, 0.55, 0.4), (-0.28, 0.2, 0.4, 1.0, 0.85)),
    "tree": ((-0.05, 0.05, 0.0, 0.4, 0.1), (-0.4, 0.4, 0.35, 1.0, 0.85)),
    "bush": ((-0.42, 0.42, 0.0, 0.95, 0.9),),
}


@dataclass(frozen=True)
class Sight:
    """How an actor shows in the picture."""

    box_xyxy_px: tuple[float, float, float, float]  # visible part, inside the image; no area when unseen
    occlusion: float  # hidden share of what is inside the image
    truncation: float  # share outside the image


UNSEEN = Sight((0.0, 0.0, 0.0, 0.0), 1.0, 1.0)


def distance_m(actor: Actor) -> float:
    """Level distance from the camera to the actor's centre."""
    return float(np.hypot(actor.x_m, actor.z_m))


def whole_box(camera: SceneCamera, actor: Actor) -> tuple[float, float, float, float] | None:
    """Box around all of an actor's picture on an endless film; None when it is behind the camera."""
    edge = outline(camera.intrinsics, actor_corners(actor))
    return box_of(edge) if len(edge) else None


def blocks(camera: SceneCamera, actor: Actor) -> list[np.ndarray]:
    """Outlines (K, 2) px of the convex blocks that stand for an actor's shape; those behind the camera left out."""
    h, w, length = actor.dimensions_hwl_m
    cos, sin = np.cos(actor.yaw_rad), np.sin(actor.yaw_rad)
    outlines = []
    for rear, front, low, high, width in BLOCKS.get(actor.asset, _WHOLE):
        forward = length * np.where(CORNER_SIGNS[:, 0] < 0, rear, front)
        up = actor.lift_m + h * np.where(CORNER_SIGNS[:, 1] < 0.5, low, high)
        side = w * width * CORNER_SIGNS[:, 2]
        corners = np.stack(
            [actor.x_m + cos * forward + sin * side, up, actor.z_m - sin * forward + cos * side], axis=-1
        )
        edge = outline(camera.intrinsics, corners)
        if len(edge) >= 3:
            outlines.append(edge)
    return outlines


def sight(camera: SceneCamera, actors: Sequence[Actor], target: int) -> Sight:
    """How `actors[target]` will show, hidden by every actor that is nearer."""
    own = blocks(camera, actors[target])
    whole = sum(polygon_area_px(edge) for edge in own)
    if whole <= 0:
        return UNSEEN
    inside = sum(polygon_area_px(clip_polygon(edge, camera.width_px, camera.height_px)) for edge in own)
    x0, y0, x1, y1 = clip_box(box_of(np.concatenate(own)), camera.width_px, camera.height_px)
    if inside <= 0 or x1 - x0 < 0.5 or y1 - y0 < 0.5:
        return UNSEEN
    u = x0 + (np.arange(GRID) + 0.5) * (x1 - x0) / GRID
    v = y0 + (np.arange(GRID) + 0.5) * (y1 - y0) / GRID
    body = _covered(own, u, v)
    seen = body.copy()
    reach = distance_m(actors[target])
    for i, actor in enumerate(actors):
        if i != target and distance_m(actor) < reach:
            seen &= ~_covered(blocks(camera, actor), u, v)
    truncation = 1.0 - inside / whole
    if not seen.any():
        return Sight((0.0, 0.0, 0.0, 0.0), 1.0, truncation)
    rows, columns = np.nonzero(seen.any(axis=1))[0], np.nonzero(seen.any(axis=0))[0]
    step_u, step_v = (x1 - x0) / GRID, (y1 - y0) / GRID
    box = (
        float(x0 + columns[0] * step_u),
        float(y0 + rows[0] * step_v),
        float(x0 + (columns[-1] + 1) * step_u),
        float(y0 + (rows[-1] + 1) * step_v),
    )
    return Sight(box, float(1.0 - seen.sum() / body.sum()), float(truncation))


def hidden_share(camera: SceneCamera, target: Actor, other: Actor) -> float:
    """Share of the target's picture that `other` alone would hide."""
    return sight(camera, (target, other), 0).occlusion if distance_m(other) < distance_m(target) else 0.0


def _covered(outlines: list[np.ndarray], u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Which samples (len(v), len(u)) lie inside any of the convex outlines."""
    covered = np.zeros((len(v), len(u)), bool)
    for edge in outlines:
        after = np.roll(edge, -1, axis=0)
        du, dv = (after - edge).T
        # Outlines run so that the inside is to the left of every edge: all cross products are positive there.
        cross = du[:, None, None] * (v[:, None] - edge[:, 1, None, None]) - dv[:, None, None] * (
            u[None, :] - edge[:, 0, None, None]
        )
        covered |= (cross >= 0).all(axis=0)
    return covered
