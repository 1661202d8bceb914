"""Facts about writing: what is read, written and read again is the same."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from dataset.errors import InputError
from dataset.readers import open_source
from dataset.readers.kitti import occlusion_levels
from dataset.schema import EVERY_CATEGORY, Camera, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from dataset.writers import write_coco, write_kitti
from tests.test_dataset_readers import CALIB, CAR, DONT_CARE, kitti, picture


def assert_same_objects(a: Dataset, b: Dataset, box_tolerance_px: float = 0.0) -> None:
    assert len(a) == len(b)
    for (_, left), (_, right) in zip(a.stream(), b.stream(), strict=True):
        np.testing.assert_allclose(left.box_xyxy_px, right.box_xyxy_px, rtol=0, atol=box_tolerance_px)
        for name in ("category", "ignore", "occlusion", "truncation", "dimensions_hwl_m", "location_xyz_m", "yaw_rad"):
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


def simulated(folder: Path) -> Dataset:
    """Frames with numbers of full precision, everything known or nothing, and both kinds of ignore region."""
    rng = np.random.default_rng(0)
    with DatasetWriter(folder, ("car", "traffic sign"), "sim") as writer:
        for i in range(5):
            picture(folder / "images" / f"{i}.png", 640, 480)
            low = rng.uniform(0, 300, (4, 2))
            objects = Objects.of(
                [0, 1, 1, EVERY_CATEGORY],
                np.hstack([low, low + rng.uniform(0.5, 150, (4, 2))]),
                occlusion=[*rng.random(3), np.nan],
                truncation=[*rng.random(3), np.nan],
                ignore=[False, False, True, True],
                dimensions_hwl_m=[*rng.random((2, 3)), [np.nan] * 3, [np.nan] * 3],
                location_xyz_m=[*rng.normal(0, 30, (2, 3)), [np.nan] * 3, [np.nan] * 3],
                yaw_rad=[*rng.uniform(-3, 3, 2), np.nan, np.nan],
            )
            fx, fy, cx, cy = rng.uniform(1, 999, 4)
            camera = Camera(fx, fy, cx, cy, 1.7, -1.25)
            path = str(folder / "images" / f"{i}.png")
            writer.add(Frame(f"town/{i}", path, 640, 480, f"clip-{i // 2}", camera=camera), objects)
    return Dataset.open(folder)


def test_kitti_read_written_and_read_again_is_the_same_data(tmp_path):
    labels = {"0": f"{CAR}\n{DONT_CARE}", "1": "", "2": CAR.replace("0.00 0 ", "0.31 2 ", 1).replace("60.00", "160.00")}
    ds, _ = open_source(kitti(tmp_path / "k", labels, dict.fromkeys(labels, CALIB)), tmp_path / "s")
    write_kitti(ds, tmp_path / "w")
    back, _ = open_source(f"kitti:{tmp_path / 'w'}", tmp_path / "b")
    assert back.digest == ds.digest


def test_coco_read_written_and_read_again_is_the_same_data_with_what_coco_has_no_field_for(tmp_path):
    ds = simulated(tmp_path / "s")
    back, _ = open_source(f"coco:{write_coco(ds, tmp_path / 's' / 'w.json')}", tmp_path / "b")
    assert_same_objects(ds, back, box_tolerance_px=1e-12)
    assert [f for f, _ in back.stream()] == [f for f, _ in ds.stream()]
    assert back.categories == ds.categories


def test_other_tools_see_an_ignore_region_of_every_category_as_a_crowd_of_each(tmp_path, capsys):
    tool = COCO(str(write_coco(simulated(tmp_path / "s"), tmp_path / "s" / "w.json")))
    for category in (1, 2):
        annotations = tool.loadAnns(tool.getAnnIds(imgIds=[1], catIds=[category]))
        assert [a["iscrowd"] for a in annotations] == ([0, 1] if category == 1 else [0, 1, 1])


def test_image_paths_in_coco_count_from_the_file_when_below_it(tmp_path):
    ds = simulated(tmp_path / "s")
    near = json.loads(write_coco(ds, tmp_path / "s" / "w.json").read_text())["images"][0]["file_name"]
    far = json.loads(write_coco(ds, tmp_path / "t" / "w.json").read_text())["images"][0]["file_name"]
    assert (near, far) == ("images/0.png", str(tmp_path / "s" / "images" / "0.png"))


def test_kitti_keeps_full_precision_and_rounds_only_what_it_cannot_say(tmp_path):
    ds = simulated(tmp_path / "s")
    write_kitti(ds, tmp_path / "w")
    back, _ = open_source(f"kitti:{tmp_path / 'w'}", tmp_path / "b", categories={"car": "car", "traffic_sign": "sign"})
    for (frame, a), (other, b) in zip(ds.stream(), back.stream(), strict=True):
        assert frame.frame_id.replace("/", "_") == other.frame_id
        assert b.category.tolist() == [0, 1, EVERY_CATEGORY, EVERY_CATEGORY]
        np.testing.assert_array_equal(a.box_xyxy_px, b.box_xyxy_px)
        np.testing.assert_array_equal(a.truncation, b.truncation)
        np.testing.assert_array_equal(a.yaw_rad, b.yaw_rad)
        np.testing.assert_allclose(a.occlusion, b.occlusion, atol=0.4)
        np.testing.assert_array_equal(a.location_xyz_m, b.location_xyz_m)
        assert frame.camera is not None
        assert other.camera == replace(frame.camera, height_m=1.65, pitch_deg=0.0)


def test_alpha_is_the_angle_under_which_the_camera_sees_the_object(tmp_path):
    ahead = CAR.replace("2.00 1.60 20.00 -1.47", "-20.00 1.60 20.00 -3.00")
    ds, _ = open_source(kitti(tmp_path / "k", {"0": ahead}), tmp_path / "s", camera=Camera(700, 700, 50, 30))
    write_kitti(ds, tmp_path / "w")
    alpha = float((tmp_path / "w" / "training" / "label_2" / "0.txt").read_text().split()[3])
    assert alpha == pytest.approx(-3 + np.pi / 4)


@pytest.mark.parametrize(("occlusion", "expected"), [(0, 0), (0.1, 0), (0.3, 1), (0.5, 2), (1, 2), (np.nan, 3)])
def test_occlusion_goes_to_the_nearest_level(occlusion, expected):
    assert occlusion_levels(np.array([occlusion])).tolist() == [expected]


def test_images_are_linked_or_copied(tmp_path):
    ds = simulated(tmp_path / "s")
    for images in ("link", "copy"):
        image = write_kitti(ds, tmp_path / images, images) / "training" / "image_2" / "town_0.png"
        assert image.is_symlink() == (images == "link")
        assert image.read_bytes() == (tmp_path / "s" / "images" / "0.png").read_bytes()


def test_nothing_is_left_of_a_folder_that_could_not_be_finished(tmp_path):
    ds = simulated(tmp_path / "s")
    (tmp_path / "s" / "images" / "3.png").unlink()
    with pytest.raises(InputError, match=r"3\.png"):
        write_kitti(ds, tmp_path / "w")
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_a_folder_that_is_there_is_not_written_over(tmp_path):
    with pytest.raises(InputError, match="is there already"):
        write_kitti(simulated(tmp_path / "s"), tmp_path)


def test_frame_ids_that_would_share_a_file_are_refused(tmp_path):
    picture(tmp_path / "a.png")
    with DatasetWriter(tmp_path / "s", ("car",), "x") as writer:
        for frame_id in ("a/b", "a_b"):
            writer.add(Frame(frame_id, str(tmp_path / "a.png"), 100, 60, "g"), Objects.none())
    with pytest.raises(InputError, match="a_b"):
        write_kitti(Dataset.open(tmp_path / "s"), tmp_path / "w")


def test_kitti_takes_a_camera_for_all_frames_or_for_none(tmp_path):
    def written(name: str, cameras: list[Camera | None]) -> Dataset:
        with DatasetWriter(tmp_path / name, ("car",), "x") as writer:
            for i, camera in enumerate(cameras):
                picture(tmp_path / f"{i}.png")
                writer.add(Frame(str(i), str(tmp_path / f"{i}.png"), 100, 60, "g", camera=camera), Objects.none())
        return Dataset.open(tmp_path / name)

    with pytest.raises(InputError, match="1 of 2 frames have a camera"):
        write_kitti(written("mixed", [None, Camera(1, 1, 1, 1)]), tmp_path / "w")
    assert not (write_kitti(written("none", [None, None]), tmp_path / "w") / "training" / "calib").exists()
