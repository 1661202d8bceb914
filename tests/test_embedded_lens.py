"""Distortion and fringes of a lens against Brown's formula worked out by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.embedded.backend import EmbeddedBackend
from simulator.embedded.lens import Lens, lens_of, with_fringes
from simulator.embedded.mesh import Mesh
from simulator.embedded.silhouettes import silhouettes
from simulator.embedded.sky import sky_of
from simulator.embedded.tracer import Quality, Traced, trace
from simulator.embedded.world import Pose, World, build_world, start_warp
from simulator.gallery import GalleryJobs
from simulator.jobs import RandomJobs
from simulator.random_street import RandomStreetConfig, random_scene, require_lenses
from simulator.randomise import RandomisationConfig
from simulator.scene import Actor, CameraResponse, Environment, Place, Scene, SceneCamera
from tests.embedded_street import CAMERA, box, ground

K1, K2 = -0.2, 0.05
BARREL = replace(CAMERA, radial_k1=K1, radial_k2=K2)  # f = 500 px, axis through (320, 96), 1.65 m up
CUSHION = replace(CAMERA, radial_k1=0.15)


@pytest.fixture(scope="module", autouse=True)
def warp() -> None:
    start_warp()


def shown_at(x_m: Any, y_m: Any, z_m: float, k1: float = K1, k2: float = K2) -> tuple[Any, Any]:
    """Where OpenCV's distorted camera shows a point (or arrays of them) right of it, below it and in front."""
    a, b = x_m / z_m, y_m / z_m
    r2 = a * a + b * b
    grown = 1 + k1 * r2 + k2 * r2 * r2
    return 320 + 500 * a * grown, 96 + 500 * b * grown


def lens(camera: SceneCamera = BARREL) -> Lens:
    found = lens_of(camera)
    assert found is not None
    return found


def seen(actors: list[tuple[Mesh, Pose]], through: Lens) -> tuple[World, Traced, np.ndarray]:
    """The world, the pinhole's labels, and the instances that the lens shows."""
    world = build_world(ground(), actors)
    quality = Quality(ambient_rays=False, mirror_rays=False)
    traced = trace(world, through.pinhole, sky_of(Environment(), 0), quality, seed=0)
    return world, traced, through.shown(traced.instance)


