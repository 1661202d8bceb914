"""A scene's pinhole through CARLA's centred one with square pixels."""

import numpy as np
import pytest

from dataset.schema import Camera
from simulator.carla.optics import WIDE, optics_of, scene_pixels_of_wide
from simulator.recreate import NotRecreatable
from simulator.scene import SceneCamera

KITTI = SceneCamera(Camera(721.5, 721.5, 609.56, 172.85), 1242, 375)
OBLONG = SceneCamera(Camera(700.0, 910.0, 333.3, 120.0), 640, 200)


def tangents_of_picture(camera: SceneCamera) -> tuple[np.ndarray, np.ndarray]:
    """What CARLA's camera would show if every pixel told the tangents of its own ray, cut for the scene."""
    optics = optics_of(camera, 4096)
    lens = optics.lens
    x = (np.arange(lens.width_px) + 0.5 - lens.width_px / 2) / lens.focal_px
    y = (np.arange(lens.height_px) + 0.5 - lens.height_px / 2) / lens.focal_px
    rays = np.stack(np.meshgrid(x, y), axis=-1)
    cut = optics.cut(rays)
    return cut[..., 0], cut[..., 1]


@pytest.mark.parametrize(("camera", "allowed_px"), [(KITTI, 0.26), (OBLONG, 0.51)])
def test_every_pixel_shows_the_ray_of_the_scenes_camera(camera, allowed_px):
    x, y = tangents_of_picture(camera)
    given = camera.intrinsics
    assert x.shape == (camera.height_px, camera.width_px)
    expected_u, expected_v = np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5
    assert np.abs(x[0] * given.fx_px + given.cx_px - expected_u).max() <= allowed_px
    assert np.abs(y[:, 0] * given.fy_px + given.cy_px - expected_v).max() <= allowed_px


def test_square_pixels_are_cut_out_as_they_are():
    optics = optics_of(KITTI, 4096)
    picture = np.random.default_rng(0).integers(0, 256, (optics.lens.height_px, optics.lens.width_px, 3), np.uint8)
    cut = optics.cut_color(picture)
    assert cut.base is not None  # a view: no pixel was made up
    assert (optics.cut(picture) == cut).all()


def test_colours_of_oblong_pixels_are_interpolated():
    optics = optics_of(OBLONG, 4096)
    ramp = np.broadcast_to(np.linspace(0, 255, optics.lens.width_px)[None, :, None], (optics.lens.height_px,
                           optics.lens.width_px, 3)).astype(np.uint8)  # fmt: skip
    steps = np.diff(optics.cut_color(ramp)[0, :, 0].astype(int))
    assert steps.min() >= 0
    assert steps.max() <= 2


def test_the_wide_picture_has_75_degrees_to_each_side():
    columns, rows, area = scene_pixels_of_wide(KITTI)
    assert np.degrees(np.arctan((columns[-1] - 609.56) / 721.5)) == pytest.approx(75, abs=0.1)
    assert area == pytest.approx((columns[1] - columns[0]) * (rows[1] - rows[0]))
    assert len(columns) == WIDE.width_px


def test_an_axis_far_outside_the_picture_is_refused():
    with pytest.raises(NotRecreatable, match="max_width_px 4096"):
        optics_of(SceneCamera(Camera(700.0, 700.0, -2000.0, 90.0), 640, 200), 4096)
