"""A refiner in the loop: what it learns from, what the gate lets through, where frames come from, and the verbs."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataset.errors import InputError
from dataset.images import semantic_path
from dataset.schema import Detections, Frame, Objects, Source
from dataset.store import Dataset, DatasetWriter
from flows.__main__ import app
from flows.settings import resolve
from models.refiners import pictures as picture_files
from models.refiners import simgan
from models.refiners.build import load_refiner
from models.refiners.gate import LabelGate
from models.refiners.lab import LabRefiner
from models.refiners.patch_lesson import PatchLesson
from tasks import refining
from tasks.campaign import Campaign, arms_of
from tasks.config import RefiningConfig
from tasks.data import Data
from tasks.layout import ARMS, IMITATION, REFINED
from tasks.mixing import mix_under_cap
from tasks.picture_sets import open_pictures
from tasks.refining import fit_refiner_of_cycle, gate_summary, refine_scenes, refine_store, require_refiner
from tasks.report.pairs import refined_pairs
from tasks.steps import Step, run_step

WIDTH_PX, HEIGHT_PX, FRAMES = 64, 48, 5
pytestmark = pytest.mark.usefixtures("one_thread")


def streets(folder: Path, brightness: float, source: Source = "real", frames: int = FRAMES) -> Dataset:
    """Noisy streets of some brightness with a car each; renders have label maps and a lineage."""
    rng = np.random.default_rng(int(brightness))
    (folder / "images").mkdir(parents=True)
    with DatasetWriter(folder, ["car"], folder.name) as writer:
        for i in range(frames):
            rgb = brightness + np.linspace(0, 60, HEIGHT_PX)[:, None, None] + rng.normal(0, 8, (HEIGHT_PX, WIDTH_PX, 3))
            box = [10.0 + i, 15.0, 34.0 + i, 35.0]
            rgb[15:35, 10 + i : 34 + i] += 60
            path = folder / "images" / f"{i:03d}.png"
            Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(path)
            made = source == "synthetic"
            if made:
                Image.fromarray(np.full((HEIGHT_PX, WIDTH_PX), 1, np.uint8)).save(semantic_path(str(path)))
            lineage = {"scene_id": f"scene-{i}", "failure_id": f"failure-{i}", "cycle": 1} if made else {}
            name, group = f"{folder.name}-{i}", f"clip-{i // 2}"
            frame = Frame(name, str(path), WIDTH_PX, HEIGHT_PX, group, source, **lineage)
            writer.add(frame, Objects.of([0], [box], occlusion=[0.25]))
    return Dataset.open(folder)


def seeing_nothing(images):
    return [Detections.none() for _ in images]


class Told:
    """Stands for the tracker."""

    def __init__(self, campaign):
        self.curves, self.sheets = [], []

    def child(self, number: int) -> str:
        return f"run-{number}"

    def log_curves(self, *values):
        self.curves.append(values)

    def log_sheet(self, *values):
        self.sheets.append(values)


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """Cycle 1 of a campaign with its renders made and a detector trained, as the refiner's steps find it."""
    config = resolve("smoke", flags={"runs": str(tmp_path / "runs"), "refiner.kind": "lab"})
    campaign = Campaign.open(config)
    cycle, split = campaign.cycle(1), campaign.run.split
    for name, brightness in (("train", 100), ("pool", 110), ("val", 120), ("test", 130)):
        streets(split(name), brightness)
    renders = run_step(cycle.synthetic(IMITATION), made)
    monkeypatch.setattr(refining, "Tracker", Told)
    monkeypatch.setattr(
        LabelGate, "of_checkpoint", staticmethod(lambda path, names, config: LabelGate(seeing_nothing, config))
    )
    data = Data(split("train"), split("pool"), split("val"), split("test"), "data")
    detector = Step(tmp_path, "key", "detector", 0.0)
    return SimpleNamespace(campaign=campaign, cycle=cycle, data=data, renders=renders, detector=detector)


def made(folder: Path) -> str:
    """Renders in a step's folder, which is there already."""
    frames = streets(folder / "made", 30, "synthetic")
    return frames.subset(np.arange(len(frames)), folder).digest


def fit(loop) -> Step:
    return fit_refiner_of_cycle.fn(loop.campaign, loop.cycle, loop.data, loop.renders, loop.detector)


def apply(loop, fitted: Step) -> Step:
    return refine_scenes.fn(loop.campaign, loop.cycle, loop.renders, fitted, loop.detector)


