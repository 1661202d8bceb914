"""The loopback server's pictures against the embedded simulator's own, and the facts of Unreal's frame."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.carla.loopback.blueprints import library
from simulator.carla.loopback.painter import Painter, axes_of
from simulator.carla.loopback.records import Body, Picture, View, Weather
from simulator.carla.loopback.town import Town
from simulator.carla.unreal import Anchor, Transform
from simulator.embedded.backend import EmbeddedBackend
from simulator.embedded.tracer import Quality
from simulator.scene import Actor, Place, Scene, SceneCamera

LANE = (
    '<lane id="{0}" type="{1}"><width sOffset="0" a="{2}" b="0" c="0" d="0"/><roadMark sOffset="0" type="{3}"/></lane>'
)
LEFT = LANE.format(2, "sidewalk", 3, "none") + LANE.format(1, "driving", 4, "none")
RIGHT = LANE.format(-1, "driving", 4, "solid") + LANE.format(-2, "sidewalk", 3, "none")
ROAD = (
    '<OpenDRIVE><road name="" length="300" id="1" junction="-1">'
    '<planView><geometry s="0" x="-100" y="0" hdg="0" length="300"><line/></geometry></planView>'
    f'<elevationProfile><elevation s="0" a="{3}" b="0" c="0" d="0"/></elevationProfile>'
    f'<lanes><laneSection s="0"><left>{LEFT}</left><center><lane id="0" type="none">'
    f'<roadMark sOffset="0" type="broken" color="yellow" width="0.2"/></lane></center><right>{RIGHT}</right>'
    "</laneSection></lanes></road></OpenDRIVE>"
)
HEIGHT_M = 3.0
PLAIN = Quality(ambient_rays=False, mirror_rays=False)
SIZE = (320, 160)
ROADS, SIDEWALKS, BUILDING, SKY, RIDER, BICYCLE, ROAD_LINE = 1, 2, 3, 11, 13, 19, 24


@pytest.fixture(scope="module")
def painter():
    return Painter(Town(ROAD, "a town of one road"), quality=PLAIN)


def view(x_m=0.0, y_m=2.0, z_m=1.6, yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, fov_deg=90.0) -> View:
    """From the right lane (Unreal's y is to the right of a road along x), `z_m` over the road."""
    return View(*SIZE, fov_deg, Transform(x_m, y_m, HEIGHT_M + z_m, pitch_deg, yaw_deg, roll_deg))


def labelled(painter: Painter, at: View, *bodies: Body) -> Picture:
    return painter.paint(at, bodies, Weather(), color=False, frame=1)


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def first(asset: str) -> str:
    """Id of the first blueprint with that shape."""
    return next(one.id for one in library().values() if one.asset == asset)


def test_a_scene_looks_the_same_directly_and_through_the_painter(painter):
    anchor = Anchor(5.0, 1.5, HEIGHT_M, 3.0)
    wanted = [
        ("car", -0.7, 14.0, -1.2),
        ("car", -3.2, 22.0, 2.0),
        ("pedestrian", 1.0, 9.0, 0.4),
        ("truck", -1.5, 40.0, -1.57),
        ("cyclist", -3.0, 11.0, 1.9),
    ]
    actors, bodies = [], []
    for number, (asset, x, z, yaw) in enumerate(wanted):
        blueprint = library()[first(asset)]
        seed = blueprint.appearance_seed
        actors.append(Actor(asset, x, z, yaw, blueprint.dimensions_hwl_m, asset, appearance_seed=seed))
        bodies.append(Body(200 + number, blueprint.id, anchor.transform_of(x, z, yaw)))
    camera = SceneCamera(Camera(200, 200, 160, 80, 1.7, 3.0), *SIZE)
    scene = Scene(camera, tuple(actors), Place("country", clear_half_width_m=20), asset_set="default")
    direct = EmbeddedBackend(quality=PLAIN).render(scene)
    fov_deg = 2 * np.degrees(np.arctan(160 / 200))
    at = View(*SIZE, fov_deg, Transform(anchor.x_m, anchor.y_m, HEIGHT_M + 1.7, -3.0, anchor.yaw_deg))
    painted = labelled(painter, at, *bodies)
    for index, body in enumerate(bodies):
        here, there = direct.instance == index + 1, painted.actor_id == body.actor_id
        assert here.sum() > 60
        assert np.abs(box_of(here) - box_of(there)).max() <= 1
        both = here & there
        assert both.sum() > 0.97 * here.sum()
        error = np.abs(direct.depth_m[both] / painted.depth_m[both] - 1)
        # at a silhouette's steps a ray may meet the next fold
        assert np.quantile(error, 0.99) < 0.01
        assert (direct.semantic[both] == painted.tag[both]).mean() > 0.97


def test_colour_and_labels_alone_agree(painter):
    body = Body(77, first("car"), Transform(12.0, 2.0, HEIGHT_M))
    alone = labelled(painter, view(), body)
    painted = painter.paint(view(), [body], Weather(), color=True, frame=1)
    assert alone.rgb is None
    assert painted.rgb is not None
    assert painted.rgb.shape == (*SIZE[::-1], 3)
    assert painted.rgb.dtype == np.uint8
    assert alone.actor_id.dtype == np.uint32
    for name in ("actor_id", "tag", "depth_m"):
        assert np.array_equal(getattr(alone, name), getattr(painted, name))
    again = painter.paint(view(), [body], Weather(), color=True, frame=1)
    assert np.array_equal(painted.rgb, again.rgb)


def test_pictures_painted_at_the_same_time_are_those_painted_one_by_one(painter):
    bodies = [Body(70 + n, first("car"), Transform(10.0 + 4 * n, 2.0, HEIGHT_M)) for n in range(6)]
    asked = [(bodies[n], n % 2 == 0, n) for n in range(6)]

    def paint(one):
        body, color, frame = one
        return painter.paint(view(), [body], Weather(), color=color, frame=frame)

    one_by_one = [paint(one) for one in asked]
    with ThreadPoolExecutor(3) as threads:
        for alone, together in zip(one_by_one, threads.map(paint, asked), strict=True):
            assert np.array_equal(alone.actor_id, together.actor_id)
            assert np.array_equal(alone.depth_m, together.depth_m)
            assert (alone.rgb is None) == (together.rgb is None)
            if alone.rgb is not None:
                assert np.array_equal(alone.rgb, together.rgb)


def test_positive_yaw_turns_to_positive_y_and_pitch_lifts_the_view(painter):
    ahead = Body(5, first("car"), Transform(20.0, 2.0, HEIGHT_M))
    right = box_of(labelled(painter, view(yaw_deg=20), ahead).actor_id == 5)
    up = box_of(labelled(painter, view(pitch_deg=15), ahead).actor_id == 5)
    straight = box_of(labelled(painter, view(), ahead).actor_id == 5)
    assert right[2] < straight[0]  # a camera turned to the right sees it on its left
    assert up[1] > straight[1] + 20
    aside = Body(6, first("car"), Transform(20.0, 8.0, HEIGHT_M))
    assert box_of(labelled(painter, view(), aside).actor_id == 6)[0] > SIZE[0] / 2


def test_a_camera_that_leans_to_the_right_sees_the_horizon_rise_on_the_right(painter):
    sky = labelled(painter, view(z_m=30.0, roll_deg=10)).tag == SKY
    left, right = sky[:, :20].sum(), sky[:, -20:].sum()
    assert left > 1.3 * right


def test_depth_is_along_the_optical_axis(painter):
    blueprint = first("truck")
    length = library()[blueprint].dimensions_hwl_m[2]
    seen = labelled(painter, view(), Body(9, blueprint, Transform(20.0, 2.0, HEIGHT_M)))
    assert seen.depth_m[seen.actor_id == 9].min() == pytest.approx(20 - length / 2, rel=0.01)
    assert np.isinf(seen.depth_m[seen.tag == SKY]).all()


def test_the_rider_and_the_machine_share_an_id_and_not_a_tag(painter):
    seen = labelled(painter, view(), Body(31, first("cyclist"), Transform(8.0, 2.0, HEIGHT_M, yaw_deg=90)))
    tags = set(np.unique(seen.tag[seen.actor_id == 31]).tolist())
    assert tags == {RIDER, BICYCLE}


def test_roads_pavements_and_lines_have_carlas_tags(painter):
    down = labelled(painter, view(x_m=50, y_m=0.0, z_m=14, pitch_deg=-90))
    assert down.tag[80, 160 + 20] == ROADS
    assert down.tag[80, 160 + 60] == SIDEWALKS
    assert (down.tag == ROAD_LINE).any()
    # 14 m over the road a pixel is 14/160 m: lanes of 4 m, pavements of 3 m begin where they should
    row = down.tag[80]
    assert np.flatnonzero(row == SIDEWALKS).max() - np.flatnonzero(row == SIDEWALKS).min() == pytest.approx(160, abs=4)


def test_the_ground_is_where_the_file_says(painter):
    town = painter.town
    assert town.ground_m(50, 1.0) == pytest.approx(HEIGHT_M, abs=0.01)
    assert HEIGHT_M + 0.05 < town.ground_m(50, 5.5) < HEIGHT_M + 0.16
    point, tag = town.cast((50, 1.0, 10), (0, 0, -1), 20)
    assert point == pytest.approx((50, 1.0, HEIGHT_M), abs=0.01)
    assert tag == ROADS
    assert town.cast((50, 1.0, 10), (0, 0, -1), 5) is None


def test_a_ray_meets_what_stands_beside_the_road(painter):
    """Rays across the road at the height of a first floor end in houses and trees."""
    tags = [hit[1] for x in range(-80, 180, 4) if (hit := painter.town.cast((x, 0, HEIGHT_M + 3), (0, 1, 0), 60))]
    assert BUILDING in tags
    assert not {ROADS, SIDEWALKS, ROAD_LINE} & set(tags)


def test_spawn_points_stand_in_their_lanes_and_face_along_them(painter):
    points = painter.town.spawn_points()
    right = [one for one in points if one.y_m > 0]
    assert len(points) == 2 * len(right) > 40
    assert all(one.yaw_deg == pytest.approx(0) and one.y_m == pytest.approx(2) for one in right)
    assert all(abs(one.yaw_deg) == pytest.approx(180) for one in points if one.y_m < 0)
    assert all(one.z_m == pytest.approx(HEIGHT_M + 0.5) for one in points)


def test_nothing_stands_on_road_or_pavement_nor_close_to_it(painter):
    """Seen from above, all that rises is more than a metre off the pavement's edge at 7 m."""
    for x in range(-80, 180, 20):
        seen = labelled(painter, view(x_m=x, y_m=0.0, z_m=60, pitch_deg=-90, fov_deg=40))
        rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
        scale = seen.depth_m * np.tan(np.radians(20)) / 160
        y_m = (columns + 0.5 - 160) * scale
        x_m = x - (rows + 0.5 - 80) * scale
        on_the_road = (np.abs(y_m) < 7.9) & (x_m > -98) & (x_m < 198)
        height = 60 - seen.depth_m
        # crowns and arms of lamps may hang over the pavement
        assert height[on_the_road & (height < 3.0)].max() < 0.2


def test_paint_takes_the_colour_that_is_asked_for(painter):
    at = view(y_m=2.0)
    red, blue = (
        painter.paint(at, [Body(4, first("car"), Transform(8.0, 2.0, HEIGHT_M), rgb)], Weather(), color=True, frame=0)
        for rgb in ((220, 10, 10), (10, 10, 220))
    )
    on = red.actor_id == 4
    # Half of what one sees is glass, tyres, lamps and dirt, the same on both: the paint is in the difference.
    paint = red.rgb[on].astype(float) - blue.rgb[on]
    painted = np.abs(paint).max(1) > 20
    assert painted.mean() > 0.3
    assert paint[painted][:, 0].mean() > 30 and paint[painted][:, 2].mean() < -30


def test_headlights_light_the_road_at_night_only_when_they_are_on(painter):
    night = Weather(sun_altitude_angle=-30)
    coming = Body(4, first("car"), Transform(14.0, -2.0, HEIGHT_M, yaw_deg=180))
    off, on = (
        painter.paint(view(), [replace(coming, lights_on=lit)], night, color=True, frame=0).rgb.astype(float)
        for lit in (False, True)
    )
    body = labelled(painter, view(), coming).actor_id == 4
    assert (on[body] > 250).sum() > (off[body] > 250).sum() + 10


def test_a_body_on_a_slope_leans_with_it(painter):
    axes = axes_of(Transform(pitch_deg=10, yaw_deg=90, roll_deg=0))
    assert axes[:, 0] == pytest.approx([0, -np.cos(np.radians(10)), np.sin(np.radians(10))], abs=1e-9)
    assert np.linalg.det(axes) == pytest.approx(1)
    right_side = -axes_of(Transform(roll_deg=30))[:, 1]
    assert right_side[2] == pytest.approx(-0.5)


def test_an_unknown_blueprint_is_one_error(painter):
    with pytest.raises(InputError, match="vehicle_none"):
        labelled(painter, view(), Body(1, "vehicle_none", Transform()))
