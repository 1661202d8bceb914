"""The single verbs: one stage on its own, without the campaign around it. Each returns what the terminal shows."""

from pathlib import Path

from rich.table import Table

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.average_precision import evaluate
from evaluation.failure import RECREATED_KINDS
from evaluation.failures import FailureTable, mine
from flows.evaluate import detect, text
from flows.processes import imported_once
from models.detector.launch import launch
from models.detector.predict import predict
from models.detector.train import train
from simulator.gallery import SKIES, GalleryJobs
from simulator.jobs import RandomJobs, RecreationJobs
from simulator.scene import PLACES
from tasks import curves
from tasks.campaign import Campaign
from tasks.config import CampaignConfig
from tasks.data import Data, import_source
from tasks.layout import IMITATION
from tasks.rendering import render
from tasks.report.gallery import contact_sheet
from tasks.report.learning import learning_curves
from tasks.report.page import write_report
from tasks.report.panels import save
from tasks.report.plots import COLOURS
from tasks.stand_in import CATEGORY_MIX, stand_in_camera
from tasks.stopping import why_stop


def train_once(config: CampaignConfig, out: Path, init: Path | None) -> Path:
    """A detector trained on all of `data.train`: out/last.pt, or with `data.val` out/best.pt, the best by its mAP.

    Its learning curves are in out/learning_curves.png. Under torchrun its processes share each batch; the first one
    alone reads the data, scores and writes.
    """
    spec, val_spec = config.data.train, config.data.val
    folders = [out / "data"] if val_spec is None else [out / "data", out / "val"]

    def read() -> None:
        dataset = import_source(spec, folders[0], config.data)
        if val_spec is not None:
            import_source(val_spec, folders[1], config.data, known=dataset.categories)

    fabric = launch(config.baseline)
    dataset, *val = imported_once(fabric, read, folders)

    def score(checkpoint: Path) -> float:
        return evaluate(val[0], predict(checkpoint, val[0], out / "val.parquet", progress=False)).mAP

    if fabric.is_global_zero:
        curves.begin(out)
    trained = train(
        dataset,
        out,
        config.detector,
        config.baseline,
        init=init,
        weights=config.weights,
        score=score if val else None,
        scored_on=val[0].digest if val else None,
        on_log=lambda step, values: curves.note(out, step, values),
        fabric=fabric,
    )
    if fabric.is_global_zero and (noted := curves.curves_of(out)):
        save(learning_curves({"train": noted}, {"train": COLOURS[IMITATION]}), out / "learning_curves.png")
    return trained


def mine_once(config: CampaignConfig, checkpoint: Path, out: Path) -> str:
    """The failures of a detector: out/failures.parquet, counted by kind."""
    dataset, detections = detect(config, checkpoint, out)
    settings = config.mining
    failures = mine(
        dataset,
        detections,
        out / "failures.parquet",
        score_threshold=settings.score_threshold,
        iou_threshold=settings.iou_threshold,
    )
    table = Table("kind", "failures", title=f"{len(failures)} failures on {len(dataset)} frames")
    for kind, count in failures.counts().items():
        table.add_row(kind, str(count))
    return f"{text(table)}\ntable: {out / 'failures.parquet'}"


def render_once(config: CampaignConfig, mined: Path | None, count: int, out: Path) -> str:
    """Re-created failures, or random streets, with a contact sheet to look at."""
    simulator, seed = config.simulator, config.loop.seed
    if mined is None:
        camera, categories = stand_in_camera(640, 192), tuple(CATEGORY_MIX)
        street = simulator.street.model_copy(update={"category_mix": CATEGORY_MIX})
        jobs = RandomJobs(count, categories, [camera], street, simulator.randomisation_shown, seed=seed, cycle=0)
    else:
        table = FailureTable.open(mined / "failures.parquet")
        wanted = [failure for failure in table.iterate() if failure.kind in RECREATED_KINDS]
        jobs = RecreationJobs(
            Dataset.open(mined / "data"),
            wanted[: config.mining.max_failures],
            simulator.recreate,
            simulator.randomisation_shown,
            seed=seed,
            cycle=0,
            max_width_px=simulator.max_width_px,
        )
    report = render(jobs, out, simulator)
    sheet = contact_sheet(report.dataset, out / "contact_sheet.jpg")
    return f"{report.used} of {report.jobs} scenes in {report.attempts} tries\nframes: {out}\nlook at: {sheet}"


def gallery_once(config: CampaignConfig, out: Path) -> str:
    """One street of each kind under every sky: out/gallery.png, places side by side, skies one below the other."""
    simulator, camera = config.simulator, stand_in_camera(640, 192)
    if simulator.uses_carla:
        problem = "CARLA's towns are not kinds of places, and it has no snow"
        raise InputError("--gallery", problem, "leave --simulator out, or render random streets: --count 24")
    mix = {**CATEGORY_MIX, "motorcyclist": 0.04, "bus": 0.03, "van": 0.06}
    jobs = GalleryJobs(mix, camera, simulator.street, config.loop.seed)
    report = render(jobs, out, simulator, name="gallery")
    if report.used < report.jobs:  # the sheet's rows would shift
        problem = f"{report.jobs - report.used} of {report.jobs} cells could not be built"
        raise InputError(out, problem, "choose another --out, and --set loop.seed=1")
    sheet = contact_sheet(report.dataset, out / "gallery.png", columns=len(PLACES), rows=len(SKIES), cell_px=400)
    return f"{report.used} of {report.jobs} cells; skies from above: {', '.join(SKIES)}\nlook at: {sheet}"


def report_once(folder: Path) -> str:
    """The report of a run's folder, written anew from what is in it."""
    campaign = Campaign.reopen(folder)
    finished = campaign.run.finished_cycles()
    if not finished:
        raise InputError(folder, "no cycle is finished yet", "let the campaign run on; it writes the report itself")
    return str(write_report(campaign, Data.of(campaign.run), why_stop(campaign, finished[-1])))
