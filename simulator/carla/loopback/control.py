"""Faults and counts of a running loopback server, from outside and without the carla library.

python -m simulator.carla.loopback.control PORT KIND AMOUNT    # e.g. 2000 dropped_images 1
python -m simulator.carla.loopback.control PORT                # prints the server's counts
"""

import argparse
import json
import socket
from typing import Any

from dataset.errors import InputError
from simulator.carla.messages import Unpacker, packed


def call(port: int, name: str, *arguments: Any, host: str = "127.0.0.1", timeout_s: float = 10.0) -> Any:
    """The result of one RPC function. Raises InputError when nobody answers or the server refuses."""
    unpacker = Unpacker()
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(packed([0, 1, name, [[False], *arguments]]))
            while piece := connection.recv(1 << 16):
                for _, _, error, result in unpacker.feed(piece):
                    return _unwrapped(name, error, result)
    except OSError as error:
        raise InputError(f"{host}:{port}", f"no answer ({error})", "start a loopback server there") from error
    raise InputError(f"{host}:{port}", "closed the connection without an answer", "see the server's log")


def inject(port: int, kind: str, amount: float, host: str = "127.0.0.1") -> None:
    """Make a fault happen: see `faults.KINDS`. `amount`: the next n images, spawns or version calls; seconds of a
    stall, of loading or of being unready; frames until death."""
    call(port, "loopback_fault", kind, float(amount), host=host)


def state(port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    """Counts: frame, episode, actors, sensors, subscriptions, connections, painted, faults, memory_mib."""
    return call(port, "loopback_state", host=host)


def _unwrapped(name: str, error: Any, result: Any) -> Any:
    if error is not None:
        raise InputError(name, str(error), "this is no loopback server")
    ((outcome, *payload),) = result
    if outcome is False:  # of a function without a result
        return None
    if outcome is True or outcome == 0:
        raise InputError(name, payload[0][0], "see `python -m simulator.carla.loopback --help`")
    return payload[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("kind", nargs="?")
    parser.add_argument("amount", nargs="?", type=float, default=1.0)
    parser.add_argument("--host", default="127.0.0.1", help="where the server runs (default %(default)s)")
    options = parser.parse_args()
    if options.kind is not None:
        inject(options.port, options.kind, options.amount, options.host)
    print(json.dumps(state(options.port, options.host), indent=1))


if __name__ == "__main__":
    main()
