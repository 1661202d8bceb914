"""The check-up: what this machine and its neighbours offer."""

import importlib.metadata
import os
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path

import typer

from dataset.errors import InputError
from simulator.carla.pool import Pool, Server, servers_of
from simulator.carla.probe import surveyed, version_of
from simulator.carla.wheel import VERSION
from tasks.config import EMBEDDED
from tasks.steps import ROOT
from tasks.tracking import redacted

TIMEOUT_S = 5.0
INDENT = " " * 11


class Unmet(Exception):
    """A finding of several lines that is not as it should be."""


def check_up(carla: str | None, mlflow: str | None) -> bool:
    """Print a line a finding; False when something that is needed does not work."""
    needed: list[tuple[str, Callable[[], str]]] = [
        ("pins", _pins),
        ("detector", _detector),
        ("renderer", _renderer),
    ]
    optional: list[tuple[str, Callable[[], str]]] = [
        ("GPU", _gpu),
        ("Prefect", _prefect),
        ("MLflow", lambda: _mlflow(mlflow)),
    ]
    # A server that is named here has to work; one that the environment names may be for another day.
    (optional if carla is None else needed).append(("CARLA", lambda: _carla(carla)))
    works = [_say(name, test, "FAILS") for name, test in needed]
    for name, test in optional:
        _say(name, test, "no")
    return all(works)


def _say(name: str, test: Callable[[], str], otherwise: str) -> bool:
    try:
        answer, works = test(), True
    except Unmet as finding:
        answer, works = f"{otherwise}: {finding}", False
    except Exception as error:  # whatever goes wrong is the finding
        answer, works = f"{otherwise}: {str(error).splitlines()[0] if str(error) else type(error).__name__}", False
    typer.echo(f"{name:>9}  {answer}")
    return works


def _pins() -> str:
    """The installed versions against requirements.txt."""
    pinned = re.findall(r"^([\w.-]+)==([\w.!+-]+)([^\\\n]*)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    from packaging.markers import Marker

    differing, count = [], 0
    for name, version, rest in pinned:
        marker = rest.partition(";")[2].strip()
        if marker and not Marker(marker).evaluate():
            continue
        count += 1
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        if found != version:
            differing.append(f"{name} {found} (pinned {version})")
    if differing:
        raise RuntimeError(f"{len(differing)} differ: {', '.join(differing[:5])}; run make setup")
    return f"{count} packages as pinned"


def _detector() -> str:
    import torch

    from models.detector.config import DetectorConfig
    from models.detector.network import GridNetwork

    with torch.inference_mode():
        GridNetwork(DetectorConfig(input_width_px=64, input_height_px=64), 1).eval()(torch.zeros(1, 3, 64, 64))
    return f"works, torch {torch.__version__}, {torch.get_num_threads()} threads"


def _renderer() -> str:
    import time

    from simulator.embedded.backend import EmbeddedBackend
    from simulator.scene import Actor, Scene, SceneCamera
    from tasks.stand_in import stand_in_camera

    camera, width_px, height_px = stand_in_camera(320, 96)
    car = Actor("car", 0.0, 12.0, -1.57, (1.5, 1.8, 4.3), "car")
    scene = Scene(SceneCamera(camera, width_px, height_px), (car,))
    backend = EmbeddedBackend()
    backend.render(scene)  # compiles the kernels, once a machine
    start_s = time.perf_counter()
    visible = int((backend.render(scene).instance == 1).sum())
    backend.close()
    if not visible:
        raise RuntimeError("a car in front of the camera was not seen")
    return f"works, {time.perf_counter() - start_s:.2f} s for a frame of {width_px}x{height_px}"


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none, training and rendering use the processor"
    return f"{torch.cuda.get_device_name()}, {torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB"


def _prefect() -> str:
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if not url:
        return "no server is set, flows start one of their own; python -m flows serve starts a lasting one"
    with urllib.request.urlopen(f"{url}/health", timeout=TIMEOUT_S):
        return f"answers at {url}"


def _mlflow(uri: str | None) -> str:
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri or not uri.startswith("http"):
        return f"no server is set, runs are logged to {redacted(uri) if uri else Path('runs/mlflow.db')}"
    with urllib.request.urlopen(f"{uri}/health", timeout=TIMEOUT_S):
        return f"answers at {redacted(uri)}"


def _carla(address: str | None) -> str:
    """What each server of the pool tells; its version first, asked without CARLA's client: that one may abort."""
    address = address or os.environ.get("HARDCASE_SIMULATOR")
    if not address or address == EMBEDDED:
        return "no server is named (--carla HOST:2000); the embedded simulator renders"
    servers = servers_of(address)
    pool = Pool(servers)
    found = [_carla_server(pool, server) for server in servers]
    text = f"\n{INDENT}".join(line for lines, _ in found for line in lines)
    if not all(works for _, works in found):
        raise Unmet(text)
    return text


def _carla_server(pool: Pool, server: Server) -> tuple[list[str], bool]:
    """What is told of a server, and whether it is fit for a run. One that a run holds is not disturbed."""
    try:
        version = version_of(server)
    except OSError as error:
        return [f"no: {error}" if str(server) in str(error) else f"no: {server}: {error}"], False
    answers = f"{version} answers at {server}"
    if version.partition("-")[0] != VERSION:
        return [f"{answers}; {VERSION} is what we speak"], False
    claim = pool.hold(server)
    if claim is None:
        return [f"{answers}, in use by another client of ours"], True
    try:
        told = surveyed(claim)
    except InputError as error:
        return [answers, f"no: {error}"], False
    finally:
        claim.close()
    maps = ", ".join(f"{name} (loaded)" if name == told["map_name"] else name for name in told["maps"])
    blueprints = ", ".join(f"{count} {asset}" for asset, count in told["blueprints"].items())
    trial = f"no: {told['trial']}" if told["trial"] else f"a car was put before the cameras in {told['trial_s']:.1f} s"
    return [answers, f"maps: {maps}", f"blueprints: {blueprints}", f"instance segmentation: {trial}"], not told["trial"]
