"""What supervision does about each way in which CARLA's client and servers fail; both are stood in for here."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataset.errors import InputError
from dataset.schema import Camera
from simulator.carla.capture_process import CaptureProcess
from simulator.carla.config import CarlaConfig
from simulator.carla.errors import ForeignError
from simulator.carla.losses import losses_by_kind
from simulator.carla.pool import Pool, servers_of
from simulator.carla.supervise import SupervisedCarla
from simulator.carla.supervision import SupervisionConfig
from simulator.recreate import NotRecreatable
from simulator.scene import Actor, MapSpot, Place, Scene, SceneCamera
from simulator.session import render_scenes
from tests.block_backend import render_blocks
from tests.carla_fakes import CLIENT, FAKES, FakeServer
from tests.test_simulator_session import random_jobs

VIEW = SceneCamera(Camera(160.0, 160.0, 80.0, 50.0, 1.65, 0.0), 160, 100)
ROOT = Path(__file__).parents[1]


def scene(seed: int = 0) -> Scene:
    return Scene(VIEW, (Actor("car", 0.0, 10.0, 0.0, (1.5, 1.8, 4.2), "car"),), seed=seed)


class Fixture:
    """Two servers and what is needed to render with them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.servers = [FakeServer(folder), FakeServer(folder)]
        self.losses_file = folder / "losses.jsonl"
        self.open: list[SupervisedCarla] = []

    def address(self, count: int = 1) -> str:
        return "carla://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers[:count])

    def factory(self, servers: int = 1, **supervision: Any) -> Callable[[], SupervisedCarla]:
        settings: dict[str, Any] = {"scene_timeout_s": 1.0, "rest_s": 0.4, "server_timeout_s": 5.0} | supervision
        return partial(
            SupervisedCarla,
            self.address(servers),
            CarlaConfig(connect_timeout_s=10),
            SupervisionConfig(**settings),
            losses=self.losses_file,
            client=CLIENT,
            locks=self.folder / "locks",
        )

    def backend(self, servers: int = 1, **supervision: Any) -> SupervisedCarla:
        self.open.append(self.factory(servers, **supervision)())
        return self.open[-1]

    def losses(self) -> dict[str, int]:
        return dict(losses_by_kind(self.losses_file))


@pytest.fixture
def carla(tmp_path, monkeypatch) -> Iterator[Fixture]:
    monkeypatch.setenv(FAKES, str(tmp_path))
    fixture = Fixture(tmp_path)
    yield fixture
    for backend in fixture.open:
        backend.close()
    for server in fixture.servers:
        server.close()


def test_a_picture_comes_whole_through_the_capture_process(carla):
    backend, expected = carla.backend(), render_blocks(scene(3))
    for _ in range(2):
        shown = backend.render(scene(3))
        for name in ("rgb", "instance", "semantic", "depth_m"):
            found, wanted = getattr(shown, name), getattr(expected, name)
            assert found.dtype == wanted.dtype and np.array_equal(found, wanted), name
        assert np.array_equal(shown.silhouettes.box_xyxy_px, expected.silhouettes.box_xyxy_px)
    kept = shown.rgb.copy()
    backend.render(scene(4))
    assert np.array_equal(shown.rgb, kept), "a picture must not change when the next one is taken"


def test_a_scene_on_a_map_has_time_for_the_map_to_load(carla, monkeypatch):
    limits_s: list[float] = []
    monkeypatch.setattr(CaptureProcess, "render", lambda _, shown, limit_s: limits_s.append(limit_s))
    backend = carla.backend(scene_timeout_s=3.0)
    backend.render(scene())
    backend.render(replace(scene(), place=Place(map=MapSpot("Town03.xodr", 0.0, 0.0, 0.0, 0.0))))
    assert limits_s == [3.0, 3.0 + CarlaConfig().load_timeout_s]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("abort", "crashed"),
        ("segfault", "crashed"),
        ("hang", "stalled"),
        ("busy", "stalled"),
        ("capture", "capture"),
        ("spawn", "spawn"),
        ("client", "client"),
    ],
)
def test_a_capture_that_fails_once_is_made_good_on_the_same_server_by_a_new_client(carla, step, kind):
    server = carla.servers[0]
    server.plan("", step)
    backend = carla.backend()
    backend.render(scene(1))
    assert backend.render(scene(2)).rgb.shape == (100, 160, 3)
    assert server.pictures() == [scene(1).scene_id, scene(2).scene_id]
    assert len([line for line in server.log() if line.startswith("open")]) == 2
    assert carla.losses() == {kind: 1}


