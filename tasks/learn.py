"""Train a detector and run it over the splits that judge it."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.store import Dataset
from models.detector.checkpoint import digest as weights_digest
from models.detector.precision import arithmetic
from models.detector.predict import predict
from models.detector.train import NEUTRAL, train
from tasks import curves
from tasks.campaign import Campaign
from tasks.data import Data
from tasks.layout import BASELINE, Cycle
from tasks.log import say
from tasks.steps import Step, code_digest, digest_of, file_digest, finished, run_step
from tasks.tracking import Tracker


@task(cache_policy=NO_CACHE, task_run_name="train-{arm}-seed-{seed}")
def train_detector(campaign: Campaign, cycle: Cycle, arm: str, seed: int, data: Path, init: Step | None) -> Step:
    """Train on the data set in folder `data`; from `init`'s detector, or from the configured backbone weights."""
    config = campaign.config
    settings = config.baseline if arm == BASELINE else config.retrain
    settings = settings.model_copy(update={"seed": settings.seed + 1000 * seed + cycle.number})
    dataset = Dataset.open(data)
    tracker = Tracker(campaign)

    def work(folder: Path) -> str:
        def on_log(step: int, values: dict[str, float]) -> None:
            curves.note(folder, step, values)
            tracker.log_curves(cycle.number, f"training/{arm}/seed-{seed}", step, values)

        curves.begin(folder)
        checkpoint = train(
            dataset,
            folder,
            config.detector,
            settings,
            init=None if init is None else checkpoint_of(init),
            weights=config.weights if init is None else None,
            on_log=on_log,
        )
        return file_digest(checkpoint)

    step = run_step(
        cycle.training(arm, seed),
        work,
        data=dataset.digest,
        detector=config.detector,
        settings=settings.model_dump(exclude=NEUTRAL),
        init=weights_digest(config.weights) if init is None else init.digest,
        arithmetic=arithmetic(),
        code=code_digest("models/detector", "dataset"),
    )
    say(step)
    return step


@task(cache_policy=NO_CACHE, task_run_name="detect-{arm}-seed-{seed}")
def detect(campaign: Campaign, cycle: Cycle, arm: str, seed: int, detector: Step, data: Data) -> Step:
    """What the detector says of pool, val and test: one Parquet file each."""

    def work(folder: Path) -> str:
        files = [
            predict(checkpoint_of(detector), Dataset.open(split), folder / f"{name}.parquet")
            for name, split in data.judged().items()
        ]
        return digest_of([file_digest(file) for file in files])

    step = run_step(
        cycle.detections(arm, seed),
        work,
        detector=detector.digest,
        data=data.digest,
        arithmetic=arithmetic(),
        code=code_digest("models/detector", "dataset"),
    )
    say(step)
    return step


def training_of(cycle: Cycle, arm: str, seed: int) -> Step:
    """The finished training of an earlier cycle."""
    return finished(cycle.training(arm, seed))


def detections_of(cycle: Cycle, arm: str, seed: int) -> Step:
    """The finished detections of an earlier cycle."""
    return finished(cycle.detections(arm, seed))


def checkpoint_of(training: Step) -> Path:
    """The detector that a training step left: the last one, so that no arm is picked on the frames that judge it."""
    return training.folder / "last.pt"
