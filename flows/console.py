"""What a person sees on the terminal: one clear line for a bad input instead of a traceback a task deep."""

import logging
import os
import threading

from rich.console import Console
from rich.table import Table

from dataset.errors import InputError


class _OneLine(logging.Filter):
    """Drops the traceback of an InputError: the command line prints its one sentence in the end."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], InputError):
            record.exc_info = None
        return True


def prepare_terminal() -> None:
    """Set up threads and loggers for a terminal; must run before torch and Prefect are imported."""
    # Threads that wait for each other by spinning make a training step 10 times slower as soon as another process
    # wants a core; sleeping costs nothing that could be measured. Read once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_OneLine())
    for name in ("mlflow", "alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)


def end_within(seconds: float, exit_code: int) -> None:
    """End the process although some thread never does: Prefect waits without limit for a server of its own that the
    same signal has ended."""
    timer = threading.Timer(seconds, os._exit, [exit_code])
    timer.daemon = True
    timer.start()


def text(table: Table) -> str:
    """The table as the terminal shows it."""
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table)
    return captured.get()
