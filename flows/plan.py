"""Price a run before it is run: images, renders, training steps, minutes."""

from rich.console import Console
from rich.table import Table

from dataset.store import Dataset
from tasks.campaign import arms_of
from tasks.config import CampaignConfig

# Megapixels a second, measured on two cores of a current server processor (AVX-512 BF16), ResNet-18 at stride 8.
TRAINED_MPX_S, DETECTED_MPX_S, RENDERED_MPX_S = 1.7, 3.5, 0.21


def price(config: CampaignConfig, cycles: int) -> str:
    """A table of what a run of so many cycles costs; where the data was not read yet, frames are counted then."""
    frames = _frames(config)
    pixels = config.detector.input_width_px * config.detector.input_height_px / 1e6
    seeds, arms = config.loop.training_seeds, len(arms_of(config))
    scenes = config.mining.max_failures * config.simulator.recreate.variants
    rendered_mpx = _rendered_px(config) / 1e6
    renders = cycles * 2 * scenes + (config.stand_in.frames if config.stand_in else 0)
    steps = seeds * (config.baseline.steps + cycles * arms * config.retrain.steps)
    retrained = cycles * arms * config.retrain.steps * config.retrain.batch_size
    images = seeds * (config.baseline.steps * config.baseline.batch_size + retrained)
    detections = None if frames is None else seeds * frames * (1 + cycles * arms)
    minutes = {
        "render": renders * rendered_mpx / RENDERED_MPX_S / 60,
        "train": images * pixels / TRAINED_MPX_S / 60,
        "detect": (detections or 0) * pixels / DETECTED_MPX_S / 60,
    }
    table = Table("stage", "amount", "minutes", title=f"{config.name}: {cycles} cycles, {arms} arms, {seeds} seeds")
    table.add_row("render", f"up to {renders} frames of {rendered_mpx:.2f} megapixels", f"{minutes['render']:.1f}")
    table.add_row("train", f"{steps} steps, {images} images of {pixels:.2f} megapixels", f"{minutes['train']:.1f}")
    if config.refiner.kind != "none":
        table.add_row("refine", f"{cycles} fits of {config.refiner.kind}, {config.refiner.preset}: not priced", "?")
    detect = "the data was not read yet" if detections is None else f"{detections} images"
    table.add_row("detect", detect, f"{minutes['detect']:.1f}")
    table.add_row("in all", "", f"{sum(minutes.values()):.0f}")
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table)
        console.print("Nothing was run. The minutes are those of two processor cores; a GPU is far faster.")
    return captured.get()


def _frames(config: CampaignConfig) -> int | None:
    """Frames that every detector is run over: pool, val and test, where an earlier run has split the data."""
    if config.stand_in:
        return round(config.stand_in.frames * (config.data.pool_share + config.data.val_share + config.data.test_share))
    data = config.runs / config.name / "data"
    judged = [
        *(data / "splits" / name for name in ("pool", "val", "test")),
        data / "val-all/store",
        data / "test-all/store",
    ]
    return sum(len(Dataset.open(folder)) for folder in judged if (folder / "meta.json").exists()) or None


def _rendered_px(config: CampaignConfig) -> int:
    """Pixels of a rendered frame: the stand-in world's, else as wide as is rendered in the detector's proportions."""
    if config.stand_in:
        return config.stand_in.width_px * config.stand_in.height_px
    width_px = config.simulator.max_width_px or 1242
    return width_px * width_px * config.detector.input_height_px // config.detector.input_width_px
