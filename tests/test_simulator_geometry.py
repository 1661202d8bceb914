import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import InputError
from dataset.schema import Camera, Frame, Objects
from simulator.casting import Casting, CastingConfig
from simulator.footprint import overlap
from simulator.ground import AssumedCamera, calibrate, fit_ground
from simulator.lift import lift, play, pose_of
from simulator.projection import (
    actor_corners,
    box_corners,
    box_iou,
    box_of,
    camera_from_level,
    clip_box,
    clip_polygon,
    ground_point,
    horizon_row_px,
    level_from_camera,
    outline,
    polygon_area_px,
    project,
    truncation_of,
)
from simulator.scene import Actor
from tests.kitti_frames import CATEGORIES, OTHER_CAMERA, kitti_frames, needs_kitti

PLAIN = Camera(500.0, 500.0, 320.0, 200.0, 1.5, 0.0)
TILTED = Camera(500.0, 500.0, 320.0, 200.0, 1.5, 6.0)
CAST = CastingConfig()


def test_a_point_on_the_ground_ahead_falls_below_the_axis_by_height_over_distance():
    u, v = project(PLAIN, np.array([2.0, 0.0, 10.0]))
    assert (u, v) == pytest.approx((320 + 500 * 2 / 10, 200 + 500 * 1.5 / 10))


def test_a_camera_looking_down_sees_the_ground_point_of_its_axis_in_the_principal_point():
    reach = 1.5 / np.tan(np.radians(6))
    assert project(TILTED, np.array([0.0, 0.0, reach])) == pytest.approx([320, 200])
    assert horizon_row_px(TILTED) == pytest.approx(200 - 500 * np.tan(np.radians(6)))
    far = project(TILTED, np.array([0.0, 0.0, 1e9]))
    assert far[1] == pytest.approx(horizon_row_px(TILTED), abs=1e-3)


@given(st.floats(-20, 20), st.floats(0, 5), st.floats(3, 80), st.floats(-8, 8))
def test_level_and_camera_frames_are_inverse(x, up, z, pitch):
    camera = Camera(500, 500, 320, 200, 1.5, pitch)
    assert level_from_camera(camera, camera_from_level(camera, np.array([x, up, z]))) == pytest.approx([x, up, z])


def test_a_pixel_below_the_horizon_shows_the_ground_point_that_projects_there():
    for camera in (PLAIN, TILTED):
        u, v = project(camera, np.array([-3.0, 0.0, 17.0]))
        assert ground_point(camera, u, v) == pytest.approx((-3, 17))
    assert np.isnan(ground_point(PLAIN, 320, 199)).all()


def test_kitti_yaw_zero_heads_right_and_minus_half_pi_heads_away():
    nose = box_corners(0, 10, 0.0, (1.5, 1.6, 4.0))
    assert nose[:, 0].max() == pytest.approx(2.0) and nose[:, 2].max() == pytest.approx(10.8)
    away = Actor("car", 0, 10, -np.pi / 2, (1.5, 1.6, 4.0))
    assert actor_corners(away)[4:, 2] == pytest.approx(12.0)  # the front corners


def test_box_behind_the_camera_has_no_outline_and_a_box_beside_it_is_cut():
    assert len(outline(PLAIN, box_corners(0, -10, 0, (1.5, 1.6, 4.0)))) == 0
    beside = outline(PLAIN, box_corners(2.0, 1.0, -np.pi / 2, (1.5, 1.6, 4.0)))
    assert box_of(beside)[2] > 5000 and np.isfinite(beside).all()


def test_half_a_square_outside_the_image_is_truncated_by_half():
    square = np.array([[-10.0, 10], [10, 10], [10, 30], [-10, 30]])
    assert polygon_area_px(square) == pytest.approx(400)
    assert truncation_of(square, 100, 100) == pytest.approx(0.5)
    assert box_of(clip_polygon(square, 100, 100)) == (0, 10, 10, 30)