def test_a_refiner_brings_a_further_arm_and_none_leaves_the_three():
    assert arms_of(resolve("smoke")) == ARMS
    assert arms_of(resolve("smoke", flags={"refiner.kind": "lab"})) == (IMITATION, REFINED, *ARMS[1:])


def test_fitting_opens_the_renders_and_the_pool_and_no_image_of_train_val_or_test(loop, monkeypatch):
    opened = []
    read = picture_files.read_image
    monkeypatch.setattr(picture_files, "read_image", lambda path: opened.append(path) or read(path))
    for name in ("train", "val", "test"):
        for image in (loop.campaign.run.split(name) / "images").iterdir():
            image.unlink()
    apply(loop, fit(loop))
    folders = {Path(path).parents[1] for path in opened}
    assert folders == {loop.campaign.run.split("pool"), loop.renders.folder / "made"}


def test_refined_frames_keep_their_labels_and_their_lineage_and_look_like_the_target(loop):
    step = apply(loop, fit(loop))
    renders, made = Dataset.open(loop.renders.folder), Dataset.open(step.folder)
    assert len(made) == len(renders) == FRAMES
    rows = pq.read_table(step.folder / "provenance.parquet").to_pylist()
    digest = load_refiner(loop.cycle.refiner / "refiner.pt").digest[:16]
    for i, row in enumerate(rows):
        render, frame = renders.frame(i), made.frame(i)
        assert (frame.source, frame.frame_id) == ("refined", f"refined-{render.frame_id}")
        assert (frame.scene_id, frame.failure_id, frame.cycle, frame.group) == (
            render.scene_id, render.failure_id, render.cycle, render.group,
        )  # fmt: skip
        for name, values in vars(made.objects(i)).items():
            assert np.array_equal(values, getattr(renders.objects(i), name), equal_nan=True), name
        assert (row["frame_id"], row["source_frame_id"]) == (frame.frame_id, render.frame_id)
        assert (row["refiner_digest"], row["verdict"], row["alpha"]) == (digest, "keep", 1.0)
    mean = [float(open_pictures(str(folder)).pictures.rgb(0).mean()) for folder in (loop.renders.folder, step.folder)]
    assert mean[0] < 90 < mean[1], "the pool is lighter than the renders"


def test_steps_done_are_skipped_and_another_pool_or_setting_is_fitted_anew(loop):
    fitted = fit(loop)
    assert not fitted.skipped and fit(loop).skipped
    assert not apply(loop, fitted).skipped and apply(loop, fitted).skipped
    other = loop.campaign.config.model_copy(
        update={"refiner": loop.campaign.config.refiner.model_copy(update={"settings": {"max_gain": 1.0}})}
    )
    loop.campaign = Campaign(other, loop.campaign.run)
    again = fit(loop)
    assert not again.skipped and again.digest != fitted.digest
    assert not apply(loop, again).skipped


def test_the_gate_drops_what_it_must_and_the_mix_holds_fewer_frames(loop, monkeypatch):
    honest = LabRefiner.apply

    def repaints_the_second(self, rgb, semantic, seed):
        made = honest(self, rgb, semantic, seed)
        return np.zeros_like(made) if len(seen.append(1) or seen) == 2 else made

    fitted, seen = fit(loop), []
    monkeypatch.setattr(LabRefiner, "apply", repaints_the_second)
    gate = loop.campaign.config.refiner.gate.model_copy(update={"blends": ()})
    refiner = loop.campaign.config.refiner.model_copy(update={"gate": gate})
    loop.campaign = Campaign(loop.campaign.config.model_copy(update={"refiner": refiner}), loop.campaign.run)
    step = apply(loop, fitted)
    assert gate_summary(loop.cycle).outcomes == {"keep": FRAMES - 1, "blend": 0, "drop": 1}
    made = Dataset.open(step.folder)
    assert len(made) == FRAMES - 1
    dropped = pq.read_table(step.folder / "provenance.parquet").to_pylist()[1]
    assert (dropped["frame_id"], dropped["verdict"], dropped["alpha"]) == (None, "drop", 0.0)
    pairs = list(refined_pairs(loop.cycle, 99))
    assert [len(pair.pictures) for pair in pairs] == [2, 1, 2, 2, 2] and "dropped" in pairs[1].caption

    run_step(loop.cycle.failures, lambda folder: "none")
    monkeypatch.setattr("tasks.mixing.weights_by_cost", lambda cycle, every: None)
    mixed = mix_under_cap.fn(loop.campaign, loop.cycle, REFINED, loop.data, [step])
    sources = Dataset.open(mixed.folder / "store").sources().tolist()
    assert (sources.count("refined"), sources.count("real")) == (FRAMES - 1, FRAMES)


