"""From instance ids to the scene's actors, and to each actor's silhouette as if it stood alone.

Each actor is seen once alone, high in the sky, from the very pixels of the picture: what it shows there is all that it
can show in the picture. So an id that also belongs to some wall (ids have 16 bits) is told apart by where it lies and
by its tag, and a rider and his machine, which share an id, are one silhouette. Actors whose pictures cannot touch are
seen in the same tick: a layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from simulator.carla.pixels import Ids

Box = tuple[float, float, float, float]
# A model may reach a little over its box, and a walker sways from tick to tick.
BOX_MARGIN_PX, BOX_MARGIN_SHARE = 4.0, 0.12
APART_PX, APART_SHARE = 1.5, 0.04  # for two that are seen in one tick: a 3D box's picture is larger than its model's
SWAY_SHARE = 0.02  # of the silhouette's height


@dataclass(frozen=True)
class Patch:
    """A silhouette inside a picture: a mask and where its upper left corner lies."""

    left: int
    top: int
    mask: np.ndarray  # (h, w) bool
    tags: frozenset[int]

    @property
    def area_px(self) -> int:
        return int(self.mask.sum())

    @property
    def box_xyxy_px(self) -> Box | None:
        """Around the mask; None where it is empty."""
        rows, columns = np.nonzero(self.mask.any(axis=1))[0], np.nonzero(self.mask.any(axis=0))[0]
        if not len(rows):
            return None
        return (
            float(self.left + columns[0]),
            float(self.top + rows[0]),
            float(self.left + columns[-1] + 1),
            float(self.top + rows[-1] + 1),
        )


def layers_of(boxes_xyxy_px: Sequence[Box | None], together: Sequence[int] = ()) -> list[list[int]]:
    """Groups of actors whose boxes, grown a little, do not touch; those without a box are in none.

    As few as a greedy colouring finds: first those that are better seen `together`, then by their neighbours' number.
    """
    grown = {i: _grown(box, APART_PX, APART_SHARE) for i, box in enumerate(boxes_xyxy_px) if box is not None}
    neighbours = {i: [j for j in grown if j != i and _touch(grown[i], grown[j])] for i in grown}
    layers: list[list[int]] = []
    for i in sorted(grown, key=lambda i: (i not in together, -len(neighbours[i]), i)):
        layer = next((layer for layer in layers if not any(j in neighbours[i] for j in layer)), None)
        if layer is None:
            layers.append([i])
        else:
            layer.append(i)
    return layers


def patch_of(ids: Ids, low16: int, box_xyxy_px: Box) -> Patch:
    """What an actor shows alone; box: where it is expected, px of the same picture."""
    left, top, right, bottom = _window(_grown(box_xyxy_px), ids.low16.shape)
    mask = ids.low16[top:bottom, left:right] == low16
    return Patch(left, top, mask, frozenset(np.unique(ids.tag[top:bottom, left:right][mask]).tolist()))


def instances(ids: Ids, low16: Sequence[int], patches: Sequence[Patch | None]) -> np.ndarray:
    """(H, W) int32: i + 1 where the picture shows the actor of patches[i], 0 elsewhere."""
    instance = np.zeros(ids.low16.shape, np.int32)
    for i, patch in enumerate(patches):
        if patch is None or not patch.mask.any():
            continue
        height = np.count_nonzero(patch.mask.any(axis=1))
        sway = 1 + int(SWAY_SHARE * height)
        left, top, right, bottom = _window(
            (patch.left - sway, patch.top - sway, patch.left + patch.mask.shape[1] + sway,
             patch.top + patch.mask.shape[0] + sway),
            ids.low16.shape,
        )  # fmt: skip
        alone = np.zeros((bottom - top, right - left), bool)
        y, x = patch.top - top, patch.left - left
        alone[y : y + patch.mask.shape[0], x : x + patch.mask.shape[1]] = patch.mask
        window = (slice(top, bottom), slice(left, right))
        shown = (ids.low16[window] == low16[i]) & np.isin(ids.tag[window], list(patch.tags))
        instance[window][shown & binary_dilation(alone, iterations=sway)] = i + 1
    return instance


def colliding(actor_ids: Sequence[int]) -> list[int]:
    """Indices of actors whose lower 16 bits an earlier one has already."""
    seen: set[int] = set()
    twice = []
    for i, actor_id in enumerate(actor_ids):
        if actor_id & 0xFFFF in seen:
            twice.append(i)
        seen.add(actor_id & 0xFFFF)
    return twice


def _grown(box: Box, margin_px: float = BOX_MARGIN_PX, margin_share: float = BOX_MARGIN_SHARE) -> Box:
    x0, y0, x1, y1 = box
    margin_x = margin_px + margin_share * (x1 - x0)
    margin_y = margin_px + margin_share * (y1 - y0)
    return x0 - margin_x, y0 - margin_y, x1 + margin_x, y1 + margin_y


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _window(box: Box, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom), whole pixels inside the picture."""
    height, width = shape
    left, right = (int(np.clip(x, 0, width)) for x in (np.floor(box[0]), np.ceil(box[2])))
    top, bottom = (int(np.clip(y, 0, height)) for y in (np.floor(box[1]), np.ceil(box[3])))
    return left, top, right, bottom
