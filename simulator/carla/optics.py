"""A scene's camera through CARLA's: square pixels, the principal point in the middle, one horizontal field of view.

The picture asked of CARLA has the finer of the scene's two focal lengths and reaches as far as the scene's needs from
the middle; the scene's raster is cut out of it. Where fx = fy that is a plain cut: the picture is made so many pixels
wide that its pixel centres and the scene's lie within a quarter of a pixel. Else ids and depth take the nearest pixel
(half a pixel at most) and colours are interpolated.
"""

from dataclasses import dataclass

import numpy as np

from simulator.recreate import NotRecreatable
from simulator.scene import SceneCamera

# The camera that sees what lies outside the picture: 75 degrees to each side, with so few pixels that it is quick.
WIDE_WIDTH_PX, WIDE_HEIGHT_PX, WIDE_FOV_DEG = 768, 576, 150.0
FEWEST_PX = 16


@dataclass(frozen=True)
class Lens:
    """What a CARLA camera is told."""

    width_px: int
    height_px: int
    fov_deg: float  # horizontal

    @property
    def focal_px(self) -> float:
        return self.width_px / 2 / float(np.tan(np.radians(self.fov_deg) / 2))


WIDE = Lens(WIDE_WIDTH_PX, WIDE_HEIGHT_PX, WIDE_FOV_DEG)


@dataclass(frozen=True)
class Optics:
    """A lens and where the scene's pixel centres lie in its picture."""

    lens: Lens
    columns_px: np.ndarray  # (W,) float64, pixel centres at .5
    rows_px: np.ndarray  # (H,)

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """(Hc, Wc, ...) as CARLA has it -> (H, W, ...), the nearest pixels."""
        rows, columns = _nearest(self.rows_px), _nearest(self.columns_px)
        if _consecutive(rows) and _consecutive(columns):
            return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return picture[rows[:, None], columns[None, :]]

    def cut_color(self, picture: np.ndarray) -> np.ndarray:
        """(Hc, Wc, 3) uint8 -> (H, W, 3) uint8; interpolated where the scene's pixels are not square."""
        if _consecutive(_nearest(self.rows_px)) and _consecutive(_nearest(self.columns_px)):
            return self.cut(picture)
        tall = _interpolated(picture, self.rows_px, axis=0)
        return np.clip(_interpolated(tall, self.columns_px, axis=1) + 0.5, 0, 255).astype(np.uint8)


def optics_of(camera: SceneCamera, max_px: int) -> Optics:
    """Raises NotRecreatable when the scene's picture lies so far off the axis that `max_px` do not reach."""
    given = camera.intrinsics
    focal = max(given.fx_px, given.fy_px)
    width, columns = _axis(camera.width_px, given.cx_px, focal / given.fx_px)
    height, rows = _axis(camera.height_px, given.cy_px, focal / given.fy_px)
    if max(width, height) > max_px:
        raise NotRecreatable(
            f"the picture's axis lies so far from its middle that CARLA would have to show {width} x {height} px, "
            f"more than max_width_px {max_px}"
        )
    fov_deg = float(2 * np.degrees(np.arctan(width / 2 / focal)))
    return Optics(Lens(width, height, fov_deg), columns, rows)


def scene_pixels_of_wide(camera: SceneCamera) -> tuple[np.ndarray, np.ndarray, float]:
    """Where the wide picture's pixel centres lie in the scene's: columns (768,), rows (576,), and the area of each."""
    given, focal = camera.intrinsics, WIDE.focal_px
    columns = (np.arange(WIDE.width_px) + 0.5 - WIDE.width_px / 2) * given.fx_px / focal + given.cx_px
    rows = (np.arange(WIDE.height_px) + 0.5 - WIDE.height_px / 2) * given.fy_px / focal + given.cy_px
    return columns, rows, given.fx_px * given.fy_px / focal**2


def _axis(length_px: int, centre_px: float, scale: float) -> tuple[int, np.ndarray]:
    """CARLA's length, and the scene's pixel centres in it; `scale` is CARLA's focal length over the scene's."""
    needed = int(np.ceil(2 * scale * max(centre_px, length_px - centre_px) - 1e-9))
    needed = max(needed, FEWEST_PX)
    off_by = [abs(offset - round(offset)) for offset in (needed / 2 - centre_px, (needed + 1) / 2 - centre_px)]
    carla_px = needed if scale != 1 or off_by[0] <= off_by[1] + 1e-9 else needed + 1
    return carla_px, (np.arange(length_px) + 0.5 - centre_px) * scale + carla_px / 2


def _nearest(centres_px: np.ndarray) -> np.ndarray:
    # The small shift decides for one side where a centre falls on the edge between two pixels.
    return np.maximum(np.floor(centres_px - 1e-6).astype(int), 0)


def _consecutive(indices: np.ndarray) -> bool:
    return bool((np.diff(indices) == 1).all())


def _interpolated(picture: np.ndarray, centres_px: np.ndarray, axis: int) -> np.ndarray:
    at = np.clip(centres_px - 0.5, 0, picture.shape[axis] - 1)
    low = np.minimum(np.floor(at).astype(int), picture.shape[axis] - 2)
    share = (at - low).reshape([-1 if a == axis else 1 for a in range(3)]).astype(np.float32)
    return picture.take(low, axis) * (1 - share) + picture.take(low + 1, axis) * share
