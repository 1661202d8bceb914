"""The camera's fit: pictures taken with known settings give those settings back."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from dataset.errors import InputError
from dataset.schema import Camera, Frame, Objects
from dataset.store import Dataset, DatasetWriter
from flows.camera import camera_once
from flows.settings import resolve
from simulator.camera_fit import measures
from simulator.camera_fit.frames import real_frames
from simulator.camera_fit.pose import fit_pose
from simulator.camera_fit.response import fit_response
from simulator.casting import Casting, CastingConfig
from simulator.embedded.film import develop
from simulator.ground import AssumedCamera
from simulator.projection import horizon_row_px, project
from simulator.randomise import RandomisationConfig
from simulator.scene import CameraResponse
from tasks.data import import_source
from tests.test_dataset_readers import CAR, coco, kitti

WIDTH, HEIGHT = 160, 96


def light(seed: int) -> np.ndarray:
    """Something like a street: sky over grey ground, with sharp-edged boxes of all colours, some textured."""
    rng = np.random.default_rng(seed)
    radiance = np.empty((HEIGHT, WIDTH, 3), np.float32)
    radiance[: HEIGHT // 2] = np.array([0.5, 0.7, 1.0]) * rng.uniform(0.8, 1.6)
    radiance[HEIGHT // 2 :] = 0.12 * rng.uniform(0.7, 1.4)
    for _ in range(40):
        x, y = int(rng.integers(0, WIDTH - 12)), int(rng.integers(HEIGHT // 4, HEIGHT - 12))
        w, h = rng.integers(6, 60, 2)
        color = rng.uniform(0.02, 0.5) * (1 + 0.5 * rng.uniform(-1, 1, 3))
        radiance[y : y + h, x : x + w] = color
        if rng.random() < 0.3:
            radiance[y : y + h, x : x + w] *= 1 + 0.2 * rng.standard_normal(
                radiance[y : y + h, x : x + w].shape[:2] + (1,)
            )
    return np.maximum(radiance, 0.005)


SETTINGS = [
    CameraResponse(exposure_ev=-0.6, contrast=1.2, saturation=0.7, temperature_k=5200, noise_sigma=0.02, blur_px=0.6),
    CameraResponse(exposure_ev=0.5, contrast=0.85, saturation=1.3, temperature_k=8000, noise_sigma=0.006, blur_px=1.1),
]


def near(found: CameraResponse, true: CameraResponse, slack: float) -> bool:
    """slack 1: as near as twelve other streets tell."""
    return (
        abs(found.exposure_ev - true.exposure_ev) < 0.15 * slack  # stops
        and abs(found.contrast - true.contrast) < 0.1 * slack
        and abs(found.saturation - true.saturation) < 0.2 * slack
        and abs(np.log2(found.temperature_k / true.temperature_k)) < np.log2(1.06) * slack
        and abs(found.blur_px - true.blur_px) < 0.12 * slack
        and abs(found.noise_sigma - true.noise_sigma) < 0.2 * true.noise_sigma * slack
    )


@pytest.mark.parametrize("true", SETTINGS)
def test_pictures_taken_with_known_settings_give_those_settings_back(true):
    same = [light(i) for i in range(3)]
    found = fit_response([develop(one, true, 500 + i) for i, one in enumerate(same)], same, (94, 96))
    assert near(found.response, true, 0.3) and not found.missed


def test_pictures_of_other_streets_give_them_back_too():
    elsewhere = [develop(light(100 + i), SETTINGS[0], 500 + i) for i in range(16)]
    others = fit_response(elsewhere, [light(i) for i in range(10)], (94, 96))
    assert near(others.response, SETTINGS[0], 1.0)
    assert all(low <= getattr(others.response, name) <= high for name, (low, high) in others.ranges.items())
    assert others.ranges["tone_hardness"] == (0.0, 0.0)  # contrast was found without: a harder curve would add to it


def test_what_varies_between_the_pictures_is_drawn_from_a_wider_range():
    lit = [light(i) for i in range(4)]
    steady = [develop(one, CameraResponse(), i) for i, one in enumerate(lit)]
    varied = [develop(one, CameraResponse(exposure_ev=(-1.2, 1.2)[i % 2]), i) for i, one in enumerate(lit)]
    low, high = fit_response(steady, lit).ranges["exposure_ev"]
    wide_low, wide_high = fit_response(varied, lit).ranges["exposure_ev"]
    assert high - low < 0.8 and wide_high - wide_low > 1.5


def test_a_camera_sharper_than_any_render_is_told_as_missed():
    lit = [light(i) for i in range(4)]
    sharp = [develop(one, CameraResponse(blur_px=0.0, noise_sigma=0.004), 1) for one in lit]
    assert "blur_px" in fit_response(sharp, [ndimage.gaussian_filter(one, (1.5, 1.5, 0)) for one in lit]).missed


def test_noise_and_blur_of_a_plain_picture_are_measured_in_their_own_units():
    rng = np.random.default_rng(0)
    flat = np.full((160, 240, 3), 120.0)
    noisy = np.clip(flat + 6.0 * rng.standard_normal((160, 240, 1)), 0, 255).astype(np.uint8)
    assert measures.grain(noisy) == pytest.approx(6 / 255, rel=0.15)  # the flattest blocks lie a little below
    for sigma in (1.0, 1.5, 2.0):
        step = np.where(np.arange(240) < 117, 60.0, 190.0) * np.ones((160, 1))
        edge = np.repeat(ndimage.gaussian_filter(step, sigma)[..., None], 3, axis=2)
        assert measures.softness_px(edge.astype(np.uint8)) == pytest.approx(sigma, abs=0.3)


@pytest.mark.parametrize("quality", [30, 75, 92])
def test_the_quality_of_a_jpeg_is_read_from_its_table(quality):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
    assert measures.jpeg_quality(Image.open(buffer)) == quality


def test_boxes_on_the_ground_give_the_horizon_and_the_height_back():
    true = Camera(400.0, 400.0, 320.0, 180.0, height_m=1.35, pitch_deg=2.0)
    rng = np.random.default_rng(1)
    frames = []
    for index in range(20):
        boxes = []
        for x, z in zip(rng.uniform(-6, 6, 5), rng.uniform(8, 45, 5), strict=True):
            scale = np.exp(rng.normal(0, 0.06))
            corners = np.array([[x - 0.8, up, z] for up in (0.0, 1.53 * scale)] + [[x + 0.8, 0, z]])
            pixels = project(true, corners)
            boxes.append([*pixels.min(axis=0), *pixels.max(axis=0)])
        frame = Frame(f"f{index}", "none.png", 640, 360, "g", camera=replace(true, height_m=1.65, pitch_deg=0.0))
        frames.append((frame, Objects.of([0] * 5, np.array(boxes))))
    pose = fit_pose(iter(frames), Casting(("car",), CastingConfig()), AssumedCamera())
    assert horizon_row_px(pose.camera) == pytest.approx(horizon_row_px(true), abs=5)
    assert pose.camera.height_m == pytest.approx(1.35, abs=0.08)
    assert pose.objects > 80


def test_the_verb_leaves_settings_and_a_sheet_of_real_neutral_and_fitted_pictures(tmp_path: Path):
    with DatasetWriter(tmp_path / "store", ["car"], "few") as writer:
        for index in range(4):
            Image.fromarray(develop(light(index), SETTINGS[0], index)).save(tmp_path / f"{index}.png")
            writer.add(Frame(f"f{index}", str(tmp_path / f"{index}.png"), WIDTH, HEIGHT, "g"), Objects.none())
    config = resolve(flags={"data.train": f"store:{tmp_path / 'store'}"})
    told = camera_once(config, tmp_path / "out", frames=4, streets=4, seed=0)
    assert "4 frames" in told and "0 boxes" in told
    written = resolve(file=tmp_path / "out" / "camera.yaml")  # what every verb reads
    assert written.simulator.max_width_px == WIDTH
    assert written.data.camera is None and "a store keeps the cameras" in told
    assert len(import_source(config.data.train, tmp_path / "again", written.data)) == 4  # it can be used with its data
    low, high = written.simulator.randomisation.noise_sigma
    assert low < high and (low, high) != RandomisationConfig().noise_sigma
    sheet = np.asarray(Image.open(tmp_path / "out" / "camera.png")).astype(float)
    real, neutral, fitted = (row.mean() for row in np.array_split(sheet, 3))
    assert abs(fitted - real) < 0.7 * abs(neutral - real)


def fitted_to(monkeypatch, spec: str, pictures: list[Path], out: Path) -> tuple[str, Dataset]:
    """What the verb tells of a data set of such pictures, and the data set read with the settings that it wrote."""
    for index, path in enumerate(pictures):
        Image.fromarray(develop(light(index), SETTINGS[0], index)).save(path)
    monkeypatch.setattr("simulator.camera_fit.light.street_light", lambda *_, **__: [light(i) for i in range(4)])
    told = camera_once(resolve(flags={"data.train": spec}), out, frames=4, streets=4, seed=0)
    return told, import_source(spec, out / "again", resolve(file=out / "camera.yaml").data)


def test_frames_that_differ_in_their_calibration_keep_it_under_the_written_settings(monkeypatch, tmp_path: Path):
    focal_px = {f"{i:06d}": (150.0, 180.0)[i % 2] for i in range(4)}
    calib = {name: f"P2: {f} 0 80 0 0 {f} 48 0 0 0 1 0\n" for name, f in focal_px.items()}
    spec = kitti(tmp_path, dict.fromkeys(focal_px, CAR), calib)
    pictures = [tmp_path / "training" / "image_2" / f"{name}.png" for name in focal_px]
    told, read = fitted_to(monkeypatch, spec, pictures, tmp_path / "out")
    assert "the frames have cameras of their own" in told
    assert [frame.camera.fx_px for frame, _ in read.stream() if frame.camera] == list(focal_px.values())


def test_frames_without_a_camera_take_the_fitted_one(monkeypatch, tmp_path: Path):
    images = [{"id": i, "file_name": f"images/{i}.png", "width": WIDTH, "height": HEIGHT} for i in range(4)]
    spec = coco(tmp_path, [], images)
    told, read = fitted_to(monkeypatch, spec, [tmp_path / one["file_name"] for one in images], tmp_path / "out")
    assumed = AssumedCamera().camera(WIDTH, HEIGHT)
    assert "not written" not in told
    assert [frame.camera.fx_px for frame, _ in read.stream() if frame.camera] == pytest.approx([assumed.fx_px] * 4)


def test_a_store_that_lies_where_the_result_is_written_is_not_deleted(tmp_path: Path):
    with DatasetWriter(tmp_path / "out" / "data", ["car"], "few") as writer:
        writer.add(Frame("f0", "none.png", WIDTH, HEIGHT, "g"), Objects.none())
    spec = f"store:{tmp_path}/out/../out/data"
    for folder in (tmp_path / "out" / "data", tmp_path / "out"):
        with pytest.raises(InputError, match=r"lies in .* which is written anew"):
            import_source(spec, folder, resolve().data)
    assert len(Dataset.open(tmp_path / "out" / "data")) == 1


def test_a_data_set_without_frames_has_no_camera_to_fit():
    with pytest.raises(InputError, match="holds no frame"):
        fit_pose(iter([]), Casting(("car",), CastingConfig()), AssumedCamera())


def test_frames_of_the_night_and_of_other_sizes_are_left_out_and_too_few_are_an_error(tmp_path: Path):
    Image.fromarray(develop(light(0), CameraResponse(), 0)).save(tmp_path / "a.jpg", quality=80)
    with DatasetWriter(tmp_path / "store", ["car"], "few") as writer:
        for index in range(8):
            hour, width = ("day", WIDTH) if index < 5 else ("night", WIDTH) if index < 7 else ("day", 2 * WIDTH)
            frame = Frame(f"f{index}", str(tmp_path / "a.jpg"), width, HEIGHT, "g", time_of_day=hour)
            writer.add(frame, Objects.none())
    dataset = Dataset.open(tmp_path / "store")
    pose = fit_pose(dataset.stream(), Casting(("car",), CastingConfig()), AssumedCamera())
    found = real_frames(dataset, pose, WIDTH, 8)
    assert len(found.pictures) == 5 and found.quality == (78, 82)
    with pytest.raises(InputError, match="2 frames of 160x96 px by day, 4 needed"):
        real_frames(dataset, pose, WIDTH, 3)
