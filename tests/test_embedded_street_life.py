"""Things on pavements: within the circle that is kept for them, on the ground, unlabelled, off the road."""

import numpy as np
import pytest

from simulator.embedded import places as module
from simulator.embedded.places import place_mesh, street_life
from simulator.embedded.places import site as builder
from simulator.embedded.places.clearance import Clearance
from simulator.embedded.places.road import Road
from simulator.embedded.places.site import STREET_LIGHTS, Frame, Site
from simulator.scene import ASSET_SETS, Place

THINGS = {one.build.__name__: one for one in (*street_life.AT_THE_KERB, *street_life.AT_THE_HOUSES)}
STATIC, FENCE, WALL, VEGETATION = 20, 5, 4, 9


def site(place: Place, asset_set: str, seed: int) -> Site:
    return Site(Road(place), Clearance(place, []), asset_set, False, np.random.default_rng(seed))


@pytest.mark.parametrize("name", THINGS)
@pytest.mark.parametrize("asset_set", ASSET_SETS)
def test_a_thing_stays_within_its_radius_stands_on_the_ground_and_is_unlabelled(name, asset_set):
    thing = THINGS[name]
    for seed in range(20):
        ours = site(Place(), asset_set, seed)
        thing.build(ours, Frame((50.0, 50.0), 0.7))
        mesh = ours.mesh()
        away = np.linalg.norm(mesh.vertices_m[:, :2] - 50, axis=1)
        assert away.max() < thing.radius_m + 0.1
        assert -0.06 < mesh.vertices_m[:, 2].min() < 0.02
        assert 0.4 < mesh.vertices_m[:, 2].max() < 3.5
        assert set(np.unique(mesh.tag).tolist()) <= {STATIC, FENCE, WALL, VEGETATION}
        assert 6 < len(mesh.faces) < 2500


def test_none_stands_in_another_nor_in_the_mouth_of_a_side_road():
    place = Place(clear_half_width_m=1.5, clear_depth_m=40.0)
    for seed in range(5):
        ours = site(place, "default", seed)
        street_life.furnish(ours, street_life.AT_THE_KERB, ours.road.half_m + 1.6, 60, [(25.0, 33.0)])
        circles = ours.clear._taken
        assert len(circles) > 8
        assert not ((circles[:, 1] + circles[:, 2] > 25) & (circles[:, 1] - circles[:, 2] < 33)).any()
        apart = np.linalg.norm(circles[:, None, :2] - circles[None, :, :2], axis=2)
        touching = apart < circles[:, None, 2] + circles[None, :, 2]
        assert touching.sum() == len(circles)  # each with itself


@pytest.mark.parametrize("kind", ["urban", "suburb"])
def test_what_stands_before_pavements_are_filled_stays_as_it_is(kind, monkeypatch):
    def triangles() -> set[bytes]:
        module._built.cache_clear()
        mesh = place_mesh(place, [], "default", False)
        return {corners.tobytes() for corners in mesh.vertices_m[mesh.faces]}

    place = Place(kind, seed=5, clear_half_width_m=1.5, clear_depth_m=40.0)  # type: ignore[arg-type]
    full = triangles()
    monkeypatch.setattr(street_life, "furnish", lambda *_: None)
    bare = triangles()
    assert bare < full


def test_the_season_changes_no_lamp(monkeypatch):
    lights = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(builder, "WINTER", share)
        sites = [site(Place(), "default", seed) for seed in range(30)]
        assert {one.winter for one in sites} == {bool(share)}
        lights.append([one._street_light for one in sites])
    first = [np.random.default_rng(seed).spawn(1)[0].integers(len(STREET_LIGHTS)) for seed in range(30)]
    assert lights[0] == lights[1] == [STREET_LIGHTS[int(index)] for index in first]


def test_towns_are_fuller_than_they_were_and_their_roads_are_still_empty():
    place = Place("urban", seed=3, clear_half_width_m=1.5, clear_depth_m=40.0)
    mesh = place_mesh(place, [], "default", False)
    assert (mesh.tag == STATIC).sum() > 1500
    middle = mesh.vertices_m[mesh.faces].mean(1)
    half = place.lane_count * place.lane_width_m / 2
    # Crowns of trees at the kerb may reach over the gutter.
    on_road = (abs(middle[:, 0] + place.camera_offset_m) < half - 1.5) & (abs(middle[:, 1] - 40) < 60)
    height = middle[on_road][:, 2]
    assert height[height < 4.5].max() < 0.05
