"""Run a smoke campaign, with a refiner, that kills itself, as a power cut would, at one point of one stage.

Usage: python -m tests.killed_run RUNS [STAGE MOMENT]
STAGE: a step's folder below the run, e.g. cycle-01/failures; without one nothing is killed.
MOMENT: begun (nothing done yet), half (training and rendering: some of it is on disk), unrecorded (all done but the
record of it).
"""

import os
import signal
import sys
from pathlib import Path

from flows.imitation import campaign
from flows.settings import resolve
from models.detector import checkpoint
from simulator import session
from tasks import steps


def die(*_args, **_kwargs) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(runs: str, stage: str = "", moment: str = "") -> None:
    write = steps._write
    arm_half = False

    def write_or_die(path: Path, record: dict) -> None:
        nonlocal arm_half
        at_stage = bool(stage) and path.parent.as_posix().endswith(f"smoke/{stage}")
        if at_stage and moment == "unrecorded" and path.name == steps.RECORD:
            die()
        write(path, record)
        if at_stage and path.name == steps.BEGUN:
            if moment == "begun":
                die()
            arm_half = moment == "half"

    steps._write = write_or_die
    save, update = checkpoint.save, session.tqdm.update

    def save_then_die(*args):
        save(*args)
        if arm_half:
            die()

    def die_or_update(self, n: float | None = 1) -> bool | None:
        if arm_half:
            die()
        return update(self, n)

    checkpoint.save, session.tqdm.update = save_then_die, die_or_update
    overrides = ["retrain.save_every=1", "baseline.save_every=2", "simulator.workers=1", "refiner.kind=lab"]
    campaign(resolve("smoke", flags={"runs": runs}, overrides=overrides))


if __name__ == "__main__":
    main(*sys.argv[1:])