@needs_kitti
def test_projected_3d_labels_of_kitti_give_their_2d_boxes_within_a_few_pixels():
    ious, worst = [], []
    for frame, objects in kitti_frames():
        if frame.frame_id in OTHER_CAMERA or frame.camera is None:
            continue
        for i in range(len(objects)):
            if objects.ignore[i] or objects.truncation[i] > 0 or CATEGORIES[objects.category[i]] != "Car":
                continue
            x, y, z = objects.location_xyz_m[i]
            corners = box_corners(x, z, objects.yaw_rad[i], objects.dimensions_hwl_m[i], 1.65 - y)
            box = clip_box(box_of(outline(frame.camera, corners)), 1224, 370)
            ious.append(box_iou(box, objects.box_xyxy_px[i]))
            worst.append(np.abs(np.array(box) - objects.box_xyxy_px[i]).max())
    assert len(ious) > 40
    assert np.median(ious) > 0.95 and np.percentile(worst, 90) < 5


@pytest.mark.parametrize("yaw", [-np.pi / 2, -0.8])
@pytest.mark.parametrize("x", [-5.0, 0.5, 4.0])
def test_a_whole_car_is_lifted_from_its_box_to_where_it_stands(x, yaw):
    casting = Casting(["car"], CAST)
    size = casting.size("car")
    assert size is not None
    box = box_of(project(TILTED, box_corners(x, 20, yaw, size[:3])))
    pose = lift(box, TILTED, size, image_size_px=(640, 400))
    assert (pose.x_m, pose.z_m) == pytest.approx((x, 20), rel=0.05, abs=0.35)
    again = box_of(project(TILTED, box_corners(pose.x_m, pose.z_m, pose.yaw_rad, pose.dimensions_hwl_m)))
    assert box_iou(box, again) > 0.93


def test_a_car_cut_by_the_left_border_is_lifted_to_outside_the_picture_not_made_small_and_far():
    size = Casting(["car"], CAST).size("car")
    assert size is not None
    whole = box_of(project(PLAIN, box_corners(-4.2, 7.0, -np.pi / 2, size[:3])))
    assert whole[0] < -50
    pose = lift(clip_box(whole, 640, 400), PLAIN, size, image_size_px=(640, 400))
    assert pose.z_m == pytest.approx(7.0, rel=0.15) and pose.x_m == pytest.approx(-4.2, abs=0.8)
    lifted = box_of(project(PLAIN, box_corners(pose.x_m, pose.z_m, pose.yaw_rad, pose.dimensions_hwl_m)))
    assert lifted[0] < -50 and lifted[2] == pytest.approx(whole[2], abs=1)  # the seen side is where it was


def test_a_traffic_light_is_lifted_over_the_ground_by_its_size():
    casting = Casting(["traffic light"], CAST)
    size = casting.size("traffic light")
    assert size is not None
    box = box_of(project(PLAIN, box_corners(3.0, 20.0, np.pi / 2, size[:3], 3.5)))
    pose = lift(box, PLAIN, size, image_size_px=(640, 400), hung=True)
    assert pose.z_m == pytest.approx(20, rel=0.03) and pose.lift_m == pytest.approx(3.5, abs=0.1)


def test_ground_is_fitted_so_that_labelled_objects_stand_on_it():
    true = Camera(500, 500, 320, 200, 1.8, 2.0)
    standing = np.array([(x, 0.0, z) for x, z in ((-4, 10), (3, 14), (2, 25), (-5, 32), (1, 45), (0, 18))])
    seen = camera_from_level(true, standing)
    objects = Objects.of(
        [0] * 6, [[10, 10, 20, 20]] * 6, dimensions_hwl_m=[[1.5, 1.6, 4]] * 6, location_xyz_m=seen, yaw_rad=[0] * 6
    )
    fitted = fit_ground(PLAIN, objects, Casting(["car"], CAST), image_size_px=(640, 400), height_sd_m=1, pitch_sd_deg=9)
    assert fitted.pitch_deg == pytest.approx(2.0, abs=0.1) and fitted.height_m == pytest.approx(1.8, abs=0.05)


