"""Facts about reading YOLO folders and BDD100K, on small sets that the tests make."""

import json
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.readers import open_source
from dataset.readers.json_stream import PIECE_CHARS, entries
from tests.test_dataset_readers import picture

# YOLO -----------------------------------------------------------------------------------------------------------------

DATA_YAML = "train: images/train\nval: images/val\nnames:\n  0: car\n  1: person\n"


def yolo(folder: Path, labels: dict[str, str | None], data_yaml: str = DATA_YAML) -> str:
    """labels: 'train/a' -> the text of its label file, None for no file."""
    for split in ("train", "val"):
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
    for name, text in labels.items():
        picture(folder / "images" / f"{name}.jpg")
        if text is not None:
            (folder / "labels" / f"{name}.txt").write_text(text)
    (folder / "data.yaml").write_text(data_yaml)
    return f"yolo:{folder}"


def test_yolo_boxes_are_centres_and_sizes_in_shares_of_the_image(tmp_path):
    ds, excluded = open_source(yolo(tmp_path, {"train/a": "1 0.5 0.5 0.2 0.5\n0 0.1 0.5 0.2 1\n"}), tmp_path / "s")
    objects, frame = ds.objects(0), ds.frame(0)
    assert (ds.categories, excluded, frame.frame_id) == (("car", "person"), [], "images/train/a")
    assert objects.category.tolist() == [1, 0] and not objects.ignore.any()
    np.testing.assert_allclose(objects.box_xyxy_px, [[40, 15, 60, 45], [0, 0, 20, 60]], atol=1e-9)
    assert np.isnan(objects.occlusion).all() and np.isnan(objects.truncation).all()


def test_a_yolo_box_that_only_rounding_pushes_out_is_not_truncated(tmp_path):
    ds, _ = open_source(yolo(tmp_path, {"train/a": "0 0.9 0.5 0.2002 0.5"}), tmp_path / "s")
    assert ds.objects(0).box_xyxy_px[0, 2] == 100 and np.isnan(ds.objects(0).truncation[0])


def test_a_yolo_outline_gives_its_bounds(tmp_path):
    ds, _ = open_source(yolo(tmp_path, {"train/a": "0 0.1 0.5 0.5 0.1 0.3 0.9"}), tmp_path / "s")
    np.testing.assert_allclose(ds.objects(0).box_xyxy_px, [[10, 6, 50, 54]], atol=1e-9)


def test_a_yolo_image_without_a_label_file_is_a_frame_without_objects(tmp_path):
    ds, _ = open_source(yolo(tmp_path, {"train/a": None, "val/b": "0 0.5 0.5 0.1 0.1"}), tmp_path / "s")
    assert [len(objects) for _, objects in ds.stream()] == [0, 1]
    (tmp_path / "labels" / "val" / "b.txt").unlink()
    (tmp_path / "labels" / "val").rmdir()
    with pytest.raises(InputError, match=r"labels/val: folder is missing"):
        open_source(f"yolo:{tmp_path}", tmp_path / "s")


def test_one_split_of_a_yolo_folder(tmp_path):
    spec = yolo(tmp_path, {"train/a": None, "val/b": None})
    ds, _ = open_source(f"{spec}?split=val", tmp_path / "s")
    assert ds.frame_ids().tolist() == ["images/val/b"]
    with pytest.raises(InputError, match="has no 'test'"):
        open_source(f"{spec}?split=test", tmp_path / "s")


def test_a_split_may_be_a_list_of_images(tmp_path):
    spec = yolo(tmp_path, {"train/a": "0 0.5 0.5 0.1 0.1", "train/b": None}, "train: train.txt\nnames: [car]")
    (tmp_path / "train.txt").write_text("./images/train/a.jpg\n\n")
    ds, _ = open_source(spec, tmp_path / "s")
    assert ds.frame_ids().tolist() == ["images/train/a"] and len(ds.objects(0)) == 1
    (tmp_path / "train.txt").write_text("images/train/c.jpg")
    with pytest.raises(InputError, match=r"its image .*c\.jpg is missing"):
        open_source(spec, tmp_path / "s")


def test_copies_that_roboflow_makes_of_a_picture_are_one_group(tmp_path):
    spec = yolo(tmp_path, {"train/a_jpg.rf.00ff": None, "train/a_jpg.rf.11ee": None, "train/b_jpg.rf.22dd": None})
    groups = open_source(spec, tmp_path / "s")[0].groups().tolist()
    assert groups == ["images/train/a_jpg", "images/train/a_jpg", "images/train/b_jpg"]


