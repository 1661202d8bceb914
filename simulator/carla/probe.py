"""Whether a CARLA server answers, asked in its own protocol (msgpack-rpc): its client library may abort the process.

What it offers takes that library, in a process of its own.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataset.errors import InputError
from simulator.carla.pool import Server

VERSION = b"\x94\x00\x00\xa7version\x91\x91\xc2"  # [0, id 0, "version", [[is_async = false]]]
TIMEOUT_S = 5.0
SURVEY_S = 180.0  # the first picture of a server may compile shaders
ROOT = Path(__file__).parents[2]


def version_of(server: Server, timeout_s: float = TIMEOUT_S) -> str:
    """The version that a server tells. Raises OSError when it does not listen, is silent, or is no CARLA server."""
    with socket.create_connection(server, timeout=timeout_s) as connection:
        connection.sendall(VERSION)
        answer = connection.recv(4096)
    found = re.search(rb"\d+\.\d+\.\d+[\w.-]*", answer)
    if found is None:
        raise ConnectionError(f"{server} answers, but not as CARLA does")
    return found.group().decode()


def answers(server: Server, timeout_s: float = TIMEOUT_S) -> bool:
    try:
        version_of(server, timeout_s)
    except OSError:
        return False
    return True


def require_a_server(servers: Sequence[Server], patience_s: float) -> None:
    """Returns when one of the servers answers. Raises InputError when none does in time, at once where none listens."""
    ends_s = time.monotonic() + patience_s
    while True:
        problems = []
        for server in servers:
            try:
                version_of(server)
                return
            except ConnectionRefusedError:
                problems.append(f"{server} refuses connections")
            except OSError as error:
                problems.append(f"{server}: {error}")
        refused = all(problem.endswith("refuses connections") for problem in problems)
        if refused or time.monotonic() > ends_s:
            raise InputError(
                "simulator.address",
                f"no CARLA server answers: {'; '.join(problems)}",
                "start one with ./CarlaUE4.sh -RenderOffScreen -carla-rpc-port=PORT, or for a trial without Unreal "
                "python -m simulator.carla.loopback --port PORT",
            )
        time.sleep(1.0)


def wait_until_it_answers(server: Server, patience_s: float) -> bool:
    """An open port is not readiness: a server that loads its first map is silent for a while."""
    ends_s = time.monotonic() + patience_s
    while not answers(server):
        if time.monotonic() > ends_s:
            return False
        time.sleep(0.2)
    return True


def surveyed(server: Server, timeout_s: float = SURVEY_S) -> dict[str, Any]:
    """What simulator/carla/survey.py finds. Raises InputError when it finds nothing, in time."""
    command = [sys.executable, "-m", "simulator.carla.survey", server.host, str(server.port)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InputError(str(server), f"no survey in {timeout_s:.0f} s", "look at the server's log") from None
    found = next((line for line in done.stdout.splitlines()[::-1] if line.startswith("{")), None)
    if found is None:
        said = (done.stderr.strip().splitlines() or [""])[-1]
        raise InputError(
            str(server), f"the client ended with {done.returncode} ({said})", "look at the server's log, restart it"
        )
    told = json.loads(found)
    if "error" in told:
        raise InputError(*told["error"])
    return told
