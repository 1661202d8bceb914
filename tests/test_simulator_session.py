import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataset.errors import InputError
from dataset.images import semantic_path
from dataset.schema import Camera
from dataset.store import Dataset, DatasetWriter
from models.refiners.pictures import read_label_map
from simulator.jobs import RandomJobs, RecreationJobs
from simulator.labels import LabelLimits
from simulator.random_street import RandomStreetConfig
from simulator.randomise import RandomisationConfig
from simulator.recreate import NotRecreatable, RecreateConfig
from simulator.scene import Actor, Request, Scene, SceneCamera
from simulator.session import SessionReport, WorkerDied, render_scenes
from tests.block_backend import BlockBackend, render_blocks
from tests.kitti_frames import CATEGORIES, kitti_frames, missed, needs_kitti

CAMERA = Camera(160.0, 160.0, 80.0, 50.0, 1.65, 0.0)
VIEW = SceneCamera(CAMERA, 160, 100)


def random_jobs(count: int, seed: int = 5) -> RandomJobs:
    street = RandomStreetConfig(objects=(2, 5), distance_m=(5, 30))
    cameras = [(CAMERA, 160, 100)]
    return RandomJobs(count, ["car", "pedestrian"], cameras, street, RandomisationConfig(), seed=seed, cycle=2)


class FittingAtAttempt:
    """Job i shows its target where it was asked for from attempt i on; before, it is elsewhere or cannot be built."""

    categories = ("car",)
    source = "synthetic"
    cycle = 1

    def __init__(self, count: int):
        self.count = count

    def __len__(self) -> int:
        return self.count

    def failure_id(self, index: int) -> str:
        return f"failure-{index}"

    def scene(self, index: int, attempt: int) -> Scene:
        if attempt < index - 1:
            raise NotRecreatable("nothing fits in front of it")
        x_m = 0.0 if attempt >= index else 3.0
        car = Actor("truck", x_m, 10, 0.0, (2.0, 2.0, 2.0), "car")
        box = (80 - 160 / 9, 50 - 160 * 0.35 / 9, 80 + 160 / 9, 50 + 160 * 1.65 / 9)
        request = Request(f"failure-{index}", "missed", 0, box, 0.0, 0.0)
        return Scene(VIEW, (car,), seed=attempt, request=request)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def render(jobs, out: Path, **options) -> SessionReport:
    return render_scenes(jobs, out, **{"backend_factory": BlockBackend, "workers": 0, "progress": False} | options)


def test_a_session_is_a_data_set_of_synthetic_frames_with_their_scenes(tmp_path):
    report = render(random_jobs(6), tmp_path / "out")
    assert (report.jobs, report.used, report.attempts, report.never_fitted) == (6, 6, 6, 0)
    dataset = Dataset.open(tmp_path / "out")
    scenes = [json.loads(line) for line in (tmp_path / "out" / "scenes.jsonl").read_text().splitlines()]
    for i in range(6):
        frame, scene = dataset.frame(i), Scene.from_json(json.dumps(scenes[i]["scene"]))
        assert (frame.source, frame.cycle, frame.scene_id) == ("synthetic", 2, scene.scene_id)
        assert scenes[i]["frame_id"] == frame.frame_id and Path(frame.image_path).exists()
        shown = render_blocks(scene).semantic
        assert np.array_equal(read_label_map(semantic_path(frame.image_path)), shown) and len(np.unique(shown)) == 2
        assert frame.camera == scene.camera.intrinsics and frame.weather == scene.environment.weather
    assert sum(dataset.counts().values()) > 6


def test_one_and_two_workers_and_this_process_write_the_same_bytes(tmp_path):
    for name, workers in (("here", 0), ("one", 1), ("two", 2)):
        render(random_jobs(9), tmp_path / name, workers=workers, batch=2)
    assert contents(tmp_path / "here") == contents(tmp_path / "one") == contents(tmp_path / "two")