def test_roboflows_paths_that_lead_out_of_the_folder_are_found_inside(tmp_path):
    (tmp_path / "train" / "labels").mkdir(parents=True)
    picture(tmp_path / "train" / "images" / "a.jpg")
    (tmp_path / "train" / "labels" / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    (tmp_path / "data.yaml").write_text("train: ../train/images\nnames: [car]\nnc: 1\n")
    ds, _ = open_source(f"yolo:{tmp_path}", tmp_path / "s")
    assert (ds.frame(0).frame_id, len(ds.objects(0))) == ("train/images/a", 1)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2 0.5 0.5 0.1 0.1", "class 2 is none of 0 to 1"),
        ("0 0.5 0.5 0.1", "4 fields, 5 expected"),
        ("0 50 50 10 10", "not all from 0 to 1. Give shares"),
        ("0 nan 0.5 0.1 0.1", "not all from 0 to 1"),
        ("car 0.5 0.5 0.1 0.1", "not all fields are numbers"),
        ("0 0.5 0.5 0 0.1", "has no area"),
    ],
)
def test_a_bad_yolo_line_is_named(tmp_path, line, problem):
    with pytest.raises(InputError, match=rf"a\.txt:2: .*{problem}"):
        open_source(yolo(tmp_path, {"train/a": f"0 0.5 0.5 0.1 0.1\n{line}"}), tmp_path / "s")


@pytest.mark.parametrize(
    ("data_yaml", "problem"),
    [
        ("names: [car", "not YAML"),
        ("- car", "is no mapping"),
        ("names: {1: car}\ntrain: images/train", "names {1: 'car'} are no list"),
        ("names: [car]\nnc: 2\ntrain: images/train", "nc is 2 and there are 1 names"),
        ("names: [car]", "names none of train, val and test"),
        ("names: [car]\ntrain: images/other", "'images/other' is no folder of images"),
    ],
)
def test_a_bad_data_yaml_is_named(tmp_path, data_yaml, problem):
    with pytest.raises(InputError, match=rf"data\.yaml: .*{problem}"):
        open_source(yolo(tmp_path, {"train/a": None}, data_yaml), tmp_path / "s")


# BDD100K --------------------------------------------------------------------------------------------------------------


def bdd_label(category="car", box=(10, 20, 29, 39), **more) -> dict:
    return {"id": "7", "category": category, "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))} | more


def bdd(folder: Path, frames: list[dict], wrap=lambda frames: frames) -> str:
    for frame in frames:
        picture(folder / "images" / "100k" / "train" / frame.get("name", "none.jpg"))
    (folder / "images" / "100k" / "train").mkdir(parents=True, exist_ok=True)
    file = folder / "labels" / "det_20" / "det_train.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(wrap(frames)))
    return f"bdd:{file}"


def test_a_bdd_box_includes_its_last_pixel_and_images_are_found_in_the_sets_layout(tmp_path):
    ds, excluded = open_source(bdd(tmp_path, [{"name": "b1c8-01.jpg", "labels": [bdd_label()]}]), tmp_path / "s")
    assert excluded == [] and ds.categories[2] == "car" and ds.counts()["car"] == 1
    assert ds.objects(0).box_xyxy_px.tolist() == [[10, 20, 30, 40]]
    assert ds.image_path(0) == str(tmp_path / "images" / "100k" / "train" / "b1c8-01.jpg")


def test_a_bdd_box_at_the_border_of_the_image_is_not_truncated_by_its_last_pixel(tmp_path):
    picture(tmp_path / "images" / "100k" / "train" / "a.jpg")
    spec = bdd(tmp_path, [{"name": "a.jpg", "labels": [bdd_label(box=(1200, 600, 1280, 719.6))]}])
    picture(tmp_path / "images" / "100k" / "train" / "a.jpg", 1280, 720)
    objects = open_source(spec, tmp_path / "s")[0].objects(0)
    assert objects.box_xyxy_px.tolist() == [[1200, 600, 1280, 720]] and np.isnan(objects.truncation[0])


def test_bdd_knows_that_but_not_how_much_is_hidden(tmp_path):
    labels = [bdd_label(attributes={"occluded": flag, "truncated": flag}) for flag in (False, True)]
    objects = open_source(bdd(tmp_path, [{"name": "a.jpg", "labels": labels}]), tmp_path / "s")[0].objects(0)
    assert objects.occlusion[0] == objects.truncation[0] == 0
    assert np.isnan(objects.occlusion[1]) and np.isnan(objects.truncation[1])


def test_bdds_other_categories_and_crowds_are_ignore_regions_of_the_category_they_resemble(tmp_path):
    names = ("other person", "other vehicle", "trailer", "motor", "pedestrian")
    labels = [bdd_label(name, attributes={"crowd": name == "pedestrian"}) for name in names]
    ds, _ = open_source(bdd(tmp_path, [{"name": "a.jpg", "labels": labels}]), tmp_path / "s")
    found = [ds.categories[i] for i in ds.objects(0).category]
    assert found == ["pedestrian", "car", "truck", "motorcycle", "pedestrian"]
    assert ds.objects(0).ignore.tolist() == [True, True, True, False, True]


def test_null_labels_and_lanes_are_no_objects(tmp_path):
    lane = {"category": "lane", "poly2d": []}
    frames = [{"name": "a.jpg", "labels": None}, {"name": "b.jpg", "labels": [lane]}, {"name": "c.jpg"}]
    assert [len(o) for _, o in open_source(bdd(tmp_path, frames), tmp_path / "s")[0].stream()] == [0, 0, 0]


def test_bdd_weather_time_of_day_and_rides(tmp_path):
    known = {"weather": "rainy", "timeofday": "night", "scene": "highway"}
    frames = [
        {"name": "b1c8-01.jpg", "attributes": known},
        {"name": "b1c8-02.jpg", "attributes": {"weather": "undefined", "timeofday": "undefined"}},
        {"name": "c0de-01.jpg", "videoName": "ffff-77"},
    ]
    ds, _ = open_source(bdd(tmp_path, frames), tmp_path / "s")
    assert (ds.frame(0).weather, ds.frame(0).time_of_day) == ("rainy", "night")
    assert (ds.frame(1).weather, ds.frame(1).time_of_day) == (None, None)
    assert ds.groups().tolist() == ["b1c8", "b1c8", "ffff"]


def test_the_toolkits_wrapped_form_is_read_too(tmp_path):
    wrapped = {"config": {"a": [1, {"frames": 2}]}, "frames": None}
    spec = bdd(tmp_path, [{"name": "a.jpg"}], lambda frames: wrapped | {"frames": frames})
    assert len(open_source(spec, tmp_path / "s")[0]) == 1


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        ({"labels": []}, "frame 0: its name is None"),
        ({"name": "a.jpg", "labels": [bdd_label() | {"box2d": {"x1": 1}}]}, r"label 7: box2d {'x1': 1} is not"),
        ({"name": "a.jpg", "labels": [bdd_label() | {"category": None}]}, "category None is no name"),
        ({"name": "a.jpg", "labels": [bdd_label(box=(50, 20, 40, 30))]}, "has no area"),
    ],
)  # fmt: skip
def test_a_bad_bdd_frame_is_named_or_left_out(tmp_path, frame, problem):
    spec = bdd(tmp_path, [frame, {"name": "b.jpg"}])
    with pytest.raises(InputError, match=problem):
        open_source(spec, tmp_path / "s")
    ds, excluded = open_source(spec, tmp_path / "s", skip_bad=True)
    assert "b" in ds.frame_ids() and len(excluded) == 1


