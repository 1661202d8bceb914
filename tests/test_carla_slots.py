"""Slots of CARLA's servers: Prefect's limit is held for a batch, by clients on all machines."""

import os
import subprocess
import sys
import threading
import time

from simulator.session import render_scenes
from tests.block_backend import BlockBackend
from tests.servers import ROOT
from tests.test_simulator_session import contents, random_jobs, render

SCRIPT = """
from prefect import flow, get_client
from tasks.config import SimulatorConfig
from tasks.rendering import limit_of, make_slots, slots

POOL, OTHER = SimulatorConfig(address="carla://a:2000,b:2000"), SimulatorConfig(address="carla://c:2000")

def held():
    with get_client(sync_client=True) as client:
        return client.read_global_concurrency_limit_by_name(limit_of(POOL)).active_slots

@flow
def rendering():
    with slots(POOL)():
        pass  # nobody made the limit: nothing is waited for
    assert make_slots(POOL) == limit_of(POOL) + " (2 slots)"
    assert make_slots(OTHER) == limit_of(OTHER) + " (1 slot)"  # of another pool: the first keeps its two
    one, two = slots(POOL)(), slots(SimulatorConfig(address="carla://b,a"))()
    with one:
        with two:
            assert held() == 2, held()
        assert held() == 1, held()
    assert held() == 0, held()

with slots(POOL)():
    pass  # outside a run no server is asked
rendering()
"""


def test_prefects_limit_has_a_slot_for_each_server_and_is_held_inside_a_run_only(prefect_env):
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | prefect_env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]


class Slots:
    """A limit that remembers how many were held at once, and how often it was taken."""

    def __init__(self, count: int):
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self.held = self.most = self.taken = 0

    def __enter__(self) -> None:
        self._free.acquire()
        with self._lock:
            self.held, self.taken = self.held + 1, self.taken + 1
            self.most = max(self.most, self.held)

    def __exit__(self, *_) -> None:
        with self._lock:
            self.held -= 1
        self._free.release()


def test_a_limit_of_one_is_held_for_each_batch_and_does_not_block_two_workers(tmp_path):
    slots = Slots(1)
    render(random_jobs(8), tmp_path / "out", workers=2, batch=2, slot=lambda: slots)
    assert (slots.most, slots.taken, slots.held) == (1, 4, 0)
    render(random_jobs(8), tmp_path / "here", slot=lambda: slots)
    assert contents(tmp_path / "out") == contents(tmp_path / "here")


def test_a_session_that_fails_ends_though_a_batch_still_waits_for_its_slot(tmp_path):
    slots = Slots(1)
    began_s = time.monotonic()
    try:
        render_scenes(
            random_jobs(8), tmp_path / "out", backend_factory=FailingBackend, workers=2, batch=2, progress=False,
            slot=lambda: slots,
        )  # fmt: skip
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("the backend's error must reach the caller")
    assert time.monotonic() - began_s < 30


class FailingBackend(BlockBackend):
    def render(self, scene):
        raise ZeroDivisionError("a mistake")
