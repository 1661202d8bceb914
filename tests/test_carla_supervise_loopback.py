"""Supervision with CARLA's real client over the real wire: each fault of a server, and many at random."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.carla_soak import CAMERA, soak
from dataset.errors import InputError
from flows.check import Unmet, _carla
from simulator.carla.config import CarlaConfig
from simulator.carla.losses import losses_by_kind
from simulator.carla.supervise import SupervisedCarla
from simulator.carla.supervision import SupervisionConfig
from simulator.jobs import RandomJobs
from simulator.random_street import RandomStreetConfig
from simulator.randomise import RandomisationConfig
from simulator.scene import Scene
from simulator.session import render_scenes
from tests.carla_loopback import Running, running_server

CONFIG = CarlaConfig(warm_up_ticks=0, image_timeout_s=1.0, rpc_timeout_s=2.0, connect_timeout_s=20.0)


def jobs(count: int) -> RandomJobs:
    street = RandomStreetConfig(objects=(1, 3), distance_m=(6, 25))
    return RandomJobs(count, ["car", "pedestrian"], [CAMERA], street, RandomisationConfig(), seed=3, cycle=1)


def scene(index: int) -> Scene:
    return jobs(index + 1).scene(index, 0)


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Running]]:
    """Two servers that live through all faults of this file but death."""
    with running_server() as one, running_server() as two:
        for server in (one, two):  # the first picture takes longer, much longer where kernels are not compiled yet
            first = SupervisedCarla(address(server), CONFIG.model_copy(update={"image_timeout_s": 120.0}))
            first.render(scene(0))
            first.close()
        yield [one, two]


def address(*servers: Running) -> str:
    return "carla://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)


def supervised(folder: Path, servers: str) -> SupervisedCarla:
    supervision = SupervisionConfig(rest_s=1.0, scene_timeout_s=20.0, server_timeout_s=30.0)
    return SupervisedCarla(servers, CONFIG, supervision, losses=folder / "losses.jsonl", locks=folder / "locks")


@pytest.mark.parametrize(
    ("fault", "amount", "kind", "least", "most"),
    [
        ("late_images", 1, "", 0, 0),
        ("reordered_images", 1, "", 0, 0),
        ("dropped_images", 20, "image lost", 1, 2),  # a try ends at its first: the rest may meet the next one, too
        ("spawn_failures", 1, "", 0, 0),  # the client itself tries once more
        ("spawn_failures", 12, "spawn", 1, 2),  # all three tries of the actors of one capture
        ("stall", 5, "capture", 1, 1),
    ],
)
def test_a_fault_of_the_server_costs_no_more_tries_than_it_lasts(pair, tmp_path, fault, amount, kind, least, most):
    backend = supervised(tmp_path, address(pair[0]))
    try:
        backend.render(scene(1))  # its models are measured now: only the scene's own actors are spawned below
        pair[0].inject(fault, amount)
        assert (backend.render(scene(1)).instance > 0).any()
    finally:
        backend.close()
    lost = losses_by_kind(tmp_path / "losses.jsonl")
    tries = sum(lost.values()) - lost["gone"]  # a server that is silent when it is asked afterwards is told, too
    assert least <= tries <= most and lost["gone"] <= tries, lost
    assert not kind or lost[kind] >= 1, lost
    state = pair[0].state()
    assert (state["actors"], state["sensors"], state["subscriptions"], state["synchronous"]) == (0, 0, 0, False)


def test_a_server_that_dies_in_the_middle_of_a_session_leaves_its_scenes_to_the_other(pair, tmp_path):
    with running_server() as mortal:
        mortal.inject("death", 25)
        report = render_scenes(
            jobs(12), tmp_path / "out", workers=2, batch=2, progress=False,
            backend_factory=partial(supervised, tmp_path, address(mortal, pair[1])),
        )  # fmt: skip
        assert mortal.process.wait(5) != 0
    frames = [frame.frame_id for frame, _ in report.dataset.stream()]
    assert len(frames) == len(set(frames)) == 12
    assert losses_by_kind(tmp_path / "losses.jsonl")["gone"]
    passed = pq.read_table(tmp_path / "out" / "reconstruction.parquet", columns=["passed"]).column(0)
    assert sum(passed.to_pylist()) == 12


def test_a_server_of_another_version_is_refused_by_name(pair, tmp_path):
    backend = supervised(tmp_path, address(pair[0]))
    pair[0].inject("wrong_version", 10)
    try:
        with pytest.raises(InputError, match=rf"127\.0\.0\.1:{pair[0].port}.*0\.9\.16"):
            backend.render(scene(0))
    finally:
        pair[0].inject("wrong_version", 0)
        backend.close()


def test_a_server_that_is_still_starting_is_waited_for(tmp_path):
    with running_server("--loading-s", "4") as server:
        backend = supervised(tmp_path, address(server))
        assert (backend.render(scene(1)).instance > 0).any()
        backend.close()


@pytest.mark.timeout(300)
def test_a_soak_with_faults_at_random_ends_with_every_scene_and_leaves_nothing_behind(tmp_path):
    figures, problems = soak(40, workers=2, seed=1, maps=None, folder=tmp_path)
    assert not problems and figures["scenes"] == 40, figures


def test_the_check_up_tells_what_each_server_offers(pair):
    pair[1].inject("wrong_version", 1)
    with pytest.raises(Unmet) as told:
        _carla(address(*pair))
    lines = [line.strip() for line in str(told.value).splitlines()]
    assert lines[0] == f"0.9.16 answers at 127.0.0.1:{pair[0].port}"
    assert lines[1].startswith("maps:") and "(loaded)" in lines[1]
    assert re.search(r"\d+ car, .*\d+ pedestrian", lines[2])
    assert re.fullmatch(r"instance segmentation: a car was put before the cameras in .* s", lines[3])
    assert lines[4].endswith(f"answers at 127.0.0.1:{pair[1].port}; 0.9.16 is what we speak")
