"""Speed of the refiners: pix2pix's training step against its article's, and pictures a second of each small preset.

    python -m benchmarks.refine [--steps 5] [--pictures 8] [--width 640 --height 192]

The article trained 256x512 pix2pix on a CPU with 7.6 s a step (50 epochs of 100 pictures in 10 to 11 hours): our step
is of the paper's networks, batch 1, data included. 'peer' of the pictures a second is what a refiner must reach to keep
up with rendering: 4. Weights are untrained and pictures made up, as speed does not depend on them. On a GPU the
paper's presets run too, at 512x256, 960x540 and 1920x1080.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dataset.images import semantic_path
from models.refiners.build import CLASSES, fit_refiner, method_config, refiner_class
from models.refiners.config import Preset, RefinerConfig, RefinerKind
from models.refiners.cut import CutConfig, CutRefiner
from models.refiners.label_sets import planes
from models.refiners.patch_gan import PatchGan
from models.refiners.pictures import Pictures
from models.refiners.pix2pix import Pix2pixConfig, Pix2pixLesson, Pix2pixRefiner
from models.refiners.refiner import Refiner
from models.refiners.simgan import SimganRefiner
from models.refiners.training import seeded, training_device

ARTICLE_STEP_S = 7.6
ASKED_PICTURES_PER_S = 4.0
GPU_SIZES = ((512, 256), (960, 540), (1920, 1080))
TAGS = (1, 2, 3, 9, 11, 14)  # road, pavement, building, vegetation, sky, car


def made_pictures(folder: Path, count: int, width: int, height: int) -> Pictures:
    """Blocks of tags with a colour each, and noise."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 200, (256, 3), np.uint8)
    for i in range(count):
        blocks = np.kron(rng.choice(TAGS, (6, 10)), np.ones((-(-height // 6), -(-width // 10)), int))[:height, :width]
        path = folder / f"{i}.png"
        Image.fromarray(colours[blocks] + rng.integers(0, 50, (height, width, 3), np.uint8)).save(path)
        Image.fromarray(blocks.astype(np.uint8)).save(semantic_path(str(path)))
    return Pictures.of_folder(folder)


def untrained(kind: RefinerKind, preset: Preset, pictures: Pictures, scratch: Path) -> Refiner:
    settings = RefinerConfig(kind=kind, preset=preset)
    config, found = method_config(settings), refiner_class(kind)
    if isinstance(config, Pix2pixConfig):
        return Pix2pixRefiner(config, {}, Pix2pixRefiner.network(config), None)
    if isinstance(config, CutConfig):
        return CutRefiner(config, {}, CutRefiner.network(config))
    if issubclass(found, SimganRefiner):
        return found(config, {}, found.network(config))  # type: ignore[arg-type]
    return fit_refiner(settings, pictures, pictures, scratch, seed=0, progress=False)


def pix2pix_step_s(pictures: Pictures, steps: int) -> float:
    config = Pix2pixConfig.preset("paper")
    config = config.model_copy(update={"labels": "carla", "crops": config.crops.model_copy(update={"semantic": True})})
    names = planes("carla")
    lesson = Pix2pixLesson(
        config,
        Pix2pixRefiner.network(config),
        PatchGan(names.count + 3, config.discriminator_width),
        pictures,
        pictures,
        names,
        names,
        seed=0,
    )

    def learn() -> None:
        for step in range(steps):
            with seeded(0, step):
                lesson.step(step)

    return seconds(learn) / steps


def pictures_per_s(refiner: Refiner, rgb: np.ndarray, semantic: np.ndarray) -> float:
    maps = semantic if refiner.needs_semantic else None
    return len(rgb) / seconds(lambda: refiner.refine(rgb, maps))


def seconds(work: Callable[[], object]) -> float:
    """Of the second run: the first chooses kernels and takes memory."""
    work()
    _wait()
    start = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("steps", 5), ("pictures", 8), ("width", 640), ("height", 192)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    figures = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        folder.mkdir()
        pictures = made_pictures(folder, chosen.pictures, chosen.width, chosen.height)
        rgb = np.stack([pictures.rgb(i) for i in range(len(pictures))])
        maps = np.stack([pictures.semantic(i) for i in range(len(pictures))])  # type: ignore[misc]
        step_s = pix2pix_step_s(pictures, chosen.steps)
        print(f"{training_device()}, {torch.get_num_threads()} threads: pix2pix step {step_s:.2f} s")
        figures.append(_figure("pix2pix step 256x512", step_s, ARTICLE_STEP_S, "s", ARTICLE_STEP_S / step_s))
        for kind in CLASSES:
            refiner = untrained(kind, "small", pictures, Path(scratch) / kind)
            speed = pictures_per_s(refiner, rgb, maps)
            print(f"{kind:>10} small {chosen.width}x{chosen.height}: {speed:.1f} pictures/s")
            name = f"{kind} small {chosen.width}x{chosen.height}"
            figures.append(_figure(name, speed, ASKED_PICTURES_PER_S, "pictures/s", speed / ASKED_PICTURES_PER_S))
        if torch.cuda.is_available():
            figures += gpu_figures(pictures, Path(scratch))
    print(json.dumps(figures))


def gpu_figures(pictures: Pictures, scratch: Path) -> list[dict[str, object]]:
    figures = []
    for width, height in GPU_SIZES:
        folder = scratch / f"{width}x{height}"
        folder.mkdir()
        large = made_pictures(folder, 8, width, height)
        rgb = np.stack([large.rgb(i) for i in range(len(large))])
        maps = np.stack([large.semantic(i) for i in range(len(large))])  # type: ignore[misc]
        for kind in ("simgan", "shen", "pix2pix", "cut"):
            speed = pictures_per_s(untrained(kind, "paper", pictures, scratch / kind), rgb, maps)
            print(f"{kind:>10} paper {width}x{height}: {speed:.1f} pictures/s")
            name = f"{kind} paper {width}x{height}"
            figures.append(_figure(name, speed, ASKED_PICTURES_PER_S, "pictures/s", speed / ASKED_PICTURES_PER_S))
    return figures


def _figure(name: str, ours: float, peer: float, unit: str, ratio: float) -> dict[str, object]:
    return {"name": name, "ours": round(ours, 3), "peer": peer, "unit": unit, "ratio": round(ratio, 2)}


if __name__ == "__main__":
    main()
