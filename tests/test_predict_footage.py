"""The verb `predict`: images, folders and videos in, tables and drawn pictures out."""

import json
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from dataset import footage
from dataset.detections import read_detections
from dataset.errors import InputError
from dataset.footage import find_footage, shots
from dataset.images import read_image
from dataset.schema import Detections
from dataset.video import Video, VideoWriter
from flows.predict import predict_once
from models.detector.predict import Detector
from tasks.prediction import PALETTE, predict_footage

CATEGORIES = ("car", "person")
BOX = [20.0, 10.0, 60.0, 40.0]
MATRIX_IN_TKHD = 44  # bytes from the box's name to its display matrix


class BoxEverywhere(Detector):
    """Says the same of every image: a sure car, and a person that nobody believes."""

    def __init__(self):
        self.categories = CATEGORIES
        self.batches: list[int] = []

    def detect(self, images: list[np.ndarray], *, min_score: float = 0.01) -> list[Detections]:
        self.batches.append(len(images))
        return [Detections.of([0, 1], [BOX, [0, 0, 9, 9]], [0.9, 0.02]) for _ in images]


def picture(path: Path, width_px: int = 96, height_px: int = 64, colour=(40, 90, 160)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width_px, height_px), colour).save(path)
    return path


def grey_ramp(path: Path, frames: int, rate: int = 10) -> Path:
    """A video of even grey frames, each brighter than the one before; its top quarter is red."""
    with VideoWriter(path, Fraction(rate)) as video:
        for i in range(frames):
            image = np.full((48, 64, 3), 10 * i + 20, np.uint8)
            image[:12] = (220, 20, 20)
            video.add(image, i / rate)
    return path


def test_a_videos_frames_come_back_in_order_at_their_times_and_in_their_colours(tmp_path):
    video = Video(grey_ramp(tmp_path / "ramp.mp4", 12))
    found = list(video.frames())
    assert (video.rate, video.frame_estimate) == (10, 12)
    assert [frame.index for frame in found] == list(range(12))
    assert [frame.time_s for frame in found] == pytest.approx(np.arange(12) / 10)
    assert [int(frame.image[30, 30, 1]) for frame in found] == pytest.approx(10 * np.arange(12) + 20, abs=4)
    red, green, _ = found[0].image[4, 30].tolist()
    assert red > 180 and green < 60


def test_of_every_third_frame_number_and_time_are_the_files(tmp_path):
    found = list(Video(grey_ramp(tmp_path / "ramp.mp4", 8)).frames(every=3))
    assert [(frame.index, round(frame.time_s, 3)) for frame in found] == [(0, 0), (3, 0.3), (6, 0.6)]


def test_a_video_filmed_upright_is_turned_as_its_file_says(tmp_path):
    path = grey_ramp(tmp_path / "turned.mp4", 2)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + MATRIX_IN_TKHD
    one, none = (0x10000).to_bytes(4, "big"), bytes(4)
    minus = (-0x10000).to_bytes(4, "big", signed=True)
    content[start : start + 20] = none + one + none + minus + none  # to be shown turned by 90 degrees clockwise
    path.write_bytes(content)
    image = next(Video(path).frames()).image
    assert image.shape == (64, 48, 3)
    assert image[30, 42, 0] > 180 > image[30, 6, 0]  # what was on top is on the right


def test_frames_at_uneven_times_keep_them_and_odd_sides_become_even(tmp_path):
    times_s = [0.0, 0.04, 0.5, 0.51, 2.0]
    with VideoWriter(tmp_path / "uneven.mp4", Fraction(25)) as video:
        for time_s in times_s:
            video.add(np.zeros((33, 47, 3), np.uint8), time_s)
    found = list(Video(tmp_path / "uneven.mp4").frames())
    assert [frame.time_s for frame in found] == pytest.approx(times_s, abs=1e-3)
    assert found[0].image.shape == (34, 48, 3)


def test_folders_give_what_they_hold_by_name_once_and_without_hidden_files(tmp_path):
    shown = [picture(tmp_path / "in" / name) for name in ("a/2.png", "a/10.jpg", "b.PNG")]
    picture(tmp_path / "in" / "a" / "._2.png")
    picture(tmp_path / "in" / ".cache" / "x.png")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    found = find_footage([str(shown[2]), str(tmp_path / "in")])
    assert [item.path for item in found] == [str(shown[2]), str(shown[1]), str(shown[0])]
    assert [str(item.place) for item in found] == ["b.PNG", "in/a/10.jpg", "in/a/2.png"]


def test_pictures_of_one_name_from_two_places_do_not_overwrite_each_other(tmp_path):
    inputs = [str(picture(tmp_path / folder / "0001.png")) for folder in ("left", "right")]
    assert [str(item.place) for item in find_footage(inputs)] == ["0001.png", "0001-2.png"]


def test_only_a_few_pictures_are_decoded_ahead(tmp_path, monkeypatch):
    inputs = [str(picture(tmp_path / f"{i:02}.png")) for i in range(20)]
    decoded = []
    monkeypatch.setattr(footage, "read_image", lambda path: decoded.append(path) or read_image(path))
    stream = shots(find_footage(inputs), ahead=4)
    for used in range(1, 8):
        next(stream)
        assert len(decoded) <= used + 4


