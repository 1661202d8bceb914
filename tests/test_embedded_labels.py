"""The embedded renderer's labels against hand geometry and against Embree."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from simulator.embedded.film import develop
from simulator.embedded.mesh import Material, Mesh, join
from simulator.embedded.silhouettes import silhouettes
from simulator.embedded.sky import sky_of
from simulator.embedded.tracer import Quality, Traced, trace
from simulator.embedded.world import Pose, World, build_world, start_warp
from simulator.scene import CameraResponse, Environment, SceneCamera
from tests.embedded_street import BUILDING, CAMERA, CAR, box, ground, street

LABELS_ONLY = Quality(ambient_rays=False, mirror_rays=False)


@pytest.fixture(scope="module", autouse=True)
def warp() -> None:
    start_warp()


def seen(scenery: Mesh, actors: list[tuple[Mesh, Pose]], camera: SceneCamera = CAMERA) -> tuple[World, Traced]:
    world = build_world(scenery, actors)
    return world, trace(world, camera, sky_of(Environment(), 0), LABELS_ONLY, seed=0)


def pixel_box(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def test_box_at_a_known_pose_projects_where_the_pinhole_puts_it():
    """2 m wide, 1.5 m high, from z = 10 to 14 m, 1 m to the right; camera 1.65 m up, f = 500: its roof is seen."""
    world, traced = seen(ground(), [(box((4, 2, 1.5)), Pose(1.0, 12.0, -np.pi / 2))])
    expected = [320 + 500 * 0 / 10, 96 + 500 * 0.15 / 14, 320 + 500 * 2 / 10, 96 + 500 * 1.65 / 10]
    assert pixel_box(traced.instance == 1) == pytest.approx(expected, abs=1)
    whole = silhouettes(world, CAMERA)
    assert whole.box_xyxy_px[0] == pytest.approx(expected, abs=0.01)
    assert whole.area_px[0] == whole.inside_px[0]
    # the underside falls on pixel centres and on the road: either of the two may win there
    assert whole.inside_px[0] == pytest.approx((traced.instance == 1).sum(), rel=1e-3)


def test_pitch_moves_the_horizon_up_by_its_tangent():
    camera = replace(CAMERA, intrinsics=replace(CAMERA.intrinsics, pitch_deg=5.0))
    _, traced = seen(ground(1e4), [], camera)
    horizon = int(np.argmax(np.isfinite(traced.depth_m[:, 320])))
    assert horizon == pytest.approx(96 - 500 * np.tan(np.radians(5)) + 500 * 1.65 / 600, abs=1.5)


def test_yaw_0_shows_the_side_and_minus_half_pi_the_rear():
    car = box((4, 2, 1.5))
    world, _ = seen(ground(), [(car, Pose(0, 20, 0.0)), (car, Pose(0, 20, -np.pi / 2))])
    side, rear = silhouettes(world, CAMERA).box_xyxy_px
    assert side[2] - side[0] == pytest.approx(500 * 4 / 19, abs=1)
    assert rear[2] - rear[0] == pytest.approx(500 * 2 / 18, abs=1)


def test_half_behind_a_wall_is_half_occluded():
    """The wall's edge lies on the camera's axis, as does the middle of the object."""
    wall = box((3, 0.2, 4), (-1.5, 8.0), tag=BUILDING)
    world, traced = seen(join([ground(), wall]), [(box((4, 2, 1.5)), Pose(0.0, 14.0, -np.pi / 2))])
    whole = silhouettes(world, CAMERA)
    assert 1 - (traced.instance == 1).sum() / whole.inside_px[0] == pytest.approx(0.5, abs=0.02)


def test_object_across_the_image_border_is_truncated_by_the_share_outside():
    """The front face spans x = 5.4 to 7.4 m at z = 10 m; the image ends at 6.4 m."""
    slab = box((0.01, 2, 1.5))
    world, _ = seen(ground(), [(slab, Pose(6.4, 10.0, -np.pi / 2))])
    whole = silhouettes(world, CAMERA)
    assert 1 - whole.inside_px[0] / whole.area_px[0] == pytest.approx(0.5, abs=0.02)
    assert whole.box_xyxy_px[0, 2] == pytest.approx(320 + 500 * 7.4 / 10, abs=1)


def test_area_of_a_near_object_many_times_the_image_is_within_a_percent():
    """A wall face-on at 1 m: its area is width * height * (f / z)^2, of which the grid of rays samples a part."""
    world, traced = seen(ground(), [(box((0.01, 8, 3.0)), Pose(2.0, 1.0, -np.pi / 2))])
    whole = silhouettes(world, CAMERA)
    assert whole.area_px[0] == pytest.approx(8 * 3.0 * (500 / 0.995) ** 2, rel=0.01)
    assert whole.inside_px[0] == (traced.instance == 1).sum()


def test_object_behind_the_camera_has_no_silhouette():
    world, _ = seen(ground(), [(box((4, 2, 1.5)), Pose(0.0, -10.0, 0.0))])
    whole = silhouettes(world, CAMERA)
    assert np.isnan(whole.box_xyxy_px[0]).all()
    assert whole.area_px[0] == 0


def test_object_partly_behind_the_camera_is_seen_from_the_near_plane_on():
    """A car alongside, z from -2 to 2 m: only what has positive depth counts, and the box stays finite."""
    world, _ = seen(ground(), [(box((4, 2, 1.5)), Pose(2.5, 0.0, -np.pi / 2))])
    whole = silhouettes(world, CAMERA)
    left, _, right, bottom = whole.box_xyxy_px[0]
    assert left == pytest.approx(320 + 500 * 1.5 / 2, abs=1)  # the far end of the near side
    assert right == pytest.approx(320 + 500 * 3.5 / 0.1, rel=0.01)  # the near plane
    assert bottom == pytest.approx(96 + 500 * 1.65 / 0.1, rel=0.01)
    assert whole.area_px[0] > 100 * CAMERA.width_px * CAMERA.height_px


def test_depth_is_along_the_optical_axis():
    """A wall across the view has one depth from edge to edge; the road's is f * h / (row - cy)."""
    _, traced = seen(join([ground(), box((60, 0.2, 5), (0, 30.1), tag=BUILDING)]), [])
    assert traced.depth_m[80, ::40] == pytest.approx(np.full(16, 30.0), rel=1e-4)
    rows = np.arange(130, 192)
    assert traced.depth_m[rows, 100] == pytest.approx(500 * 1.65 / (rows + 0.5 - 96), rel=1e-4)


