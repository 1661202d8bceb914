"""Training speed of the grid detector beside torchvision's RetinaNet and FCOS: same backbone, images, loop and device.

    python -m benchmarks.train [--steps 6] [--batch 8] [--width 640 --height 192] [--device cpu]

Three figures a network: the loader alone (decoded images from the cache, augmented boxes), the model alone (forward,
loss, backward, optimiser step on a batch that lies ready) and end to end (`models.detector.train`, without its last
checkpoint). Images are noise with boxes as large and as many as KITTI's. Of the model alone also the share of the
device's bf16 peak that its arithmetic reaches: the data sheet's on cards known here, else that of a large matrix
product. On a GPU: --width 1248 --height 384 --steps 100. The last lines are JSON, one a figure.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from dataset.schema import Frame, Objects
from dataset.store import Dataset, DatasetWriter
from models.detector.augment import apply
from models.detector.build import build
from models.detector.config import DetectorConfig, TrainConfig
from models.detector.precision import autocast
from models.detector.samples import Batch, ImageCache, Samples, collate
from models.detector.train import train

PEERS = ("retinanet", "fcos")
OBJECTS = 6
WARM_UP_STEPS = 2
# Dense bf16 of the data sheets, in TFLOP/s.
CARDS = ["H100 PCIe", "H100 NVL", "H100", "H200", "A100", "L40S", "L40", "L4", "RTX 4090"]  # the longer name first
PEAK_TFLOPS = dict(zip(CARDS, (756.0, 835.0, 989.0, 989.0, 312.0, 362.0, 181.0, 121.0, 165.0), strict=True))
MATRIX, PRODUCTS = 2048, 5


def street_like(folder: Path, frames: int, width_px: int, height_px: int) -> Dataset:
    rng = np.random.default_rng(0)
    with DatasetWriter(folder / "store", ("car", "pedestrian", "cyclist"), "noise") as writer:
        for i in range(frames):
            path = folder / f"{i:04}.png"
            Image.fromarray(rng.integers(0, 255, (height_px, width_px, 3), np.uint8)).save(path, compress_level=1)
            height = np.exp(rng.uniform(np.log(10), np.log(0.6 * height_px), OBJECTS))
            width = height * rng.uniform(0.4, 2.0, OBJECTS)
            left, top = rng.uniform(0, width_px - width), rng.uniform(0, height_px - height)
            objects = Objects.of(rng.integers(3, size=OBJECTS), np.stack([left, top, left + width, top + height], 1))
            writer.add(Frame(f"{i:04}", str(path), width_px, height_px, group=f"{i:04}"), objects)
    return Dataset.open(folder / "store")


def loader_images_per_s(data: Dataset, detector: DetectorConfig, config: TrainConfig, folder: Path) -> float:
    """Batches a second of one process once every image is in the cache, times the batch."""
    cache = ImageCache(folder, len(data), detector, 1.0)
    cache.create()
    samples = Samples(data, cache, detector, config)
    for position in range(len(data)):
        samples[position]
    start = time.perf_counter()
    for step in range(config.steps):
        collate([samples[step * config.batch_size + i] for i in range(config.batch_size)])
    cache.remove()
    return config.steps * config.batch_size / (time.perf_counter() - start)


def model_images_per_s(batch: Batch, detector: DetectorConfig, config: TrainConfig, device: str) -> float:
    network = build(detector, 3).train().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    images = apply(batch.images.to(device), batch.source_from_output.to(device), batch.colour.to(device))
    objects = batch.objects.to(device)
    marks = []
    for _ in range(WARM_UP_STEPS + config.steps):
        with autocast(device):
            loss = network.learn(images, objects, config.loss)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if device == "cuda":
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
    return len(images) / _median_step_s(marks)


def step_flops(batch: Batch, detector: DetectorConfig, config: TrainConfig) -> float:
    """Of convolutions and matrix products, forward and backward, an image: two for each multiplication."""
    network = build(detector, 3).train()
    images = apply(batch.images, batch.source_from_output, batch.colour)
    with FlopCounterMode(display=False) as counter:
        network.learn(images, batch.objects, config.loss)["loss"].backward()
    return counter.get_total_flops() / len(images)


def peak_flops(device: str) -> tuple[float, str]:
    """Operations a second of the device in bf16, and where the figure comes from."""
    name = torch.cuda.get_device_name() if device == "cuda" else "processor"
    for card, tera in PEAK_TFLOPS.items():
        if card in name:
            return tera * 1e12, f"{name}, data sheet"
    side = MATRIX * (4 if device == "cuda" else 1)
    a = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    marks = []
    for _ in range(PRODUCTS):
        (a @ a)[0, 0].item()  # waits for the device
        marks.append(time.perf_counter())
    return 2 * side**3 / float(np.min(np.diff(marks))), f"{name}, a product of {side}x{side} matrices"


def whole_images_per_s(data: Dataset, detector: DetectorConfig, config: TrainConfig, folder: Path) -> float:
    """From log to log, so without set-up and checkpoints."""
    marks: list[float] = []

    def note(step: int, values: dict[str, float]) -> None:
        marks.append(time.perf_counter())

    longer = config.model_copy(update={"steps": WARM_UP_STEPS + config.steps, "log_every": 1})
    train(data, folder, detector, longer, on_log=note, progress=False)
    return config.batch_size / _median_step_s(marks)


def _median_step_s(marks: list[float]) -> float:
    """Of the steps after the warm-up: what else a machine does strikes single steps."""
    return float(np.median(np.diff(marks[WARM_UP_STEPS - 1 :])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("steps", 6), ("batch", 8), ("width", 640), ("height", 192)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args()
    config = TrainConfig(steps=chosen.steps, batch_size=chosen.batch, accelerator=chosen.device)
    figures: dict[str, dict[str, float]] = {}
    flops: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        data = street_like(Path(scratch), 4 * chosen.batch, chosen.width, chosen.height)
        for name in ("grid", *PEERS):
            detector = DetectorConfig(
                architecture=name,
                input_width_px=chosen.width,
                input_height_px=chosen.height,  # type: ignore[arg-type]
            )
            samples = Samples(data, ImageCache(Path(scratch), len(data), detector, 0), detector, config)
            samples.cache.create()
            batch = collate([samples[i] for i in range(chosen.batch)])
            figures[name] = {
                "loader": loader_images_per_s(data, detector, config, Path(scratch)),
                "model": model_images_per_s(batch, detector, config, chosen.device),
                "end to end": whole_images_per_s(data, detector, config, Path(scratch) / name),
            }
            flops[name] = step_flops(batch, detector, config)
            print(f"{name:>10}: " + ", ".join(f"{what} {value:.2f} images/s" for what, value in figures[name].items()))
    ours = figures["grid"]
    peak, told = peak_flops(chosen.device)
    for name, figure in figures.items():
        reached = figure["model"] * flops[name]
        print(f"{name:>10}: {flops[name] / 1e9:.1f} GFLOP an image, {reached / peak:.2f} of the bf16 peak ({told})")
    print(f"end to end / model alone: {ours['end to end'] / ours['model']:.2f}")
    for peer in PEERS:
        theirs = figures[peer]["end to end"]
        result = {"name": f"train against {peer}", "ours": round(ours["end to end"], 3), "peer": round(theirs, 3)}
        print(json.dumps(result | {"unit": "images/s", "ratio": round(ours["end to end"] / theirs, 2)}))


if __name__ == "__main__":
    main()
