"""Facts about reading Cityscapes and nuImages, on small sets that the tests make."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dataset.errors import InputError
from dataset.readers import open_source
from dataset.schema import EVERY_CATEGORY
from tests.test_dataset_readers import picture

# Cityscapes -----------------------------------------------------------------------------------------------------------

NAME = "ulm_000001_000019"


def cityscapes(folder: Path, objects: list[dict], kind="gtFine", name=NAME, split="train") -> str:
    city = name.partition("_")[0]
    picture(folder / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
    suffix = "gtFine_polygons" if kind == "gtFine" else kind
    file = folder / kind / split / city / f"{name}_{suffix}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"imgWidth": 100, "imgHeight": 60, "objects": objects}))
    return f"cityscapes:{folder}"


def shape(label: str, x1, y1, x2, y2) -> dict:
    return {"label": label, "polygon": [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]}


def test_an_outline_touches_its_last_pixels_and_the_group_is_the_city(tmp_path):
    spec = cityscapes(tmp_path, [shape("road", 0, 30, 99, 59), shape("car", 10, 20, 29, 39)])
    ds, excluded = open_source(spec, tmp_path / "s")
    assert excluded == [] and ds.counts()["car"] == sum(ds.counts().values()) == 1
    assert ds.objects(0).box_xyxy_px.tolist() == [[10, 20, 30, 40]]
    assert (ds.frame(0).group, ds.frame(0).frame_id) == ("ulm", f"train/ulm/{NAME}")
    assert np.isnan(ds.objects(0).occlusion[0]) and ds.frame(0).camera is None


def test_later_outlines_stand_in_front_and_cut_the_box_to_what_is_seen(tmp_path):
    car, pole = shape("car", 10, 20, 49, 39), shape("pole", 40, 0, 60, 59)
    for objects, box in (([car, pole], [10, 20, 40, 40]), ([pole, car], [10, 20, 50, 40])):
        ds, _ = open_source(cityscapes(tmp_path, objects), tmp_path / "s")
        assert ds.objects(0).box_xyxy_px.tolist() == [box]
    hidden = [car, shape("building", 0, 0, 99, 59)]
    assert len(open_source(cityscapes(tmp_path, hidden), tmp_path / "s")[0].objects(0)) == 0


def test_boxes_are_those_of_the_instance_map_that_the_outlines_draw(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(10):
        objects = []
        for _ in range(12):
            centre = rng.uniform(0, [100, 60])
            points = centre + rng.normal(0, 12, (7, 2))
            angle = np.arctan2(*(points - points.mean(0)).T)
            kind = str(rng.choice(["car", "person", "vegetation"]))
            objects.append({"label": kind, "polygon": points[np.argsort(angle)].round().tolist()})
        drawn = Image.new("I", (100, 60))
        for i, entry in enumerate(objects):
            ImageDraw.Draw(drawn).polygon([tuple(p) for p in entry["polygon"]], fill=i + 1)
        ids, expected = np.asarray(drawn), []
        for i, entry in enumerate(objects):
            rows, columns = np.nonzero(ids == i + 1)
            if entry["label"] != "vegetation" and len(rows):
                expected.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        ds, _ = open_source(cityscapes(tmp_path, objects), tmp_path / "s")
        assert ds.objects(0).box_xyxy_px.tolist() == expected


def test_groups_are_ignore_regions_of_their_category_and_caravans_of_every(tmp_path):
    objects = [shape(name, 10, 20, 29, 39) for name in ("cargroup",)]
    objects += [shape("persongroup", 40, 20, 59, 39), shape("caravan", 70, 20, 79, 39)]
    objects += [shape("bus", 85, 20, 89, 39) | {"deleted": 1}, shape("license plate", 1, 1, 5, 5)]
    ds, _ = open_source(cityscapes(tmp_path, objects), tmp_path / "s")
    category = ds.objects(0).category.tolist()
    assert category == [ds.categories.index("car"), ds.categories.index("person"), EVERY_CATEGORY]
    assert ds.objects(0).ignore.all()


def test_citypersons_boxes_are_the_visible_ones_with_their_occlusion(tmp_path):
    person = {"label": "pedestrian", "bbox": [10, 10, 20, 40], "bboxVis": [10, 10, 20, 10]}
    group = {"label": "person group", "bbox": [50, 10, 20, 20], "bboxVis": [50, 10, 20, 20]}
    poster = {"label": "ignore", "bbox": [80, 10, 10, 20], "bboxVis": [80, 10, 10, 20]}
    ds, _ = open_source(cityscapes(tmp_path, [person, group, poster], "gtBboxCityPersons"), tmp_path / "s")
    objects = ds.objects(0)
    assert objects.box_xyxy_px[0].tolist() == [10, 10, 30, 20] and objects.occlusion[0] == pytest.approx(0.75)
    assert objects.category.tolist() == [0, 0, EVERY_CATEGORY] and objects.ignore.tolist() == [False, True, True]
    assert ds.categories == ("pedestrian", "rider", "sitting person", "person (other)")


def test_of_two_label_folders_one_is_chosen_and_the_test_split_is_left_alone(tmp_path):
    spec = cityscapes(tmp_path, [shape("car", 10, 20, 29, 39)])
    cityscapes(tmp_path, [], "gtBboxCityPersons")
    cityscapes(tmp_path, [shape("ego vehicle", 0, 50, 99, 59)], name="bonn_000000_000019", split="test")
    cityscapes(tmp_path, [], name="lindau_000000_000019", split="val")
    assert open_source(spec, tmp_path / "s")[0].groups().tolist() == ["ulm", "lindau"]
    assert len(open_source(f"{spec}?split=train", tmp_path / "s")[0]) == 1
    persons, _ = open_source(f"{spec}?labels=gtBboxCityPersons", tmp_path / "s")
    assert persons.categories[0] == "pedestrian"
    with pytest.raises(InputError, match="has no folder gtCoarse"):
        open_source(f"{spec}?labels=gtCoarse", tmp_path / "s")


def test_the_camera_file_gives_the_pinhole(tmp_path):
    spec = cityscapes(tmp_path, [shape("car", 10, 20, 29, 39)])
    file = tmp_path / "camera" / "train" / "ulm" / f"{NAME}_camera.json"
    file.parent.mkdir(parents=True)
    numbers = {"fx": 2262.5, "fy": 2265.3, "u0": 1096.98, "v0": 513.137}
    file.write_text(json.dumps({"intrinsic": numbers, "extrinsic": {"pitch": 0.038, "z": 1.22}}))
    camera = open_source(spec, tmp_path / "s")[0].frame(0).camera
    assert camera is not None and (camera.fx_px, camera.cy_px, camera.height_m) == (2262.5, 513.137, 1.22)
    assert camera.pitch_deg == pytest.approx(math.degrees(0.038))
    file.write_text("{}")
    with pytest.raises(InputError, match=r"camera\.json: lacks fx"):
        open_source(spec, tmp_path / "s")


@pytest.mark.parametrize(
    ("objects", "problem"),
    [
        ([{"label": "car"}], "object 0: its polygon is no list of points"),
        ([{"label": "car", "polygon": [[1, 2], [3]]}], "its polygon is no list of points"),
        ([{"label": "car", "polygon": [[1, float("nan")], [3, 4]]}], "a point that is no number"),
        ("none", "has no imgWidth, imgHeight and list of objects"),
    ],
)
def test_a_bad_cityscapes_file_is_named(tmp_path, objects, problem):
    with pytest.raises(InputError, match=rf"{NAME}_gtFine_polygons\.json.*{problem}"):
        open_source(cityscapes(tmp_path, objects), tmp_path / "s")


def test_a_bad_citypersons_object_is_named(tmp_path):
    for entry, problem in (
        ({"label": "pedestrian", "bbox": [1, 2, 3]}, "bbox [1, 2, 3] is not four numbers"),
        ({"label": "pedestrian", "bbox": [1, 2, 0, 5]}, "has no area"),
        ({"label": "dog", "bbox": [1, 2, 3, 4]}, "label 'dog' is none of"),
    ):
        with pytest.raises(InputError) as found:
            open_source(cityscapes(tmp_path, [entry], "gtBboxCityPersons"), tmp_path / "s")
        assert problem in str(found.value) and "object 0" in str(found.value)


# nuImages -------------------------------------------------------------------------------------------------------------

LEVEL = [0.5, -0.5, 0.5, -0.5]  # camera looking ahead: its z is the car's x, its x the car's -y


def tables(**changed) -> dict[str, list[dict]]:
    intrinsic = [[1252.8, 0, 826.6], [0, 1252.8, 469.9], [0, 0, 1]]
    sensor = {"token": "cs", "translation": [1.7, 0, 1.5], "rotation": LEVEL, "camera_intrinsic": intrinsic}
    frame = {"token": "sd1", "sample_token": "s1", "calibrated_sensor_token": "cs", "is_key_frame": True}
    frame |= {"filename": "samples/CAM_FRONT/a.jpg", "width": 100, "height": 60}
    between = frame | {"token": "sd0", "is_key_frame": False, "filename": "sweeps/CAM_FRONT/b.jpg"}
    annotation = {"token": "o1", "sample_data_token": "sd1", "category_token": "c2", "bbox": [10, 20, 30, 40]}
    return {
        "category": [{"token": "c1", "name": "animal"}, {"token": "c2", "name": "vehicle.car"}],
        "log": [{"token": "l1", "logfile": "n013-2018"}],
        "sample": [{"token": "s1", "log_token": "l1"}],
        "calibrated_sensor": [sensor],
        "sample_data": [between, frame],
        "object_ann": [annotation | {"mask": None}],
    } | changed


def nuimages(folder: Path, content: dict[str, list[dict]], version="v1.0-mini") -> str:
    (folder / version).mkdir(parents=True, exist_ok=True)
    for name, entries in content.items():
        (folder / version / f"{name}.json").write_text(json.dumps(entries))
    for entry in content["sample_data"]:
        if entry["is_key_frame"]:
            picture(folder / entry["filename"])
    return f"nuimages:{folder}"


def test_a_key_frame_is_joined_to_its_objects_drive_and_camera(tmp_path):
    ds, excluded = open_source(nuimages(tmp_path, tables()), tmp_path / "s")
    frame, objects = ds.frame(0), ds.objects(0)
    assert (len(ds), excluded, frame.frame_id, frame.group) == (1, [], "samples/CAM_FRONT/a", "n013-2018")
    assert ds.categories == ("animal", "vehicle.car") and objects.category.tolist() == [1]
    assert objects.box_xyxy_px.tolist() == [[10, 20, 30, 40]] and "amodal" in ds.notes[0]
    assert frame.camera is not None and frame.camera.fx_px == 1252.8 and frame.camera.height_m == 1.5
    assert frame.camera.pitch_deg == pytest.approx(0)


def test_a_camera_that_is_turned_down_has_a_positive_pitch(tmp_path):
    """A turn of 10 degrees about the camera's own x axis (to the right), downwards: forward gets a part of down."""
    half = math.radians(-10) / 2
    w, x, y, z = LEVEL
    turned = [w * math.cos(half) - x * math.sin(half), x * math.cos(half) + w * math.sin(half)]
    turned += [y * math.cos(half) + z * math.sin(half), z * math.cos(half) - y * math.sin(half)]
    content = tables()
    content["calibrated_sensor"][0]["rotation"] = turned
    camera = open_source(nuimages(tmp_path, content), tmp_path / "s")[0].frame(0).camera
    assert camera is not None and camera.pitch_deg == pytest.approx(10)


