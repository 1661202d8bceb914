"""How much of an actor will be seen, before anything is rendered: rough shapes drawn on a small grid.

Good to a few per cent, in a millisecond or two: enough to place an occluder and to tell a request. The rendered masks
are what is checked and labelled later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.projection import actor_corners, box_of, clip_box, outline
from simulator.scene import Actor, SceneCamera
from simulator.shapes import slices

GRID = 40  # samples along each side of the target's box


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


def is_within(camera: SceneCamera, actor: Actor, reach_m: tuple[float, float]) -> bool:
    """Whether some of an actor's picture lies between the left and the right border, and its distance in `reach_m`."""
    box = whole_box(camera, actor)
    seen = box is not None and box[2] > 0 and box[0] < camera.width_px
    return seen and reach_m[0] <= distance_m(actor) <= reach_m[1]


def blocks(camera: SceneCamera, actor: Actor) -> list[np.ndarray]:
    """Outlines (K, 2) px of the convex slices that make an actor's shape; those behind the camera left out."""
    outlines = [outline(camera.intrinsics, corners) for corners in slices(actor)]
    return [edge for edge in outlines if len(edge) >= 3]


class Preview:
    """One target and what is in front of it, sampled on a grid over the target's box; more can be put in front."""

    def __init__(self, camera: SceneCamera, actors: Sequence[Actor], target: int):
        self._camera, self._target_m = camera, distance_m(actors[target])
        own = blocks(camera, actors[target])
        window = clip_box(box_of(np.concatenate(own)), camera.width_px, camera.height_px) if own else (0.0,) * 4
        self.empty = window[2] - window[0] < 0.5 or window[3] - window[1] < 0.5
        if self.empty:
            return
        x0, y0, x1, y1 = window
        self._origin, self._step = np.array([x0, y0]), np.array([(x1 - x0) / GRID, (y1 - y0) / GRID])
        self._u = x0 + (np.arange(GRID) + 0.5) * self._step[0]
        self._v = y0 + (np.arange(GRID) + 0.5) * self._step[1]
        self._body = _covered(own, self._u, self._v)
        self._truncation = self._outside_share(own)
        self._seen = self._body.copy()
        for i, actor in enumerate(actors):
            if i != target:
                self._seen &= ~self._hidden_by(actor)

    def _outside_share(self, own: list[np.ndarray]) -> float:
        """Share of the silhouette outside the image; slices may overlap, so it is sampled as a whole."""
        x0, y0, x1, y1 = box_of(np.concatenate(own))
        if x0 >= 0 and y0 >= 0 and x1 <= self._camera.width_px and y1 <= self._camera.height_px:
            return 0.0
        u = x0 + (np.arange(3 * GRID) + 0.5) * (x1 - x0) / (3 * GRID)
        v = y0 + (np.arange(3 * GRID) + 0.5) * (y1 - y0) / (3 * GRID)
        whole = _covered(own, u, v)
        inside = whole[(v >= 0) & (v < self._camera.height_px)][:, (u >= 0) & (u < self._camera.width_px)]
        return float(1 - inside.sum() / whole.sum()) if whole.any() else 1.0

    def _hidden_by(self, actor: Actor) -> np.ndarray:
        if distance_m(actor) >= self._target_m:
            return np.zeros((GRID, GRID), bool)
        return _covered(blocks(self._camera, actor), self._u, self._v)

    def occlusion(self, further: Actor | None = None) -> float:
        """Hidden share of the target, with one further actor put in front."""
        if self.empty or not self._body.any():
            return 1.0
        seen = self._seen if further is None else self._seen & ~self._hidden_by(further)
        return float(1 - seen.sum() / self._body.sum())

    def sight(self) -> Sight:
        if self.empty:
            return UNSEEN
        if not self._seen.any():
            return Sight((0.0, 0.0, 0.0, 0.0), 1.0, self._truncation)
        rows, columns = np.nonzero(self._seen.any(axis=1))[0], np.nonzero(self._seen.any(axis=0))[0]
        x0, y0 = (self._origin + self._step * (columns[0], rows[0])).tolist()
        x1, y1 = (self._origin + self._step * (columns[-1] + 1, rows[-1] + 1)).tolist()
        return Sight((x0, y0, x1, y1), self.occlusion(), self._truncation)


def sight(camera: SceneCamera, actors: Sequence[Actor], target: int) -> Sight:
    """How `actors[target]` will show, hidden by every actor that is nearer."""
    return Preview(camera, actors, target).sight()


def hidden_share(camera: SceneCamera, target: Actor, other: Actor) -> float:
    """Share of the target's picture that `other` alone would hide."""
    return Preview(camera, (target, other), 0).occlusion()


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
