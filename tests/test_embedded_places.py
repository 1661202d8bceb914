"""Streets of the embedded simulator: nothing may hide an actor, and the horizon is never bare."""

import numpy as np
import pytest
import trimesh
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trimesh.ray.ray_pyembree import RayMeshIntersector

from dataset.errors import InputError
from simulator.embedded.mesh import Mesh
from simulator.embedded.places import Footprint, place_mesh
from simulator.embedded.places.clearance import OVERHEAD_M, Clearance
from simulator.embedded.places.road import Road
from simulator.scene import ASSET_SETS, PLACES, Place

CAMERA_HEIGHT_M = 1.65
ROAD, PAVEMENT, BUILDING, VEGETATION, LINE = 1, 2, 3, 9, 24
SKY_OR_ACTORS = {7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19}
places = st.builds(
    Place,
    kind=st.sampled_from(PLACES),
    lane_count=st.integers(1, 5),
    lane_width_m=st.floats(2.8, 3.8),
    camera_offset_m=st.floats(-3, 6),
    road_yaw_deg=st.floats(-25, 25),
    curvature_per_m=st.floats(-0.015, 0.015),
    clear_half_width_m=st.floats(2.5, 12),
    clear_depth_m=st.floats(20, 120),
    crossing_m=st.floats(12, 45),
    seed=st.integers(0, 10_000),
)
footprints = st.lists(
    st.builds(Footprint, st.floats(-25, 25), st.floats(4, 90), st.floats(0.3, 5), st.floats(1.7, 8)),
    min_size=1,
    max_size=6,
)


def rays(mesh: Mesh) -> RayMeshIntersector:
    return RayMeshIntersector(trimesh.Trimesh(mesh.vertices_m.astype(float), mesh.faces, process=False))


def hit_before(mesh: Mesh, targets_m: np.ndarray, origin=(0.0, 0.0, CAMERA_HEIGHT_M)) -> np.ndarray:
    """Whether anything of the mesh lies between the origin and each target (N, 3) -> (N,) bool."""
    way = targets_m - np.array(origin)
    far = np.linalg.norm(way, axis=1)
    location, ray, _ = rays(mesh).intersects_location(
        np.broadcast_to(np.array(origin), way.shape), way / far[:, None], multiple_hits=False
    )
    hit = np.zeros(len(targets_m), bool)
    hit[ray] = np.linalg.norm(location - np.array(origin), axis=1) < far[ray] - 0.05
    return hit


@settings(max_examples=20, deadline=None)
@given(place=places, keep=footprints, asset_set=st.sampled_from(ASSET_SETS))
def test_nothing_stands_on_a_footprint_nor_between_it_and_the_camera(place, keep, asset_set):
    mesh = place_mesh(place, keep, asset_set, False)
    targets = []
    for x, z, radius, top in keep:
        for turn in np.linspace(0, 2 * np.pi, 8, endpoint=False):
            for height in (0.15, 1.0, top):
                targets.append((x + radius * np.sin(turn), z + radius * np.cos(turn), height))
    assert not hit_before(mesh, np.array(targets)).any()


@settings(max_examples=60, deadline=None)
@given(place=places)
# the canopy of its shop reached into the strip
@example(Place("car_park", 1, 3.0, 0.0, clear_half_width_m=3.0, clear_depth_m=50.0, crossing_m=12.0, seed=3159))
def test_nothing_stands_in_the_strip_about_the_camera_s_axis(place):
    mesh = place_mesh(place, [], "default", False)
    corner = mesh.vertices_m[mesh.faces]
    low, high = corner.min(1), corner.max(1)
    # Bridges and wires may pass over it.
    inside = (high[:, 2] > 0.05) & (low[:, 2] < OVERHEAD_M) & (high[:, 1] > 0) & (low[:, 1] < place.clear_depth_m)
    inside &= (high[:, 0] > -place.clear_half_width_m) & (low[:, 0] < place.clear_half_width_m)
    # Bounding boxes of slanted faces may reach in where the face does not: points across each face decide.
    weights = np.random.default_rng(0).dirichlet([0.6] * 3, 20)
    points = np.einsum("wk,fkd->fwd", weights, corner[inside])
    within = (np.abs(points[..., 0]) < place.clear_half_width_m) & (points[..., 1] > 0)
    within &= points[..., 1] < place.clear_depth_m
    height = points[..., 2][within]
    assert height[height < OVERHEAD_M].max(initial=0.0) < 0.05


def test_a_crowd_of_footprints_still_leaves_a_street():
    keep = [Footprint(x, z, 2.5) for x in (-10.0, -3.5, 3.5, 10.0) for z in (10.0, 20.0, 35.0, 60.0)]
    mesh = place_mesh(Place("urban"), keep, "default", False)
    assert (mesh.tag == BUILDING).sum() > 500
    assert (mesh.tag == LINE).sum() > 20