def test_tables_and_drawn_pictures_of_images_and_a_video(tmp_path):
    still = picture(tmp_path / "still" / "x.jpg", 120, 80)
    video = grey_ramp(tmp_path / "drive.mp4", 5)
    detector, out = BoxEverywhere(), tmp_path / "out"
    made = predict_footage(detector, [str(still.parent), str(video)], out, drawn=True, batch_size=4, progress=False)
    assert (made.pictures, made.detections, detector.batches) == (6, 12, [4, 2])
    assert made.per_category == {"car": 6, "person": 0}  # from the score on that is drawn
    rows = [row for part in read_detections(out / "detections.parquet") for row in part]
    assert [name for name, _ in rows] == [str(still), *(f"{video}#{i:06d}" for i in range(5))]

    drawn = np.asarray(Image.open(out / "drawn" / "still" / "x.jpg"))
    assert drawn.shape == (80, 120, 3)
    line = np.array([int(PALETTE[0][i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(drawn[25, 20].astype(int) - line).max() < 50  # the box's left edge
    frames = list(Video(out / "drawn" / "drive.mp4").frames())
    assert [round(frame.time_s, 3) for frame in frames] == [0, 0.1, 0.2, 0.3, 0.4]


def test_each_video_is_drawn_into_a_file_of_its_own(tmp_path):
    inputs = [grey_ramp(tmp_path / "a" / "x.mp4", 3), picture(tmp_path / "y.png"), grey_ramp(tmp_path / "x.mp4", 2)]
    inputs.append(grey_ramp(tmp_path / "z.mp4", 4))
    names = [str(path) for path in inputs]
    predict_footage(BoxEverywhere(), names, tmp_path / "out", drawn=True, progress=False)
    drawn = tmp_path / "out" / "drawn"
    assert {path.name: len(list(Video(path).frames())) for path in drawn.glob("*.mp4")} == {
        "x.mp4": 3, "x-2.mp4": 2, "z.mp4": 4
    }  # fmt: skip


def test_coco_reads_the_results_with_their_images(tmp_path):
    inputs = [str(picture(tmp_path / "x.png")), str(grey_ramp(tmp_path / "drive.mp4", 2))]
    predict_footage(BoxEverywhere(), inputs, tmp_path / "out", progress=False)
    coco = COCO(str(tmp_path / "out" / "images.json"))
    found = coco.loadRes(str(tmp_path / "out" / "results.json"))
    assert coco.loadImgs([1])[0]["file_name"] == inputs[0]
    assert coco.loadImgs([3])[0] | {"file_name": ""} == {
        "id": 3, "file_name": "", "width": 64, "height": 48, "frame_index": 1, "time_s": 0.1
    }  # fmt: skip
    first = found.loadAnns(found.getAnnIds(imgIds=[1], catIds=coco.getCatIds(["car"])))
    assert [one["bbox"] for one in first] == [[20, 10, 40, 30]]


def cut_short(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def half_fetched(path: Path) -> Path:
    """A video whose table of contents comes first, as on the web, cut in the middle of its pictures."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        noise = np.random.default_rng(0)
        for _ in range(20):
            image = noise.integers(0, 255, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return cut_short(path)


def words_in(path: Path) -> Path:
    path.write_text("no picture")
    return path


def sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: folder / "none.mp4", "no such file or folder"),
        (lambda folder: words_in(folder / "words.mp4"), "no video that can be read"),
        (lambda folder: words_in(folder / "words.jpg"), "does not decode"),
        (lambda folder: words_in(folder / "words.txt"), "no image and no video, by its name"),
        (lambda folder: cut_short(grey_ramp(folder / "cut.mp4", 9)), "no video that can be read"),
        (lambda folder: half_fetched(folder / "half.mp4"), "frames: it was cut short|does not decode after frame"),
        (lambda folder: cut_short(picture(folder / "cut.jpg")), "does not decode"),
        (lambda folder: sound(folder / "sound.mp4"), "only sound"),
        (lambda folder: picture(folder / "empty" / ".hidden.png").parent, "no image and no video"),
    ],
)
def test_bad_input_is_one_error_and_leaves_no_table(make, problem, tmp_path):
    good, bad = picture(tmp_path / "good.png"), make(tmp_path)
    with pytest.raises(InputError, match=problem) as error:
        predict_footage(BoxEverywhere(), [str(good), str(bad)], tmp_path / "out", drawn=True, progress=False)
    assert error.value.where == str(bad)
    assert not list((tmp_path / "out").glob("*.*"))


def test_bad_files_can_be_left_out_and_are_told(tmp_path):
    inputs = [words_in(tmp_path / "a.mp4"), words_in(tmp_path / "b.jpg"), picture(tmp_path / "c.png")]
    made = predict_footage(
        BoxEverywhere(), [str(path) for path in inputs], tmp_path / "out", skip_bad=True, progress=False
    )
    assert (made.pictures, [error.where for error in made.bad]) == (1, [str(path) for path in inputs[:2]])
    with pytest.raises(InputError, match="none of it can be read"):
        predict_footage(BoxEverywhere(), [str(inputs[1])], tmp_path / "none", skip_bad=True, progress=False)


def test_the_verb_tells_how_many_of_each_category(tmp_path, monkeypatch):
    monkeypatch.setattr(Detector, "load", lambda path, calibrated: cast(Detector, BoxEverywhere()))
    options = {"min_score": 0.01, "every": 1, "draw": False, "draw_from": 0.3, "skip_bad": False}
    told = predict_once(Path("x.pt"), [str(picture(tmp_path / "x.png"))], tmp_path / "out", **options)
    assert "2 detections from score 0.01" in told and "results.json" in told
    assert json.loads((tmp_path / "out" / "results.json").read_text())[0]["category_id"] == 1
    for name, value in {"min_score": 1.5, "draw_from": -1, "every": 0}.items():
        with pytest.raises(InputError, match=name.replace("_", "-")):
            predict_once(Path("x.pt"), [], tmp_path, **options | {name: value})
    with pytest.raises(InputError, match="is a file"):
        predict_once(Path("x.pt"), [], tmp_path / "x.png", **options)
