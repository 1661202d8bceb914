"""Whether a generator copies; what is held out; what class a picture has; sheets."""

import csv
import errno
import json
import os

import numpy as np
import pytest
from PIL import Image

from dataset.errors import InputError
from dataset.schema import Frame
from models.generators.classes import UNKNOWN, by_file, by_folder, by_frame
from models.generators.held_out import hold_out
from models.generators.memorise import FEATURES, copying, edges, nearest, pixels
from models.generators.sheets import great_circle, sheet
from models.generators.squares import Squares, middle
from models.refiners.pictures import Pictures


def scenes(count: int, seed: int) -> np.ndarray:
    """Pictures of one kind, each another: smooth random fields (count, 32, 32, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (count, 6, 6, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.BICUBIC)) for one in coarse])


def judged(made: np.ndarray, features) -> dict:
    training, held_out = scenes(300, 0), scenes(100, 1)
    ours, theirs = (nearest(some, iter(training), features) for some in (made, held_out))
    return copying("x", ours, theirs, [str(i) for i in range(100)], seed=0).as_record()


@pytest.mark.parametrize("features", FEATURES.values())
def test_copies_lie_nearer_than_held_out_pictures_even_mirrored_and_noisy(features):
    noise = np.random.default_rng(2).integers(-6, 7, (60, 32, 32, 3))
    copies = np.clip(scenes(300, 0)[:60, :, ::-1] + noise, 0, 255).astype(np.uint8)
    told = judged(copies, features)
    assert told["nearer"] > 0.97 and told["nearer_low"] > 0.95
    assert told["stands_out_low"] > 0.95
    assert told["closer_than_median"] > 0.97 and told["closer_than_percentile_1"] > 0.6


@pytest.mark.parametrize("features", FEATURES.values())
def test_new_pictures_of_the_same_kind_are_as_far_as_held_out_ones(features):
    told = judged(scenes(200, 3), features)
    assert told["nearer_low"] < 0.5 < told["nearer_high"]
    assert told["stands_out_low"] < 0.5 < told["stands_out_high"]
    assert told["closer_than_median"] == pytest.approx(0.5, abs=0.1)
    assert told["closer_than_percentile_1"] < 0.06


def test_a_blurred_picture_is_near_to_all_but_no_training_picture_stands_out():
    grey = (scenes(60, 3).astype(float) * 0.3 + scenes(300, 0).mean(0) * 0.7).astype(np.uint8)
    told = judged(grey, pixels)
    assert told["nearer"] > 0.9
    assert told["stands_out"] < 0.6


def test_the_nearest_picture_of_a_picture_is_itself_at_no_distance():
    training = scenes(600, 0)  # more than are compared at a time
    found = nearest(training[[3, 411]], iter(training), pixels, k=2)
    assert found.rows[:, 0].tolist() == [3, 411] and found.distances[:, 0].tolist() == [0, 0]
    assert (found.distances[:, 1] > 1).all()


def test_the_pixel_distance_is_in_grey_levels():
    dark, light = (np.full((48, 48, 3), level, np.uint8) for level in (100, 110))
    assert nearest(dark[None], [light], pixels).distances[0, 0] == pytest.approx(10)


def test_the_edge_distance_sees_neither_brightness_nor_contrast_but_direction():
    ramp = np.repeat(np.arange(0, 192, 3, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    upright, turned, dim = edges(ramp), edges(ramp.transpose(1, 0, 2)), edges(ramp // 2 + 60)
    assert np.linalg.norm(upright - dim) < 0.4
    assert np.linalg.norm(upright - turned) == pytest.approx(np.sqrt(2), abs=0.01)


def test_drives_are_held_out_whole():
    groups = [f"drive {i // 7}" for i in range(210)]
    training, held_out = hold_out(groups, seed=0)
    assert sorted([*training, *held_out]) == list(range(210))
    assert not {groups[i] for i in training} & {groups[i] for i in held_out}
    assert 21 <= len(held_out) <= 27


def test_of_few_folders_the_end_of_each_is_held_out():
    training, held_out = hold_out(["a"] * 20 + ["b"] * 10, seed=0)
    assert held_out.tolist() == [18, 19, 29]
    assert len(training) == 27


def test_the_first_folder_is_the_class():
    found = by_folder(["night/a/1.jpg", "day/2.jpg", "3.jpg"])
    assert found.names == ("day", "night") and found.of_row.tolist() == [1, 0, UNKNOWN]
    assert found.counts == {"day": 1, "night": 1}


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_file_names_classes_by_path_stem_or_last_part(tmp_path, kind):
    said, file = {"a/1": "rain", "2.jpg": "dry", "3": "rain"}, tmp_path / f"classes.{kind}"
    if kind == "json":
        file.write_text(json.dumps(said))
    else:
        with file.open("w", newline="") as opened:
            csv.writer(opened).writerows([("image", "class"), *said.items()])
    found = by_file(["a/1.jpg", "b/1.jpg", "b/2.jpg", "b/3.png", "b/4.png"], file)
    assert found.names == ("dry", "rain") and found.of_row.tolist() == [1, UNKNOWN, 0, 1, UNKNOWN]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1.jpg,rain\n", "fits 2 pictures"),
        ("image,class\nx.jpg,rain\n", "classes.csv:2: 'x.jpg' fits no picture"),
        ("a/1.jpg,rain,wet\n", "classes.csv:1: 3 fields"),
        ("a/1.jpg,rain\nb/1.jpg,rain\n", r"one class only \(rain\)"),
        ("a/1.jpg,rain\nb/1.jpg,dry\na/1,dry\n", "classes.csv:3: 'a/1' is a/1.jpg, which was named before"),
        ("", "no picture has a class"),
    ],
)
def test_a_file_that_does_not_name_classes_is_refused(tmp_path, text, told):
    (tmp_path / "classes.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        by_file(["a/1.jpg", "b/1.jpg"], tmp_path / "classes.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"1.jpg": "rain", "2.jpg": "dry", "1.jpg": "dry"}', "'1.jpg' is 1.jpg, which was named before"),
        ('{"1.jpg": {}}', "no object of images and classes"),
        ('[["1.jpg", "rain"]]', "no object of images and classes"),
    ],
)
def test_a_json_file_that_does_not_name_classes_is_refused(tmp_path, text, told):
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(InputError, match=told):
        by_file(["1.jpg", "2.jpg"], tmp_path / "classes.json")


def test_a_data_set_tells_time_of_day_and_weather():
    frames = [Frame(str(i), "x.png", 8, 8, "g", time_of_day=time) for i, time in enumerate(["night", None, "day"])]
    assert by_frame(frames, "time_of_day").of_row.tolist() == [1, UNKNOWN, 0]
    with pytest.raises(InputError, match="no picture has a class"):
        by_frame(frames, "weather")
    with pytest.raises(InputError, match="knows no 'town'"):
        by_frame(frames, "town")


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (7, 9), (1, 1)])
def test_the_middle_square_is_shown_whatever_the_pictures_shape(shape):
    height, width = shape
    picture = np.zeros((height, width, 3), np.uint8)
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    picture[y : y + side, x : x + side] = 200
    assert abs(int(middle(picture, 16).mean()) - 200) <= 25  # the filter reaches past the border


def test_squares_are_decoded_once_and_leave_no_file(tmp_path):
    image = tmp_path / "images" / "a.png"
    image.parent.mkdir()
    Image.new("RGB", (40, 20), (9, 90, 200)).save(image)
    with Squares(Pictures.of_folder(tmp_path / "images"), 16, tmp_path / "out") as squares:
        first = squares.square(0).copy()
        image.unlink()
        assert np.array_equal(squares.square(0), first) and (first == (9, 90, 200)).all()
    assert not list((tmp_path / "out").iterdir())


def test_a_full_disk_means_no_cache_and_a_warning(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    image = tmp_path / "images" / "a.png"
    image.parent.mkdir()
    Image.new("RGB", (20, 20), (9, 90, 200)).save(image)
    with Squares(Pictures.of_folder(tmp_path / "images"), 16, tmp_path / "out") as squares:
        assert "no room for" in caplog.text
        assert (squares.square(0) == (9, 90, 200)).all()
        image.unlink()
        with pytest.raises(InputError, match=r"a\.png"):
            squares.square(0)
    assert not list((tmp_path / "out").iterdir())


def test_a_great_circle_keeps_the_length():
    rng = np.random.default_rng(0)
    first, last = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 50)))
    way = great_circle(first, last, 5)
    assert np.allclose(np.linalg.norm(way, axis=1), 1)
    assert np.allclose(way[0], first) and np.allclose(way[-1], last)
    assert np.allclose(great_circle(first, first, 3), first)


def test_a_sheet_shows_pictures_row_by_row():
    pictures = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (10, 20, 30)])
    shown = sheet(pictures, columns=2)
    assert shown.shape == (10, 10, 3)
    assert [shown[0, 0, 0], shown[0, 6, 0], shown[6, 0, 0], shown[6, 6, 0]] == [10, 20, 30, 255]
