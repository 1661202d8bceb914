"""Facts about reading public formats: conventions are turned into ours, and bad input is named or left out."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset.categories import CategoryMap
from dataset.errors import InputError
from dataset.readers import open_source
from dataset.schema import EVERY_CATEGORY, Camera
from dataset.store import Dataset

CAR = "Car 0.00 0 -1.57 10.00 20.00 60.00 50.00 1.50 1.60 3.90 2.00 1.60 20.00 -1.47"
DONT_CARE = "DontCare -1 -1 -10 1.00 2.00 9.00 8.00 -1 -1 -1 -1000 -1000 -1000 -10"
CALIB = "P0: 1 0 0 0 0 1 0 0 0 0 1 0\nP2: 700 0 600 70 0 710 180 0 0 0 1 0.002\n"


def picture(path: Path, width=100, height=60) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(path)


def kitti(folder: Path, labels: dict[str, str], calib: dict[str, str] | None = None) -> str:
    for name, text in labels.items():
        picture(folder / "training" / "image_2" / f"{name}.png")
        (folder / "training" / "label_2").mkdir(exist_ok=True)
        (folder / "training" / "label_2" / f"{name}.txt").write_text(text)
    for name, text in (calib or {}).items():
        (folder / "training" / "calib").mkdir(exist_ok=True)
        (folder / "training" / "calib" / f"{name}.txt").write_text(text)
    return f"kitti:{folder}"


def coco(folder: Path, annotations: list[dict], images=None, categories=None) -> str:
    picture(folder / "images" / "a.png")
    images = [{"id": 7, "file_name": "images/a.png", "width": 100, "height": 60}] if images is None else images
    categories = categories or [{"id": 3, "name": "car"}, {"id": 90, "name": "bike"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "labels.json").write_text(json.dumps(content))
    return f"coco:{folder / 'labels.json'}"


def voc(folder: Path, objects: str, size="<size><width>100</width><height>60</height></size>") -> str:
    picture(folder / "JPEGImages" / "a.jpg")
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "a.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    return f"voc:{folder}"


def annotation(box, category=3, **more) -> dict:
    return {"id": 1, "image_id": 7, "category_id": category, "bbox": box} | more


# KITTI ---------------------------------------------------------------------------------------------------------------


def test_a_kitti_line_becomes_an_object(tmp_path):
    ds, excluded = open_source(kitti(tmp_path, {"000000": CAR}, {"000000": CALIB}), tmp_path / "s")
    objects, frame = ds.objects(0), ds.frame(0)
    assert (ds.categories, excluded, frame.frame_id, frame.group) == (("Car",), [], "000000", "000000")
    assert (frame.width_px, frame.height_px) == (100, 60)
    assert objects.box_xyxy_px.tolist() == [[10, 20, 60, 50]]
    assert objects.dimensions_hwl_m[0].tolist() == pytest.approx([1.5, 1.6, 3.9])
    assert objects.yaw_rad[0] == pytest.approx(-1.47)
    assert not objects.ignore[0] and objects.truncation[0] == 0


@pytest.mark.parametrize(("level", "occlusion"), [(0, 0), (1, 0.3), (2, 0.6), (3, np.nan)])
def test_kitti_occlusion_levels_become_shares_and_three_is_unknown(tmp_path, level, occlusion):
    spec = kitti(tmp_path, {"0": CAR.replace("0.00 0 ", f"0.25 {level} ", 1)})
    objects = open_source(spec, tmp_path / "s")[0].objects(0)
    assert objects.occlusion[0] == pytest.approx(occlusion, nan_ok=True)
    assert objects.truncation[0] == 0.25


def test_dont_care_is_an_ignore_region_of_every_category_with_nothing_known(tmp_path):
    objects = open_source(kitti(tmp_path, {"0": f"{CAR}\n{DONT_CARE}\n"}), tmp_path / "s")[0].objects(0)
    assert objects.category.tolist() == [0, EVERY_CATEGORY] and objects.ignore.tolist() == [False, True]
    unknown = (objects.occlusion, objects.truncation, objects.dimensions_hwl_m, objects.location_xyz_m, objects.yaw_rad)
    assert all(np.isnan(values[1]).all() for values in unknown)


def test_the_location_is_moved_so_that_the_pinhole_projects_as_p2_does(tmp_path):
    ds, _ = open_source(kitti(tmp_path, {"0": CAR}, {"0": CALIB}), tmp_path / "s")
    camera, (x, y, z) = ds.frame(0).camera, ds.objects(0).location_xyz_m[0]
    assert camera is not None
    u, v, w = np.array([[700, 0, 600, 70], [0, 710, 180, 0], [0, 0, 1, 0.002]]) @ [2.0, 1.6, 20.0, 1.0]
    assert camera.fx_px * x / z + camera.cx_px == pytest.approx(u / w)
    assert camera.fy_px * y / z + camera.cy_px == pytest.approx(v / w)
    assert ds.notes == ()


def test_without_calib_the_usual_camera_is_assumed_and_that_is_noted(tmp_path):
    ds, _ = open_source(kitti(tmp_path, {"0": CAR}), tmp_path / "s")
    assert ds.frame(0).camera == Camera(721.5377, 721.5377, 609.5593, 172.854, 1.65, 0.0)
    assert len(ds.notes) == 1 and "assumed" in ds.notes[0]
    assert Dataset.open(ds.folder).subset(np.array([0]), tmp_path / "t").notes == ds.notes


def test_a_camera_given_by_the_caller_holds(tmp_path):
    camera = Camera(500, 500, 50, 30, 1.4, -2)
    ds, _ = open_source(kitti(tmp_path, {"0": CAR}), tmp_path / "s", camera=camera)
    assert ds.frame(0).camera == camera and ds.notes == ()
    assert ds.objects(0).location_xyz_m[0].tolist() == pytest.approx([2, 1.6, 20])


def test_a_box_past_the_image_is_clipped_and_its_truncation_raised_to_the_share_outside(tmp_path):
    past = CAR.replace("10.00 20.00 60.00 50.00", "80.00 20.00 120.00 40.00")
    for given, expected in ((0.1, 0.5), (0.8, 0.8)):
        spec = kitti(tmp_path / str(given), {"0": past.replace("0.00", str(given), 1)})
        objects = open_source(spec, tmp_path / "s")[0].objects(0)
        assert objects.box_xyxy_px.tolist() == [[80, 20, 100, 40]]
        assert objects.truncation[0] == pytest.approx(expected)


def test_folders_without_training_and_empty_label_files_are_fine(tmp_path):
    kitti(tmp_path, {"0": "", "1": CAR})
    ds, _ = open_source(f"kitti:{tmp_path}/training", tmp_path / "s")
    assert [len(ds.objects(i)) for i in range(2)] == [0, 1]


# COCO ----------------------------------------------------------------------------------------------------------------


def test_coco_boxes_ids_with_gaps_and_frames_without_objects(tmp_path):
    images = [
        {"id": 7, "file_name": "images/a.png", "width": 100, "height": 60},
        {"id": 2, "file_name": "images/b.png"},
    ]
    picture(tmp_path / "images" / "b.png", 30, 20)
    ds, _ = open_source(coco(tmp_path, [annotation([10, 20, 30, 5.5], 90)], images), tmp_path / "s")
    assert ds.categories == ("car", "bike") and ds.counts() == {"car": 0, "bike": 1}
    assert ds.objects(0).box_xyxy_px.tolist() == [[10, 20, 40, 25.5]]
    assert (ds.frame(1).width_px, len(ds.objects(1)), ds.frame(1).frame_id) == (30, 0, "images/b")
    assert ds.frame(0).camera is None


def test_iscrowd_is_an_ignore_region_of_its_category_and_may_be_missing(tmp_path):
    spec = coco(tmp_path, [annotation([1, 1, 5, 5], iscrowd=1), annotation([9, 9, 5, 5])])
    objects = open_source(spec, tmp_path / "s")[0].objects(0)
    assert objects.ignore.tolist() == [True, False] and objects.category.tolist() == [0, 0]


def test_coco_images_may_lie_in_another_folder(tmp_path):
    spec = coco(tmp_path, [], [{"id": 7, "file_name": "c.png"}])
    picture(tmp_path / "other" / "c.png")
    ds, _ = open_source(f"{spec}?images={tmp_path / 'other'}", tmp_path / "s")
    assert ds.image_path(0) == str(tmp_path / "other" / "c.png")


# VOC -----------------------------------------------------------------------------------------------------------------

BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>100</xmax><ymax>60</ymax></bndbox>"


def test_voc_counts_pixels_from_one_and_includes_the_last(tmp_path):
    spec = voc(tmp_path, f"<object><name>car</name>{BOX}</object>")
    objects = open_source(spec, tmp_path / "s")[0].objects(0)
    assert objects.box_xyxy_px.tolist() == [[0, 0, 100, 60]]
    assert np.isnan(objects.truncation[0]) and np.isnan(objects.occlusion[0])


def test_voc_flags(tmp_path):
    flags = "<truncated>{}</truncated><occluded>{}</occluded><difficult>{}</difficult>"
    spec = voc(tmp_path, "".join(f"<object><name>car</name>{flags.format(f, f, f)}{BOX}</object>" for f in (0, 1)))
    objects = open_source(spec, tmp_path / "s")[0].objects(0)
    assert objects.ignore.tolist() == [False, True] and objects.category.tolist() == [0, 0]
    assert objects.truncation[0] == objects.occlusion[0] == 0
    assert np.isnan(objects.truncation[1]) and np.isnan(objects.occlusion[1])  # how much is not said


# Categories, groups, addresses ---------------------------------------------------------------------------------------


def test_the_category_map_renames_merges_ignores_and_drops(tmp_path):
    lines = [CAR.replace("Car", name) for name in ("Van", "Car", "Tram", "Misc", "Cyclist")]
    mapping = {"Cyclist": "bike", "Car": "vehicle", "Van": "vehicle", "Tram": "ignore", "*": "drop"}
    ds, _ = open_source(kitti(tmp_path, {"0": "\n".join(lines)}), tmp_path / "s", categories=mapping)
    assert ds.categories == ("bike", "vehicle")
    assert ds.objects(0).category.tolist() == [1, 1, EVERY_CATEGORY, 0]
    assert ds.objects(0).ignore.tolist() == [False, False, True, False]


def test_a_name_that_is_not_mapped_is_named_with_its_line_and_the_known_ones(tmp_path):
    spec = kitti(tmp_path, {"0": f"{CAR}\n{CAR.replace('Car', 'Tram')}"})
    with pytest.raises(InputError, match=r"0\.txt:2: category 'Tram' is not mapped; mapped are 'Car'.*ignore"):
        open_source(spec, tmp_path / "s", categories={"Car": "car"})


def test_without_a_map_names_are_numbered_as_they_appear():
    names = CategoryMap(None, ["a"])
    assert [names.index(name, "here") for name in ("b", "a", "c", "b")] == [1, 0, 2, 1]
    assert names.categories == ["a", "b", "c"]


def test_the_group_is_the_bracket_of_the_regex_or_all_of_its_match(tmp_path):
    spec = coco(tmp_path, [], [{"id": 7, "file_name": "images/town1_a.png"}])
    picture(tmp_path / "images" / "town1_a.png")
    for regex, group in ((r"images/(\w+)_", "town1"), (r"town\d", "town1"), (None, "images/town1_a")):
        assert open_source(spec, tmp_path / "s", group_regex=regex)[0].frame(0).group == group
    with pytest.raises(InputError, match=r"finds no group in 'images/town1_a\.png'"):
        open_source(spec, tmp_path / "s", group_regex="city")
    with pytest.raises(InputError, match="no regular expression"):
        open_source(spec, tmp_path / "s", group_regex="(")


def test_a_store_is_opened_as_it_is(tmp_path):
    ds, _ = open_source(kitti(tmp_path, {"0": CAR}), tmp_path / "s")
    again, excluded = open_source(f"store:{tmp_path / 's'}", tmp_path / "unused")
    assert (again.digest, excluded) == (ds.digest, []) and not (tmp_path / "unused").exists()
    with pytest.raises(InputError, match="keeps its categories"):
        open_source(f"store:{tmp_path / 's'}", tmp_path / "unused", categories={})


def test_the_source_is_recorded(tmp_path):
    ds, _ = open_source(kitti(tmp_path, {"0": CAR}), tmp_path / "s", source="stand-in")
    assert ds.sources().tolist() == ["stand-in"]


@pytest.mark.parametrize("spec", ["", "kitti", "kitti:", "tfrecord:/data", "/data"])
def test_an_unknown_address_lists_the_known_ones(tmp_path, spec):
    with pytest.raises(InputError, match=r"kitti:DIR, coco:FILE\.json"):
        open_source(spec, tmp_path / "s")
