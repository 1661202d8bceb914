"""Whether a CARLA server answers, asked in its own protocol (msgpack-rpc): its client library may abort the process."""

import re
import socket
import time
from collections.abc import Sequence

from dataset.errors import InputError
from simulator.carla.pool import Server

VERSION = b"\x94\x00\x00\xa7version\x91\x91\xc2"  # [0, id 0, "version", [[is_async = false]]]
TIMEOUT_S = 5.0


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
