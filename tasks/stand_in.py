"""The demo's stand-in for real data: a rendered world with other assets, another camera and a long tail.

It stands in for photographs that cannot be shipped. Numbers made with it say that the loop runs, not how well a
detector does on real roads; everything that shows them says so.
"""

from pathlib import Path

from dataset.schema import Camera
from simulator.jobs import RandomJobs
from simulator.randomise import RandomisationConfig
from tasks.campaign import Campaign
from tasks.config import EMBEDDED
from tasks.rendering import inputs_of, render
from tasks.steps import Step, run_step

# A long tail: what is rare here is what the detector will miss.
CATEGORY_MIX = {"car": 0.76, "pedestrian": 0.13, "truck": 0.06, "cyclist": 0.05}


def render_stand_in(campaign: Campaign) -> Step:
    """Render the stand-in world once: data/all/store."""
    config, settings = campaign.config, campaign.config.stand_in
    if settings is None:
        raise ValueError("the configuration has no stand_in section")
    randomisation = RandomisationConfig(
        time_of_day={"day": 0.85, "dusk": 0.07, "night": 0.08},
        weather={"clear": 0.5, "overcast": 0.35, "fog": 0.05, "rain": 0.1},
        exposure_ev=(-0.4, 0.5),
        contrast=(1.0, 1.35),
        saturation=(0.5, 0.9),
        temperature_k=(4600, 6000),
        noise_sigma=(0.015, 0.035),
        blur_px=(0.6, 1.1),
        jpeg_quality=(60, 80),
    )
    # Other simulators, models, towns, lenses may answer its failures; what stands in for the real world stays as it is.
    street = config.simulator.street.model_copy(update={"maps": (), "radial_k1": (0.0, 0.0), "radial_k2": (0.0, 0.0)})
    embedded = config.simulator.model_copy(update={"address": EMBEDDED, "models": None, "street": street})
    jobs = RandomJobs(
        settings.frames,
        tuple(CATEGORY_MIX),
        [stand_in_camera(settings.width_px, settings.height_px)],
        embedded.street.model_copy(update={"category_mix": CATEGORY_MIX, "asset_set": "stand-in"}),
        randomisation,
        seed=settings.seed,
        cycle=0,
        source="stand-in",
    )

    def work(folder: Path) -> str:
        return render(jobs, folder / "store", embedded, name="stand-in").dataset.digest

    inputs = inputs_of(embedded, recreated=False)
    return run_step(campaign.run.data / "all", work, stand_in=settings, randomisation=randomisation, **inputs)


def stand_in_camera(width_px: int, height_px: int) -> tuple[Camera, int, int]:
    """The camera of the stand-in world, 80 degrees wide, and its image size."""
    focal_px = 0.6 * width_px
    return Camera(focal_px, focal_px, width_px / 2, 0.48 * height_px, height_m=1.5), width_px, height_px
