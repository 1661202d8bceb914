"""The embedded simulator as a whole: scenes in, pictures with labels out."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.embedded.backend import EmbeddedBackend
from simulator.scene import Actor, Environment, Place, Scene, SceneCamera

SCENE = Scene(
    camera=SceneCamera(Camera(240.0, 240.0, 160.0, 46.0), 320, 96),
    actors=(
        Actor("car", -2.0, 12.0, -np.pi / 2, (1.5, 1.8, 4.3), "car", appearance_seed=1),
        Actor("pedestrian", 2.5, 10.0, 0.3, (1.75, 0.6, 0.7), "pedestrian", appearance_seed=2),
        Actor("car", -2.0, 22.0, -np.pi / 2, (1.5, 1.8, 4.3), "car", appearance_seed=3),
    ),
    place=Place("urban", seed=5),
    seed=11,
)


@pytest.fixture(scope="module")
def backend() -> Iterator[EmbeddedBackend]:
    backend = EmbeddedBackend()
    yield backend
    backend.close()


def test_same_scene_is_the_same_picture_and_another_seed_another_grain(backend: EmbeddedBackend):
    first, again, other = (backend.render(scene) for scene in (SCENE, SCENE, SCENE.with_seed(12)))
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.instance, again.instance)
    assert np.array_equal(first.instance, other.instance)
    assert not np.array_equal(first.rgb, other.rgb)


def test_every_actor_in_the_open_is_seen_within_its_silhouette(backend: EmbeddedBackend):
    render = backend.render(SCENE)
    assert render.rgb.shape == (96, 320, 3)
    assert render.rgb.dtype == np.uint8
    for index in range(len(SCENE.actors)):
        rows, columns = np.nonzero(render.instance == index + 1)
        assert len(rows) > 30
        assert len(rows) <= render.silhouettes.inside_px[index] <= render.silhouettes.area_px[index]
        left, top, right, bottom = render.silhouettes.box_xyxy_px[index]
        assert left - 1 <= columns.min() and columns.max() + 1 <= right + 1
        assert top - 1 <= rows.min() and rows.max() + 1 <= bottom + 1
    assert set(np.unique(render.semantic[render.instance == 1])) == {14}


def test_one_car_behind_another_is_occluded(backend: EmbeddedBackend):
    render = backend.render(SCENE)
    visible = [(render.instance == index + 1).sum() for index in range(3)]
    hidden = 1 - visible / render.silhouettes.inside_px
    assert hidden[0] == pytest.approx(0, abs=0.02)
    assert 0.2 < hidden[2] < 0.95


def test_weather_and_light_change_the_picture_and_no_label(backend: EmbeddedBackend):
    day = backend.render(SCENE)
    for environment in (Environment(-12.0), Environment(visibility_m=80.0), Environment(rain=0.8, wetness=1.0)):
        other = backend.render(replace(SCENE, environment=environment))
        assert np.array_equal(day.instance > 0, other.instance > 0)
        assert np.abs(day.rgb.astype(int) - other.rgb).mean() > 5


def test_night_is_darker_than_day_and_fog_hides_what_is_far(backend: EmbeddedBackend):
    day, night, fog = (
        backend.render(replace(SCENE, environment=e)).rgb.astype(float)
        for e in (Environment(50.0, 180.0), Environment(-15.0), Environment(50.0, 180.0, visibility_m=60.0))
    )
    assert night.mean() < 0.75 * day.mean()
    far = slice(35, 48), slice(140, 180)  # the end of the street
    assert fog[far].std() < 0.5 * day[far].std()


def test_empty_street_renders(backend: EmbeddedBackend):
    render = backend.render(replace(SCENE, actors=()))
    assert (render.instance == 0).all()
    assert render.silhouettes.box_xyxy_px.shape == (0, 4)


def test_device_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(InputError, match=r"cuda:9.*cpu"):
        EmbeddedBackend("cuda:9")


def test_picture_too_small_for_a_lens_is_refused(backend: EmbeddedBackend):
    with pytest.raises(InputError, match="8x8"):
        backend.render(replace(SCENE, camera=SceneCamera(SCENE.camera.intrinsics, 8, 8)))


def test_a_traffic_light_hangs_on_a_post_that_has_no_label(backend: EmbeddedBackend):
    light = Actor("traffic_light", 0.0, 12.0, -1.57, (0.9, 0.35, 0.3), "traffic_light", lift_m=3.0)
    resting = replace(light, lift_m=0.0)
    scenery, actors = backend.meshes(replace(SCENE, actors=(light,)))
    bare, _ = backend.meshes(replace(SCENE, actors=(resting,)))
    assert len(scenery.faces) > len(bare.faces), "the light floats"
    assert len(actors) == 1
    assert actors[0][0].vertices_m[:, 2].max() <= 0.9 + 0.01, "the post must be no part of the light's silhouette"