def test_sky_is_infinitely_far_and_carries_the_sky_tag():
    _, traced = seen(ground(), [])
    assert np.isinf(traced.depth_m[0]).all()
    assert (traced.semantic[0] == 11).all()
    assert (traced.semantic[-1] == 1).all()


def crowd(rng: np.random.Generator) -> list[tuple[Mesh, Pose]]:
    return [
        (
            box(tuple(rng.uniform(0.5, 4, 3)), tag=CAR, material=Material(tuple(rng.uniform(0, 1, 3)))),
            Pose(*rng.uniform((-8, 4, -3), (8, 60, 3))),
        )
        for _ in range(25)
    ]


def test_instance_ids_equal_embrees_at_every_pixel_inside_a_surface():
    world, traced = seen(street(), crowd(np.random.default_rng(4)))
    mesh = trimesh.Trimesh(world.vertices_m, world.faces, process=False)
    columns, rows = np.meshgrid(np.arange(640) + 0.5, np.arange(192) + 0.5)
    rays = np.stack([(columns - 320) / 500, np.ones_like(columns), (96 - rows) / 500], -1).reshape(-1, 3)
    origins = np.tile([0, 0, 1.65], (len(rays), 1))
    embree = trimesh.ray.ray_pyembree.RayMeshIntersector(mesh)
    face = embree.intersects_first(origins, rays).reshape(192, 640)
    expected = np.where(face >= 0, world.instance[face], 0)
    assert len(np.unique(expected)) > 10
    differing = expected != traced.instance
    boundary = np.zeros_like(differing)
    for axis in (0, 1):
        edge = np.diff(expected, axis=axis) != 0
        low, high = [slice(None), slice(None)], [slice(None), slice(None)]
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        boundary[tuple(low)] |= edge
        boundary[tuple(high)] |= edge
    assert not (differing & ~boundary).any()
    assert differing.sum() < 20


def digest_of_a_frame() -> str:
    """Run in this process and in another one: all that a frame consists of."""
    start_warp()
    world = build_world(street(), crowd(np.random.default_rng(4)))
    sky = sky_of(Environment(sun_altitude_deg=-10, wetness=1, rain=0.5), 1)
    traced = trace(world, CAMERA, sky, Quality(), seed=7)
    whole = silhouettes(world, CAMERA)
    rgb = develop(traced.radiance, CameraResponse(), seed=7)
    parts = [rgb, traced.radiance, traced.instance, traced.depth_m, whole.area_px, whole.box_xyxy_px]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_same_seed_gives_the_same_bytes_in_another_process():
    code = "from tests.test_embedded_labels import digest_of_a_frame; print(digest_of_a_frame())"
    root = Path(__file__).parents[1]
    other = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert other.stdout.split()[-1] == digest_of_a_frame()
