"""One process that renders scenes: draws, renders, checks, re-rolls, and saves off the render path.

Each job leaves three files: its image, the map of its semantic tags beside it, and a record (JSON) written after them.
A job with a record is done, whatever happened to the process since.
"""

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from dataset.images import semantic_path
from dataset.schema import Camera, Frame, Objects
from simulator.backend import Backend, Render
from simulator.check import Check, check
from simulator.jobs import Jobs
from simulator.labels import LabelLimits, labels
from simulator.recreate import NotRecreatable
from simulator.scene import Scene

ImageFormat = Literal["png", "jpeg"]
SUFFIX: dict[ImageFormat, str] = {"png": "png", "jpeg": "jpg"}

PNG_LEVEL = 1  # zlib's fastest: files are 1% larger than at 3


@dataclass(frozen=True)
class Work:
    """All that a worker needs to know; picklable."""

    jobs: Jobs
    out: Path
    backend_factory: Callable[[], Backend]
    limits: LabelLimits
    attempts: int
    image_format: ImageFormat


def image_path(out: Path, index: int, image_format: ImageFormat) -> Path:
    return out / "images" / f"{index // 1000:04d}" / f"{index:07d}.{SUFFIX[image_format]}"


def record_path(out: Path, index: int) -> Path:
    return out / "records" / f"{index // 1000:04d}" / f"{index:07d}.json"


def remove_partials(out: Path) -> None:
    """Removes what workers that were killed had begun to write. Only while no worker runs."""
    for folder in ("images", "records"):
        for partial in (out / folder).glob("*/*.partial"):
            partial.unlink()


def _aside(path: Path) -> Path:
    """Where this process writes a file; its own, as a worker of a killed session may still be writing the same one."""
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


class RenderWorker:
    """Holds one backend and one saving thread; `close` gives both back."""

    def __init__(self, work: Work):
        self._work = work
        self._backend = work.backend_factory()
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="save")

    def render(self, indices: Sequence[int]) -> None:
        """Renders jobs; returns when all their files are on disk."""
        saves: list[Future] = []
        for index in indices:
            tries: list[dict[str, Any]] = []
            answer = None
            for attempt in range(self._work.attempts):
                scene, render, outcome = self._try(index, attempt)
                tries.append(_attempt_row(self._work.jobs, index, attempt, scene, outcome))
                if outcome.passed and scene is not None and render is not None:
                    answer = (scene, render)
                    break
            saves.append(self._saver.submit(self._save, index, tries, answer))
        for save in saves:
            save.result()

    def _try(self, index: int, attempt: int) -> tuple[Scene | None, Render | None, Check]:
        scene = None
        try:
            scene = self._work.jobs.scene(index, attempt)
            render = self._backend.render(scene)
        except NotRecreatable as reason:  # as a scene, or by this simulator: CARLA has no tram
            return scene, None, Check(False, np.nan, np.nan, np.nan, str(reason))
        scene = render.scene or scene
        return scene, render, check(scene, render, self._work.limits)

    def _save(self, index: int, tries: list[dict[str, Any]], answer: tuple[Scene, Render] | None) -> None:
        record: dict[str, Any] = {"attempts": tries}
        if answer is not None:
            scene, render = answer
            path = image_path(self._work.out, index, self._work.image_format)
            _save_image(render.rgb, path, self._work.image_format)
            _save_image(render.semantic, Path(semantic_path(str(path))), "png")
            objects = labels(render, scene, self._work.jobs.categories, self._work.limits)
            record |= {
                "scene": scene.to_json(),
                "frame": asdict(_frame(self._work.jobs, index, scene, path.relative_to(self._work.out))),
                "objects": {name: values.tolist() for name, values in vars(objects).items()},
            }
        path = record_path(self._work.out, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(path)
        aside.write_text(json.dumps(record))
        aside.replace(path)

    def close(self) -> None:
        self._saver.shutdown()
        self._backend.close()


def read_record(path: Path, out: Path) -> tuple[list[dict[str, Any]], str | None, Frame | None, Objects | None]:
    """(attempts, scene as JSON, frame with an absolute image path, objects) of a done job; None where none fitted."""
    record = json.loads(path.read_text())
    if "frame" not in record:
        return record["attempts"], None, None, None
    raw = record["frame"]
    raw |= {"camera": Camera(**raw["camera"]), "image_path": str(out.absolute() / raw["image_path"])}
    values = record["objects"]
    objects = Objects.of(values.pop("category"), values.pop("box_xyxy_px"), **values)
    return record["attempts"], record["scene"], Frame(**raw), objects


def _frame(jobs: Jobs, index: int, scene: Scene, path: Path) -> Frame:
    frame_id = f"{jobs.source}-{jobs.cycle}-{index:06d}-{scene.scene_id}"
    failure_id = jobs.failure_id(index)
    return Frame(
        frame_id=frame_id,
        image_path=str(path),
        width_px=scene.camera.width_px,
        height_px=scene.camera.height_px,
        group=failure_id or frame_id,
        source=jobs.source,
        camera=scene.camera.intrinsics,
        time_of_day=scene.environment.time_of_day,
        weather=scene.environment.weather,
        scene_id=scene.scene_id,
        failure_id=failure_id,
        cycle=jobs.cycle,
    )


def _attempt_row(jobs: Jobs, index: int, attempt: int, scene: Scene | None, outcome: Check) -> dict[str, Any]:
    return {
        "job": index,
        "failure_id": jobs.failure_id(index),
        "scene_id": None if scene is None else scene.scene_id,
        "attempt": attempt,
        **asdict(outcome),
    }


def _save_image(pixels: np.ndarray, path: Path, image_format: ImageFormat) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path)
    options = {"compress_level": PNG_LEVEL} if image_format == "png" else {"quality": 95, "subsampling": 0}
    Image.fromarray(pixels).save(aside, format=image_format, **options)
    aside.replace(path)


# One worker a process: the pool's initializer keeps the work, the first batch makes the backend (so that an error of
# the backend reaches the parent as itself).
_work: Work | None = None
_worker: RenderWorker | None = None


def keep_work(work: Work) -> None:
    """Initializer of a worker process."""
    global _work
    _work = work
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot tell its workers to stop, and they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def render_in_process(indices: Sequence[int]) -> int:
    """Renders a batch in a worker process; returns its length."""
    global _worker
    if _work is None:
        raise RuntimeError("keep_work was not called in this process")
    if _worker is None:
        _worker = RenderWorker(_work)
        Finalize(None, _worker.close, exitpriority=10)
    _worker.render(indices)
    return len(indices)