def test_a_loss_is_written_with_its_server_its_scene_and_where_it_hung(carla):
    carla.servers[0].plan("hang")
    carla.backend().render(scene(1))
    row = json.loads(carla.losses_file.read_text())
    assert row["server"] == f"127.0.0.1:{carla.servers[0].port}" and row["scene_id"] == scene(1).scene_id
    assert "carla_fakes.py" in row["what"] and "render" in row["what"]


def test_where_it_hung_is_told_also_of_a_client_with_many_threads(carla):
    carla.servers[0].plan("noisy")
    carla.backend().render(scene(1))
    assert carla.losses() == {"stalled": 1} and "carla_fakes.py" in carla.losses_file.read_text()


def test_an_error_of_ours_that_cannot_be_sent_ends_the_run_with_its_traceback(carla):
    carla.servers[0].plan("foreign")
    with pytest.raises(ForeignError, match="Unpicklable: a mistake of ours") as caught:
        carla.backend().render(scene(1))
    assert any("carla_fakes.py" in note for note in caught.value.__notes__) and not carla.losses()


@pytest.mark.parametrize("then", ["abort", "hang", "raise"])
def test_maps_of_a_lost_capture_count_for_a_servers_restart(carla, then):
    server, restarted = carla.servers[0], carla.folder / "restarted"
    server.plan(f"load {then}", "", "")
    first = 2 if then == "raise" else 1  # the fake says that it had loaded one before
    backend = carla.backend(restart_command=f"touch {restarted}", maps_before_restart=first)
    backend.render(scene(1))
    assert restarted.exists(), "the server was worn before the second try"


def test_after_two_failures_on_a_server_another_one_takes_the_scene(carla):
    for server in carla.servers:
        server.plan("spawn", "spawn")
    carla.backend(2).render(scene(1))
    assert carla.losses() == {"spawn": 4}
    pictures = [server.pictures() for server in carla.servers]
    assert sorted(map(len, pictures)) == [0, 1]


def test_when_all_tries_fail_the_error_names_the_servers_and_what_happened(carla):
    carla.servers[0].plan(*["abort", "spawn"] * 3)
    with pytest.raises(InputError, match=rf"4 captures failed: 127.0.0.1:{carla.servers[0].port} crashed.*SIGABRT"):
        carla.backend(tries=4, rest_s=0.1).render(scene(1))
    assert carla.losses() == {"crashed": 2, "spawn": 2}


def test_what_carla_cannot_show_and_what_the_user_must_mend_pass_through_at_once(carla):
    carla.servers[0].plan("missing", "input", "bug")
    backend = carla.backend()
    with pytest.raises(NotRecreatable, match="no tram"):
        backend.render(scene(1))
    with pytest.raises(InputError, match="no map Town99"):
        backend.render(scene(1))
    with pytest.raises(ZeroDivisionError) as caught:
        backend.render(scene(1))
    assert any("carla_fakes.py" in note for note in caught.value.__notes__), "where it happened must be told"
    assert not carla.losses() and len(carla.servers[0].log()) == 1, "the client must have gone on"


def test_a_server_that_dies_is_restarted_by_the_users_command(carla):
    server, dead = carla.servers[0], carla.folder / f"{carla.servers[0].port}.dead"
    server.plan("die")
    command = f"rm {carla.folder}/{{port}}.dead"
    carla.backend(restart_command=command).render(scene(1))
    assert not dead.exists() and carla.losses() == {"client": 1, "gone": 1}


def test_a_restart_command_that_fails_is_named_with_what_it_said(carla):
    carla.servers[0].plan("die")
    with pytest.raises(InputError, match=r"restart_command.*no-such-file.*it said"):
        carla.backend(restart_command="ls no-such-file").render(scene(1))


def test_a_server_whose_restart_failed_is_not_held_any_longer(carla):
    carla.servers[0].plan("die")
    backend = carla.backend(restart_command="false")
    with pytest.raises(InputError, match="restart_command"):
        backend.render(scene(1))
    claim = Pool(servers_of(carla.address()), carla.folder / "locks").hold(servers_of(carla.address())[0])
    assert claim is not None and claim.why == "its restart failed"
    claim.close()


