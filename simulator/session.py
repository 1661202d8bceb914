"""A session: many scenes rendered by several processes into one data set.

    images/0000/0000000.png ...     one image for each job that fitted; beside it 0000000.semantic.png, its map of
                                    CARLA's tags, 8 bits a pixel
    frames.parquet, objects.parquet, meta.json     the store (dataset/store.py); meta.json is written last of all
    scenes.jsonl                    {"frame_id": ..., "scene": {...}} for each frame, in the store's order
    reconstruction.parquet          one row for each attempt, see RECONSTRUCTION
    session.json                    what was asked for; another session in the same folder is refused
    records/                        while it runs: what is done; it is what an interrupted session goes on from

The result depends only on the jobs: not on the number of workers, nor on interruptions.
"""

import json
import multiprocessing
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from dataset.errors import InputError
from dataset.store import Dataset, DatasetWriter
from simulator.backend import Backend
from simulator.jobs import Jobs
from simulator.labels import LabelLimits
from simulator.recreate import NotRecreatable
from simulator.render_worker import (
    ImageFormat,
    RenderWorker,
    Work,
    keep_work,
    read_record,
    record_path,
    remove_partials,
    render_in_process,
)
from simulator.scene import Scene

RECONSTRUCTION = pa.schema(
    [
        ("job", pa.int64()),
        ("failure_id", pa.string()),
        ("scene_id", pa.string()),  # null where the draw could not be built
        ("attempt", pa.int32()),
        ("passed", pa.bool_()),
        ("iou", pa.float64()),  # NaN in scenes that answer no failure
        ("occlusion_error", pa.float64()),  # rendered - requested
        ("truncation_error", pa.float64()),
        ("reason", pa.string()),
    ]
)
ROWS_A_GROUP = 4096


class WorkerDied(InputError):
    """Scenes whose worker process died twice (out of memory, a crash of the simulator)."""


@dataclass(frozen=True)
class SessionReport:
    """What came of a session."""

    dataset: Dataset
    jobs: int
    used: int  # jobs with a frame in the data set
    attempts: int  # scenes drawn, with those that did not fit

    @property
    def never_fitted(self) -> int:
        return self.jobs - self.used

    @property
    def first_time_share(self) -> float:
        """Share of the jobs that fitted among all attempts; NaN when there was no job."""
        return self.used / self.attempts if self.attempts else float("nan")


