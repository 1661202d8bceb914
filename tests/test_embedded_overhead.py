"""What passes over the road: bridges, wires and crowns leave its height clear and hide no actor."""

from functools import lru_cache

import numpy as np
import pytest
import trimesh
from trimesh.ray.ray_pyembree import RayMeshIntersector

from dataset.schema import Camera
from simulator.embedded.assets import support_mesh
from simulator.embedded.assets.vegetation import CROWN_FROM, bare_tree, street_tree
from simulator.embedded.backend import EmbeddedBackend
from simulator.embedded.mesh import Material, Mesh, join, placed
from simulator.embedded.places import Footprint, place_mesh
from simulator.embedded.places.bridges import LEAST_HEIGHT_M, overpass
from simulator.embedded.places.clearance import Clearance
from simulator.embedded.places.road import Road
from simulator.embedded.places.site import Site
from simulator.embedded.places.wires import sagging
from simulator.embedded.tracer import label_through, pinhole_of
from simulator.random_street import RandomStreetConfig, random_scene
from simulator.randomise import RandomisationConfig
from simulator.scene import PLACES, Place, Scene
from tests.embedded_street import ground

EYE = np.array([0.0, 0.0, 1.65])
ROAD, PAVEMENT, ROAD_LINE, BRIDGE = 1, 2, 24, 26
SEEDS = (*range(6), 281)  # of the last one's car park, the soil of a flat island hid a pixel
KINDS = ("urban", "suburb", "highway", "country")


def street(kind: str, seed: int) -> Place:
    return Place(kind, seed=seed, clear_half_width_m=3.0, clear_depth_m=40.0)  # type: ignore[arg-type]


@lru_cache
def with_bridges(kind: str) -> list[tuple[Place, Mesh, float]]:
    """The first three such streets that have one, their meshes, and how far ahead the bridge is."""
    found = []
    for seed in range(60):
        mesh = place_mesh(street(kind, seed), [], "default", False)
        over = bridge_over_the_road(mesh, street(kind, seed))
        if len(over):
            found.append((street(kind, seed), mesh, float(over[:, 1].mean())))
        if len(found) == 3:
            break
    return found


def bridge_over_the_road(mesh: Mesh, place: Place) -> np.ndarray:
    """Where rays that rise from the road meet a bridge (N, 3)."""
    half = place.lane_count * place.lane_width_m / 2
    x, y = (
        g.ravel() for g in np.meshgrid(np.linspace(-half, half, 5) - place.camera_offset_m, np.arange(10, 130, 0.3))
    )
    up = np.tile([0.0, 0.0, 1.0], (len(x), 1))
    where, _, face = rays(mesh).intersects_location(np.stack([x, y, 0 * x + 0.1], 1), up, multiple_hits=False)
    return where[mesh.tag[face] == BRIDGE]


def rays(mesh: Mesh) -> RayMeshIntersector:
    return RayMeshIntersector(trimesh.Trimesh(mesh.vertices_m.astype(float), mesh.faces, process=False))


def hidden(mesh: Mesh, targets_m: np.ndarray) -> np.ndarray:
    way = targets_m - EYE
    far = np.linalg.norm(way, axis=1)
    where, ray, _ = rays(mesh).intersects_location(np.tile(EYE, (len(way), 1)), way / far[:, None], multiple_hits=False)
    out = np.zeros(len(way), bool)
    out[ray] = np.linalg.norm(where - EYE, axis=1) < far[ray] - 0.05
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_a_bridge_spans_the_whole_road_and_leaves_its_height_clear(kind):
    assert len(with_bridges(kind)) == 3
    for place, mesh, ahead_m in with_bridges(kind):
        over = bridge_over_the_road(mesh, place)
        assert len(np.unique(over[:, 0].round(2))) == 5  # from kerb to kerb
        assert over[:, 2].min() >= LEAST_HEIGHT_M - 0.01
        assert 25 < ahead_m < 110


@pytest.mark.parametrize("kind", KINDS)
def test_lorries_below_and_behind_a_bridge_are_seen_to_their_tops(kind):
    place, _, ahead_m = with_bridges(kind)[0]
    lorries = [Footprint(-1.7 + side, ahead_m + away, 2.0, 4.2) for side in (-2, 2) for away in (0, 12, 30)]
    mesh = place_mesh(place, lorries, "default", False)
    assert len(bridge_over_the_road(mesh, place))
    tops = np.array([(x + dx, z, top) for x, z, _, top in lorries for dx in (-1.2, 0, 1.2)])
    assert not hidden(mesh, tops).any()


def test_bushes_on_the_two_banks_of_a_bridge_are_not_each_other_s_mirror_image():
    place = street("country", 1)
    ours = Site(Road(place), Clearance(place, []), "default", False, np.random.default_rng(1))
    overpass(ours, 1.0, ours.road.half_m + 3.5, Material((0.1, 0.2, 0.1)))
    bushes = np.concatenate([rows for (kind, _, _), rows in ours._plants.items() if kind == "bush"])
    assert len(bushes) == 28
    assert len(np.unique(bushes[:, 3].round(6))) == 28  # no two are of one height


