"""A refiner in the loop: what it learns from, what the gate lets through, and where frames come from."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from dataset.errors import InputError
from dataset.images import semantic_path
from dataset.schema import Detections
from dataset.store import Dataset
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
from tasks.learned import fingerprints, learned_by
from tasks.mixing import mix_under_cap
from tasks.picture_sets import open_pictures
from tasks.refined_store import refine_store
from tasks.refining import (
    fit_refiner_of_cycle,
    gate_summary,
    refine_scenes,
    require_refinable,
    require_refiner,
)
from tasks.report.pairs import refined_pairs
from tasks.steps import Step, run_step
from tasks.tracking import Tracker
from tests.refining_streets import FRAMES, streets

pytestmark = pytest.mark.usefixtures("one_thread")


def seeing_bright_cars(images):
    """A detector that finds a street's car (tests/refining_streets.py) by its brightness against the road beside it."""
    found = []
    for image in images:
        columns = image[15:35].astype(float).mean((0, 2))
        bright = np.flatnonzero(columns > np.median(columns) + 20)
        box = [bright.min(), 15, bright.max() + 1, 35] if len(bright) else None
        found.append(Detections.none() if box is None else Detections.of([0], [box], [0.9]))
    return found


class Told:
    """Stands for the tracker; what it was told is kept on the class."""

    curves: ClassVar[list] = []
    sheets: ClassVar[list] = []

    def __init__(self, campaign):
        pass

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
    monkeypatch.setattr(Told, "curves", [])
    monkeypatch.setattr(Told, "sheets", [])
    monkeypatch.setattr(
        LabelGate, "of_checkpoint", staticmethod(lambda path, names, config: LabelGate(seeing_bright_cars, config))
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


TINY_SIMGAN = {
    "crops": {"width_px": 16, "height_px": 16, "batch": 2}, "channels": 8, "blocks": 1, "history": 8,
    "discriminator_width": 0.1, "imitation_steps": 1, "telling_steps": 1, "choose_every": 2,
}  # fmt: skip


def choose(loop, **chosen) -> None:
    """Another refiner for the campaign."""
    refiner = RefiningConfig.model_validate(chosen)
    loop.campaign = Campaign(loop.campaign.config.model_copy(update={"refiner": refiner}), loop.campaign.run)


def test_a_training_tells_its_curves_and_sheets_and_whether_the_gate_passed_what_it_kept(loop, monkeypatch):
    said = []
    monkeypatch.setattr(refining, "say", lambda line: said.append(str(line)))
    choose(loop, kind="simgan", steps=2, settings=TINY_SIMGAN)
    fit(loop)
    assert {(cycle, where) for cycle, where, *_ in Told.curves} == {(1, "refiner/simgan")}
    assert all(np.isfinite(list(values.values())).all() for *_, values in Told.curves)
    assert Told.sheets and all(sheet.ndim == 3 and sheet.dtype == np.uint8 for *_, sheet in Told.sheets)
    assert "which the gate passed" in said[-1]
    monkeypatch.setattr(refining, "labels_survive", lambda *_, **__: lambda refiner: False)
    choose(loop, kind="simgan", steps=2, settings=TINY_SIMGAN, gate={"max_lost": 0})
    fit(loop)
    assert "THE GATE PASSED NONE" in said[-1]


def test_a_refiner_that_paints_the_car_away_loses_the_object_and_the_frame(loop, monkeypatch):
    honest, fitted, said = LabRefiner.apply, fit(loop), []

    def without_the_car(self, rgb, semantic, seed):
        made = honest(self, rgb, semantic, seed)
        made[:, 15:35, 8:42] = made[:, 15:35, :1]
        return made

    monkeypatch.setattr(LabRefiner, "apply", without_the_car)
    monkeypatch.setattr(refining, "say", lambda line: said.append(str(line)))
    gate = loop.campaign.config.refiner.gate.model_copy(update={"blends": ()})
    choose(loop, kind="lab", gate=gate.model_dump())
    apply(loop, fitted)
    summary = gate_summary(loop.cycle)
    assert (summary.faults["objects lost"], summary.outcomes["drop"]) == (FRAMES, FRAMES)
    assert (summary.recall_before, summary.recall_refined, summary.silent_images) == (1, 0, 0)
    assert f"objects lost {FRAMES}" in said[-1] and "overlap of what the detector found 1.00" in said[-1]


def test_only_what_decides_a_fit_has_it_done_again(loop, monkeypatch):
    assert not fit(loop).skipped
    choose(loop, kind="lab", gate={"max_lost": 0.5})
    assert fit(loop).skipped, "lab asks no gate"
    monkeypatch.setattr(LabRefiner, "needs_semantic", True)
    assert not fit(loop).skipped and fit(loop).skipped
    mended = Path(semantic_path(Dataset.open(loop.renders.folder).image_path(2)))
    Image.fromarray(np.full((48, 64), 7, np.uint8)).save(mended)
    assert not fit(loop).skipped, "a label map was mended"
    Image.fromarray(np.full((48, 64), 7, np.uint8)).save(
        semantic_path(Dataset.open(loop.campaign.run.split("pool")).image_path(0))
    )
    assert not fit(loop).skipped, "a label map was added"


def test_what_a_campaign_refined_tells_which_images_its_refiner_learned_from(loop):
    step = apply(loop, fit(loop))
    pool = loop.campaign.run.split("pool") / "images"
    expected = np.unique(fingerprints(str(path) for path in pool.glob("*.png")))
    learned = learned_by(step.folder)
    assert learned is not None and len(expected) == FRAMES and np.array_equal(learned, expected)


def test_what_the_pool_cannot_teach_is_told_before_a_detector_trains(loop, tmp_path):
    require_refinable(RefiningConfig(kind="none"), loop.data)
    require_refinable(RefiningConfig(kind="pix2pix", settings={"labels": "palette"}), loop.data)
    with pytest.raises(InputError, match="no label map lies beside pool-0"):
        require_refinable(RefiningConfig(kind="pix2pix"), loop.data)
    wrong = tmp_path / "weights.pt"
    torch.save({"other": torch.zeros(1)}, wrong)
    with pytest.raises(InputError, match="weights"):
        require_refinable(RefiningConfig(kind="shen", weights=str(wrong)), loop.data)


def test_a_curve_that_mlflow_does_not_take_is_told_and_costs_no_training(monkeypatch, caplog):
    def gone(cycle):
        raise OSError("connection refused")

    tracker = object.__new__(Tracker)
    monkeypatch.setattr(tracker, "child", gone)
    monkeypatch.setattr(tracker, "client", SimpleNamespace(log_image=print), raising=False)
    tracker.log_curves(1, "refiner/lab", 3, {"loss": 1.0})
    tracker.log_sheet(1, "refiner/lab", 3, np.zeros((2, 2, 3), np.uint8))
    told = caplog.text
    assert "MLflow did not take step 3 of refiner/lab: connection refused" in told
    assert "MLflow did not take the picture refiner/lab/step-000003.png" in told


def test_a_fit_killed_half_way_goes_on_and_learns_what_an_uninterrupted_one_does(loop, monkeypatch):
    choose(loop, kind="simgan", steps=4, settings=TINY_SIMGAN)
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