def test_a_server_is_restarted_after_so_many_maps(carla):
    command = f"touch {carla.folder}/restarted-{{port}}"
    backend = carla.backend(restart_command=command, maps_before_restart=1)
    restarted = carla.folder / f"restarted-{carla.servers[0].port}"
    backend.render(scene(1))
    assert not restarted.exists()
    backend.render(scene(2))
    assert restarted.exists()


def test_without_a_command_a_dead_server_is_waited_for_and_then_named(carla):
    carla.servers[0].plan("die")
    with pytest.raises(InputError, match=r"none came free in .* rests \(it does not answer\)"):
        carla.backend(server_timeout_s=0.5, rest_s=10).render(scene(1))


def test_two_clients_never_share_a_server_and_hand_it_over_after_some_scenes(carla):
    jobs = random_jobs(12)
    report = render_scenes(
        jobs, carla.folder / "out", backend_factory=carla.factory(1, scenes_a_claim=3), workers=2, batch=2,
        progress=False,
    )  # fmt: skip
    assert report.used == 12
    assert "two clients at once" not in carla.servers[0].log()
    assert sorted(carla.servers[0].pictures()) == sorted(jobs.scene(i, 0).scene_id for i in range(12))
    assert len({line for line in carla.servers[0].log() if line.startswith("open")}) > 2, "it was never handed over"


def test_an_idle_client_gives_its_server_to_one_that_waits(carla):
    first, second = carla.backend(), carla.backend()
    first.render(scene(1))
    second.render(scene(2))
    assert carla.servers[0].log()[1:] == [scene(1).scene_id, "close", *carla.servers[0].log()[3:]]


def test_an_idle_client_goes_on_looking_for_one_that_waits_after_a_fault_of_the_system(carla, monkeypatch, caplog):
    first, second = carla.backend(), carla.backend()
    wanted, faults = first._pool.wanted, [OSError(24, "Too many open files")] * 2

    def looked(server):
        if faults:
            raise faults.pop()
        return wanted(server)

    monkeypatch.setattr(first._pool, "wanted", looked)
    first.render(scene(1))
    second.render(scene(2))
    assert len(carla.servers[0].pictures()) == 2
    assert [record.args[1].errno for record in caplog.records] == [24], "told once, not at each look"


def test_scenes_that_carla_cannot_show_are_reported_and_the_others_are_not_lost(carla):
    carla.servers[0].plan("", "missing", "spawn", "", "", "missing", "missing")
    report = render_scenes(
        random_jobs(5), carla.folder / "out", backend_factory=carla.factory(), attempts=2, progress=False
    )
    rows = pq.read_table(carla.folder / "out" / "reconstruction.parquet").to_pylist()
    assert [(row["job"], row["attempt"], row["passed"], row["reason"]) for row in rows] == [
        (0, 0, True, ""), (1, 0, False, "CARLA has no tram"), (1, 1, True, ""), (2, 0, True, ""),
        (3, 0, False, "CARLA has no tram"), (3, 1, False, "CARLA has no tram"), (4, 0, True, ""),
    ]  # fmt: skip
    assert report.used == 4 and rows[1]["scene_id"] == random_jobs(5).scene(1, 0).scene_id


SCRIPT = """
import sys
from pathlib import Path
from simulator.carla.supervise import SupervisedCarla
from tests.carla_fakes import CLIENT
from tests.test_carla_supervise import scene

if __name__ == "__main__":
    backend = SupervisedCarla(sys.argv[1], client=CLIENT, locks=Path(sys.argv[2]))
    backend.render(scene(1))
    print("rendered", flush=True)
    backend.render(scene(2))
"""


def test_the_client_ends_with_a_worker_that_is_killed_and_holds_its_server_until_then(carla):
    carla.servers[0].plan("", "busy", "last")
    script, locks = carla.folder / "script.py", carla.folder / "locks"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, carla.address(), locks], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "rendered\n"
    child = int(carla.servers[0].log()[0].split()[1])
    while carla.servers[0].planned() != ["last"]:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    pool = Pool(servers_of(carla.address()), locks)
    with pytest.raises(InputError, match="held by another client"):
        pool.claim(0.5)
    pool.claim(20).close()
    assert ended(child)


def ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for a parent that asks what became of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except FileNotFoundError:
        return True
