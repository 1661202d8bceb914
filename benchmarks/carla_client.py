"""Scenes a second of the CARLA client, beside a bare loop of tick and cameras in the same streets, over the real wire.

    python -m benchmarks.carla_client [--scenes 24] [--width 640] [--height 192] [--maps DIR_OF_XODR] [--map Town01]

A loopback server renders for both, in a process of its own. Ours is CarlaBackend: it chooses models, finds a place,
spawns, sees each layer of actors alone, takes the picture with four cameras, and makes labels' masks of it. The peer
is what any CARLA script pays: after each of our pictures, with the same actors before the same four cameras, one more
tick whose images are waited for. All scenes are shown once before, as Unreal has its towns in memory.

Two figures: without warm-up ticks, which the loopback server's pictures do not need, and with the default number of
them, each of which it paints. A real server's ticks cost other shares: neither figure tells its frame rate.
The last line is JSON, a list of both.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.render import street
from simulator.backend import Render
from simulator.carla.backend import CarlaBackend
from simulator.carla.capture import PICTURE
from simulator.carla.config import CarlaConfig
from simulator.carla.takes import Images
from simulator.recreate import NotRecreatable
from simulator.scene import Scene

SUBSCRIBING_S = 0.5  # longer than it takes until the server knows who listens
ROOT = Path(__file__).parents[1]


@contextmanager
def loopback(*options: str) -> Iterator[int]:
    """The port of a server that answers while the block runs."""
    command = [sys.executable, "-m", "simulator.carla.loopback", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening"):
            raise RuntimeError(f"the loopback server ended with {process.wait()}")
        yield int(line.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


class Timed(CarlaBackend):
    """Takes each picture once more with a bare tick, and remembers how long that took."""

    bare_s = 0.0
    bare_frames = bare_ticks = 0
    spent_s = 0.0  # what the bare ticks took in all, their subscription included: none of a scene's own time

    def _developed(self, images: Images, *rest: Any) -> Render:
        began_s = time.perf_counter()
        rig = next(reversed(self._rigs.values()))
        rig.listen(PICTURE)
        rig.shoot(PICTURE)
        time.sleep(SUBSCRIBING_S)
        rig.images(rig.shoot(PICTURE), self.config.image_timeout_s)
        ready_s = time.perf_counter()
        rig.images(rig.shoot(PICTURE), self.config.image_timeout_s)
        self.bare_s += time.perf_counter() - ready_s
        self.bare_frames += 1
        self.bare_ticks += 3
        rig.stop()
        self.spent_s += time.perf_counter() - began_s
        return super()._developed(images, *rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--maps", help="folder of OpenDRIVE files; the built-in straight road without it")
    parser.add_argument("--map", help="one of them")
    options = parser.parse_args()
    maps = [f"--{name}={value}" for name in ("maps", "map") if (value := getattr(options, name))]
    scenes = [street(seed, options.width, options.height) for seed in range(options.scenes)]
    with loopback(*maps) as port:
        plain = CarlaConfig(warm_up_ticks=0)
        figures = [
            figure("carla_client", port, scenes, plain),
            figure("carla_client_warmed", port, scenes, CarlaConfig()),
        ]
    print(json.dumps(figures))


def figure(name: str, port: int, scenes: list[Scene], config: CarlaConfig) -> dict[str, Any]:
    backend = Timed("127.0.0.1", port, config)
    for scene in scenes:  # kernels, and the town's parts
        with contextlib.suppress(NotRecreatable):
            backend.render(scene)
    backend.bare_s = backend.spent_s = 0.0
    backend.bare_frames = backend.bare_ticks = 0
    ticks_before, skipped, began_s = backend.ticks, 0, time.perf_counter()
    for scene in scenes:
        try:
            backend.render(scene)
        except NotRecreatable:
            skipped += 1
    scenes_s = time.perf_counter() - began_s - backend.spent_s
    shown = len(scenes) - skipped
    ticks = backend.ticks - ticks_before - backend.bare_ticks
    backend.close()

    ours, peer = shown / scenes_s, backend.bare_frames / backend.bare_s
    size = f"{scenes[0].camera.width_px}x{scenes[0].camera.height_px}"
    print(f"{name}: {size}, {shown} scenes shown, {skipped} without a place, {ticks / shown:.1f} ticks each")
    print(f"ours  {ours:6.2f} scenes/s")
    print(f"peer  {peer:6.2f} frames/s (one tick, four cameras, nothing else)")
    return {
        "name": name,
        "ours": round(ours, 2),
        "peer": round(peer, 2),
        "unit": "frames/s",
        "ratio": round(ours / peer, 3),
    }


if __name__ == "__main__":
    main()