def render_scenes(
    jobs: Jobs,
    out: Path,
    *,
    backend_factory: Callable[[], Backend],
    limits: LabelLimits | None = None,
    workers: int = 1,
    attempts: int = 4,
    image_format: ImageFormat = "png",
    key: str = "",
    name: str = "synthetic",
    batch: int = 4,
    slot: Callable[[], AbstractContextManager[object]] = nullcontext,
    together: Callable[[Scene], str | None] | None = None,
    progress: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> SessionReport:
    """Renders all jobs into a data set in `out`; goes on where an earlier call with the same `key` was cut off.

    `backend_factory` is picklable and called once in each of `workers` spawned processes (0: in this process, without
    spawning). A miss is drawn again, up to `attempts` scenes a job; a job that never fits leaves rows in the
    reconstruction table and no frame. `key` stands for the jobs' inputs (a digest). Each batch is rendered inside a
    context that `slot()` makes, which may wait for its turn. Scenes of which `together` says the same are rendered one
    after the other; that changes the order of the work, not its result. `on_progress(done, jobs)`.
    Raises InputError when the folder holds another session, WorkerDied when a batch kills its worker twice.
    """
    out = Path(out)
    limits = limits or LabelLimits()
    asked = {
        "jobs": len(jobs),
        "first_scene": _first_scene(jobs),
        "attempts": attempts,
        "image_format": image_format,
        "limits": limits.model_dump(),
        "categories": list(jobs.categories),
        "key": key,  # the last: what the others say is plainer
    }
    _claim(out, asked)
    if not (out / "meta.json").exists():
        work = Work(jobs, out, backend_factory, limits, attempts, image_format)
        pending = [index for index in range(len(jobs)) if not record_path(out, index).exists()]
        done = len(jobs) - len(pending)
        groups = [pending] if together is None else _grouped(jobs, pending, together)
        batches = [tuple(group[i : i + batch]) for group in groups for i in range(0, len(group), batch)]
        with tqdm(total=len(jobs), initial=done, unit="scene", desc="render", disable=not progress) as bar:
            rendered = _render_in_pool(work, batches, workers, slot) if workers else _render_here(work, batches, slot)
            for finished in rendered:
                bar.update(finished)
                done += finished
                if on_progress is not None:
                    on_progress(done, len(jobs))
        remove_partials(out)
        _compile(jobs, out, name)
    shutil.rmtree(out / "records", ignore_errors=True)
    return _report(out, len(jobs))


def _grouped(jobs: Jobs, pending: list[int], together: Callable[[Scene], str | None]) -> list[list[int]]:
    groups: dict[str | None, list[int]] = {}
    for index in pending:
        try:
            key = together(jobs.scene(index, 0))
        except NotRecreatable:  # its later draws may be; where they are rendered does not matter
            key = None
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _first_scene(jobs: Jobs) -> str | None:
    """Id of the first scene's first draw: most changes of the inputs change it, also where a caller gives no key."""
    try:
        return jobs.scene(0, 0).scene_id if len(jobs) else None
    except NotRecreatable:
        return None


def _claim(out: Path, asked: dict[str, Any]) -> None:
    """Makes the folder this session's. Raises InputError when it is another's."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "session.json"
    if path.exists():
        found = json.loads(path.read_text())
        differ = [name for name in asked if found.get(name) != asked[name]]
        if differ:
            what = " (made with other settings, models, maps or code)" if differ[0] == "key" else ""
            raise InputError(
                out,
                f"holds a session with another {differ[0]}: {found.get(differ[0])}, now {asked[differ[0]]}{what}",
                "choose another folder, or delete this one",
            )
        return
    aside = path.with_suffix(".partial")
    aside.write_text(json.dumps(asked, indent=2) + "\n")
    aside.replace(path)


def _render_here(work: Work, batches: list[tuple[int, ...]], slot: Callable) -> Iterator[int]:
    if not batches:
        return
    worker = RenderWorker(work)
    try:
        for indices in batches:
            with slot():
                worker.render(indices)
            yield len(indices)
    finally:
        worker.close()


def _render_in_pool(work: Work, batches: list[tuple[int, ...]], workers: int, slot: Callable) -> Iterator[int]:
    """Yields the length of each batch as it ends. A batch whose worker died is tried once more."""
    waiting = batches[::-1]
    deaths: Counter[tuple[int, ...]] = Counter()
    while waiting:
        running: dict[Future[int], tuple[int, ...]] = {}
        # Spawn, not fork: neither Warp nor threads survive a fork.
        context = multiprocessing.get_context("spawn")
        count = min(workers, len(waiting))
        with ProcessPoolExecutor(count, mp_context=context, initializer=keep_work, initargs=(work,)) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < count:
                        running[_render_in_slot(pool, waiting[-1], slot)] = waiting[-1]
                        waiting.pop()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        finished = future.result()
                        del running[future]
                        yield finished
            except BrokenProcessPool:
                for indices in running.values():
                    deaths[indices] += 1
                    left = tuple(index for index in indices if not record_path(work.out, index).exists())
                    if deaths[indices] > 1:
                        raise WorkerDied(
                            f"scenes {', '.join(map(str, left))} of {work.out}",
                            "their worker process died twice: it ran out of memory, or the simulator crashes on them",
                            "lower simulator.workers, or leave these failures out",
                        ) from None
                waiting.extend(running.values())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _render_in_slot(pool: ProcessPoolExecutor, indices: tuple[int, ...], slot: Callable) -> Future[int]:
    """A batch in a thread of its own: one that waits for its slot must keep no other from ending and freeing one."""
    future: Future[int] = Future()
    context = copy_context()  # the slot may belong to the run that the caller is in

    def render() -> None:
        try:
            with slot():
                finished = pool.submit(render_in_process, indices).result()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(finished)

    # A daemon, so that one that still waits for its slot does not keep an interrupted session alive.
    threading.Thread(target=context.run, args=(render,), name="batch", daemon=True).start()
    return future


def _compile(jobs: Jobs, out: Path, name: str) -> None:
    """Joins the records, in the order of the jobs, into the store and its side tables."""
    scenes, table = out / "scenes.jsonl", out / "reconstruction.parquet"
    rows: list[dict[str, Any]] = []
    with (
        DatasetWriter(out, jobs.categories, name) as writer,
        scenes.with_suffix(".partial").open("w") as scene_file,
        pq.ParquetWriter(table.with_suffix(".partial"), RECONSTRUCTION, compression="zstd") as table_file,
    ):
        for index in range(len(jobs)):
            attempts, scene, frame, objects = read_record(record_path(out, index), out)
            rows += attempts
            if len(rows) >= ROWS_A_GROUP:
                table_file.write_table(pa.Table.from_pylist(rows, RECONSTRUCTION))
                rows = []
            if scene is not None and frame is not None and objects is not None:
                scene_file.write(f'{{"frame_id": {json.dumps(frame.frame_id)}, "scene": {scene}}}\n')
                writer.add(frame, objects)
        table_file.write_table(pa.Table.from_pylist(rows, RECONSTRUCTION))
        scene_file.close()
        table_file.close()
        for path in (scenes, table):  # before the store, whose meta.json says that all is there
            path.with_suffix(".partial").replace(path)


def _report(out: Path, jobs: int) -> SessionReport:
    dataset = Dataset.open(out)
    passed = pq.read_table(out / "reconstruction.parquet", columns=["passed"]).column(0)
    return SessionReport(dataset, jobs, sum(passed.to_pylist()), len(passed))
