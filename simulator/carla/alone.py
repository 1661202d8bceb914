"""Each actor's silhouette: ticks in which it stands alone in the sky, before the picture's camera and the wide one."""

from collections.abc import Sequence

import numpy as np

from simulator.backend import Silhouettes
from simulator.carla.masks import Box, Patch, patch_of
from simulator.carla.optics import WIDE, scene_pixels_of_wide
from simulator.carla.pixels import Ids
from simulator.projection import actor_corners, box_of, clip_polygon, outline, polygon_area_px
from simulator.scene import Actor, SceneCamera

# Of a projected 3D box: a part so large inside the picture shows at least a pixel of whatever model fills the box.
MUST_SHOW_PX, MUST_SHOW_SHARE = 100.0, 0.5


class AloneInTheSky:
    """Collects silhouettes layer by layer. Actors that do not reach the picture need none."""

    def __init__(self, camera: SceneCamera, actors: Sequence[Actor]):
        self._camera = camera
        self._outlines = [outline(camera.intrinsics, actor_corners(actor)) for actor in actors]
        self._boxes = [box_of(edge) if len(edge) else None for edge in self._outlines]
        self.patches: list[Patch | None] = [None] * len(actors)
        self._outside_px = np.zeros(len(actors))
        self._outside_boxes: list[Box | None] = [None] * len(actors)
        self._columns, self._rows, self._stride_px2 = scene_pixels_of_wide(camera)

    @property
    def count(self) -> int:
        """Of the actors."""
        return len(self.patches)

    def boxes_in_picture(self) -> list[Box | None]:
        """The projected 3D box of each actor that reaches the picture, not clipped."""
        width, height = self._camera.width_px, self._camera.height_px
        return [
            box if box and box[0] < width and box[2] > 0 and box[1] < height and box[3] > 0 else None
            for box in self._boxes
        ]

    def leaves_picture(self, i: int) -> bool:
        box = self._boxes[i]
        width, height = self._camera.width_px, self._camera.height_px
        return box is not None and (box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height)

    def see(self, i: int, low16: int, ids: Ids, wide: Ids | None) -> None:
        """Takes actor i from its layer's picture, and where it leaves the picture from the wide one."""
        box = self._boxes[i]
        if box is None:
            raise ValueError(f"actor {i} is behind the camera")
        self.patches[i] = patch_of(ids, low16, box)
        if wide is None or not self.leaves_picture(i):
            return
        x = (box[0] - self._columns[0], box[2] - self._columns[0])
        y = (box[1] - self._rows[0], box[3] - self._rows[0])
        step_x, step_y = self._columns[1] - self._columns[0], self._rows[1] - self._rows[0]
        patch = patch_of(wide, low16, (x[0] / step_x, y[0] / step_y, x[1] / step_x, y[1] / step_y))
        columns = self._columns[patch.left : patch.left + patch.mask.shape[1]]
        rows = self._rows[patch.top : patch.top + patch.mask.shape[0]]
        inside = ((rows > 0) & (rows < self._camera.height_px))[:, None] & (
            (columns > 0) & (columns < self._camera.width_px)
        )
        outside = patch.mask & ~inside
        self._outside_px[i] = outside.sum() * self._stride_px2
        if outside.any():
            at_y, at_x = np.nonzero(outside)
            self._outside_boxes[i] = (
                float(columns[at_x.min()] - step_x / 2),
                float(rows[at_y.min()] - step_y / 2),
                float(columns[at_x.max()] + step_x / 2),
                float(rows[at_y.max()] + step_y / 2),
            )

    def unseen(self) -> list[int]:
        """Actors of which no pixel was seen alone, although enough of their projected box lies in the picture."""
        width, height = self._camera.width_px, self._camera.height_px
        found = []
        for i, (patch, edge) in enumerate(zip(self.patches, self._outlines, strict=True)):
            if patch is None or patch.area_px:
                continue
            inside_px = polygon_area_px(clip_polygon(edge, width, height))
            if inside_px >= max(MUST_SHOW_PX, MUST_SHOW_SHARE * polygon_area_px(edge)):
                found.append(i)
        return found

    def silhouettes(self) -> Silhouettes:
        """Of every actor. Those that do not reach the picture have the area of their projected box."""
        count = len(self.patches)
        area, inside, boxes = np.zeros(count), np.zeros(count), np.full((count, 4), np.nan)
        for i, (patch, edge, box) in enumerate(zip(self.patches, self._outlines, self._boxes, strict=True)):
            if box is None:
                continue
            if patch is None:
                area[i], boxes[i] = polygon_area_px(edge), box
                continue
            inside[i] = patch.area_px
            area[i] = (inside[i] + self._outside_px[i]) / self._share_in_wide(edge)
            around = [one for one in (patch.box_xyxy_px, self._outside_boxes[i]) if one is not None]
            if around:
                corners = np.array(around)
                boxes[i] = [*corners[:, :2].min(axis=0), *corners[:, 2:].max(axis=0)]
        return Silhouettes(area, inside, boxes)

    def _share_in_wide(self, edge: np.ndarray) -> float:
        """How much of a projected box the wide picture holds: less than all beside and behind the camera."""
        step_x, step_y = self._columns[1] - self._columns[0], self._rows[1] - self._rows[0]
        in_wide = (edge - (self._columns[0], self._rows[0])) / (step_x, step_y) + 0.5
        whole = polygon_area_px(in_wide)
        if whole <= 0:
            return 1.0
        return max(polygon_area_px(clip_polygon(in_wide, WIDE.width_px, WIDE.height_px)) / whole, 1e-6)
