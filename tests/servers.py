"""Servers that tests need: started on loopback, on a free port, and ended by their process id."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, log: Path, seconds: float = 120) -> None:
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            assert process.poll() is None, f"ended with {process.returncode}: {log.read_text()[-2000:]}"
            time.sleep(0.3)
    raise AssertionError(f"{url} did not answer in {seconds} s: {log.read_text()[-2000:]}")


@contextmanager
def running(command: list[str], health_url: str, log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen]:
    """A server that answers at `health_url` while the block runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=os.environ | env)
    try:
        wait_for(health_url, process, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def prefect_server(home: Path) -> Iterator[dict[str, str]]:
    """A Prefect server with a database of its own; yields the environment that points to it."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    env = {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    api = f"http://127.0.0.1:{port}/api"
    with running(command, f"{api}/health", home / "server.log", env):
        yield env | {"PREFECT_API_URL": api}