def test_objects_come_in_any_order_and_a_frame_may_have_none(tmp_path):
    content = tables()
    frame, annotation = content["sample_data"][1], content["object_ann"][0]
    content["sample_data"] += [frame | {"token": f"sd{i}", "filename": f"samples/CAM_FRONT/{i}.jpg"} for i in (2, 3)]
    boxes = [("sd3", 5), ("sd1", 6), ("sd3", 7)]
    content["object_ann"] = [annotation | {"sample_data_token": t, "bbox": [x, 1, 50, 50]} for t, x in boxes]
    found = [
        o.box_xyxy_px[:, 0].tolist() for _, o in open_source(nuimages(tmp_path, content), tmp_path / "s")[0].stream()
    ]
    assert found == [[6], [], [5, 7]]


def test_train_and_val_are_read_and_mini_only_without_them(tmp_path):
    nuimages(tmp_path, tables())
    content = tables()
    content["sample_data"][1]["filename"] = "samples/CAM_FRONT/t.jpg"
    spec = nuimages(tmp_path, content, "v1.0-train")
    assert open_source(spec, tmp_path / "s")[0].frame_ids().tolist() == ["samples/CAM_FRONT/t"]
    mini, _ = open_source(f"{spec}?version=v1.0-mini", tmp_path / "s")
    assert mini.frame_ids().tolist() == ["samples/CAM_FRONT/a"]
    with pytest.raises(InputError, match="folder is missing"):
        open_source(f"{spec}?version=v1.0-test", tmp_path / "s")


