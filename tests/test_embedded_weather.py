"""Snow and the glare of the sun in the embedded renderer, and the gallery that shows every sky."""

from dataclasses import replace

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from flows.settings import resolve
from flows.single import gallery_once
from simulator.embedded.backend import EmbeddedBackend
from simulator.embedded.glare import with_glare
from simulator.embedded.mesh import Mesh, join
from simulator.embedded.rain import with_streaks
from simulator.embedded.sky import sky_of
from simulator.embedded.snow import with_flakes
from simulator.embedded.tracer import Quality, pinhole_of, trace
from simulator.embedded.world import build_world, start_warp
from simulator.gallery import SKIES, GalleryJobs
from simulator.random_street import RandomStreetConfig
from simulator.scene import PLACES, CameraResponse, Environment
from tests.embedded_street import BUILDING, CAMERA, box, ground

AHEAD = Environment(sun_altitude_deg=5.0, sun_azimuth_deg=0.0, cloudiness=0.0)
GREY = np.full((192, 640, 3), 0.2, np.float32)


@pytest.fixture(scope="module", autouse=True)
def warp() -> None:
    start_warp()


def sky_with_lying(snow: float):
    """Snow on the ground, none in the air."""
    sky = sky_of(Environment(30, 180, 1.0), 0)
    sky.snow = snow
    return sky


def test_snow_whitens_the_ground_but_neither_walls_nor_labels():
    """Overcast, so that no shadow differs; a wall across the view from x = -20 m to the middle."""
    scenery = join([ground(), box((20, 1, 12), (-10, 25), tag=BUILDING)])
    world = build_world(scenery, [])
    bare, snowy = (trace(world, CAMERA, sky_with_lying(snow), Quality(), 1) for snow in (0.0, 1.0))
    road, wall = (slice(140, 190), slice(None)), (slice(20, 80), slice(50, 300))
    assert snowy.radiance[road].mean() > 2 * bare.radiance[road].mean()
    assert snowy.radiance[wall].mean() == pytest.approx(bare.radiance[wall].mean(), rel=0.01)
    assert np.array_equal(bare.instance, snowy.instance)
    assert np.array_equal(bare.semantic, snowy.semantic)
    assert np.array_equal(bare.depth_m, snowy.depth_m)


def test_snow_that_lies_is_not_wet():
    world = build_world(ground(), [])
    dry, wet = (
        trace(world, CAMERA, sky_of(Environment(30, 180, 1.0, snow=1.0, wetness=wetness), 0), Quality(), 1)
        for wetness in (0.0, 0.6)
    )
    brightness = dry.radiance[140:190].mean(axis=2)
    white = brightness > 0.9 * brightness.max()
    assert white.mean() > 0.3
    assert np.abs(wet.radiance / dry.radiance - 1)[140:190][white].max() < 0.07


def test_flakes_fall_before_what_is_far_and_not_before_what_is_near():
    far, near = (with_flakes(GREY * ramp(), np.full((192, 640), z), 1.0, 384.0, 3) for z in (50.0, 0.5))
    assert (far != GREY * ramp()).any(axis=2).mean() > 0.005
    assert np.array_equal(near, GREY * ramp())


def streaks(rain: float, exposure_s: float) -> np.ndarray:
    """What rain adds to a dark street beside a bright one, 20 m away."""
    light = np.full((192, 640, 3), 0.05, np.float32)
    light[:, :128] = 1.0
    return with_streaks(light, np.full((192, 640), 20.0), rain, 384.0, 5, exposure_s) - light


def test_twice_the_exposure_draws_streaks_twice_as_long_and_half_as_bright():
    """A drop passes at the same speed, and adds as much light in all."""
    short, long = (streaks(0.1, exposure_s) for exposure_s in (1 / 120, 1 / 60))
    assert (long > 0).sum() == pytest.approx(2 * (short > 0).sum(), rel=0.15)
    assert np.percentile(long[long > 0], 90) == pytest.approx(np.percentile(short[short > 0], 90) / 2, rel=0.15)
    assert long.sum() == pytest.approx(short.sum(), rel=0.15)


