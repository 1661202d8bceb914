"""Random streets to learn from, for `benchmarks/transfer.py`: labelled frames by cameras of many kinds.

    python -m benchmarks.transfer_frames [OUT] [--frames 300] [--seed 0] [--workers 1]
        [--settings camera.yaml --size 1224 370]

`--settings` is a file of settings as `flows` reads them; its simulator.randomisation and simulator.street count, and
with `--size` of the pictures its data.camera takes all of them (the verb `camera` writes one only for frames that have
none: add KITTI's by hand). This script asks little of the simulator, so that older versions of it render with the same
cameras: copy it into a worktree of theirs and run it there. Run again to go on. It measures nothing: its last line
counts frames.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dataset.errors import InputError
from dataset.schema import Camera
from dataset.store import Dataset
from simulator.casting import CastingConfig
from simulator.embedded.backend import EmbeddedBackend
from simulator.jobs import RandomJobs
from simulator.random_street import RandomStreetConfig
from simulator.randomise import RandomisationConfig
from simulator.resize import resized_camera
from simulator.session import render_scenes

MIX = {"car": 0.75, "pedestrian": 0.15, "cyclist": 0.1}
# Data sets differ in what is a car beside a car: CamVid counts lorries, KITTI forgives vans.
CASTING = CastingConfig(assets={"car": {"car": 0.85, "van": 0.1, "truck": 0.05}})
SIZES_PX = ((480, 145), (352, 264), (400, 238))  # as wide as KITTI's, CamVid's and CARLA's pictures are
FOCAL_SHARE = (0.5, 1.1)  # of the width: 90 to 49 degrees across
HORIZON_SHARE = (0.42, 0.55)  # of the height
HEIGHT_M = (1.2, 1.9)
AREA_PX = 80_000  # of a picture, whatever its shape


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("runs/transfer/streets"))
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()

    settings = yaml.safe_load(options.settings.read_text()) if options.settings else {}
    rendered = render_streets(options.out, options.frames, options.seed, settings, options.size, options.workers)
    print(f"{len(rendered)} frames, {rendered.counts()}: {options.out}")


def render_streets(
    out: Path,
    frames: int,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    size_px: tuple[int, int] | None = None,
    workers: int = 1,
) -> Dataset:
    """A store of random streets. settings, size_px: see above. Raises InputError for a size without a camera."""
    settings = settings or {}
    simulator = settings.get("simulator", {})
    street = RandomStreetConfig(**{"category_mix": MIX, "casting": CASTING} | simulator.get("street", {}))
    if size_px is None:
        cameras = any_cameras(48, np.random.default_rng(seed))
    elif (camera := settings.get("data", {}).get("camera")) is None:
        raise InputError("--size", "there is no camera for it", "name --settings FILE with data.camera, or no --size")
    else:
        cameras = [one_camera(Camera(**camera), *size_px)]
    randomisation = RandomisationConfig(**simulator.get("randomisation", {}))
    jobs = RandomJobs(frames, tuple(MIX), cameras, street, randomisation, seed=seed, cycle=0)
    return render_scenes(jobs, out, backend_factory=EmbeddedBackend, workers=workers, name="streets").dataset


def any_cameras(count: int, rng: np.random.Generator) -> list[tuple[Camera, int, int]]:
    """Cameras of no data set in particular."""
    cameras = []
    for index in range(count):
        width_px, height_px = SIZES_PX[index % len(SIZES_PX)]
        focal_px = float(rng.uniform(*FOCAL_SHARE)) * width_px
        horizon_px = float(rng.uniform(*HORIZON_SHARE)) * height_px
        camera = Camera(focal_px, focal_px, width_px / 2, horizon_px, height_m=float(rng.uniform(*HEIGHT_M)))
        cameras.append((camera, width_px, height_px))
    return cameras


def one_camera(camera: Camera, width_px: int, height_px: int) -> tuple[Camera, int, int]:
    """A data set's camera, its pictures made as small as the others."""
    scale = (AREA_PX / (width_px * height_px)) ** 0.5
    return resized_camera(camera, scale), round(width_px * scale), round(height_px * scale)


if __name__ == "__main__":
    main()
