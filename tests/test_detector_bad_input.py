"""Unusual and broken inputs of a training: it learns from them, or stops with one line that says what to do."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset.errors import InputError
from dataset.schema import Frame, Objects
from dataset.store import Dataset, DatasetWriter
from models.detector import grid as grid_module
from models.detector.checkpoint import load
from models.detector.config import TrainConfig
from models.detector.samples import ImageCache, Samples
from models.detector.train import train
from tests.detector_shapes import DETECTOR, shapes_data

TINY = DETECTOR.model_copy(update={"neck_channels": 16})
CONFIG = TrainConfig(steps=2, batch_size=2, log_every=1, accelerator="cpu", precision="fp32")
ORIENTATION = 0x0112
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return shapes_data(tmp_path_factory.mktemp("shapes"), frames=4)


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory) -> Path:
    return learned(data, tmp_path_factory.mktemp("first"), steps=1)


def learned(data: Dataset, out: Path, detector=TINY, init: Path | None = None, on_log=None, **values) -> Path:
    return train(data, out, detector, CONFIG.model_copy(update=values), init=init, on_log=on_log, progress=False)


def store(folder: Path, files: dict[str, tuple[int, int]], objects: Objects, categories=("car", "person")) -> Dataset:
    """A data set of image files in `folder` with the sizes (width, height) they are to have when read."""
    with DatasetWriter(folder / "store", categories, "made") as writer:
        for name, (width_px, height_px) in files.items():
            writer.add(Frame(name, str(folder / name), width_px, height_px, group=name), objects)
    return Dataset.open(folder / "store")


def finite(path: Path) -> bool:
    return all(bool(value.isfinite().all()) for value in load(path)["weights"].values())


ONE = Objects.of([0], [[4, 4, 30, 30]])


def test_first_weights_of_another_architecture_are_refused_by_their_keys(data, checkpoint, tmp_path):
    fcos = TINY.model_copy(update={"architecture": "fcos"})
    with pytest.raises(InputError, match=r"last\.pt.*grid.*fcos.*missing \(network\.backbone.*unexpected \(heads"):
        learned(data, tmp_path, fcos, init=checkpoint)


def test_first_weights_of_another_backbone_are_refused_by_their_keys(data, checkpoint, tmp_path):
    deeper = TINY.model_copy(update={"backbone": "resnet34"})
    with pytest.raises(InputError, match=r"last\.pt.*missing \(trunk\.layer1\.2\.bn1"):
        learned(data, tmp_path, deeper, init=checkpoint)


@pytest.mark.parametrize("categories", [("person", "car"), ("car", "bus")])
def test_first_weights_that_mean_other_categories_are_refused_though_they_fit(categories, checkpoint, tmp_path):
    other = shapes_data(tmp_path, frames=2, categories=categories)
    with pytest.raises(InputError, match=rf"last\.pt.*car, person.*{', '.join(categories)}"):
        learned(other, tmp_path / "run", init=checkpoint)


def test_first_weights_of_more_categories_name_the_keys_of_another_shape(data, checkpoint, tmp_path):
    more = shapes_data(tmp_path, frames=2, categories=("car", "person", "tram"))
    with pytest.raises(
        InputError, match=r"car, person.*car, person, tram.*heads\.weight \(14, 16, 1, 1\) for \(21, 16"
    ):
        learned(more, tmp_path / "run", init=checkpoint)


def test_a_loss_that_is_no_number_names_only_the_frames_of_its_own_part(data, tmp_path, monkeypatch):
    honest, seen = grid_module.detector_loss, []

    def poisoned(*arguments):
        seen.append(1)
        terms = honest(*arguments)
        return terms | {"loss": terms["loss"] * float("nan")} if len(seen) == 6 else terms  # step 3, second part

    monkeypatch.setattr(grid_module, "detector_loss", poisoned)
    with pytest.raises(InputError, match=r"step 3, frames 000\d: the loss is nan"):
        learned(data, tmp_path, steps=4, accumulate=2, save_every=2)
    assert load(tmp_path / "last.pt")["step"] == 2 and finite(tmp_path / "last.pt")


def test_a_gradient_that_is_no_number_stops_too(data, tmp_path, monkeypatch):
    honest = grid_module.detector_loss

    def steep(*arguments):
        terms = honest(*arguments)
        return terms | {"loss": terms["loss"] + 0 * (terms["loss"] - terms["loss"].detach()).sqrt()}

    monkeypatch.setattr(grid_module, "detector_loss", steep)  # its value is right; its slope at 0 is none
    with pytest.raises(InputError, match=r"step 1, frames 000\d, 000\d: the loss is \d.*gradient nan.*if there is one"):
        learned(data, tmp_path)


@pytest.mark.parametrize("sampling", ["uniform", "repeat_factor", "balanced"])
def test_a_data_set_without_objects_teaches_the_background(sampling, tmp_path):
    files = {}
    for i in range(3):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (64, 96, 3), np.uint8)).save(tmp_path / f"{i}.png")
        files[f"{i}.png"] = (96, 64)
    empty = store(tmp_path, files, Objects.none())
    logged = []
    assert finite(learned(empty, tmp_path / "run", sampling=sampling, on_log=lambda _, values: logged.append(values)))
    assert all(values["loss_box"] == values["loss_category"] == 0 < values["loss_coverage"] for values in logged)


def test_a_single_image_fills_a_batch_in_as_many_changed_forms(data, tmp_path):
    one = data.subset(np.array([1]), tmp_path / "one")
    augment = CONFIG.augment.model_copy(update={"mosaic": 0.5})
    assert finite(learned(one, tmp_path / "run", batch_size=3, augment=augment))


@pytest.mark.parametrize("architecture", ["grid", "fcos"])
def test_a_single_category_is_learned(architecture, tmp_path):
    Image.new("RGB", (96, 64), "gray").save(tmp_path / "a.png")
    data = store(tmp_path, {"a.png": (96, 64)}, ONE, ("car",))
    assert finite(learned(data, tmp_path / "run", TINY.model_copy(update={"architecture": architecture})))


def picture(width_px: int, height_px: int) -> Image.Image:
    """Dark, with its left quarter bright."""
    pixels = np.full((height_px, width_px, 3), 20, np.uint8)
    pixels[:, : width_px // 4] = 240
    return Image.fromarray(pixels)


def turned(image: Image.Image, path: Path) -> None:
    """Stored on its side, with the note that viewers turn it by (EXIF orientation 6: the file's left is the top)."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)


def sixteen_bits(image: Image.Image, path: Path) -> None:
    Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)