class AlwaysFitting(FittingAtAttempt):
    def scene(self, index: int, attempt: int) -> Scene:
        return super().scene(index, index + attempt)


def test_scenes_that_go_together_are_rendered_one_after_the_other_with_the_same_result(tmp_path):
    def evenness(scene):
        return str(int(scene.request.failure_id.rpartition("-")[2]) % 2)

    rendered = []

    class Remembering(BlockBackend):
        def render(self, scene):
            rendered.append(scene.request and scene.request.failure_id)
            return super().render(scene)

    render(AlwaysFitting(6), tmp_path / "as they come", batch=2)
    render(AlwaysFitting(6), tmp_path / "together", batch=2, backend_factory=Remembering, together=evenness)
    assert rendered == [f"failure-{i}" for i in (0, 2, 4, 1, 3, 5)]
    assert contents(tmp_path / "as they come") == contents(tmp_path / "together")


def test_misses_are_drawn_again_and_what_never_fits_is_reported_and_not_used(tmp_path):
    report = render(FittingAtAttempt(4), tmp_path / "out", attempts=3)
    assert (report.used, report.never_fitted, report.attempts) == (3, 1, 1 + 2 + 3 + 3)
    table = pq.read_table(tmp_path / "out" / "reconstruction.parquet").to_pylist()
    assert [(r["job"], r["attempt"], r["passed"]) for r in table] == [
        (job, attempt, attempt >= job) for job in range(4) for attempt in range(min(job + 1, 3))
    ]
    assert table[1]["iou"] == 0.0 and table[0]["iou"] > 0.9
    assert table[3]["reason"] == "nothing fits in front of it" and table[3]["scene_id"] is None
    assert [report.dataset.frame(i).failure_id for i in range(3)] == ["failure-0", "failure-1", "failure-2"]


SCRIPT = """
import os, sys, time
from pathlib import Path
from tests.block_backend import BlockBackend, render_blocks
from tests.kitti_frames import CATEGORIES, kitti_frames, missed, needs_kitti
from tests.test_simulator_session import random_jobs, render

class Slow(BlockBackend):
    def render(self, scene):
        Path(sys.argv[1]).with_suffix(f".{os.getpid()}").touch()
        time.sleep(float(sys.argv[2]))
        return super().render(scene)

if __name__ == "__main__":
    render(random_jobs(12), Path(sys.argv[1]), backend_factory=Slow, batch=2)
"""