def test_no_bridge_hangs_before_what_is_taller():
    place, bridged, ahead_m = with_bridges("highway")[0]
    crane = Footprint(-1.7, ahead_m + 40, 1.5, 20.0)
    top = np.array([[crane.x_m, crane.z_m, 0.5 * height] for height in range(2, 40)])
    assert hidden(bridged, top).any()
    assert not hidden(place_mesh(place, [crane], "default", False), top).any()


def test_overhead_things_count_only_for_lines_of_sight_that_rise_to_them():
    clear = Clearance(Place(clear_half_width_m=4.0), [Footprint(0.0, 40.0, 1.0, 3.5), Footprint(8.0, 40.0, 1.0, 9.0)])
    middle, aside = np.array([[0.0, 20.0]]), np.array([[4.0, 20.0]])
    assert clear.free_overhead(middle, 0.5, 5.0).all() and not clear.free(middle, 0.5).any()
    assert not clear.free_overhead(aside, 0.5, 5.0).any()  # the tall one is seen past there
    assert not clear.free_overhead(middle, 0.5, 3.0).any()  # too low to be overhead


def test_taken_ground_is_not_free_again():
    clear = Clearance(Place(clear_half_width_m=1.0), [])
    spot = np.array([[10.0, 20.0], [10.0, 26.0]])
    assert clear.free(spot, 1.0).all()
    clear.take(np.array([10.0, 21.0]), 1.5)
    np.testing.assert_array_equal(clear.free(spot, 1.0), [False, True])


def test_a_wire_hangs_between_its_ends_as_deep_as_asked_and_does_not_thin_out():
    starts, ends = np.array([[0.0, 0.0, 8.0], [5.0, 0.0, 6.0]]), np.array([[0.0, 30.0, 8.0], [5.0, 30.0, 7.0]])
    wire = sagging(starts, ends, np.array([0.6, 0.3]), 0.02)
    rings = wire.vertices_m.reshape(2, -1, 3, 3)
    middle = rings.mean(2)
    np.testing.assert_allclose(middle[:, [0, -1]], np.stack([starts, ends], 1), atol=1e-9)
    np.testing.assert_allclose(middle[:, 3, 2], [8.0 - 0.6, 6.5 - 0.3], atol=1e-9)
    assert np.linalg.norm(rings - middle[:, :, None], axis=-1) == pytest.approx(0.02)
    corner = wire.vertices_m[wire.faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    inside = np.repeat(middle[:, :-1] + np.diff(middle, axis=1) / 2, 6, axis=1).reshape(-1, 3)
    assert (np.einsum("ij,ij->i", normal, corner.mean(1) - inside) > 0).all()  # faces look outward


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("detail", [1, 2])
def test_leaves_of_a_street_tree_leave_the_road_s_height_clear(seed, detail):
    mesh = street_tree(seed, "default", (13.0, 7.0, 7.0), detail)
    corner = mesh.vertices_m[mesh.faces]
    wide = np.linalg.norm(corner[..., :2], axis=-1).max(1) > 0.6  # not the trunk
    # As a share of the whole height: places stretch a tree to the height they need.
    assert corner[wide][..., 2].min() / mesh.vertices_m[:, 2].max() >= 0.9 * CROWN_FROM
    assert len(mesh.faces) < 3500


@pytest.mark.parametrize("detail", [1, 2])
def test_a_bare_tree_lets_most_of_the_light_through(detail):
    mesh = bare_tree(2, "default", (9.0, 6.0, 6.0), detail)
    y, z = (g.ravel() for g in np.meshgrid(np.linspace(-2, 2, 40), np.linspace(4, 8, 40)))
    origin = np.stack([np.full(len(y), -20.0), y, z], 1)
    assert 0.03 < rays(mesh).intersects_any(origin, np.tile([1.0, 0, 0], (len(y), 1))).mean() < 0.5
    assert len(mesh.faces) < 3500


def posts(scene: Scene) -> list[Mesh]:
    carried = [(actor, support_mesh(actor)) for actor in scene.actors]
    return [placed(post, actor.x_m, actor.z_m, actor.yaw_rad) for actor, post in carried if post is not None]


@pytest.mark.parametrize("kind", PLACES)
def test_no_pixel_of_an_actor_is_hidden_but_by_the_edge_of_a_pavement(kind):
    mix = {"car": 0.5, "person": 0.2, "truck": 0.2, "traffic sign": 0.1}
    street = RandomStreetConfig(category_mix=mix, objects=(14, 14))
    only = RandomisationConfig(places={kind: 1.0})
    camera = Camera(300.0, 300.0, 240.0, 68.0, 1.6)
    backend = EmbeddedBackend()
    seen = 0
    for seed in SEEDS:
        scene = random_scene(camera, 480, 144, tuple(mix), street, only, np.random.default_rng(seed))
        scenery, actors = backend.meshes(scene)
        # A sign's post stands where its sign hangs, so it alone may hide what is behind it.
        labels, bare = (
            label_through(backend.world(scene, mesh, actors), pinhole_of(scene.camera))
            for mesh in (scenery, join([ground(), *posts(scene)]))
        )
        gone = (bare.instance > 0) & (labels.instance != bare.instance)
        assert set(np.unique(labels.semantic[gone]).tolist()) <= {ROAD, PAVEMENT, ROAD_LINE}
        assert gone.sum() < 0.02 * (bare.instance > 0).sum()
        seen += len(np.unique(bare.instance)) - 1
    assert seen > 24
