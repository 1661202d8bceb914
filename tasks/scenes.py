"""Re-create the chosen failures in the simulator, and render as many random streets for the control arm."""

import json
from pathlib import Path

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from dataset.errors import InputError
from dataset.schema import Camera
from dataset.store import Dataset
from simulator.jobs import RandomJobs, RecreationJobs, assumed_camera
from simulator.resize import resized_camera, scale_to
from tasks.campaign import Campaign
from tasks.config import SimulatorConfig
from tasks.data import Data
from tasks.layout import IMITATION, RANDOM, Cycle
from tasks.log import say
from tasks.mining import failures_of
from tasks.rendering import inputs_of, render
from tasks.steps import Step, finished, run_step

CAMERAS_DRAWN = 64  # real cameras that random streets are taken with


def require_arms_alike(config: SimulatorConfig) -> None:
    """InputError where the random arm's pictures would differ from imitation's by more than what they show."""
    if config.street.distorts:
        raise InputError(
            "simulator.street.radial_k1 and radial_k2",
            "they distort random streets and no re-created scene, so that the arms would differ by their lens as well",
            "leave them at [0, 0] in a campaign or cycle; render and the benchmarks take them",
        )


@task(cache_policy=NO_CACHE, task_run_name="recreate-scenes")
def recreate_scenes(campaign: Campaign, cycle: Cycle, data: Data, chosen: Step) -> Step:
    """The chosen failures as scenes whose rendered labels were checked: synthetic/imitation, a data set store."""
    config = campaign.config

    def work(folder: Path) -> str:
        wanted = set(json.loads((chosen.folder / "chosen.json").read_text()))
        failures = [failure for failure in failures_of(cycle).iterate() if failure.failure_id in wanted]
        jobs = RecreationJobs(
            Dataset.open(data.pool),
            failures,
            config.simulator.recreate,
            config.simulator.randomisation_shown,
            seed=config.loop.seed,
            cycle=cycle.number,
            max_width_px=config.simulator.max_width_px,
        )
        report = render(jobs, folder, config.simulator)
        if not report.used:
            raise InputError(
                folder / "reconstruction.parquet",
                f"none of {report.jobs} scenes fitted its failure in {report.attempts} tries",
                "look at the reasons in that table; raise simulator.attempts or simulator.recreate's tolerances",
            )
        say(f"{report.used} of {report.jobs} scenes fit their failure, in {report.attempts} tries")
        return report.dataset.digest

    step = run_step(
        cycle.synthetic(IMITATION),
        work,
        chosen=chosen.digest,
        data=data.digest,
        cycle=cycle.number,
        seed=config.loop.seed,
        **inputs_of(config.simulator, recreated=True),
    )
    say(step)
    return step


@task(cache_policy=NO_CACHE, task_run_name="random-scenes")
def random_scenes(campaign: Campaign, cycle: Cycle, data: Data, like: Step) -> Step:
    """As many random streets as `like` holds, with the data's categories and cameras: synthetic/random."""
    config = campaign.config
    count = len(Dataset.open(like.folder))

    def work(folder: Path) -> str:
        train = Dataset.open(data.train)
        jobs = RandomJobs(
            count,
            train.categories,
            cameras_of(train, config.simulator),
            config.simulator.street.model_copy(
                update={"category_mix": mix_of(train), "casting": config.simulator.recreate.casting}
            ),
            config.simulator.randomisation_shown,
            seed=config.loop.seed + 1,
            cycle=cycle.number,
        )
        return render(jobs, folder, config.simulator).dataset.digest

    step = run_step(
        cycle.synthetic(RANDOM),
        work,
        count=count,
        data=data.digest,
        cycle=cycle.number,
        seed=config.loop.seed,
        **inputs_of(config.simulator, recreated=False),
    )
    say(step)
    return step


def synthetic_of(cycle: Cycle, arm: str) -> list[Step]:
    """What the earlier cycles rendered for an arm: synthetic data aggregates."""
    return [finished(cycle.run.cycle(number).synthetic(arm)) for number in range(1, cycle.number)]


def cameras_of(dataset: Dataset, config: SimulatorConfig) -> list[tuple[Camera, int, int]]:
    """Cameras and image sizes of frames spread over the data set, as they are rendered."""
    assumed, cameras = assumed_camera(dataset, config.recreate), []
    for row in np.unique(np.linspace(0, len(dataset) - 1, CAMERAS_DRAWN).astype(int)):
        frame = dataset.frame(int(row))
        camera = frame.camera or assumed.camera(frame.width_px, frame.height_px)
        scale = scale_to(frame.width_px, config.max_width_px)
        cameras.append((resized_camera(camera, scale), round(frame.width_px * scale), round(frame.height_px * scale)))
    return cameras


def mix_of(dataset: Dataset) -> dict[str, float]:
    """Shares of the categories among the data set's objects."""
    counts = dataset.counts()
    total = sum(counts.values())
    return {category: count / total for category, count in counts.items() if count}