def pixel_box(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize(("camera", "k1", "k2"), [(BARREL, K1, K2), (CUSHION, 0.15, 0.0)])
def test_the_label_of_a_box_at_a_known_pose_lies_where_the_lens_shows_it(camera, k1, k2):
    """A slab 2 m wide and 1.5 m high, 10 m ahead and 4 to 6 m to the right: four corners, and edges that bulge."""
    world, _, instance = seen([(box((0.01, 2, 1.5)), Pose(5.0, 10.0, -np.pi / 2))], lens(camera))
    edge = [(x, y) for x in (4.0, 6.0) for y in np.linspace(0.15, 1.65, 50)]
    edge += [(x, y) for x in np.linspace(4.0, 6.0, 50) for y in (0.15, 1.65)]
    points = np.array([shown_at(x, y, z, k1, k2) for x, y in edge for z in (9.995, 10.005)])
    expected = [*points.min(axis=0), *points.max(axis=0)]
    assert expected[0] != pytest.approx(320 + 500 * 4 / 10, abs=2)  # a pinhole's is another
    assert pixel_box(instance == 1) == pytest.approx(expected, abs=1)
    whole = silhouettes(world, camera, lens(camera))
    assert whole.box_xyxy_px[0] == pytest.approx(expected, abs=0.1)
    assert whole.inside_px[0] == whole.area_px[0] == (instance == 1).sum()


def area_px(x_m: tuple[float, float], y_m: tuple[float, float], z_m: float, counts: Callable) -> float:
    """Of an upright rectangle's picture, as far as `counts`: small quadrilaterals between points shown one by one."""
    x, y = np.meshgrid(np.linspace(*x_m, 301), np.linspace(*y_m, 301))
    u, v = shown_at(x, y, z_m)
    du = (u[1:, 1:] - u[:-1, :-1]) * (v[1:, :-1] - v[:-1, 1:]) - (u[1:, :-1] - u[:-1, 1:]) * (v[1:, 1:] - v[:-1, :-1])
    middle = (u[1:, 1:] + u[:-1, :-1]) / 2, (v[1:, 1:] + v[:-1, :-1]) / 2
    return float((np.abs(du) / 2 * counts(*middle)).sum())


def test_what_the_border_cuts_is_truncated_by_the_share_outside_on_the_lens_film():
    """A slab from 6 to 8 m to the right, 10 m ahead, where the picture ends at 7.0 m; beyond it the film goes on."""
    slab = box((0.01, 2, 1.5))
    world, _, instance = seen([(slab, Pose(7.0, 10.0, -np.pi / 2))], lens())
    whole = silhouettes(world, BARREL, lens())
    across, down = (6.0, 8.0), (0.15, 1.65)
    inside = area_px(across, down, 9.995, lambda u, v: (u < 640) & (v < 192))
    all_of_it = area_px(across, down, 9.995, lambda u, v: u < np.inf)
    assert whole.inside_px[0] == (instance == 1).sum() == pytest.approx(inside, rel=0.025)
    assert whole.area_px[0] == pytest.approx(all_of_it, rel=0.025)
    assert 1 - whole.inside_px[0] / whole.area_px[0] == pytest.approx(1 - inside / all_of_it, abs=0.02)
    assert 0.4 < 1 - inside / all_of_it < 0.5
    assert whole.box_xyxy_px[0, 2] == pytest.approx(shown_at(8.0, 0.15, 9.995)[0], abs=1.5)


def test_a_car_partly_behind_a_distorting_camera_has_a_finite_silhouette():
    world, _, instance = seen([(box((4, 2, 1.5)), Pose(2.5, 0.5, -np.pi / 2))], lens())
    whole = silhouettes(world, BARREL, lens())
    assert np.isfinite(whole.box_xyxy_px).all()
    assert whole.area_px[0] > 10 * whole.inside_px[0] and whole.inside_px[0] == (instance == 1).sum()


def test_depth_is_that_of_the_ray_which_the_lens_bends_to_the_pixel():
    """The road under a pixel: undo the distortion step by step, then depth = f h / rows below the horizon."""
    _, traced, _ = seen([], lens())
    depth = lens().shown(traced.depth_m)
    assert depth.shape == (192, 640)
    for row, column in ((150, 40), (180, 320), (170, 600)):
        bent = np.array([column + 0.5 - 320, row + 0.5 - 96]) / 500
        straight = bent.copy()
        for _ in range(50):
            r2 = straight @ straight
            straight = bent / (1 + K1 * r2 + K2 * r2**2)
        assert depth[row, column] == pytest.approx(1.65 / straight[1], rel=0.01)  # half a pixel of 74 rows at most


def test_light_is_taken_from_between_pixels():
    """A ramp across the pinhole's picture reads back, at every pixel, the place that it was taken from."""
    through = lens()
    pinhole = through.pinhole
    ramp = np.arange(pinhole.width_px, dtype=np.float32) + 0.5
    light = np.broadcast_to(ramp[None, :, None], (pinhole.height_px, pinhole.width_px, 3))
    shown = through.shown_light(np.ascontiguousarray(light))
    assert np.abs(shown[..., 0] - through.columns_px).max() < 1e-3
    corner = shown[0, 0, 0] - pinhole.intrinsics.cx_px, 0.5 - 96
    assert shown_at(corner[0] / 500, through.rows_px[0, 0] / 500 - pinhole.intrinsics.cy_px / 500, 1.0) == (
        pytest.approx((0.5, 0.5), abs=0.01)
    )


def test_a_distorted_scene_has_its_size_and_labels_that_agree():
    """Occlusion is counted on one raster: what nothing hides is hidden by nothing."""
    car = Actor("car", 2.5, 9.0, -np.pi / 2, (1.5, 1.8, 4.3), "car", appearance_seed=1)
    scene = Scene(BARREL, (car,), Place("suburb", seed=5), seed=11)
    backend = EmbeddedBackend()
    render, straight = backend.render(scene), backend.render(replace(scene, camera=CAMERA))
    assert render.rgb.shape == (192, 640, 3) == straight.rgb.shape
    assert render.instance.shape == render.semantic.shape == render.depth_m.shape == (192, 640)
    assert (render.instance == 1).sum() == render.silhouettes.inside_px[0]
    assert (render.instance == 1).sum() < 0.97 * (straight.instance == 1).sum()


def test_coefficients_that_turn_the_border_back_are_refused():
    """With k1 = -1 the polynomial's slope 1 - 3 r^2 is 0 at 0.58 focal lengths; the corner is 0.67 away."""
    with pytest.raises(InputError, match=r"k1 -1 .* 0\.67 focal lengths"):
        lens_of(replace(CAMERA, radial_k1=-1.0))


@pytest.mark.parametrize(
    ("street", "named"),
    [
        ({"radial_k1": (-0.3, 0.0)}, "k1 -0.3 and k2 0 "),
        ({"radial_k1": (-0.18, 0.2), "radial_k2": (-0.05, 0.1)}, "k1 -0.18 and k2 -0.05 "),  # only both together
    ],
)
def test_lenses_that_a_camera_cannot_have_are_refused_before_a_street_is_drawn(street, named):
    """The corner of a picture 80 degrees across lies 0.87 focal lengths from the axis; one at 0.67 bears them all."""
    cameras = [(CAMERA.intrinsics, 640, 192), (Camera(384.0, 384.0, 320.0, 92.2), 640, 192)]
    drawn = RandomStreetConfig(**street)
    RandomJobs(4, ("car",), cameras[:1], drawn, RandomisationConfig(), seed=0, cycle=0)
    with pytest.raises(InputError, match=rf"radial_k1 and radial_k2: {named}.* 0\.87 focal lengths"):
        RandomJobs(4, ("car",), cameras, drawn, RandomisationConfig(), seed=0, cycle=0)
    with pytest.raises(InputError, match=named):
        GalleryJobs({"car": 1.0}, cameras[1], drawn, seed=0)


def test_no_drawn_lens_squeezes_the_border_where_the_least_coefficients_do_not():
    rng, camera, borne = np.random.default_rng(0), Camera(384.0, 384.0, 320.0, 92.2), 0
    for _ in range(100):
        k1, k2 = sorted(rng.uniform(-0.4, 0.2, 2)), sorted(rng.uniform(-0.2, 0.3, 2))
        street = RandomStreetConfig(radial_k1=(k1[0], k1[1]), radial_k2=(k2[0], k2[1]))
        try:
            require_lenses(street, [(camera, 640, 192)])
        except InputError:
            continue
        for one, other in (k1[0], k2[1]), (k1[1], k2[0]), (k1[1], k2[1]), (rng.uniform(*k1), rng.uniform(*k2)):
            assert lens_of(SceneCamera(camera, 640, 192, one, other)) is not None
        borne += 1
    assert 10 < borne < 90  # some ranges are allowed, some refused


def test_a_pinhole_has_no_lens_and_random_streets_are_pinholes_unless_they_are_asked_for_more():
    assert lens_of(CAMERA) is None
    drawn = [
        random_scene(CAMERA.intrinsics, 640, 192, ("car",), street, RandomisationConfig(), np.random.default_rng(3))
        for street in (RandomStreetConfig(), RandomStreetConfig(radial_k1=(-0.2, -0.1)))
    ]
    assert drawn[0].camera.radial_k1 == drawn[0].camera.radial_k2 == 0
    assert -0.2 <= drawn[1].camera.radial_k1 <= -0.1
    assert replace(drawn[1], camera=drawn[0].camera) == drawn[0]  # all else is the same street


def test_red_and_blue_part_at_the_corner_by_the_share_of_its_distance_and_not_in_the_middle():
    """A share of 0.01: 300 px right of the axis red lies 3 px further out and blue 3 px further in; on it, nowhere."""
    light = np.zeros((192, 640, 3), np.float32)
    for column in (320, 620):
        light[90:102, column - 2 : column + 2] = 1.0
    fringed = with_fringes(light, 0.01, (320.0, 96.0))
    columns = np.arange(640) + 0.5
    for middle, apart in ((320, 0.0), (620, 3.0)):
        near = slice(middle - 10, middle + 10)
        red, green, blue = ((fringed[96, near, c] * columns[near]).sum() / fringed[96, near, c].sum() for c in range(3))
        assert green == middle
        assert red - green == pytest.approx(apart, abs=0.05)
        assert green - blue == pytest.approx(apart, abs=0.05)


def test_without_fringes_the_light_is_the_very_same():
    light = np.ones((32, 32, 3), np.float32)
    assert with_fringes(light, CameraResponse().chromatic_aberration, (16.0, 16.0)) is light
