"""Many scenes through the supervised CARLA client while its servers fail at random: none may be lost, nothing leak.

    python -m benchmarks.carla_soak [--scenes 1000] [--maps DIR_OF_XODR] [--workers 2] [--seed 0]

Two loopback servers drop, delay and reorder images, refuse spawns, stall and die, by chance; the dead are restarted
by the restart command that a user would set. Ends with exit code 1 where a scene is missing or doubled, or an actor, a
sensor, a process, or memory is left behind. The last line is JSON.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from dataset.schema import Camera
from simulator.carla.anchors import kinds_for_carla
from simulator.carla.config import CarlaConfig
from simulator.carla.loopback import control
from simulator.carla.losses import LOSSES, losses_by_kind
from simulator.carla.pool import Server
from simulator.carla.probe import wait_until_it_answers
from simulator.carla.supervise import SupervisedCarla
from simulator.carla.supervision import SupervisionConfig
from simulator.jobs import RandomJobs
from simulator.random_street import RandomStreetConfig
from simulator.randomise import RandomisationConfig
from simulator.session import SessionReport, render_scenes

ROOT = Path(__file__).parents[1]
CAMERA = (Camera(120.0, 120.0, 80.0, 45.0), 160, 96)
FAULTS = {
    "late_images": 0.01, "dropped_images": 0.002, "reordered_images": 0.01, "spawn_failures": 0.003,
    "stall": 0.0007, "death": 0.0007, "late_s": 0.3, "stall_s": 4.0,
}  # fmt: skip
MAX_GROWTH_MIB = 30.0  # of a process, in the last half of its life, for each 1,000 scenes of the run
SETTLED_S = 120.0  # a younger process is still filling its caches


class Servers:
    """Two loopback servers by port: each in `FOLDER/PORT.json` with its command, process id and number of starts."""

    def __init__(self, folder: Path, ports: list[int], options: list[str]):
        self.folder, self.ports = folder, ports
        for port in ports:
            command = [sys.executable, "-m", "simulator.carla.loopback", "--port", str(port), *options]
            (folder / f"{port}.json").write_text(json.dumps({"command": command, "pid": None, "starts": 0}))
            start(folder, port)

    @property
    def address(self) -> str:
        return "carla://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def restart_command(self) -> str:
        python = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable])
        return f"{python} -m benchmarks.carla_soak --restart {self.folder} {{port}}"

    def records(self) -> list[dict]:
        return [json.loads((self.folder / f"{port}.json").read_text()) for port in self.ports]

    def stop(self) -> None:
        for record in self.records():
            end(record["pid"])


def start(folder: Path, port: int) -> None:
    """End the server of a port, if it lives, and start it anew: what a user's restart command does."""
    path = folder / f"{port}.json"
    record = json.loads(path.read_text())
    end(record["pid"])
    with (folder / f"{port}.log").open("ab") as log:
        process = subprocess.Popen(
            [*record["command"], "--seed", str(1000 * record["starts"] + port % 1000)],
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    path.write_text(json.dumps(record | {"pid": process.pid, "starts": record["starts"] + 1}))


def end(pid: int | None) -> None:
    if pid is None or not psutil.pid_exists(pid):
        return
    process = psutil.Process(pid)
    process.terminate()
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        process.kill()


class Memory:
    """The resident memory of the run's processes over time, by what they are."""

    def __init__(self, servers: Servers):
        self._servers = servers
        self._seen: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def growth_mib(self, scenes_a_second: float) -> dict[str, float]:
        """By kind of process: growth of the longest-lived one in its second half, MiB in 1,000 scenes of the run."""
        self._done.set()
        self._thread.join()
        longest: dict[str, list[tuple[float, float]]] = {}
        for (kind, _), samples in self._seen.items():
            if len(samples) > len(longest.get(kind, [])):
                longest[kind] = samples
        growth: dict[str, float] = {}
        for kind, samples in longest.items():
            times, sizes = np.array(samples).T
            if times[-1] - times[0] > SETTLED_S:
                late = times > (times[0] + times[-1]) / 2
                growth[kind] = float(np.polyfit(times[late], sizes[late], 1)[0]) / scenes_a_second * 1000
        return growth

    def peak_mib(self) -> dict[str, float]:
        peak: dict[str, float] = defaultdict(float)
        for (kind, _), samples in self._seen.items():
            peak[kind] = max(peak[kind], *(size for _, size in samples))
        return dict(peak)

    def _watch(self) -> None:
        while not self._done.wait(2.0):
            for kind, process in self._processes():
                try:
                    sample = time.monotonic(), process.memory_info().rss / 2**20
                except psutil.Error:
                    continue
                self._seen[kind, process.pid].append(sample)

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        found = [("session", psutil.Process())]
        for process in psutil.Process().children(recursive=True):
            kind = kind_of(process)
            if kind is not None:
                found.append((kind, process))
        for record in self._servers.records():
            if psutil.pid_exists(record["pid"]):
                found.append(("server", psutil.Process(record["pid"])))
        return found


def kind_of(process: psutil.Process) -> str | None:
    try:
        words = " ".join(process.cmdline())
    except psutil.Error:
        return None
    if "capture_child" in words:
        return "capture"
    return "worker" if "multiprocessing.spawn" in words else None


def soak(scenes: int, workers: int, seed: int, maps: str | None, folder: Path) -> tuple[dict, list[str]]:
    """The figures of a run, and what is wrong with it."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in FAULTS.items()]
    servers = Servers(folder, free_ports(2), options + ([f"--maps={maps}"] if maps else []))
    try:
        for port in servers.ports:
            wait_until_it_answers(Server("127.0.0.1", port), 120)
        memory, began_s = Memory(servers), time.monotonic()
        jobs = RandomJobs(
            scenes, ["car", "pedestrian", "cyclist", "truck"], [CAMERA],
            RandomStreetConfig(objects=(1, 4), distance_m=(6, 30)), kinds_for_carla(RandomisationConfig()),
            seed=seed, cycle=1,
        )  # fmt: skip
        report = render_scenes(
            jobs, folder / "out", workers=workers, attempts=8, batch=8,
            backend_factory=partial(
                SupervisedCarla, servers.address,
                CarlaConfig(warm_up_ticks=0, image_timeout_s=1.5, rpc_timeout_s=2.0, connect_timeout_s=30.0),
                SupervisionConfig(
                    tries=12, rest_s=2.0, scene_timeout_s=30.0, server_timeout_s=120.0,
                    restart_command=servers.restart_command(),
                ),
                losses=folder / "out" / LOSSES, locks=folder / "locks",
            ),
        )  # fmt: skip
        seconds = time.monotonic() - began_s
        growth, problems = memory.growth_mib(scenes / seconds), missing_or_doubled(report, jobs)
        problems += left_behind(servers)
        problems += [f"a {kind} grew by {mib:.0f} MiB" for kind, mib in growth.items() if mib > MAX_GROWTH_MIB]
        figures = {
            "scenes": report.used,
            "seconds": round(seconds, 1),
            "losses": dict(losses_by_kind(folder / "out" / LOSSES)),
            "server_starts": sum(record["starts"] for record in servers.records()),
            "peak_mib": {kind: round(mib) for kind, mib in memory.peak_mib().items()},
            "growth_mib_per_1000": {kind: round(mib, 1) for kind, mib in growth.items()},
        }
        return figures, problems
    finally:
        servers.stop()


def missing_or_doubled(report: SessionReport, jobs: RandomJobs) -> list[str]:
    frames = [frame.frame_id for frame, _ in report.dataset.stream()]
    problems = []
    if report.used != len(jobs):
        problems.append(f"{len(jobs) - report.used} scenes are missing")
    if len(set(frames)) != len(frames):
        problems.append("a scene is there twice")
    return problems


def left_behind(servers: Servers) -> list[str]:
    """Actors, sensors and subscriptions on servers that answer; processes of the clients."""
    problems = []
    for port in servers.ports:
        if wait_until_it_answers(Server("127.0.0.1", port), 10):
            state = control.state(port)
            problems += [
                f"{state[name]} {name} on {port}" for name in ("actors", "sensors", "subscriptions") if state[name]
            ]
    processes = [process for process in psutil.Process().children(recursive=True) if kind_of(process)]
    return problems + [f"process {process.pid} ({kind_of(process)})" for process in processes]


def free_ports(count: int) -> list[int]:
    """Ports whose next one is free too: for streams."""
    import socket

    ports: list[int] = []
    while len(ports) < count:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = one.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
        ports.append(port)
    return ports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--maps", help="folder of OpenDRIVE files; the built-in straight road without it")
    parser.add_argument("--restart", nargs=2, metavar=("FOLDER", "PORT"), help="what the run's restart command does")
    options = parser.parse_args()
    if options.restart:
        start(Path(options.restart[0]), int(options.restart[1]))
        return
    with tempfile.TemporaryDirectory(prefix="carla-soak-") as folder:
        figures, problems = soak(options.scenes, options.workers, options.seed, options.maps, Path(folder))
    print(f"{figures['scenes']} scenes in {figures['seconds']} s, servers started {figures['server_starts']} times")
    for kind, count in sorted(figures["losses"].items()):
        print(f"  lost and made good: {kind:<16}{count:5d}")
    print(f"  memory, MiB: peak {figures['peak_mib']}, growth in 1,000 scenes {figures['growth_mib_per_1000']}")
    for problem in problems:
        print(f"  PROBLEM {problem}")
    print(
        json.dumps({"name": "carla_soak", "ours": figures["scenes"], "unit": "scenes", "problems": problems, **figures})
    )
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
