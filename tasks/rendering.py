"""Render jobs with the configured simulator: what the scenes of both arms and the stand-in world share."""

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from prefect import get_client
from prefect.concurrency.sync import concurrency
from prefect.context import get_run_context
from prefect.exceptions import MissingContextError, ObjectNotFound

from dataset.errors import InputError
from simulator.assets.library import Library
from simulator.assets.manifest import digest
from simulator.carla.anchors import map_of
from simulator.carla.losses import LOSSES, losses_by_kind
from simulator.carla.pool import servers_of
from simulator.carla.probe import require_a_server
from simulator.carla.supervise import SupervisedCarla
from simulator.embedded.backend import EmbeddedBackend
from simulator.jobs import Jobs, RecreationJobs
from simulator.session import SessionReport, render_scenes
from tasks.config import SimulatorConfig
from tasks.log import say
from tasks.steps import code_digest, digest_of, file_digest

TIMEOUTS = ("connect_timeout_s", "rpc_timeout_s", "load_timeout_s", "image_timeout_s")
CARLA_BATCH = 8  # scenes that a slot is held for: taking one costs about as much as a scene


def render(jobs: Jobs, folder: Path, config: SimulatorConfig, name: str = "synthetic") -> SessionReport:
    """Render into a data set, in as many processes as configured. With CARLA, what was lost and tried again is told.

    A folder whose frames come of other settings, models, maps or code is refused: InputError.
    """
    key = digest_of(inputs_of(config, recreated=isinstance(jobs, RecreationJobs)))
    session = partial(render_scenes, jobs, folder, limits=config.limits, attempts=config.attempts, key=key, name=name)
    if not config.uses_carla:
        if config.models is not None:
            Library(config.models).require_all()
        return session(
            backend_factory=partial(EmbeddedBackend, device=config.device, models=config.models),
            workers=config.workers or len(os.sched_getaffinity(0)),
        )
    servers = servers_of(config.address)
    require_a_server(servers, config.supervision.server_timeout_s)
    losses, carla = folder / LOSSES, config.carla_shown
    report = session(
        backend_factory=partial(SupervisedCarla, config.address, carla, config.supervision, losses=losses),
        workers=config.workers or len(servers),
        batch=CARLA_BATCH,
        together=partial(map_of, maps=carla.maps) if carla.maps else None,
        slot=slots(config),
    )
    if lost := losses_by_kind(losses):
        told = ", ".join(f"{count} {kind}" for kind, count in lost.most_common())
        say(f"CARLA: {lost.total()} captures were lost and made good ({told}): {losses}")
    return report


def make_slots(config: SimulatorConfig) -> str:
    """Set the pool's limit to one slot a server; 'carla-0a1b2c3d (2 slots)'."""
    count = len(servers_of(config.address))
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(limit_of(config), count)
    return f"{limit_of(config)} ({count} slot{'s' if count > 1 else ''})"


def limit_of(config: SimulatorConfig) -> str:
    """The name of the Prefect concurrency limit of a pool of servers, however its address is written.

    Clients on all machines share it; where nobody made it nothing is waited for.
    """
    servers = ",".join(sorted(map(str, servers_of(config.address))))
    return f"carla-{hashlib.sha256(servers.encode()).hexdigest()[:8]}"


def slots(config: SimulatorConfig) -> Callable[[], AbstractContextManager[object]]:
    """Contexts that hold a slot of the limit; of no effect outside Prefect's runs, and where nobody made the limit."""
    try:
        get_run_context()
        with get_client(sync_client=True) as client:
            client.read_global_concurrency_limit_by_name(limit_of(config))
    except (MissingContextError, ObjectNotFound):
        return nullcontext
    return partial(concurrency, limit_of(config), occupy=1)


def inputs_of(config: SimulatorConfig, recreated: bool) -> dict[str, object]:
    """What of the simulator decides a picture. recreated: of a failure, else a random street.

    Which servers render, and how they are watched over, does not; that it is CARLA does. Models and maps count by what
    is in their files. Raises InputError for a map that cannot be read.
    """
    unused = {"workers", "address", "supervision", "models", *({"street"} if recreated else ())}
    settings = config.model_dump(mode="json", exclude=unused | ({"device"} if config.uses_carla else {"carla"}))
    if config.uses_carla:
        settings["carla"] = config.carla_shown.model_dump(mode="json", exclude=set(TIMEOUTS))
    elif config.models is not None:
        settings["models"] = digest(config.models)
    if not recreated:
        settings["recreate"] = {name: settings["recreate"][name] for name in ("casting", "camera")}
        settings["maps"] = [_map_digest(path) for path in config.street.maps]
    return {
        "simulator": settings,
        "code": code_digest("simulator", "dataset"),
    }


def _map_digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise InputError(f"simulator.street.maps, {path}", problem, "name an OpenDRIVE file (.xodr)") from None
