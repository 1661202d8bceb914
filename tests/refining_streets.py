"""Tiny streets for the tests of refining: renders that know where they come from, and photos."""

from pathlib import Path

import numpy as np
from PIL import Image

from dataset.images import semantic_path
from dataset.schema import Frame, Objects, Source
from dataset.store import Dataset, DatasetWriter

WIDTH_PX, HEIGHT_PX, FRAMES = 64, 48, 5


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