def bad(table: str, **fields) -> dict[str, list[dict]]:
    content = tables()
    content[table][-1] |= fields
    return content


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (bad("object_ann", bbox=[1, 2, 3]), r"object_ann\.json, entry 0: bbox \[1, 2, 3\] is not four numbers"),
        (bad("object_ann", category_token="x"), r"object_ann\.json, entry 0: category x is not in category\.json"),
        (bad("object_ann", sample_data_token="sd9"), r"entry 0: belongs to no key frame"),
        (bad("sample_data", sample_token="x"), r"sample_data\.json, sd1: sample x is not in sample\.json"),
        (bad("sample_data", calibrated_sensor_token="x"), r"calibrated sensor x is not in"),
        (bad("sample", log_token="x"), r"the log of sample s1 is not in log\.json"),
        (bad("sample_data", width=50), r"states \(50, 60\) px"),
        (bad("calibrated_sensor", rotation=[1, 0]), r"calibrated_sensor\.json, entry 0: camera_intrinsic, rotation"),
        (tables(sample=[{"token": "s1"}]), r"sample\.json, entry 0: has no 'log_token'"),
    ],
)
def test_a_bad_nuimages_table_is_named_with_its_entry(tmp_path, content, problem):
    with pytest.raises(InputError, match=problem):
        open_source(nuimages(tmp_path, content), tmp_path / "s")


def test_a_missing_nuimages_table_and_a_folder_without_tables_are_named(tmp_path):
    spec = nuimages(tmp_path, tables())
    (tmp_path / "v1.0-mini" / "log.json").unlink()
    with pytest.raises(InputError, match=r"log\.json: file not found"):
        open_source(spec, tmp_path / "s")
    with pytest.raises(InputError, match=r"has no folder v1\.0-train or"):
        open_source(f"nuimages:{tmp_path / 'samples'}", tmp_path / "s")
