"""What light does in the embedded renderer: sun, shadow, lamps, fog, water, rain."""

import numpy as np
import pytest

from simulator.embedded.assets.materials import LIT_SHOP
from simulator.embedded.mesh import PATTERNS, Lamp, Material, Mesh, join
from simulator.embedded.rain import with_streaks
from simulator.embedded.sky import sky_of
from simulator.embedded.tracer import Quality, Traced, trace
from simulator.embedded.world import build_world, start_warp
from simulator.scene import Environment
from tests.embedded_street import BUILDING, CAMERA, box, ground


@pytest.fixture(scope="module", autouse=True)
def warp() -> None:
    start_warp()


def lit(scenery: Mesh, environment: Environment, lamps: tuple[Lamp, ...] = ()) -> Traced:
    world = build_world(scenery, [], ego_lamps=lamps)
    return trace(world, CAMERA, sky_of(environment, 0), Quality(), seed=1)


def test_shadow_falls_away_from_the_sun():
    """A tower to the left of the road; the sun stands to the left, then to the right."""
    scenery = join([ground(), box((2, 2, 12), (-6, 20), tag=BUILDING)])
    rows, columns = slice(135, 138), slice(300, 340)  # road at x = 0, z = 20
    shaded, sunny = (
        lit(scenery, Environment(40, azimuth, 0.0)).radiance[rows, columns].mean() for azimuth in (-90, 90)
    )
    assert shaded < 0.4 * sunny


def test_overcast_sky_casts_no_shadow():
    scenery = join([ground(), box((2, 2, 12), (-6, 20), tag=BUILDING)])
    road = lit(scenery, Environment(40, -90, 1.0)).radiance[132:140]
    assert road[:, 300:340].mean() == pytest.approx(road[:, 500:540].mean(), rel=0.15)


def test_low_sun_is_red_and_weak():
    high, low = (np.array(sky_of(Environment(altitude, 0, 0), 0).sun_irradiance) for altitude in (60, 4))
    assert low[2] / low[0] < 0.3 * high[2] / high[0]
    assert low.sum() < 0.4 * high.sum()


def test_contrast_falls_to_five_percent_at_the_visibility():
    """Koschmieder: black against the horizon's sky, at 200 m of 200 m."""
    near_black = box((400, 1, 30), (0, 200.5), Material((0, 0, 0), 1.0), BUILDING)
    radiance = lit(join([ground(), near_black]), Environment(40, 180, 1.0, 200.0)).radiance
    wall, fog = radiance[90, 100:500].mean(), np.array(sky_of(Environment(40, 180, 1.0, 200.0), 0).fog).mean()
    assert (fog - wall) / fog == pytest.approx(0.05, abs=0.01)


def test_lamps_shine_at_night_and_not_by_day():
    lamp = Lamp((0.0, 20.0, 6.0), (1.0, 0.8, 0.5), 60.0)
    night, day = Environment(-15, 0, 0), Environment(40, 90, 0)
    below = slice(132, 142), slice(300, 340)
    with_lamp, without = (lit(ground(), night, lamps).radiance[below].mean() for lamps in ((lamp,), ()))
    assert with_lamp > 5 * without
    with_lamp, without = (lit(ground(), day, lamps).radiance[below].mean() for lamps in ((lamp,), ()))
    assert with_lamp == pytest.approx(without, rel=1e-6)


def test_lamp_light_falls_with_the_square_of_the_distance():
    """Straight below the lamp, at twice the height a quarter of the light reaches the road."""
    night = Environment(-15, 0, 0)
    dark = lit(ground(), night).radiance[137, 320]
    low, high = (
        lit(ground(), night, (Lamp((0.0, 10.05, z), (1, 1, 1), 60.0),)).radiance[178, 320] - dark for z in (4.0, 8.0)
    )
    assert low[1] / high[1] == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("hidden", [20.0, 60.0, 240.0])
