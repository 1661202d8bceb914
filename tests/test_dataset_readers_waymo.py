"""Facts about reading Waymo Open v2, on a small set of Parquet files that the tests make."""

import io
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dataset.errors import InputError
from dataset.readers import open_source

SEGMENT = "1005081002024129653_5313_150_5333_150"
FRONT, FRONT_LEFT = 1, 2
# Camera 1 looks ahead from 1.5 m before the origin and 2 m above the road; camera 2 looks to the left.
AHEAD = [1, 0, 0, 1.5, 0, 1, 0, 0, 0, 0, 1, 2.0, 0, 0, 0, 1]
LEFT = [0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2.0, 0, 0, 0, 1]


def jpeg(width=100, height=60) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, "jpeg")
    return content.getvalue()


def key(time=1, camera: int | None = FRONT, **more) -> dict:
    keys = {"key.segment_context_name": SEGMENT, "key.frame_timestamp_micros": time}
    return keys | ({} if camera is None else {"key.camera_name": camera}) | more


def flat_box(component: str, x1, y1, x2, y2) -> dict:
    part = f"[{component}].box."
    sizes = {"center.x": (x1 + x2) / 2, "center.y": (y1 + y2) / 2, "size.x": float(x2 - x1), "size.y": float(y2 - y1)}
    return {part + name: value for name, value in sizes.items()}


def camera_box(object_id: str, kind: int, box, time=1, camera=FRONT) -> dict:
    own = {"key.camera_object_id": object_id, "[CameraBoxComponent].type": kind}
    return key(time, camera) | own | flat_box("CameraBoxComponent", *box)


def projected_box(laser_id: str, kind: int, box, camera=FRONT) -> dict:
    own = {"key.laser_object_id": laser_id, "[ProjectedLiDARBoxComponent].type": kind}
    return key(camera=camera) | own | flat_box("ProjectedLiDARBoxComponent", *box)


def lidar_box(laser_id: str, center, heading=0.0, size=(4.0, 2.0, 1.6)) -> dict:
    part = "[LiDARBoxComponent].box."
    numbers = {f"{part}center.{a}": float(v) for a, v in zip("xyz", center, strict=True)}
    numbers |= {f"{part}size.{a}": float(v) for a, v in zip("xyz", size, strict=True)}
    return key(camera=None) | {"key.laser_object_id": laser_id, f"{part}heading": heading} | numbers


def calibration(camera: int, transform: list[float]) -> dict:
    part = "[CameraCalibrationComponent]."
    own = {f"{part}intrinsic.f_u": 80.0, f"{part}intrinsic.f_v": 81.0}
    own |= {f"{part}intrinsic.c_u": 50.0, f"{part}intrinsic.c_v": 30.0}
    named = {"key.segment_context_name": SEGMENT, "key.camera_name": camera}
    return named | own | {f"{part}extrinsic.transform": [float(v) for v in transform]}


CAR = camera_box("car", 1, (10, 20, 30, 40))
CAMERAS = [calibration(FRONT, AHEAD), calibration(FRONT_LEFT, LEFT)]


def waymo(folder: Path, images: list[dict] | None = None, **components: list[dict]) -> str:
    image = {"[CameraImageComponent].image": jpeg()}
    components |= {"camera_image": [key() | image] if images is None else images}
    components = {"camera_box": [CAR]} | components
    for name, rows in components.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / name / f"{SEGMENT}.parquet")
    return f"waymo:{folder}"


def test_a_camera_box_becomes_an_object_and_its_image_a_file_of_the_store(tmp_path):
    ds, excluded = open_source(waymo(tmp_path / "in"), tmp_path / "s")
    frame, objects = ds.frame(0), ds.objects(0)
    assert (excluded, frame.frame_id, frame.group) == ([], f"{SEGMENT}/1_FRONT", SEGMENT)
    assert ds.categories == ("vehicle", "pedestrian", "sign", "cyclist") and objects.category.tolist() == [0]
    assert objects.box_xyxy_px.tolist() == [[10, 20, 30, 40]] and np.isnan(objects.location_xyz_m).all()
    assert Path(frame.image_path) == tmp_path / "s" / "images" / SEGMENT / "1_FRONT.jpg"
    assert Path(frame.image_path).read_bytes() == jpeg()
    (tmp_path / "s").rename(tmp_path / "moved")
    assert Path(type(ds).open(tmp_path / "moved").image_path(0)).is_file()


