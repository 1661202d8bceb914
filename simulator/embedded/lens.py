"""What a lens does to the place of things: radial distortion of the whole picture, and colours drawn apart.

Distortion is Brown's and Conrady's as OpenCV has it: a ray that a pinhole would show r focal lengths from the axis is
shown at r (1 + k1 r^2 + k2 r^4). A pinhole's picture that reaches as far is rendered, and every pixel takes from it
what it shows: light between four pixels, labels of the nearest. Beyond the picture, where the polynomial may turn back,
the film goes on with the slope of the furthest corner, so that silhouettes have a size there, too.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dataset.errors import InputError
from simulator.scene import SceneCamera

STEPS = 4096  # of the table from the axis to the corner
LEAST_SLOPE = 0.2  # of what a pinhole shows in the middle; with less the border is squeezed beyond use
FURTHEST = 3.0  # so many times as far from the axis a pinhole may have to look for the corner


@dataclass(frozen=True)
class Lens:
    """The pinhole to render, and where each pixel of the picture lies in the pinhole's. All in px, centres at .5."""

    camera: SceneCamera
    pinhole: SceneCamera
    columns_px: np.ndarray  # (H, W) float64
    rows_px: np.ndarray
    corner: float  # the furthest corner's distance from the axis of a pinhole, in focal lengths

    def shown(self, labels: np.ndarray) -> np.ndarray:
        """The pinhole's (h, w) -> the picture's (H, W), the nearest pixels."""
        return labels[self._nearest]

    def shown_light(self, light: np.ndarray) -> np.ndarray:
        """The pinhole's (h, w, 3) float32 -> the picture's (H, W, 3), between the four pixels about each point."""
        left, top = np.floor(self.columns_px - 0.5).astype(np.intp), np.floor(self.rows_px - 0.5).astype(np.intp)
        right = (self.columns_px - 0.5 - left).astype(np.float32)[..., None]
        down = (self.rows_px - 0.5 - top).astype(np.float32)[..., None]
        width = light.shape[1]
        first, pixels = top * width + left, light.reshape(-1, 3)
        upper, lower = (
            pixels.take(at, axis=0) * (1 - right) + pixels.take(at + 1, axis=0) * right for at in (first, first + width)
        )
        return upper * (1 - down) + lower * down

    @cached_property
    def uses(self) -> np.ndarray:
        """(h, w) int: how many pixels of the picture show each of the pinhole's."""
        rows, columns = self._nearest
        height, width = self.pinhole.height_px, self.pinhole.width_px
        return np.bincount((rows * width + columns).ravel(), minlength=height * width).reshape(height, width)

    def on_film(self, pinhole_px: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the pinhole's endless film -> where the lens shows them on the picture's."""
        a, b, r = self._from_axis(pinhole_px)
        grown = _bent(r, self.camera, self.corner) / np.maximum(r, 1e-12)
        given = self.camera.intrinsics
        return np.stack([given.fx_px * a * grown + given.cx_px, given.fy_px * b * grown + given.cy_px], axis=-1)

    def enlarged(self, pinhole_px: np.ndarray) -> np.ndarray:
        """(...) area on the picture's film of a small piece of the pinhole's there, per area."""
        r = np.maximum(self._from_axis(pinhole_px)[2], 1e-9)
        return _slope(np.minimum(r, self.corner), self.camera) * _bent(r, self.camera, self.corner) / r

    @cached_property
    def _nearest(self) -> tuple[np.ndarray, np.ndarray]:
        return np.floor(self.rows_px).astype(np.intp), np.floor(self.columns_px).astype(np.intp)

    def _from_axis(self, pinhole_px: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        given = self.pinhole.intrinsics
        a, b = (pinhole_px[..., 0] - given.cx_px) / given.fx_px, (pinhole_px[..., 1] - given.cy_px) / given.fy_px
        return a, b, np.hypot(a, b)


def require_usable(camera: SceneCamera) -> None:
    """Raises InputError where the picture's corners would be squeezed or turned back, as `lens_of` does."""
    given = camera.intrinsics
    a, b = (
        max(abs(0.5 - centre), abs(length - 0.5 - centre)) / focal
        for length, centre, focal in (
            (camera.width_px, given.cx_px, given.fx_px),
            (camera.height_px, given.cy_px, given.fy_px),
        )
    )
    _corner(float(np.hypot(a, b)), camera)


def lens_of(camera: SceneCamera) -> Lens | None:
    """None for a pinhole. Raises InputError where the picture's corners would be squeezed or turned back."""
    if camera.radial_k1 == 0 and camera.radial_k2 == 0:
        return None
    given = camera.intrinsics
    a = (np.arange(camera.width_px) + 0.5 - given.cx_px) / given.fx_px
    b = ((np.arange(camera.height_px) + 0.5 - given.cy_px) / given.fy_px)[:, None]
    bent = np.hypot(a, b)
    corner = _corner(float(bent.max()), camera)
    table = np.linspace(0, corner, STEPS)
    shrunk = np.interp(bent, _bent(table, camera, corner), table) / np.maximum(bent, 1e-12)
    columns, rows = given.fx_px * a * shrunk + given.cx_px, given.fy_px * b * shrunk + given.cy_px
    # Whole pixels further to each side, so that light can be taken from between four of them everywhere.
    left, top = int(np.floor(columns.min() - 0.5)), int(np.floor(rows.min() - 0.5))
    right, bottom = int(np.floor(columns.max() - 0.5)) + 2, int(np.floor(rows.max() - 0.5)) + 2
    moved = replace(given, cx_px=given.cx_px - left, cy_px=given.cy_px - top)
    pinhole = SceneCamera(moved, right - left, bottom - top)
    return Lens(camera, pinhole, columns - left, rows - top, corner)


def with_fringes(light: np.ndarray, share: float, centre_px: tuple[float, float]) -> np.ndarray:
    """light (H, W, 3) float32, red magnified by a share about (x, y), blue made smaller by as much, green as it is."""
    if share == 0:
        return light
    fringed = light.copy()
    for channel, grown in ((0, 1 + share), (2, 1 - share)):
        across = light[..., channel]
        for axis, centre in ((0, centre_px[1]), (1, centre_px[0])):
            at = (np.arange(across.shape[axis]) + 0.5 - centre) / grown + centre - 0.5
            across = _between(across, np.clip(at, 0, across.shape[axis] - 1), axis)
        fringed[..., channel] = across
    return fringed


def _between(values: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    first = np.minimum(np.floor(at).astype(np.intp), values.shape[axis] - 2)
    share = (at - first).astype(np.float32)
    share = share[:, None] if axis == 0 else share
    return values.take(first, axis) * (1 - share) + values.take(first + 1, axis) * share


def _corner(bent: float, camera: SceneCamera) -> float:
    """How far from the axis a pinhole shows what the lens shows at `bent`."""
    tried = np.linspace(0, FURTHEST * bent, STEPS)
    reached = tried * (1 + camera.radial_k1 * tried**2 + camera.radial_k2 * tried**4) >= bent
    last = int(np.argmax(reached))
    if not reached.any() or _slope(tried[: last + 1], camera).min() < LEAST_SLOPE:
        raise InputError(
            "the camera's distortion",
            f"k1 {camera.radial_k1:g} and k2 {camera.radial_k2:g} squeeze the border of a picture of "
            f"{camera.width_px}x{camera.height_px} px, its corner {bent:.2f} focal lengths from the axis",
            "name coefficients nearer to 0",
        )
    return float(tried[last])


def _bent(r: np.ndarray, camera: SceneCamera, corner: float) -> np.ndarray:
    """Where the lens shows what a pinhole shows r from the axis; from the corner on with the slope there."""
    inner = np.minimum(r, corner)
    shown = inner * (1 + camera.radial_k1 * inner**2 + camera.radial_k2 * inner**4)
    return shown + (r - inner) * _slope(inner, camera)


def _slope(r: np.ndarray, camera: SceneCamera) -> np.ndarray:
    return 1 + 3 * camera.radial_k1 * r**2 + 5 * camera.radial_k2 * r**4
