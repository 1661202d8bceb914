"""Assets of the embedded simulator: they fill exactly the box that the label will tell of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.errors import InputError
from simulator.embedded.assets import actor_mesh, support_mesh
from simulator.embedded.mesh import PATTERNS, Mesh
from simulator.scene import ACTOR_ASSETS, ASSET_SETS, CLUTTER_ASSETS, Actor

# Usual h, w, l, metres.
TYPICAL_HWL_M = {
    "car": (1.5, 1.7, 4.2), "van": (2.2, 1.95, 5.2), "truck": (3.3, 2.5, 9.0), "bus": (3.1, 2.5, 11.5),
    "tram": (3.5, 2.4, 18.0), "motorcyclist": (1.5, 0.8, 2.1), "cyclist": (1.74, 0.6, 1.76),
    "pedestrian": (1.75, 0.62, 0.8), "traffic_light": (1.0, 0.4, 0.4), "traffic_sign": (0.8, 0.8, 0.06),
    "pole": (4.0, 0.2, 0.2), "bin": (1.0, 0.6, 0.7), "bollard": (0.9, 0.2, 0.2), "bush": (1.2, 1.6, 1.6),
    "tree": (8.0, 6.0, 6.0), "container": (2.6, 2.4, 6.0), "barrier": (1.1, 2.0, 0.5), "billboard": (3.5, 4.0, 0.3),
    "hydrant": (0.8, 0.5, 0.4), "kiosk": (2.8, 2.5, 2.5),
}  # fmt: skip
EVERY_ASSET = ACTOR_ASSETS + CLUTTER_ASSETS
# CARLA 0.9.16: what a mask of the asset may be called.
TAGS = {
    "car": {14}, "van": {14}, "truck": {15}, "bus": {16}, "tram": {17}, "motorcyclist": {13, 18}, "cyclist": {13, 19},
    "pedestrian": {12}, "traffic_light": {7}, "traffic_sign": {8}, "pole": {6}, "tree": {9}, "bush": {9},
}  # fmt: skip


def made(asset: str, seed: int = 0, asset_set: str = "default", dimensions_hwl_m=None) -> Mesh:
    dimensions = TYPICAL_HWL_M[asset] if dimensions_hwl_m is None else dimensions_hwl_m
    return actor_mesh(Actor(asset, 0.0, 10.0, 0.0, dimensions, appearance_seed=seed), asset_set)


def areas_m2(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices_m[mesh.faces[:, i]].astype(float) for i in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


@settings(max_examples=120, deadline=None)
@given(
    asset=st.sampled_from(EVERY_ASSET),
    seed=st.integers(0, 10_000),
    asset_set=st.sampled_from(ASSET_SETS),
    stretch=st.tuples(*[st.floats(0.7, 1.4)] * 3),
)
def test_bounding_box_is_the_labelled_box_standing_on_the_ground(asset, seed, asset_set, stretch):
    h, w, length = (side * s for side, s in zip(TYPICAL_HWL_M[asset], stretch, strict=True))
    mesh = made(asset, seed, asset_set, (h, w, length))
    np.testing.assert_allclose(mesh.vertices_m.min(0), [-length / 2, -w / 2, 0], atol=0.01)
    np.testing.assert_allclose(mesh.vertices_m.max(0), [length / 2, w / 2, h], atol=0.01)


@settings(max_examples=80, deadline=None)
@given(asset=st.sampled_from(EVERY_ASSET), seed=st.integers(0, 10_000), asset_set=st.sampled_from(ASSET_SETS))
def test_mesh_is_finite_consistent_and_without_empty_triangles(asset, seed, asset_set):
    mesh = made(asset, seed, asset_set)
    assert np.isfinite(mesh.vertices_m).all()
    assert mesh.vertices_m.dtype == np.float32 and mesh.faces.dtype == np.int32 and mesh.tag.dtype == np.uint8
    assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices_m)
    assert len(mesh.material) == len(mesh.tag) == len(mesh.faces)
    assert mesh.smooth is not None and len(mesh.smooth) == len(mesh.faces)
    assert mesh.material.max() < len(mesh.materials)
    assert areas_m2(mesh).min() > 1e-10
    for material in mesh.materials:
        assert all(0 <= channel <= 1 for channel in material.color)
        assert material.pattern in PATTERNS.values()
    if asset in TAGS:
        assert set(np.unique(mesh.tag)) <= TAGS[asset]


@pytest.mark.parametrize("asset", EVERY_ASSET)
def test_size_of_the_mesh_keeps_tree_builds_fast(asset):
    assert max(len(made(asset, seed).faces) for seed in range(4)) <= 5500


@pytest.mark.parametrize("asset", EVERY_ASSET)
def test_same_seed_gives_the_same_mesh_whatever_was_made_before(asset):
    from simulator.embedded import assets

    first = made(asset, 5)
    assets._made.cache_clear()
    made("car", 77)
    again = made(asset, 5)
    assert first is not again
    np.testing.assert_array_equal(first.vertices_m, again.vertices_m)
    np.testing.assert_array_equal(first.faces, again.faces)
    assert first.materials == again.materials and first.lamps == again.lamps


@pytest.mark.parametrize("asset", ["car", "van", "truck", "bus", "pedestrian", "cyclist", "motorcyclist", "tree"])
def test_seed_changes_how_it_looks(asset):
    looks = {(mesh.vertices_m.tobytes(), mesh.materials) for mesh in (made(asset, seed) for seed in range(6))}
    assert len(looks) == 6


@pytest.mark.parametrize("asset", ACTOR_ASSETS)
def test_stand_in_set_looks_different_from_the_default_set(asset):
    differs = [
        made(asset, seed).materials != made(asset, seed, "stand-in").materials
        or made(asset, seed).vertices_m.tobytes() != made(asset, seed, "stand-in").vertices_m.tobytes()
        for seed in range(6)
    ]
    assert any(differs)


def test_vehicle_heads_along_x_with_its_headlights_in_front_and_red_lights_behind():
    for asset in ("car", "van", "truck", "bus", "tram"):
        length = TYPICAL_HWL_M[asset][2]
        for seed in range(4):
            mesh = made(asset, seed)
            for lamp in mesh.lamps:
                assert lamp.position_m[0] > 0.4 * length
                assert lamp.direction is not None and lamp.direction[0] > 0.9
            red = [i for i, mat in enumerate(mesh.materials) if mat.color[0] > 10 * mat.color[1] and mat.emission > 0]
            shown = np.isin(mesh.material, red)
            if shown.any():
                assert mesh.vertices_m[mesh.faces[shown]][..., 0].max() < -0.3 * length


def test_left_and_right_of_a_car_body_are_mirror_images():
    mesh = made("car", 3)
    low, high = mesh.vertices_m[:, 1].min(), mesh.vertices_m[:, 1].max()
    assert low == pytest.approx(-high, abs=1e-3)


@pytest.mark.parametrize("asset", ["car", "bus", "pedestrian", "bin", "bollard"])
def test_most_of_the_skin_faces_outward(asset):
    mesh = made(asset, 1)
    a, b, c = (mesh.vertices_m[mesh.faces[:, i]].astype(float) for i in range(3))
    normal = np.cross(b - a, c - a)
    middle = (mesh.vertices_m.max(0) + mesh.vertices_m.min(0)) / 2
    outward = np.einsum("ij,ij->i", normal, (a + b + c) / 3 - middle)
    assert outward.sum() > 0  # the enclosed volume is positive


def test_longer_box_of_a_pedestrian_is_a_wider_stride():
    def feet_m(length):
        mesh = made("pedestrian", 2, dimensions_hwl_m=(1.75, 0.6, length))
        foot = mesh.vertices_m[mesh.vertices_m[:, 2] < 0.3]
        return np.ptp(foot[:, 0])

    assert feet_m(1.0) > feet_m(0.45) + 0.3


def test_only_the_head_of_a_traffic_light_is_the_actor_and_its_post_is_scenery():
    actor = Actor("traffic_light", 4.0, 20.0, 1.57, (1.0, 0.4, 0.4), "traffic light", lift_m=2.4)
    assert set(np.unique(actor_mesh(actor, "default").tag)) == {7}
    post = support_mesh(actor)
    assert post is not None
    assert set(np.unique(post.tag)) == {6}
    assert post.vertices_m[:, 2].min() == pytest.approx(0, abs=1e-3)
    assert post.vertices_m[:, 2].max() > actor.lift_m
    assert post.vertices_m[:, 0].max() < -0.15  # behind the housing: it hides nothing of it


def test_what_stands_on_the_ground_needs_no_post():
    assert support_mesh(Actor("car", 0.0, 9.0, 0.0, (1.5, 1.7, 4.2))) is None
    assert support_mesh(Actor("traffic_sign", 0.0, 9.0, 0.0, (2.4, 0.8, 0.1))) is None


def test_a_low_deep_box_is_someone_sitting_on_a_bench_that_is_scenery():
    """KITTI's sitting people: the knees stand as far forward as the box is deep, half way down from the hips."""
    sitting = Actor("pedestrian", 0.0, 9.0, 0.0, (1.27, 0.59, 0.8), "person sitting")
    mesh, bench = actor_mesh(sitting, "default"), support_mesh(sitting)
    assert set(np.unique(mesh.tag)) == {12}
    lap = mesh.vertices_m[np.abs(mesh.vertices_m[:, 2] - 0.45) < 0.1]
    assert np.ptp(lap[:, 0]) > 0.5
    assert bench is not None
    assert set(np.unique(bench.tag)) == {20}
    assert bench.vertices_m[:, 2].max() == pytest.approx(0.41, abs=0.05)  # a chair's seat is 40 to 45 cm high
    child = Actor("pedestrian", 0.0, 9.0, 0.0, (1.2, 0.45, 0.5), "pedestrian")
    assert support_mesh(child) is None


def test_exactly_one_lens_of_a_traffic_light_shines():
    for seed in range(8):
        mesh = made("traffic_light", seed)
        assert sum(material.emission > 0 for material in mesh.materials) == 1


def test_asset_nobody_makes_is_an_input_error():
    with pytest.raises(InputError, match="unicorn"):
        actor_mesh(Actor("unicorn", 0.0, 9.0, 0.0, (1.0, 1.0, 1.0)), "default")
    with pytest.raises(InputError, match="m lie outside"):
        actor_mesh(Actor("car", 0.0, 9.0, 0.0, (1.5, float("nan"), 4.0)), "default")
    with pytest.raises(InputError, match="asset set 'summer'"):
        actor_mesh(Actor("car", 0.0, 9.0, 0.0, (1.5, 1.7, 4.0)), "summer")
