"""The verb `generate`: pictures in, a generator out; pictures out of it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from dataset.errors import InputError
from dataset.schema import Frame, Objects
from dataset.store import DatasetWriter
from flows.generate import fit_once, samples_once
from models.generators.config import PRESETS
from tasks import fit_run
from tasks.generation import material

TINY = {
    "size_px": 16, "latent": 4, "generator_channels": (8, 8), "discriminator_channels": (8, 8), "batch_size": 4,
    "steps": 2,
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def images(tmp_path, monkeypatch):
    """20 pictures in folders of two classes, and a preset `small` for them."""
    monkeypatch.setitem(PRESETS, "small", TINY)
    rng = np.random.default_rng(0)
    for i in range(20):
        place = tmp_path / "images" / ("day", "night")[i % 2] / f"{i:02d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 40, 3), np.uint8)).save(place)
    return tmp_path / "images"


class Client:
    """Keeps what it is told, as MLflow would."""

    def __init__(self):
        self.runs, self.params, self.metrics, self.files = [], {}, [], []

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id=name)

    def create_run(self, experiment, run_name):
        self.runs.append(run_name)
        return self.get_run(f"{experiment}-{run_name}")

    def get_run(self, run):
        return SimpleNamespace(info=SimpleNamespace(run_id=run), data=SimpleNamespace(params=self.params))

    def log_param(self, run, name, value):
        self.params[name] = value

    def log_batch(self, run, metrics):
        self.metrics += [(metric.key, metric.step) for metric in metrics]

    def log_image(self, run, image, name):
        self.files.append(name)

    def log_artifact(self, run, file):
        self.files.append(file.rpartition("/")[2])

    def set_terminated(self, run, status):
        self.files.append(status)


def test_a_generator_is_fitted_told_of_and_asked_for_a_class(images, tmp_path, monkeypatch):
    client, out = Client(), tmp_path / "out"
    monkeypatch.setattr(fit_run, "connect", lambda uri: client)
    for _ in range(2):  # the second finds all done, in the same run
        told = fit_once(str(images), out, classes="folder", progress=False)
    assert "trained on 18 pictures, 2 held out\nclasses: day 10, night 10" in told
    assert client.runs == ["out"] and client.params["steps"] == "2"
    assert ("loss_generator", 2) in client.metrics and ("nearer_pixels", 2) in client.metrics
    files = ["generator.pt", "report.json", "curves.png", "samples.png", "interpolation.png", "neighbours.png"]
    assert client.files[:8] == ["samples/step-000002.png", *files, "FINISHED"]
    assert all((out / name).is_file() for name in files)
    samples_once(out / "generator.pt", tmp_path / "day", count=3, kind="day", progress=False)
    made = [np.asarray(Image.open(tmp_path / "day" / f"{i:06d}.png")) for i in range(3)]
    assert all(picture.shape == (16, 16, 3) for picture in made) and not np.array_equal(made[0], made[1])
    with pytest.raises(InputError, match="'dusk' is not one of them"):
        samples_once(out / "generator.pt", tmp_path / "dusk", count=1, kind="dusk")


def test_pictures_without_a_class_are_left_out_and_counted(images, tmp_path):
    file = tmp_path / "classes.json"
    file.write_text(json.dumps({f"{i:02d}": "rain" if i < 6 else "dry" for i in range(14)}))
    told = fit_once(str(images), tmp_path / "out", classes=str(file), tracked=False, progress=False)
    assert "6 pictures without a class were left out\nclasses: dry 8, rain 6" in told


def test_a_store_tells_classes_and_drives(images, tmp_path):
    with DatasetWriter(tmp_path / "store", ("car",), "few") as writer:
        for i, path in enumerate(sorted(images.rglob("*.jpg"))):
            weather = "rain" if i % 2 else None if i == 4 else "dry"
            writer.add(Frame(str(i), str(path), 40, 24, f"drive {i // 5}", weather=weather), Objects.none())
    found = material(f"store:{tmp_path / 'store'}", "weather")
    assert found.classes is not None and found.classes.counts == {"dry": 9, "rain": 10}
    assert found.groups[4:6] == ["drive 0", "drive 1"]
    with pytest.raises(InputError, match="does not tell weather"):
        material(str(images), "weather")


def test_a_generator_without_classes_cannot_be_asked_for_one(images, tmp_path):
    fit_once(str(images), tmp_path / "out", tracked=False, progress=False)
    with pytest.raises(InputError, match="fitted without classes"):
        samples_once(tmp_path / "out" / "generator.pt", tmp_path / "x", count=1, kind="day")


@pytest.mark.parametrize(
    ("options", "told"),
    [({"preset": "huge"}, "use one of paper, small"), ({"batch": 1}, "1 is too small"), ({"steps": 0}, "0 is too")],
)
def test_bad_options_are_refused_before_anything_is_read(tmp_path, options, told):
    with pytest.raises(InputError, match="(?i)" + told):
        fit_once(str(tmp_path / "nowhere"), tmp_path / "out", **options)


class Gone(Client):
    """An MLflow that answered once and is away since."""

    def log_param(self, *_, **__):
        raise OSError("connection refused")

    def set_terminated(self, *_):
        raise MlflowException("no answer")

    log_batch = log_image = log_artifact = log_param


def test_a_server_that_is_gone_costs_no_fit(images, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_run, "connect", lambda uri: Gone())
    fit_once(str(images), tmp_path / "out", progress=False)
    assert (tmp_path / "out" / "generator.pt").is_file()


@pytest.mark.parametrize(
    ("error", "status"), [(InputError("loss", "nan", "x"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_a_fit_that_ends_early_is_not_left_running(images, tmp_path, monkeypatch, error, status):
    client = Client()

    def fails(*_, **__):
        raise error

    monkeypatch.setattr(fit_run, "connect", lambda uri: client)
    monkeypatch.setattr("tasks.generation.fit", fails)
    with pytest.raises(type(error)):
        fit_once(str(images), tmp_path / "out", progress=False)
    assert client.files == [status]