def test_one_floating_label_hardly_moves_the_ground_but_the_target_does():
    true_points = np.array([(0.0, 0.0, z) for z in (8, 12, 16, 20, 24, 30)])
    location = camera_from_level(PLAIN, true_points)
    location[3, 1] -= 2.0
    objects = Objects.of(
        [0] * 6, [[10, 10, 20, 20]] * 6, dimensions_hwl_m=[[1.5, 1.6, 4]] * 6, location_xyz_m=location, yaw_rad=[0] * 6
    )
    casting = Casting(["car"], CAST)
    aside = fit_ground(PLAIN, objects, casting, image_size_px=(640, 400))
    assert aside.height_m == pytest.approx(1.5, abs=0.06) and abs(aside.pitch_deg) < 0.4
    frame = Frame("f", "f.png", 640, 400, "f")
    about_it = fit_ground(PLAIN, objects, casting, image_size_px=(640, 400), target=3)
    pose = pose_of(frame, objects, 3, about_it, "car")
    row = project(about_it, np.array([pose.x_m, 0.0, pose.z_m]))[1]
    assert row == pytest.approx(200 + 500 * location[3, 1] / 20, abs=3)


def test_a_frame_without_anything_that_stands_keeps_its_camera():
    objects = Objects.of([0], [[10, 10, 20, 30]])
    assert fit_ground(PLAIN, objects, Casting(["traffic light"], CAST), image_size_px=(640, 400)) == PLAIN


def test_ground_is_calibrated_from_2d_boxes_of_an_unknown_camera():
    true = Camera(500, 500, 320, 200, 1.2, 3.0)
    casting = Casting(["car"], CAST)
    size = casting.size("car")
    assert size is not None
    boxes = [
        box_of(project(true, box_corners(x, z, np.pi / 2, size[:3])))
        for x, z in ((-3, 12), (2, 18), (4, 25), (-5, 30), (0, 40), (1, 15))
    ]
    assumed = AssumedCamera(horizontal_fov_deg=float(np.degrees(2 * np.arctan(320 / 500))))
    fitted = calibrate([(Frame("f", "f.png", 640, 400, "f"), Objects.of([0] * 6, boxes))], casting, assumed)
    assert fitted.height_m == pytest.approx(1.2, abs=0.12)
    assert horizon_row_px(fitted.camera(640, 400)) == pytest.approx(horizon_row_px(true), abs=8)


@pytest.mark.parametrize(("asset", "hwl"), [("truck", (3.2, 2.5, 8.5)), ("car", (1.5, 1.65, 4.0))])
def test_of_the_assets_that_play_a_category_the_one_that_fits_the_box_is_chosen(asset, hwl):
    casting = Casting(["vehicle"], CAST)
    frame = Frame("f", "f.png", 640, 400, "f")
    objects = Objects.of([0], [box_of(project(PLAIN, box_corners(3, 25, -np.pi / 2, hwl)))])
    parts = [play(frame, objects, 0, PLAIN, casting, np.random.default_rng(seed)) for seed in range(10)]
    assert sum(part is not None and part[0] == asset for part in parts) >= 8


def test_assumed_camera_of_ninety_degrees_has_a_focal_length_of_half_the_width():
    camera = AssumedCamera(horizontal_fov_deg=90).camera(640, 380)
    assert (camera.fx_px, camera.cx_px, camera.cy_px) == pytest.approx((320, 320, 190))


def test_two_cars_side_by_side_do_not_overlap_but_across_they_do():
    car = Actor("car", 0, 10, -np.pi / 2, (1.5, 1.7, 4.2))
    assert not overlap(car, Actor("car", 2.2, 10, -np.pi / 2, (1.5, 1.7, 4.2)))
    assert overlap(car, Actor("car", 2.2, 10, 0.0, (1.5, 1.7, 4.2)))
    assert not overlap(car, Actor("traffic_light", 0, 10, 0.0, (1.0, 0.3, 0.3), lift_m=4.0))


def test_unknown_category_names_the_remedy_unless_it_is_excluded():
    with pytest.raises(InputError, match=r"simulator\.recreate\.casting\.assets"):
        Casting(["unicorn"], CAST)
    assert Casting(["unicorn"], CastingConfig(unmapped="exclude")).size("unicorn") is None
    with pytest.raises(InputError, match="no asset 'horse'"):
        Casting(["unicorn"], CastingConfig(assets={"unicorn": {"horse": 1.0}}))


def test_common_names_are_cast_whatever_their_spelling():
    casting = Casting(["Traffic_Light", "motobike", "Person_sitting", "VEHICLE"], CAST)
    assert casting.hangs("Traffic_Light")
    assert casting.assets("motobike") == {"motorcyclist": 1.0}
    assert casting.category_of("truck") == "VEHICLE" and casting.category_of("bus") is None
