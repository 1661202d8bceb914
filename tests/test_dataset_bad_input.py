"""Facts about bad input: one error names it, or with skip_bad it is left out and listed; nothing is half-written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import InputError
from dataset.readers import open_source
from dataset.store import Dataset
from tests.test_dataset_readers import BOX, CALIB, CAR, annotation, coco, kitti, picture, voc

NOTHING_VISIBLE = CAR.replace("10.00 20.00 60.00 50.00", "100.00 20.00 160.00 50.00")
TURNED = "<size><width>60</width><height>100</height></size>"
NO_AREA = CAR.replace("10.00 20.00 60.00 50.00", "60.00 20.00 60.00 50.00")


def kitti_with(bad_label: str) -> Callable[[Path], str]:
    return lambda folder: kitti(folder, {"good": CAR, "bad": bad_label})


def without_image(folder: Path) -> str:
    spec = kitti(folder, {"good": CAR, "bad": CAR})
    (folder / "training" / "image_2" / "bad.png").unlink()
    return spec


def image_that_links_nowhere(folder: Path) -> str:
    spec = without_image(folder)
    (folder / "training" / "image_2" / "bad.png").symlink_to(folder / "nowhere.png")
    return spec


def without_label(folder: Path) -> str:
    spec = kitti(folder, {"good": CAR})
    picture(folder / "training" / "image_2" / "bad.png")
    return spec


def broken_image(folder: Path) -> str:
    spec = kitti(folder, {"good": CAR, "bad": CAR})
    image = folder / "training" / "image_2" / "bad.png"
    image.write_bytes(image.read_bytes()[:60])
    return spec


def binary_label(folder: Path) -> str:
    spec = kitti(folder, {"good": CAR, "bad": CAR})
    (folder / "training" / "label_2" / "bad.txt").write_bytes(b"\xff\xfe\x00\x81")
    return spec


def without_calib(folder: Path) -> str:
    return kitti(folder, {"good": CAR, "bad": CAR}, {"good": CALIB})


def coco_image(bad: dict) -> Callable[[Path], str]:
    good = {"id": 7, "file_name": "images/a.png"}
    return lambda folder: coco(folder, [annotation([1, 1, 9, 9])], [good, bad])


def coco_annotation(bad: dict) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        picture(folder / "images" / "b.png")
        images = [{"id": 7, "file_name": "images/a.png"}, {"id": 8, "file_name": "images/b.png"}]
        return coco(
            folder, [annotation([1, 1, 9, 9]), annotation([1, 1, 5, 5]) | {"id": 55, "image_id": 8} | bad], images
        )

    return make


def voc_with(content: str, **more) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        spec = voc(folder, content, **more)
        picture(folder / "JPEGImages" / "good.jpg")
        (folder / "Annotations" / "good.xml").write_text(f"<a><object><name>car</name>{BOX}</object></a>")
        return spec

    return make


BAD_FRAMES = {
    "too few fields": (kitti_with(CAR.rsplit(" ", 1)[0]), r"bad\.txt:1: 14 fields, 15 expected"),
    "a result, not a label": (kitti_with(f"{CAR} 0.9"), r"bad\.txt:1: 16 fields"),
    "no number": (kitti_with(f"{CAR}\n\n{CAR.replace('20.00', 'x')}"), r"bad\.txt:3: not all fields"),
    "occlusion level": (kitti_with(CAR.replace(" 0 ", " 7 ")), r"bad\.txt:1: occluded 7"),
    "truncation": (kitti_with(CAR.replace("0.00", "1.5", 1)), r"bad\.txt:1: .*truncated 1\.5"),
    "binary label": (binary_label, r"bad\.txt: not text"),
    "label without its image": (without_image, r"bad\.txt: its image .*bad\.png is missing"),
    "link to nowhere": (image_that_links_nowhere, r"its image .*bad\.png is missing"),
    "image without its label": (without_label, r"bad\.png: its label file .*bad\.txt is missing"),
    "image cut short": (broken_image, r"bad\.png: the image does not decode"),
    "frame without calib": (without_calib, r"calib.bad\.txt: file not found"),
    "missing image": (coco_image({"id": 8, "file_name": "b.png"}), r"image 8: its image .*b\.png is missing"),
    "image without name": (coco_image({"id": 8}), r"image 8: has no 'file_name'"),
    "size": (coco_annotation({"id": 55, "bbox": [1, 1, 5]}), r"annotation 55: bbox \[1, 1, 5\] is not four numbers"),
    "no box": (coco_annotation({"bbox": None}), r"annotation 55: bbox None"),
    "category id": (coco_annotation({"category_id": 4}), r"annotation 55: category id 4"),
    "no such image": (coco_annotation({"image_id": 99}), r"annotation 55: image id 99"),
    "voc box": (voc_with("<object><name>car</name></object>"), r"a\.xml, object 0: bndbox"),
    "voc name": (voc_with(f"<object>{BOX}</object>"), r"a\.xml, object 0: has no name"),
    "voc xml": (voc_with("<object>"), r"a\.xml:1: not XML"),
    "voc size": (voc_with("", size=TURNED), r"a\.xml: states \(60, 100\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_a_frame_that_cannot_be_trusted_is_one_error_or_left_out_whole(tmp_path, case):
    make, problem = BAD_FRAMES[case]
    spec = make(tmp_path / "data")
    with pytest.raises(InputError, match=problem):
        open_source(spec, tmp_path / "s")
    assert not list((tmp_path / "s").iterdir())
    ds, excluded = open_source(spec, tmp_path / "s", skip_bad=True)
    assert len(excluded) == 1 and len(ds) == (2 if case == "no such image" else 1)
    assert json.loads((tmp_path / "s" / "excluded.json").read_text()) == [vars(excluded[0])]


@pytest.mark.parametrize(("label", "problem"), [(NOTHING_VISIBLE, "lies outside the 100x60"), (NO_AREA, "no area")])
def test_of_an_object_with_nothing_to_see_only_the_object_is_left_out(tmp_path, label, problem):
    spec = kitti(tmp_path / "data", {"0": f"{CAR}\n{label}"})
    with pytest.raises(InputError, match=rf"0\.txt:2: .*{problem}"):
        open_source(spec, tmp_path / "s")
    ds, excluded = open_source(spec, tmp_path / "s", skip_bad=True)
    assert len(ds.objects(0)) == 1 and [entry.where[-7:] for entry in excluded] == ["0.txt:2"]


def test_an_unmapped_category_leaves_the_frame_out_so_that_its_object_is_not_taken_for_background(tmp_path):
    spec = kitti(tmp_path / "data", {"0": CAR, "1": f"{CAR}\n{CAR.replace('Car', 'Tram')}"})
    ds, excluded = open_source(spec, tmp_path / "s", categories={"Car": "car"}, skip_bad=True)
    assert ds.frame_ids().tolist() == ["0"] and "'Tram'" in excluded[0].problem


def test_when_no_frame_is_left_that_is_an_error_even_with_skip_bad(tmp_path):
    with pytest.raises(InputError, match=r"no frames left, 1 were left out; first .*14 fields"):
        open_source(kitti(tmp_path / "a", {"0": CAR[:-6]}), tmp_path / "s", skip_bad=True)
    with pytest.raises(InputError, match="no frames found"):
        open_source(coco(tmp_path / "b", [], []), tmp_path / "s", skip_bad=True)
    assert not list((tmp_path / "s").iterdir())


def test_a_failed_import_leaves_the_earlier_one_untouched(tmp_path):
    before, _ = open_source(kitti(tmp_path / "a", {"0": CAR}), tmp_path / "s")
    with pytest.raises(InputError):
        open_source(kitti(tmp_path / "b", {"0": CAR, "1": "Car"}), tmp_path / "s")
    assert Dataset.open(tmp_path / "s").digest == before.digest


@pytest.mark.parametrize("spec", ["kitti:{}", "voc:{}", "coco:{}", "coco:{}/none.json", "store:{}"])
def test_a_missing_folder_or_file_is_named(tmp_path, spec):
    with pytest.raises(InputError, match=str(tmp_path)):
        open_source(spec.format(tmp_path), tmp_path / "s", skip_bad=True)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)  # the super-user may read every file
    with pytest.raises(InputError, match=r"labels\.json: may not be read\. .*chmod"):
        open_source(f"coco:{tmp_path / 'labels.json'}", tmp_path / "s")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{\n x", r"labels\.json:2: not JSON"),
        ("[]", "has no list 'images'"),
        ('{"images": [], "annotations": []}', "has no list 'categories'"),
        ('{"images": [1], "annotations": [], "categories": []}', "an entry of 'images' is no object"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "lacks id or name"),
    ],
)
def test_a_file_that_is_no_coco_says_why(tmp_path, text, problem):
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(InputError, match=problem):
        open_source(f"coco:{tmp_path / 'labels.json'}", tmp_path / "s")


def test_digits_of_a_skipped_frame_do_not_shift_the_others(tmp_path):
    labels = {str(i): CAR.replace("10.00", f"{i + 10}.00") for i in range(4)} | {"2": "broken"}
    ds, _ = open_source(kitti(tmp_path, labels), tmp_path / "s", skip_bad=True)
    left_edges = [(ds.frame(i).frame_id, ds.objects(i).box_xyxy_px[0, 0]) for i in range(len(ds))]
    assert left_edges == [("0", 10), ("1", 11), ("3", np.float64(13))]