def test_a_bdd_file_without_images_beside_it_asks_for_them(tmp_path):
    (tmp_path / "det_train.json").write_text("[]")
    with pytest.raises(InputError, match=r"no images/100k/train is found.*\?images=DIR"):
        open_source(f"bdd:{tmp_path / 'det_train.json'}", tmp_path / "s")
    picture(tmp_path / "pictures" / "a.jpg")
    (tmp_path / "det_train.json").write_text('[{"name": "a.jpg"}]')
    assert len(open_source(f"bdd:{tmp_path}/det_train.json?images={tmp_path}/pictures", tmp_path / "s")[0]) == 1
    with pytest.raises(InputError, match=r"folder is no option of bdd\. Known are images"):
        open_source(f"bdd:{tmp_path}/det_train.json?folder=a", tmp_path / "s")


# JSON, entry by entry -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 2])
def test_entries_come_whole_wherever_the_pieces_are_cut(tmp_path, monkeypatch, indent):
    content = [{"a": i, "b": [1.5, -2e-3, None, True], "c": 'x"]},{[' * i, "d": {"é": "\u2028"}} for i in range(40)]
    for wrapped in (content, {"n": 12345, "frames": content, "more": 1}):
        (tmp_path / "a.json").write_text(json.dumps(wrapped, indent=indent, ensure_ascii=False), encoding="utf-8-sig")
        for piece in (1, 2, 7, 64, PIECE_CHARS):
            monkeypatch.setattr("dataset.readers.json_stream.PIECE_CHARS", piece)
            assert list(entries(tmp_path / "a.json", "frames")) == content


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"'\[' expected, the end of the file found"),
        ("[", "Expecting value"),
        ('[{"a": 1}', "',' expected, the end of the file found"),
        ('[{"a": 1} {"a": 2}]', r"character 10: not JSON as expected \(',' expected, \{ found"),
        ("[1]", "an entry is '1', not an object"),
        ('{"a": 1}', "has no list 'frames'"),
        ('[{"a": nope}]', "character 7: .*Expecting value"),
    ],
)
def test_what_is_no_json_array_is_named_with_its_place(tmp_path, text, problem):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=problem):
        list(entries(tmp_path / "a.json", "frames"))
