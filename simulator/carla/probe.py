"""Whether a CARLA server answers, asked in its own protocol (msgpack-rpc): its client library may abort the process.

What it offers takes that library, in a process of its own.
"""

import json
import logging
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
from simulator.carla.messages import Malformed, Unpacker, packed
from simulator.carla.pool import Claim, Server

TIMEOUT_S = 5.0
SURVEY_S = 180.0  # the first picture of a server may compile shaders
ROOT = Path(__file__).parents[2]
log = logging.getLogger(__name__)


class NotCarla(ConnectionError):
    """What answers is something else."""


class NotReady(ConnectionError):
    """A CARLA server that has no world yet."""


def version_of(server: Server, timeout_s: float = TIMEOUT_S) -> str:
    """The version that a server tells, also before it has a world.

    Raises OSError when it does not listen, is silent, or is no CARLA server.
    """
    answer = _asked(server, "version", timeout_s)
    found = re.match(r"\d+\.\d+\.\d+[\w.-]*", answer) if isinstance(answer, str) else None
    if found is None:
        raise NotCarla(f"{server} answers, but not as CARLA does")
    return found.group()


def require_ready(server: Server, timeout_s: float = TIMEOUT_S) -> None:
    """Returns when a server has a world. Raises OSError as `version_of`, NotReady where that is all it tells."""
    version_of(server, timeout_s)
    try:
        _asked(server, "get_episode_info", timeout_s)
    except TimeoutError:
        raise NotReady(f"{server} tells its version but nothing of its world: it loads a map, or hangs") from None


def answers(server: Server, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether a server has a world: one that still starts tells its version already."""
    try:
        require_ready(server, timeout_s)
    except OSError:
        return False
    return True


def tells_version(server: Server, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether a server lives, ready or not."""
    try:
        version_of(server, timeout_s)
    except OSError:
        return False
    return True


def _asked(server: Server, function: str, timeout_s: float) -> Any:
    """What a function without arguments answers. Raises OSError, NotReady where it is refused."""
    unpacker, ends_s = Unpacker(), time.monotonic() + timeout_s
    with socket.create_connection(server, timeout=timeout_s) as connection:
        connection.sendall(packed([0, 0, function, [[False]]]))  # [request, id, name, [[is_async]]]
        while piece := connection.recv(4096):
            try:
                for message in unpacker.feed(piece):
                    return _result(server, message)
            except (Malformed, TypeError, ValueError):
                raise NotCarla(f"{server} answers, but not as CARLA does") from None
            connection.settimeout(max(ends_s - time.monotonic(), 1e-3))
    raise ConnectionError(f"{server} closes the connection without an answer")


def _result(server: Server, message: Any) -> Any:
    """Raises TypeError or ValueError for what is no answer, NotReady for a refusal."""
    _, _, error, result = message
    if error is None:
        ((outcome, *payload),) = result
        if outcome == 1:
            return payload[0]
        error = payload
    raise NotReady(f"{server} is there, but has no world yet ({error})")


def require_a_server(servers: Sequence[Server], patience_s: float) -> None:
    """Returns when one of the servers is ready; meanwhile tells each problem once.

    Raises InputError when none is in time; at once where none listens, one has no address, or one is no CARLA server.
    """
    ends_s, told = time.monotonic() + patience_s, set()
    while True:
        problems = []
        for server in servers:
            try:
                require_ready(server)
                return
            except ConnectionRefusedError:
                problems.append(f"{server} refuses connections")
            except TimeoutError:
                problems.append(f"{server} is silent: it starts, hangs, or this is not CARLA's RPC port")
            except socket.gaierror as error:
                raise _no_server([f"{server}: {error.strerror}"]) from None
            except NotCarla as error:
                raise _no_server([str(error)]) from None
            except OSError as error:
                problems.append(str(error) if str(server) in str(error) else f"{server}: {error}")
        refused = all(problem.endswith("refuses connections") for problem in problems)
        if refused or time.monotonic() > ends_s:
            raise _no_server(problems)
        for problem in dict.fromkeys(problems):
            if problem not in told:
                log.warning("CARLA: %s; waiting for up to %.0f s", problem, ends_s - time.monotonic())
        told.update(problems)
        time.sleep(1.0)


def _no_server(problems: Sequence[str]) -> InputError:
    return InputError(
        "simulator.address",
        f"no CARLA server is ready: {'; '.join(problems)}",
        "start one with ./CarlaUE4.sh -RenderOffScreen -carla-rpc-port=PORT, or for a trial without Unreal "
        "python -m simulator.carla.loopback --port PORT",
    )


def wait_until_it_answers(server: Server, patience_s: float) -> bool:
    """An open port is not readiness: a server that loads its first map is silent for a while, or tells no world."""
    ends_s = time.monotonic() + patience_s
    while not answers(server):
        if time.monotonic() > ends_s:
            return False
        time.sleep(0.2)
    return True


def surveyed(claim: Claim, timeout_s: float = SURVEY_S) -> dict[str, Any]:
    """What simulator/carla/survey.py finds on a server that stays held until it ends.

    Raises InputError when it finds nothing, in time."""
    server = claim.server
    command = [sys.executable, "-m", "simulator.carla.survey", server.host, str(server.port)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUNBUFFERED": "1"}, pass_fds=(claim.lock_fd,),
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