def test_a_session_killed_half_way_goes_on_and_ends_with_the_same_bytes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[1]
    out = tmp_path / "cut"
    process = subprocess.Popen(
        [sys.executable, script, out, "0.05"], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    while len(list(out.glob("records/*/*.json"))) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {p: p.stat().st_mtime_ns for p in out.glob("images/*/*[0-9].png")}
    assert not (out / "meta.json").exists() and len(kept) < 12
    seen = []
    render(random_jobs(12), out, on_progress=lambda done, jobs: seen.append((done, jobs)))
    assert seen[0][0] > 4 and seen[-1] == (12, 12)
    records_kept = [p for p, changed in kept.items() if p.stat().st_mtime_ns == changed]
    assert len(records_kept) >= 4
    render(random_jobs(12), tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_workers_end_with_a_killed_session_and_their_unfinished_files_with_the_next(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root, out = Path(__file__).parents[1], tmp_path / "out"
    command = [sys.executable, script, out, "60"]  # long in one scene, so that no end of a batch ends the worker
    process = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    while not (workers := [path.suffix[1:] for path in tmp_path.glob("out.*")]):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    ends_s = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < ends_s, "a worker outlived its session"
        time.sleep(0.05)
    cut = out / "images" / "0000" / "0000003.png.1234.partial"
    cut.parent.mkdir(parents=True)
    cut.write_bytes(b"half")
    render(random_jobs(12), out)
    assert not list(out.rglob("*.partial*"))


def test_a_finished_session_is_not_rendered_again(tmp_path):
    before = render(random_jobs(3), tmp_path / "out")
    again = render(random_jobs(3), tmp_path / "out", backend_factory=partial(BlockBackend, kill_at=1))
    assert (again.used, again.dataset.digest) == (before.used, before.dataset.digest)


def test_a_folder_of_another_session_is_refused(tmp_path):
    render(random_jobs(2), tmp_path / "out", key="a")
    with pytest.raises(InputError, match="another key: a, now b"):
        render(random_jobs(2), tmp_path / "out", key="b")
    with pytest.raises(InputError, match="limits"):
        render(random_jobs(2), tmp_path / "out", key="a", limits=LabelLimits(min_height_px=30))


def test_a_folder_with_scenes_of_another_seed_is_refused_without_a_key_too(tmp_path):
    render(random_jobs(2), tmp_path / "out")
    with pytest.raises(InputError, match="first_scene"):
        render(random_jobs(2, seed=6), tmp_path / "out")


@needs_kitti
def test_failures_of_a_stored_data_set_are_re_created_in_another_process_with_their_lineage(tmp_path):
    frames = list(islice(kitti_frames(), 10))
    with DatasetWriter(tmp_path / "real", CATEGORIES, "kitti") as writer:
        for frame, objects in frames:
            writer.add(frame, objects)
    failures = [missed(*frames[8])[1], replace(missed(*frames[7])[0], kind="background", object_index=-1)]
    jobs = RecreationJobs(
        Dataset.open(tmp_path / "real"), failures, RecreateConfig(variants=2), RandomisationConfig(), seed=1, cycle=3
    )
    report = render(jobs, tmp_path / "out", workers=1, attempts=8)
    assert report.used == 4
    shown = [report.dataset.frame(i) for i in range(4)]
    assert [frame.failure_id for frame in shown] == ["000008-1", "000008-1", "000007-0", "000007-0"]
    assert {frame.cycle for frame in shown} == {3} and len({frame.scene_id for frame in shown}) == 4
    assert report.dataset.categories == CATEGORIES
    with pytest.raises(InputError, match="no frame 'elsewhere'"):
        RecreationJobs(
            Dataset.open(tmp_path / "real"), [replace(failures[0], frame_id="elsewhere")],
            RecreateConfig(), RandomisationConfig(), seed=1, cycle=3,
        )  # fmt: skip


def test_a_worker_that_dies_once_is_replaced_and_one_that_dies_again_ends_the_session(tmp_path):
    dying = partial(BlockBackend, kill_at=2, spared=tmp_path / "spared")
    render(random_jobs(6), tmp_path / "once", workers=1, batch=3, backend_factory=dying)
    render(random_jobs(6), tmp_path / "never")
    assert contents(tmp_path / "once") == contents(tmp_path / "never")
    with pytest.raises(WorkerDied, match=r"died twice.*Lower simulator\.workers"):
        render(random_jobs(4), tmp_path / "out", workers=1, backend_factory=partial(BlockBackend, kill_at=2))


def test_an_error_of_the_simulator_reaches_the_caller_as_itself(tmp_path):
    jobs = random_jobs(2)
    with pytest.raises(InputError, match="no such device"):
        render(jobs, tmp_path / "out", workers=1, backend_factory=no_backend)


def no_backend():
    raise InputError("cuda:7", "no such device", "use cpu")


def test_jpeg_images_are_written_when_asked(tmp_path):
    report = render(random_jobs(2), tmp_path / "out", image_format="jpeg")
    path = Path(report.dataset.frame(0).image_path)
    assert path.suffix == ".jpg" and path.read_bytes()[:2] == b"\xff\xd8"


def test_scenes_depend_on_seed_cycle_index_and_attempt_only():
    jobs = random_jobs(5)
    assert jobs.scene(3, 1) == random_jobs(9).scene(3, 1)
    assert len({jobs.scene(i, a).scene_id for i in range(3) for a in range(2)}) == 6
