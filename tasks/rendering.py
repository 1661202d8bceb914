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


def inputs_of(config: SimulatorConfig) -> dict[str, object]:
    """What of the simulator decides a picture."""
    return {
        "simulator": config.model_dump(mode="json", exclude={"workers"}),
        "code": code_digest("simulator", "dataset"),
    }