def test_an_image_that_was_written_before_is_not_written_again(tmp_path):
    spec = waymo(tmp_path / "in")
    path = Path(open_source(spec, tmp_path / "s")[0].image_path(0))
    written = path.stat().st_mtime_ns
    open_source(spec, tmp_path / "s")
    assert path.stat().st_mtime_ns == written and not list(path.parent.glob("*.partial"))


def test_the_lidar_box_of_a_pedestrian_is_the_one_that_the_association_names(tmp_path):
    """Ahead by 10 m and to the left by 2 m of the car's origin; the camera sits 1.5 m before it and 2 m up."""
    spec = waymo(
        tmp_path / "in",
        camera_box=[camera_box("man", 2, (10, 20, 30, 40)), camera_box("far", 2, (50, 20, 60, 40))],
        lidar_box=[lidar_box("L1", (10, 2, 0.9), size=(1.0, 0.8, 1.8)), lidar_box("L2", (30, 0, 1))],
        camera_to_lidar_box_association=[key() | {"key.camera_object_id": "man", "key.laser_object_id": "L1"}],
        camera_calibration=CAMERAS,
    )
    ds, _ = open_source(spec, tmp_path / "s")
    objects, camera = ds.objects(0), ds.frame(0).camera
    np.testing.assert_allclose(objects.location_xyz_m[0], [-2, 2, 8.5], atol=1e-6)
    np.testing.assert_allclose(objects.dimensions_hwl_m[0], [1.8, 0.8, 1.0], rtol=1e-6)
    assert objects.yaw_rad[0] == pytest.approx(-math.pi / 2)  # heading as we do: away
    assert np.isnan(objects.location_xyz_m[1]).all()
    assert camera is not None and (camera.fx_px, camera.cy_px, camera.height_m) == (80, 30, 2)
    assert camera.pitch_deg == pytest.approx(0)


def test_a_vehicle_takes_the_lidar_box_whose_projection_overlaps_it_best(tmp_path):
    spec = waymo(
        tmp_path / "in",
        camera_box=[CAR, camera_box("beside", 1, (60, 20, 80, 40)), camera_box("walker", 2, (10, 20, 30, 40))]
        + [camera_box("other", 1, (10, 20, 30, 39))],
        lidar_box=[lidar_box("near", (8, 0, 1)), lidar_box("behind", (20, 0, 1)), lidar_box("third", (30, 0, 1))],
        projected_lidar_box=[
            projected_box("behind", 1, (10, 22, 30, 40)),
            projected_box("near", 1, (10, 20, 30, 41)),
            projected_box("third", 1, (70, 20, 95, 40)),
        ],
        camera_calibration=CAMERAS,
    )
    forward = open_source(spec, tmp_path / "s")[0].objects(0).location_xyz_m[:, 2]
    assert forward[0] == pytest.approx(6.5)  # 'near' overlaps best
    assert np.isnan(forward[1])  # 'third' overlaps by less than half
    assert np.isnan(forward[2])  # a pedestrian is no vehicle
    assert forward[3] == pytest.approx(18.5)  # 'near' overlaps it best too, and belongs to the first


def test_a_side_camera_has_its_own_frame_and_heading(tmp_path):
    """4 m to the left of the car, heading as the car does: seen from a camera that looks left it heads to the right."""
    spec = waymo(
        tmp_path / "in",
        images=[key(camera=FRONT_LEFT) | {"[CameraImageComponent].image": jpeg()}],
        camera_box=[camera_box("car", 1, (10, 20, 30, 40), camera=FRONT_LEFT)],
        lidar_box=[lidar_box("L", (0, 4, 0.8))],
        projected_lidar_box=[projected_box("L", 1, (10, 20, 30, 40), camera=FRONT_LEFT)],
        camera_calibration=CAMERAS,
    )
    objects = open_source(spec, tmp_path / "s")[0].objects(0)
    np.testing.assert_allclose(objects.location_xyz_m[0], [0, 2, 4], atol=1e-6)
    assert objects.yaw_rad[0] == pytest.approx(0, abs=1e-6)