def test_a_lamp_that_is_walled_off_takes_no_light_from_another(hidden):
    """Which lamp a pixel asks is drawn: the mean over pixels and seeds is the light of the lamp that is seen."""
    scenery = join([ground(), box((0.3, 30, 9), (4, 20), tag=BUILDING)])
    seen, walled = (Lamp((x, 20.0, 6.0), (1, 1, 1), c) for x, c in ((0.0, 60.0), (8.0, hidden)))
    sky = sky_of(Environment(-15, 0, 0), 0)

    def road(lamps: tuple[Lamp, ...]) -> float:
        world = build_world(scenery, [], ego_lamps=lamps)
        return float(np.mean([trace(world, CAMERA, sky, Quality(), s).radiance[130:142, 290:330] for s in range(12)]))

    assert road((seen, walled)) == pytest.approx(road((seen,)), rel=0.03)


def test_thin_glossy_things_between_dark_walls_do_not_glow():
    """Poles that no pixel with a mirror ray of its own hits mirror the walls, not the open sky."""
    dark = Material((0.02, 0.02, 0.02), 1.0)
    canyon = [ground(), box((12, 1, 40), (0, 25), dark, BUILDING)]
    canyon += [box((1, 60, 40), (x, 30), dark, BUILDING) for x in (-5, 5)]
    poles = {
        c: [box((0.02, 0.02, 3), (x, 15), Material((0.02, 0.02, 0.02), 0.2, clearcoat=c)) for x in (-1, 0, 1)]
        for c in (0.0, 1.0)
    }
    world = {c: build_world(join([*canyon, *some]), []) for c, some in poles.items()}
    sky = sky_of(Environment(40, 90, 0.9), 0)
    light = {c: trace(one, CAMERA, sky, Quality(), 1).radiance[70:140, 318:323].mean() for c, one in world.items()}
    assert light[1.0] < 1.17 * light[0.0]


def test_headlight_lights_only_its_cone():
    lamp = Lamp((0.0, 1.0, 0.7), (1, 1, 1), 300.0, (0.0, 1.0, -0.05), 20.0)
    wall = join([ground(), box((60, 1, 8), (0, 15), Material((0.5, 0.5, 0.5)), BUILDING)])
    radiance = lit(wall, Environment(-15, 0, 0), (lamp,)).radiance[120].mean(axis=1)
    assert radiance[320] > 10 * radiance[10]


def test_headlight_leaves_little_above_its_cut_off():
    """The lamp's level is 0.95 m below the camera's: at 15 m 32 rows below the horizon."""
    lamp = Lamp((0.0, 1.0, 0.7), (1, 1, 1), 300.0, (0.0, 1.0, -0.02), 24.0)
    wall = join([ground(), box((60, 1, 8), (0, 15), Material((0.5, 0.5, 0.5)), BUILDING)])
    radiance = lit(wall, Environment(-15, 0, 0), (lamp,)).radiance[:, 320].mean(axis=1)
    assert radiance[96 + 33 + 8] > 2.5 * radiance[96 + 33 - 40]


def test_rain_throws_less_of_a_lamp_s_light_aside_than_fog_does():
    lamp = Lamp((0.0, 30.0, 6.0), (1.0, 0.8, 0.5), 60.0, (0.0, 0.0, -1.0), 68.0)

    def halo(environment: Environment) -> float:
        with_lamp, without = (lit(ground(), environment, lamps).radiance[20:60, 280:360] for lamps in ((lamp,), ()))
        return float((with_lamp - without).mean())

    fog, rain = Environment(-15, 0, 1.0, 1500.0), Environment(-15, 0, 1.0, 5000.0, rain=1.0)
    assert 0 < halo(rain) < 0.4 * halo(fog)
    thick, in_drizzle = Environment(-15, 0, 1.0, 100.0), Environment(-15, 0, 1.0, 100.0, rain=0.01)
    assert halo(in_drizzle) == pytest.approx(halo(thick), rel=0.02)


