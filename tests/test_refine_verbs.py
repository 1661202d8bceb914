"""The verbs `refine` and `realism`: what they write, what they refuse, and what they caution about."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataset.errors import InputError
from dataset.schema import Detections
from dataset.store import Dataset
from flows.__main__ import app
from models.refiners.gate import LabelGate
from models.refiners.lab import LabRefiner
from tests.refining_streets import streets

pytestmark = pytest.mark.usefixtures("one_thread")


def verb(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("verb_words", [("refine", "fit"), ("refine", "apply"), ("realism",)])
def test_help_shows_an_example(verb_words):
    result = verb(*verb_words, "--help")
    assert result.exit_code == 0 and "Example: python -m flows" in " ".join(result.output.split())


@pytest.fixture
def fitted_by_hand(tmp_path):
    """Renders and photos of streets, and a refiner fitted to them: (renders' store, folder of photos, refiner.pt)."""
    renders, real = streets(tmp_path / "renders", 30, "synthetic", frames=6), streets(tmp_path / "real", 110, frames=6)
    source, target = f"store:{renders.folder}", real.folder / "images"
    words = ("--source", source, "--target", target, "--out", tmp_path / "lab", "--no-mlflow")
    assert verb("refine", "fit", "--kind", "lab", *words).exit_code == 0
    return source, target, tmp_path / "lab" / "refiner.pt"


def judged(source: str, target: Path | str, out: Path, *words: object):
    small = ("--size", "64x48", "--pixel-steps", 0, "--samples", 20)
    return verb("realism", "--source", source, "--target", target, "--out", out, *small, *words)


def row_names(out: Path) -> list[str]:
    return [row["name"] for row in json.loads((out / "realism.json").read_text())["rows"]]


def refused(result, told: str) -> None:
    assert isinstance(result.exception, InputError) and told in str(result.exception), (told, result.exception)


def test_realism_removes_nothing_that_it_did_not_write_itself(tmp_path, fitted_by_hand):
    source, target, refiner = fitted_by_hand
    assert verb("refine", "apply", refiner, "--source", source, "--out", tmp_path / "refined").exit_code == 0
    done = judged(source, target, tmp_path, "--refined", tmp_path / "refined", "--refined", refiner)
    assert done.exit_code == 0, done.exception
    assert len(Dataset.open(tmp_path / "refined")) == 6 and row_names(tmp_path) == ["source", "refined", "lab"]

    own = tmp_path / "realism-pictures"
    inside = shutil.copy(refiner, own)
    refused(judged(source, target, tmp_path, "--refined", inside), "is to be read")
    assert len(list((own / "lab").iterdir())) == 6
    (own / "compared.json").unlink()
    refused(judged(source, target, tmp_path, "--refined", refiner), "holds something else")
    assert len(list((own / "lab").iterdir())) == 6


def test_each_refined_set_has_a_name_of_its_own(tmp_path, fitted_by_hand):
    source, target, refiner = fitted_by_hand
    images = Path(source.removeprefix("store:")) / "images"
    for name in ("source", "real"):
        assert verb("refine", "apply", refiner, "--source", images, "--out", tmp_path / "x" / name).exit_code == 0
    named = [refiner] * 3 + [tmp_path / "x" / "source", tmp_path / "x" / "real"]
    done = judged(str(images), target, tmp_path / "out", *(word for name in named for word in ("--refined", name)))
    assert done.exit_code == 0, done.exception
    assert row_names(tmp_path / "out") == ["source", "lab", "lab-2", "lab-3", "source-2", "real-2"]
    assert len(list((tmp_path / "out" / "realism-pictures").glob("lab*/*.png"))) == 18


def test_refining_refuses_to_write_over_what_it_reads(tmp_path, fitted_by_hand):
    source, _, refiner = fitted_by_hand
    store = tmp_path / "refined"
    assert verb("refine", "apply", refiner, "--source", source, "--out", store).exit_code == 0
    (store / "inner").mkdir()
    elsewhere = Dataset.open(store).subset(np.arange(3), tmp_path / "subset")  # its images stay where they were
    copy = shutil.copy(refiner, store / "inner")
    for file, read, out in (
        (refiner, f"store:{store}", store),
        (refiner, store / "images", store),
        (refiner, f"store:{store}", store / "inner"),
        (refiner, f"store:{elsewhere.folder}", store),
        (copy, source, store),
    ):
        refused(verb("refine", "apply", file, "--source", read, "--out", out), "is to be read")
    assert len(Dataset.open(store)) == 6 and len(list((store / "images").rglob("*.png"))) == 6
    assert verb("refine", "apply", refiner, "--source", source, "--out", store).exit_code == 0, "its own it replaces"


def test_what_an_interrupted_refining_left_is_no_whole_set(tmp_path, fitted_by_hand, monkeypatch):
    source, target, refiner = fitted_by_hand
    images = Path(source.removeprefix("store:")) / "images"
    honest, seen = LabRefiner.apply, []

    def until_the_power_fails(self, rgb, semantic, seed):
        if len(seen.append(1) or seen) == 4:
            raise KeyboardInterrupt
        return honest(self, rgb, semantic, seed)

    with monkeypatch.context() as failing:
        failing.setattr(LabRefiner, "apply", until_the_power_fails)
        assert verb("refine", "apply", refiner, "--source", images, "--out", tmp_path / "half").exit_code != 0
    for half in (tmp_path / "half", tmp_path / "half" / "images"):
        refused(judged(str(images), target, tmp_path / "out", "--refined", half), "interrupted")
    assert verb("refine", "apply", refiner, "--source", images, "--out", tmp_path / "half").exit_code == 0
    assert judged(str(images), target, tmp_path / "out", "--refined", tmp_path / "half").exit_code == 0


def test_verbs_fit_apply_and_judge_and_refuse_what_makes_no_sense(tmp_path):
    renders, real = streets(tmp_path / "renders", 30, "synthetic", frames=6), streets(tmp_path / "real", 110, frames=6)
    source, target = f"store:{renders.folder}", str(real.folder / "images")
    done = verb(
        "refine", "fit", "--kind", "lab", "--source", source, "--target", target, "--out", tmp_path / "lab",
        "--no-mlflow",
    )  # fmt: skip
    assert done.exit_code == 0, done.exception
    refiner = tmp_path / "lab" / "refiner.pt"

    assert verb("refine", "apply", refiner, "--source", source, "--out", tmp_path / "store").exit_code == 0
    assert Dataset.open(tmp_path / "store").sources().tolist() == ["refined"] * 6
    photos = renders.folder / "images"
    assert verb("refine", "apply", refiner, "--source", photos, "--out", tmp_path / "folder").exit_code == 0
    assert len(list((tmp_path / "folder" / "images").glob("*.png"))) == 6

    done = verb(
        "realism", "--source", source, "--target", target, "--refined", refiner, "--refined", tmp_path / "store",
        "--out", tmp_path / "judged", "--size", "64x48", "--pixel-steps", 0, "--samples", 20,
    )  # fmt: skip
    assert done.exit_code == 0, done.exception
    record = json.loads((tmp_path / "judged" / "realism.json").read_text())
    assert [row["name"] for row in record["rows"]] == ["source", "lab", "store"]
    source_row, fitted, before = record["rows"]
    assert source_row["kernel"]["value"] > fitted["kernel"]["value"], "the refiner brought the renders nearer"
    assert fitted["kernel_closed"]["value"] == pytest.approx(before["kernel_closed"]["value"])
    assert fitted["seconds"] > 0 and before["seconds"] is None
    told = " ".join(record["notes"])
    for name in ("lab", "store"):
        assert f"6 of the 6 real images are among those that {name} was fitted to" in told
    page = (tmp_path / "judged" / "realism.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 6 * 4 and "kernel distance (hand)" in page

    refused = {
        "the gate compares with labels": (
            "refine", "apply", refiner, "--source", photos, "--out", tmp_path / "x", "--detector", refiner,
        ),
        "holds something else": ("refine", "apply", refiner, "--source", source, "--out", tmp_path / "real"),
        "is none of lab": (
            "refine", "fit", "--kind", "magic", "--source", source, "--target", target, "--out", tmp_path / "x",
        ),
        "has no '='": (
            "refine", "fit", "--kind", "lab", "--source", source, "--target", target, "--out", tmp_path / "x",
            "--set", "max_gain",
        ),
        "does not exist": ("realism", "--source", source, "--target", target, "--refined", tmp_path / "nowhere"),
        "lab is not trained in steps": (
            "refine", "fit", "--kind", "lab", "--source", source, "--target", target, "--out", tmp_path / "x",
            "--steps", 100,
        ),
        "is no size": ("realism", "--source", source, "--target", target, "--size", "large"),
        "is named like one": (
            "realism", "--source", source, "--target", target, "--refined", target, "--out", tmp_path / "y",
        ),
    }  # fmt: skip
    for told, words in refused.items():
        error = verb(*words).exception
        assert isinstance(error, InputError) and told in str(error), (told, error)
    assert not (tmp_path / "x").exists(), "what is refused leaves nothing behind"


def notes_of(out: Path) -> str:
    return " ".join(json.loads((out / "realism.json").read_text())["notes"])


def test_images_that_a_refiner_learned_from_are_known_again_in_another_set(tmp_path, fitted_by_hand):
    """In a store, in a selection, and of a refiner known by what it made only."""
    store, target, refiner = fitted_by_hand
    source = str(Path(store.removeprefix("store:")) / "images")
    assert verb("refine", "apply", refiner, "--source", source, "--out", tmp_path / "made").exit_code == 0
    some = Dataset.open(target.parent).subset(np.arange(4), tmp_path / "some")
    (tmp_path / "mixed").mkdir()
    for i, path in enumerate(sorted(target.iterdir())[:4]):
        if i < 1:
            shutil.copy(path, tmp_path / "mixed")
        else:
            Image.open(path).rotate(180).save(tmp_path / "mixed" / f"other-{i}.png")
    for real, told in (
        (f"store:{some.folder}", "4 of the 4"),
        (str(tmp_path / "mixed"), "1 of the 4"),
    ):
        done = judged(source, real, tmp_path / "out", "--refined", tmp_path / "made")
        assert done.exit_code == 0, done.exception
        assert f"{told} real images are among those that made was fitted to" in notes_of(tmp_path / "out")
    (tmp_path / "made" / "learned-from.npy").unlink()
    assert judged(source, target, tmp_path / "out", "--refined", tmp_path / "made").exit_code == 0
    assert "made: it is not written down" in notes_of(tmp_path / "out")


def test_photos_of_unknown_clips_are_no_scenes_until_an_expression_names_them(tmp_path, fitted_by_hand):
    source, target, _ = fitted_by_hand
    assert judged(source, target, tmp_path / "out").exit_code == 0
    assert "no scenes are known of the real images" in notes_of(tmp_path / "out")
    page = (tmp_path / "out" / "realism.html").read_text()
    assert "resample whole scenes of the renders and single real images" in page
    (tmp_path / "clips").mkdir()
    for i, path in enumerate(sorted(target.iterdir())):
        shutil.copy(path, tmp_path / "clips" / f"clip{i}-{path.stem}.png")
    assert judged(source, tmp_path / "clips", tmp_path / "out", "--group-regex", r"clip(\d)").exit_code == 0
    assert "no scenes" not in notes_of(tmp_path / "out")
    record = json.loads((tmp_path / "out" / "realism.json").read_text())
    assert (record["resampled"], record["units"]["real"]) == ("whole scenes and clips", 6)


def test_file_formats_that_differ_are_made_alike_unless_told_otherwise(tmp_path, fitted_by_hand):
    source, target, _ = fitted_by_hand
    (tmp_path / "jpegs").mkdir()
    for path in target.iterdir():
        Image.open(path).save(tmp_path / "jpegs" / f"{path.stem}.jpg")
    out = tmp_path / "out"
    for real, words, quality in (
        (target, (), None),
        (tmp_path / "jpegs", (), 90),
        (tmp_path / "jpegs", ("--jpeg", 0), None),
        (target, ("--jpeg", 50), 50),
    ):
        done = judged(source, real, out, *words)
        assert done.exit_code == 0, done.exception
        assert json.loads((out / "realism.json").read_text())["jpeg"] == quality
        assert (f"JPEG of quality {quality}" in notes_of(out)) == (quality is not None)


def test_what_cannot_be_compared_is_refused_before_any_feature_is_computed(tmp_path, fitted_by_hand, monkeypatch):
    source, target, _ = fitted_by_hand
    monkeypatch.setattr("tasks.realism.features_of", lambda *_: pytest.fail("features were computed"))
    smaller = tmp_path / "smaller"
    smaller.mkdir()
    for i in range(6):
        Image.new("RGB", (32, 24)).save(smaller / f"{i:03d}.png")
    images = Path(source.removeprefix("store:")) / "images"
    small = ("--out", tmp_path / "out", "--size", "64x48", "--samples", 20)
    sides = ("realism", "--source", images, "--target", target)
    refused(verb(*sides, *small), "--size: 64x48")
    refused(verb(*sides, "--out", tmp_path / "out", "--max-images", 3000), "--max-images: 3000")
    refused(verb(*sides, *small, "--pixel-steps", 0, "--refined", smaller), "32x24 px, and its render has 64x48")


@pytest.mark.parametrize("suffix", [".webp", ".tiff", ".JPG"])
def test_refined_pictures_are_matched_by_name_whatever_their_format(tmp_path, fitted_by_hand, suffix):
    source, target, refiner = fitted_by_hand
    (tmp_path / "renders-again").mkdir()
    for path in (Path(source.removeprefix("store:")) / "images").glob("00?.png"):
        Image.open(path).save(tmp_path / "renders-again" / f"{path.stem}{suffix}")
    again = tmp_path / "renders-again"
    assert verb("refine", "apply", refiner, "--source", again, "--out", tmp_path / "made").exit_code == 0
    done = judged(str(again), target, tmp_path / "out", "--refined", tmp_path / "made")
    assert done.exit_code == 0, done.exception


def test_the_gate_of_a_campaign_can_be_asked_for_by_hand(tmp_path, fitted_by_hand, monkeypatch):
    source, _, refiner = fitted_by_hand
    limits = []

    def blind(path, names, config):
        limits.append(config)
        return LabelGate(lambda images: [Detections.none() for _ in images], config)

    monkeypatch.setattr(LabelGate, "of_checkpoint", staticmethod(blind))
    words = ("refine", "apply", refiner, "--source", source, "--out", tmp_path / "made", "--detector", refiner)
    done = verb(*words, "--gate", "max_lost=0.1", "--gate", "blends=[0.5]")
    assert done.exit_code == 0, done.exception
    assert (limits[-1].max_lost, limits[-1].blends, limits[-1].max_iou_drop) == (0.1, (0.5,), 0.1)
    assert "the detector found nothing in 6 renders" in done.output
    refused(verb(*words, "--gate", "max_loss=0.1"), "--gate: max_loss")
    refused(verb(*words, "--gate", "blends"), "has no '='")