def test_a_camera_that_looks_down_has_a_positive_pitch(tmp_path):
    c, s = math.cos(math.radians(5)), math.sin(math.radians(5))
    down = [c, 0, s, 0, 0, 1, 0, 0, -s, 0, c, 2, 0, 0, 0, 1]
    ds, _ = open_source(waymo(tmp_path / "in", camera_calibration=[calibration(FRONT, down)]), tmp_path / "s")
    camera = ds.frame(0).camera
    assert camera is not None and camera.pitch_deg == pytest.approx(5)


def test_cameras_times_and_conditions(tmp_path):
    images = [
        key(time, camera) | {"[CameraImageComponent].image": jpeg()}
        for time in range(1, 7)
        for camera in (FRONT, FRONT_LEFT)
    ]
    stats = [key(t, None) | {"[StatsComponent].time_of_day": "Night", "[StatsComponent].weather": "rain"} for t in (1,)]
    spec = waymo(tmp_path / "in", images, stats=stats)
    ds, _ = open_source(f"{spec}?cameras=FRONT&every=4", tmp_path / "s")
    assert [name.rpartition("/")[2] for name in ds.frame_ids()] == ["1_FRONT", "5_FRONT"]
    assert (ds.frame(0).time_of_day, ds.frame(0).weather, ds.frame(1).weather) == ("Night", "rain", None)
    assert [len(ds.objects(i)) for i in range(2)] == [1, 0]
    assert len(open_source(spec, tmp_path / "s")[0]) == 12
    for options, problem in (("cameras=BACK", r"\['BACK'\] are none of FRONT"), ("every=0", "'0' is no whole number")):
        with pytest.raises(InputError, match=problem):
            open_source(f"{spec}?{options}", tmp_path / "s")


def test_bad_segments_are_named_or_left_out(tmp_path):
    spec = waymo(tmp_path / "in")
    good = tmp_path / "in" / "camera_image" / f"{SEGMENT}.parquet"
    broken = good.with_name("9_broken.parquet")
    broken.write_bytes(good.read_bytes()[:-100])
    (tmp_path / "in" / "camera_box" / broken.name).write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"camera_box/9_broken\.parquet: cannot be read as Parquet"):
        open_source(spec, tmp_path / "s")
    (tmp_path / "in" / "camera_box" / broken.name).unlink()
    with pytest.raises(InputError, match=r"camera_box/9_broken\.parquet: file not found"):
        open_source(spec, tmp_path / "s")
    ds, excluded = open_source(spec, tmp_path / "s", skip_bad=True)
    assert len(ds) == 1 and len(excluded) == 1


def test_a_bad_waymo_table_is_named(tmp_path):
    image = {"[CameraImageComponent].image": jpeg()}
    for name, components, problem in (
        ("column", {"images": [key() | {"image": jpeg()}]}, r"has no column '\[CameraImageComponent\]\.image'"),
        ("lidar", {"lidar_box": [key(camera=None)]}, r"lidar_box/.*has no column 'key\.laser_object_id'"),
        ("type", {"camera_box": [camera_box("o", 7, (1, 1, 9, 9))]}, "1 FRONT, object o: type 7 is none of"),
        ("image", {"images": [key() | {"[CameraImageComponent].image": b""}, key(2) | image]}, "1 FRONT: has no image"),
        ("cut", {"images": [key() | {"[CameraImageComponent].image": jpeg()[:200]}]}, "does not decode"),
    ):
        with pytest.raises(InputError, match=problem):
            open_source(waymo(tmp_path / name, **components), tmp_path / "s")
    with pytest.raises(InputError, match="camera_image: folder is missing"):
        open_source(f"waymo:{tmp_path}", tmp_path / "s")