def test_a_cycle_whose_refined_frames_all_fail_trains_on_real_ones(loop, monkeypatch):
    monkeypatch.setattr(LabRefiner, "apply", lambda self, rgb, semantic, seed: np.zeros_like(rgb))
    gate = loop.campaign.config.refiner.gate.model_copy(update={"blends": ()})
    refiner = loop.campaign.config.refiner.model_copy(update={"gate": gate})
    loop.campaign = Campaign(loop.campaign.config.model_copy(update={"refiner": refiner}), loop.campaign.run)
    step = apply(loop, fit(loop))
    run_step(loop.cycle.failures, lambda folder: "none")
    monkeypatch.setattr("tasks.mixing.weights_by_cost", lambda cycle, every: None)
    mixed = mix_under_cap.fn(loop.campaign, loop.cycle, REFINED, loop.data, [step])
    assert Dataset.open(mixed.folder / "store").sources().tolist() == ["real"] * FRAMES


def test_a_step_killed_before_its_record_ends_with_the_same_frames(loop, monkeypatch):
    fitted = fit(loop)
    whole = apply(loop, fitted)
    pixels = [path.read_bytes() for path in sorted((whole.folder / "images").rglob("*.png"))]
    (whole.folder / "step.json").rename(whole.folder / "step.begun.json")
    for name in ("meta.json", "gate.parquet", "images/0000/0000003.png"):
        (whole.folder / name).unlink()
    again = apply(loop, fitted)
    assert (again.digest, again.skipped) == (whole.digest, False)
    assert [path.read_bytes() for path in sorted((again.folder / "images").rglob("*.png"))] == pixels


def test_a_fit_killed_half_way_goes_on_and_learns_what_an_uninterrupted_one_does(loop, monkeypatch):
    settings = {
        "crops": {"width_px": 16, "height_px": 16, "batch": 2}, "channels": 8, "blocks": 1, "history": 8,
        "discriminator_width": 0.1, "imitation_steps": 1, "telling_steps": 1, "choose_every": 2,
    }  # fmt: skip
    chosen = {"kind": "simgan", "steps": 4, "settings": settings}
    config = loop.campaign.config.model_copy(update={"refiner": RefiningConfig.model_validate(chosen)})
    loop.campaign = Campaign(config, loop.campaign.run)
    monkeypatch.setattr(simgan, "SAVE_EVERY", 2)
    taken, learn = [], PatchLesson.step

    def until_the_power_fails(self, step):
        taken.append(step)
        if len(taken) == 4:
            raise KeyboardInterrupt
        return learn(self, step)

    monkeypatch.setattr(PatchLesson, "step", until_the_power_fails)
    with pytest.raises(KeyboardInterrupt):
        fit(loop)
    resumed = fit(loop)
    assert taken[4] == 2, "it went on from its last save"
    shutil.rmtree(loop.cycle.refiner)
    assert fit(loop).digest == resumed.digest


def test_a_refiner_that_needs_label_maps_names_the_frame_that_has_none(loop, tmp_path, monkeypatch):
    refiner = load_refiner(fit(loop).folder / "refiner.pt")
    monkeypatch.setattr(LabRefiner, "needs_semantic", True)
    renders = Dataset.open(loop.renders.folder)
    assert len(refine_store(refiner, renders, tmp_path / "a", None, seed=0, progress=False)) == FRAMES
    Path(semantic_path(renders.image_path(3))).unlink()
    with pytest.raises(InputError, match=r"made-3: no label map"):
        refine_store(refiner, renders, tmp_path / "b", None, seed=0, progress=False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "lab", "settings": {"max_gian": 2}}, "max_gian"),
        ({"kind": "lab", "weights": "nowhere.pth"}, "nowhere.pth is no file"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_trained(settings, told):
    config = resolve("smoke").refiner.model_validate(settings)
    with pytest.raises(InputError, match=told):
        require_refiner(config)


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


def judged(source: str, target: Path, out: Path, *words: object):
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
    assert any("fitted to these very real images" in note for note in record["notes"])
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
        "is no size": ("realism", "--source", source, "--target", target, "--size", "large"),
        "is named like one": (
            "realism", "--source", source, "--target", target, "--refined", target, "--out", tmp_path / "y",
        ),
    }  # fmt: skip
    for told, words in refused.items():
        error = verb(*words).exception
        assert isinstance(error, InputError) and told in str(error), (told, error)
    assert not (tmp_path / "x").exists(), "what is refused leaves nothing behind"
