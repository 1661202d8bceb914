"""A tiny simulator for tests: every actor is a few convex blocks, painted from far to near."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from simulator.backend import Render, Silhouettes
from simulator.preview import blocks
from simulator.projection import box_of
from simulator.scene import Scene

ROAD, CAR = 1, 14  # of CARLA's tags


@dataclass(frozen=True)
class BlockBackend:
    """`kill_at`: the process dies at the n-th render, unless the file `spared` is there (it is made before dying)."""

    kill_at: int = 0
    spared: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_renders", 0)

    def render(self, scene: Scene) -> Render:
        object.__setattr__(self, "_renders", self._renders + 1)  # type: ignore[attr-defined]
        if self._renders == self.kill_at and not (self.spared and self.spared.exists()):  # type: ignore[attr-defined]
            if self.spared:
                self.spared.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return render_blocks(scene)

    def close(self) -> None:
        pass


def render_blocks(scene: Scene) -> Render:
    width, height = scene.camera.width_px, scene.camera.height_px
    instance = np.zeros((height, width), np.int32)
    area, inside = np.zeros(len(scene.actors)), np.zeros(len(scene.actors))
    boxes = np.full((len(scene.actors), 4), np.nan)
    order = sorted(range(len(scene.actors)), key=lambda i: -np.hypot(scene.actors[i].x_m, scene.actors[i].z_m))
    for i in order:
        edges = blocks(scene.camera, scene.actors[i])
        if not edges:
            continue
        boxes[i] = box_of(np.concatenate(edges))
        low = np.clip(np.floor(boxes[i][:2]), [-width, -height], [2 * width, 2 * height]).astype(int)
        high = np.clip(np.ceil(boxes[i][2:]), [-width, -height], [2 * width, 2 * height]).astype(int)
        film = Image.new("1", tuple(np.maximum(high - low, 1).tolist()))
        for edge in edges:  # PIL fills pixels by their centres at whole numbers, ours lie at .5
            ImageDraw.Draw(film).polygon([tuple((corner - low - 0.5).tolist()) for corner in edge], fill=1)
        rows, columns = np.nonzero(np.asarray(film))
        rows, columns = rows + low[1], columns + low[0]
        shown = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        area[i], inside[i] = len(rows), shown.sum()
        mask = rows[shown], columns[shown]
        instance[mask] = i + 1
    shades = np.random.default_rng(scene.seed).integers(0, 256, (len(scene.actors) + 1, 3), np.uint8)
    return Render(
        rgb=shades[instance],
        instance=instance,
        semantic=np.where(instance > 0, CAR, ROAD).astype(np.uint8),
        depth_m=np.full((height, width), np.inf, np.float32),
        silhouettes=Silhouettes(area, inside, boxes),
    )