def test_lit_shops_have_goods_in_them_and_no_two_rooms_are_alike():
    front = box((24, 1, 3), (0, 12), LIT_SHOP, BUILDING)
    window = lit(join([ground(), front]), Environment(-15, 0, 0)).radiance[60:140, 100:540].mean(axis=2)
    assert window.std() > 0.35 * window.mean()
    rooms = window[:, : 440 // 8 * 8].reshape(80, 8, -1).mean(axis=(0, 2))
    assert rooms.max() > 1.5 * rooms.min()


def test_wet_road_mirrors_what_stands_on_it():
    scenery = join([ground(), box((8, 1, 6), (0, 30), Material((0.9, 0.02, 0.02)), BUILDING)])
    dry, wet = (lit(scenery, Environment(40, 180, 0.9, wetness=w)).radiance[126:140, 290:350] for w in (0.0, 1.0))

    def redness(light: np.ndarray) -> float:
        return float(light[..., 0].mean() / light[..., 1].mean())

    assert redness(wet) > redness(dry) + 0.5


def test_rain_streaks_pass_in_front_of_far_things_only():
    radiance = np.full((192, 640, 3), 0.2, np.float32)
    radiance[:60] = 1.0  # sky
    far, near = (with_streaks(radiance, np.full((192, 640), depth), 1.0, 500.0, 3) for depth in (100.0, 1.0))
    assert (far[60:] > 0.21).mean() > 0.01
    assert np.array_equal(near, radiance)


def test_one_sample_a_pixel_comes_near_the_mean_of_many():
    """In a tower's half-shadow under a veiled sun, and in the corner at its foot that sees little of the sky."""
    world = build_world(join([ground(), box((2, 2, 12), (-6, 20), tag=BUILDING)]), [])
    sky = sky_of(Environment(40, -90, 0.6), 0)
    once, *others = (trace(world, CAMERA, sky, Quality(), seed).radiance[105:150, 180:420] for seed in range(17))
    mean = np.mean(others, axis=0)
    assert np.abs(once / mean - 1).mean() < 0.02
    assert np.quantile(np.abs(once / mean - 1), 0.999) < 0.3


def test_a_wet_road_mirrors_lit_windows_without_sparks():
    window = box((3, 1, 4), (0, 30), Material((0.8, 0.7, 0.5), emission=2.0), BUILDING, 1.0)
    world = build_world(join([ground(), window]), [])
    sky = sky_of(Environment(-15, 0, 0.9, wetness=0.6), 0)
    once, *others = (trace(world, CAMERA, sky, Quality(), seed).radiance[120:160, 280:360] for seed in range(13))
    mean = np.mean(others, axis=0)
    assert mean.max() > 4 * np.median(mean)  # it is mirrored
    assert np.abs(once - mean).mean() < 0.1 * mean.mean()


def test_softening_leaves_sharp_shadows_and_textures_sharp():
    """A clear sun behind a kerb; a wall of stripes four pixels wide."""
    low = join([ground(), box((30, 1, 0.4), (0, 15.5), tag=BUILDING)])
    column = lit(low, Environment(30, 0, 0.0)).radiance[:, 320].mean(axis=1)
    foot = 96 + int(500 * 1.65 / 15)  # where the kerb stands on the road; its shadow falls towards the camera
    across = column[foot + 1 : foot + 14]
    between = (across > 1.15 * across.min()) & (across < 0.87 * across.max())
    assert across.max() > 2 * across.min()
    assert between.sum() <= 2
    wall = box((30, 1, 6), (0, 15), Material((0.02, 0.02, 0.02), pattern=PATTERNS["stripes"], pattern_scale_m=0.25))
    rows = lit(join([ground(), wall]), Environment(30, 180, 0.5)).radiance[50:130, 300:340].mean(axis=2)
    assert np.percentile(rows, 90) > 4 * np.percentile(rows, 10)
