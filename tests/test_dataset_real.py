"""Facts about real data: what the public sets are known to hold is what we read."""

import numpy as np

from dataset.images import read_image
from dataset.readers import open_source
from dataset.schema import EVERY_CATEGORY
from dataset.writers import write_coco, write_kitti
from tests.test_dataset_writers import assert_same_objects

KITTI_COUNTS = {"Car": 65, "Pedestrian": 12, "Cyclist": 5, "Van": 5, "Truck": 5, "Tram": 2, "Misc": 2}
DONT_CARES = 96


def test_kitti_frames_have_the_known_counts(shared_data, tmp_path):
    ds, _ = open_source(
        f"kitti:{shared_data / 'kitti31'}", tmp_path / "s", categories={name: name for name in KITTI_COUNTS}
    )
    assert len(ds) == 31 and ds.counts() == KITTI_COUNTS
    ignored = np.concatenate([objects.category[objects.ignore] for _, objects in ds.stream()])
    assert len(ignored) == DONT_CARES and (ignored == EVERY_CATEGORY).all()
    assert "assumed" in ds.notes[0]


def test_kitti_boxes_past_the_crop_are_clipped_to_it_and_truncated(shared_data, tmp_path):
    ds, _ = open_source(f"kitti:{shared_data / 'kitti31'}", tmp_path / "s")
    row = ds.frame_ids().tolist().index("000019")
    truck = ds.objects(row)
    assert truck.box_xyxy_px[0].tolist() == [0, 0, 424.74, 370]  # 374 in the label, 370 px of image
    assert (truck.truncation[0] >= 4 / 374) and read_image(ds.image_path(row)).shape == (370, 1224, 3)


def test_kitti_locations_project_into_their_boxes(shared_data, tmp_path):
    ds, _ = open_source(f"kitti:{shared_data / 'kitti31'}", tmp_path / "s")
    errors_px = []
    for frame, objects in ds.stream():
        whole = objects.where(~objects.ignore & (objects.truncation == 0) & (objects.occlusion == 0))
        x, _, z = whole.location_xyz_m.T
        assert frame.camera is not None
        centre_px = frame.camera.fx_px * x / z + frame.camera.cx_px
        errors_px.append((centre_px - whole.box_xyxy_px[:, [0, 2]].mean(axis=1)) / np.ptp(whole.box_xyxy_px[:, ::2], 1))
    assert np.median(np.abs(np.concatenate(errors_px))) < 0.1  # of the box's width


def test_kitti_and_coco_writers_give_the_real_data_back(shared_data, tmp_path):
    ds, _ = open_source(f"kitti:{shared_data / 'kitti31'}", tmp_path / "s")
    back, _ = open_source(f"kitti:{write_kitti(ds, tmp_path / 'k')}", tmp_path / "bk")
    assert back.digest == ds.digest
    back, _ = open_source(f"coco:{write_coco(ds, tmp_path / 'w.json')}", tmp_path / "bc")
    assert_same_objects(ds, back, box_tolerance_px=1e-9)


def test_carla_renders_have_the_known_counts_and_towns_as_groups(shared_data, tmp_path):
    ds, _ = open_source(
        f"coco:{shared_data / 'carla095' / 'train.json'}", tmp_path / "s", group_regex=r"Town\d+", source="synthetic"
    )
    assert len(ds) == 623 and sum(ds.counts().values()) == 2062
    assert ds.categories == ("vehicle", "bike", "motobike", "traffic_light", "traffic_sign")
    assert set(ds.groups().tolist()) == {"Town01", "Town02", "Town03", "Town04"}


def test_camvid_crowds_are_ignore_regions_of_their_category(shared_data, tmp_path):
    ds, _ = open_source(f"coco:{shared_data / 'camvid' / 'pseudo_boxes_train.json'}", tmp_path / "s")
    ignored = np.concatenate([objects.category[objects.ignore] for _, objects in ds.stream()])
    assert (len(ds), sum(ds.counts().values()), len(ignored)) == (367, 1952, 1049)
    assert (ignored >= 0).all()
    back, _ = open_source(f"coco:{write_coco(ds, tmp_path / 'w.json')}", tmp_path / "b")
    assert back.digest == ds.digest
