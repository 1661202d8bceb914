"""Render jobs with the configured simulator: what the scenes of both arms and the stand-in world share."""

import os
from functools import partial
from pathlib import Path

from simulator.embedded.backend import EmbeddedBackend
from simulator.jobs import Jobs
from simulator.session import SessionReport, render_scenes
from tasks.config import SimulatorConfig
from tasks.steps import code_digest


def render(jobs: Jobs, folder: Path, config: SimulatorConfig, name: str = "synthetic") -> SessionReport:
    """Render with the embedded simulator, in as many processes as configured."""
    return render_scenes(
        jobs,
        folder,
        backend_factory=partial(EmbeddedBackend, device=config.device),
        limits=config.limits,
        workers=config.workers or len(os.sched_getaffinity(0)),
        attempts=config.attempts,
        name=name,
    )


def inputs_of(config: SimulatorConfig, recreated: bool) -> dict[str, object]:
    """What of the simulator decides a picture. recreated: of a failure, else a random street."""
    unused = {"workers", "street"} if recreated else {"workers"}
    settings = config.model_dump(mode="json", exclude=unused)
    if not recreated:
        settings["recreate"] = {name: settings["recreate"][name] for name in ("casting", "camera")}
    return {
        "simulator": settings,
        "code": code_digest("simulator", "dataset"),
    }