WRITERS = {
    "rgb.jpg": lambda image, path: image.save(path, quality=95),
    "grey.png": lambda image, path: image.convert("L").save(path),
    "alpha.png": lambda image, path: image.convert("RGBA").save(path),
    "deep.png": sixteen_bits,
    "turned.jpg": turned,
}


def test_images_of_many_sizes_and_kinds_show_the_network_the_same_scene(tmp_path):
    """A box about the bright quarter holds it, whatever file and size it comes from."""
    sizes = [(96, 64), (300, 50), (41, 333), (640, 480)]
    frames = {}
    for number, (kind, write) in enumerate(WRITERS.items()):
        for width_px, height_px in sizes:
            name = f"{number}-{width_px}-{kind}"
            write(picture(width_px, height_px), tmp_path / name)
            frames[name] = (width_px, height_px)
    with DatasetWriter(tmp_path / "store", ("car",), "made") as writer:
        for name, (width_px, height_px) in frames.items():
            objects = Objects.of([0], [[0, 0, width_px // 4, height_px]])
            writer.add(Frame(name, str(tmp_path / name), width_px, height_px, group=name), objects)
    data = Dataset.open(tmp_path / "store")
    cache = ImageCache(tmp_path, len(data), TINY, 1.0)
    cache.create()
    samples = Samples(data, cache, TINY, CONFIG)
    for row in range(len(data)):
        image, objects, name = samples._frame(row)
        assert image.shape == (64, 96, 3) and image.dtype == np.uint8
        edge = round(objects.box_xyxy_px[0, 2])
        assert abs(edge - 24) <= 1 and np.allclose(objects.box_xyxy_px[0, [0, 1, 3]], [0, 0, 64]), name
        assert image[:, : edge - 3].min() > 200 and image[:, edge + 4 :].max() < 60, name
    assert finite(learned(data, tmp_path / "run", batch_size=4, steps=5))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_image_stops_training_with_its_name(workers, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    data = store(tmp_path, {"a.jpg": (96, 64)}, ONE)
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.jpg: the image does not decode.*Replace the file"):
        learned(data, tmp_path / "run", workers=workers)


def test_an_image_whose_size_is_not_what_the_data_set_says_stops_training(tmp_path):
    """Its boxes would be scaled to the wrong places."""
    Image.new("RGB", (96, 64)).save(tmp_path / "a.png")
    data = store(tmp_path, {"a.png": (64, 96)}, ONE)
    with pytest.raises(InputError, match=r"a\.png: 96x64 px, the data set says 64x96.*mport the data set again"):
        learned(data, tmp_path / "run")