def test_rain_of_a_camera_that_tells_no_exposure_is_as_at_a_120th_of_a_second():
    assert CameraResponse().exposure_s == 0
    assert np.array_equal(streaks(0.5, 0.0), streaks(0.5, 1 / 120))


def test_a_rainy_scene_is_seen_with_the_exposure_of_its_camera():
    jobs = GalleryJobs({"car": 1.0}, (Camera(200.0, 200.0, 160.0, 46.0), 320, 96), RandomStreetConfig(), seed=0)
    scene = jobs.scene(list(SKIES).index("rain") * len(PLACES), 0)
    backend = EmbeddedBackend()
    pictures = [
        backend.render(replace(scene, response=CameraResponse(exposure_s=exposure_s))).rgb
        for exposure_s in (0.0, 1 / 120, 1 / 30)
    ]
    backend.close()
    assert np.array_equal(pictures[0], pictures[1]) and (pictures[0] != pictures[2]).any(axis=2).mean() > 0.01


def ramp() -> np.ndarray:
    """Bright above, dark below, so that a flake shows on what is darker than the sky."""
    return np.linspace(3, 0.3, 192, dtype=np.float32)[:, None, None]


def veil(scenery: Mesh, environment: Environment = AHEAD) -> np.ndarray:
    return with_glare(GREY, build_world(scenery, []), pinhole_of(CAMERA), sky_of(environment, 0)) - GREY


def test_veil_of_the_sun_falls_with_the_square_of_the_angle():
    """The sun stands 500 tan 5 degrees = 43.7 px over the middle; two pixels at 2 and at 4 degrees beside it."""
    light = veil(ground()).mean(axis=2)
    row = 96 - round(500 * np.tan(np.radians(5)))
    two, four = (round(320 + 500 / np.cos(np.radians(5)) * np.tan(np.radians(a))) for a in (2, 4))
    assert light[row, two] / light[row, four] == pytest.approx(4, rel=0.1)
    assert light[:, 300:340].max() == light[row - 2 : row + 2, 318:322].max()


def test_no_veil_where_a_house_hides_the_sun_or_it_stands_behind():
    assert veil(join([ground(), box((30, 5, 20), (0, 40), tag=BUILDING)])).max() == 0
    assert veil(ground(), replace(AHEAD, sun_azimuth_deg=180.0)).max() == 0


def test_the_gallery_shows_the_same_street_under_every_sky():
    jobs = GalleryJobs({"car": 1.0}, (Camera(200.0, 200.0, 160.0, 46.0), 320, 96), RandomStreetConfig(), seed=0)
    scenes = [jobs.scene(index, 0) for index in range(len(jobs))]
    for column, kind in enumerate(PLACES):
        of_place = scenes[column :: len(PLACES)]
        assert {scene.place.kind for scene in of_place} == {kind}
        assert len({(scene.actors, scene.place, scene.seed) for scene in of_place}) == 1
        assert [scene.environment for scene in of_place] == list(SKIES.values())


def test_the_gallery_is_the_embedded_simulators(tmp_path):
    carla = resolve("smoke", flags={"simulator.address": "carla://127.0.0.1:2000"})
    with pytest.raises(InputError, match="not kinds of places"):
        gallery_once(carla, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_snowy_scene_is_told_so_and_renders():
    jobs = GalleryJobs({"car": 1.0}, (Camera(200.0, 200.0, 160.0, 46.0), 320, 96), RandomStreetConfig(), seed=0)
    clear, snowy = (jobs.scene(list(SKIES).index(sky) * len(PLACES), 0) for sky in ("overcast", "snow"))
    assert snowy.environment.weather == "snow"
    backend = EmbeddedBackend()
    bare, white = (backend.render(scene) for scene in (clear, snowy))
    backend.close()
    assert np.array_equal(bare.instance, white.instance)
    # the meter darkens a white street: what tells is the ground against the walls
    pavement, walls = bare.semantic == 2, bare.semantic == 3
    dry, under_snow = (one.rgb[pavement].mean() / one.rgb[walls].mean() for one in (bare, white))
    assert under_snow > 1.05 * dry