@pytest.mark.parametrize("kind", PLACES)
def test_every_kind_of_street_has_its_ground_road_and_lines_and_nothing_that_is_labelled(kind):
    for seed in range(4):
        mesh = place_mesh(Place(kind, seed=seed), [], "default", False)
        tags = set(np.unique(mesh.tag).tolist())
        assert tags >= {ROAD, LINE, VEGETATION}
        assert not tags & SKY_OR_ACTORS
        assert 4_000 <= len(mesh.faces) <= 75_000
        assert np.isfinite(mesh.vertices_m).all()
        a, b, c = (mesh.vertices_m[mesh.faces[:, i]].astype(float) for i in range(3))
        assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 1e-9


@pytest.mark.parametrize("kind", PLACES)
def test_ground_lies_under_every_actor_that_the_camera_may_see(kind):
    mesh = place_mesh(Place(kind, curvature_per_m=0.004, seed=2), [], "default", False)
    x, y = (g.ravel() for g in np.meshgrid(np.linspace(-8, 8, 9), np.linspace(-7, 100, 25)))
    above = np.stack([x, y, np.full(len(x), 1.0)], 1)
    location, ray, _ = rays(mesh).intersects_location(
        above, np.broadcast_to([0.0, 0.0, -1.0], above.shape), multiple_hits=False
    )
    assert len(np.unique(ray)) == len(above)
    assert np.abs(location[:, 2]).max() < 0.035  # flat: feet and wheels at 0 are neither buried nor in the air


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("yaw_deg", [0.0, 20.0])
def test_horizon_is_closed_by_something_that_stands(kind, yaw_deg):
    mesh = place_mesh(Place(kind, road_yaw_deg=yaw_deg, seed=4), [], "default", False)
    bearing = np.radians(np.linspace(-45, 45, 31))
    up = 0.004  # a little over the horizon
    way = np.stack([np.sin(bearing), np.cos(bearing), np.full(31, up)], 1)
    origin = np.broadcast_to([0.0, 0.0, CAMERA_HEIGHT_M], way.shape)
    assert rays(mesh).intersects_any(origin, way).mean() > 0.9


def test_road_passes_the_camera_at_its_offset_and_turns_as_asked():
    place = Place(camera_offset_m=2.0, road_yaw_deg=10.0, curvature_per_m=0.01)
    road = Road(place)
    np.testing.assert_allclose(road.point_m(0.0, 2.0), [0, 0], atol=1e-6)
    assert np.degrees(road.heading_rad(0.0)) == pytest.approx(10, abs=0.01)
    assert road.heading_rad(50.0) - road.heading_rad(0.0) == pytest.approx(0.5, abs=0.01)  # bends to the right
    right = road.point_m(0.0, 3.0)
    assert right[0] > 0.9  # t grows to the right


def test_stop_lines_lie_before_those_who_must_stop_and_stripes_reach_from_kerb_to_kerb():
    road = Road(Place(lane_count=2, lane_width_m=3.0, camera_offset_m=0.0))
    for towards in (1, -1):
        x, y = road.stop_line(20.0, towards, 0.4).vertices_m[:, :2].T * [[towards], [1]]
        assert 0 < x.min() < 0.2 and 2.8 < x.max() < 3.0  # on the right of those who drive that way
        assert (y.min(), y.max()) == pytest.approx((19.8, 20.2))
    stripes = road.zebra(20.0, 3.0).vertices_m
    assert abs(stripes[:, 0]).max() < 3.0 and np.ptp(stripes[:, 0]) > 5.0
    assert np.ptp(stripes[:, 1]) == pytest.approx(3.0)


def test_line_of_sight_is_a_cone_that_opens_towards_the_actor():
    clear = Clearance(Place(clear_half_width_m=0.1, clear_depth_m=1.0), [Footprint(0.0, 40.0, 4.0)])
    points = np.array([[3.0, 38.0], [3.0, 10.0], [0.5, 10.0], [0.0, 50.0], [0.0, -12.0]])
    np.testing.assert_array_equal(clear.free(points), [False, True, False, True, True])
    assert not clear.free(np.array([3.0, 10.0]), 2.5)  # a wide crown reaches in


def test_street_lamps_shine_only_at_night():
    place = Place("urban", seed=1)
    by_day, by_night = (place_mesh(place, [], "default", night) for night in (False, True))
    assert not by_day.lamps
    assert len(by_night.lamps) >= 4
    assert all(lamp.direction is not None and lamp.direction[2] < -0.9 for lamp in by_night.lamps)


@pytest.mark.parametrize("kind", PLACES)
def test_same_arguments_give_the_same_street_and_other_seeds_or_sets_another(kind):
    from simulator.embedded import places as module

    place, keep = Place(kind, seed=8), [Footprint(2.0, 20.0, 2.0)]
    first = place_mesh(place, keep, "default", False)
    module._built.cache_clear()
    again = place_mesh(place, keep, "default", False)
    np.testing.assert_array_equal(first.vertices_m, again.vertices_m)
    assert first.materials == again.materials
    other = place_mesh(Place(kind, seed=9), keep, "default", False)
    stand_in = place_mesh(place, keep, "stand-in", False)
    assert other.vertices_m.tobytes() != first.vertices_m.tobytes()
    assert not set(stand_in.materials) & set(first.materials) or stand_in.materials != first.materials


def test_unknown_kind_of_street_is_an_input_error():
    with pytest.raises(InputError, match="'moon'"):
        place_mesh(Place("moon"), [], "default", False)  # type: ignore[arg-type]
