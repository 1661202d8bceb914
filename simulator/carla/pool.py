"""The servers that scenes may be captured with, and who holds which: never two clients on one server.

A server is held by an OS lock on a file of this user on this machine, so that it is free again however its holder
ends; the capture process inherits the lock and keeps it for as long as it lives. The file also remembers, from holder
to holder, how many maps the server has loaded and until when it rests after a failure. Clients of several users, or on
several machines, are kept apart by Prefect's limit only (tasks/rendering.py).
"""

import fcntl
import ipaddress
import json
import os
import re
import socket
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dataset.errors import InputError

SCHEME = "carla://"
DEFAULT_PORT = 2000
POLL_S = 0.1


class Server(NamedTuple):
    """Where a CARLA server listens: its RPC port, streams come from the next one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def servers_of(address: str) -> tuple[Server, ...]:
    """The servers of 'carla://host:2000,host:2002'. Raises InputError for what is no such address."""
    servers = []
    for part in address.removeprefix(SCHEME).split(","):
        found = re.fullmatch(r"\s*([\w.-]+)(?::(\d+))?\s*", part)
        port = int(found[2] or DEFAULT_PORT) if found else 0
        if found is None or not 0 < port < 65535:
            raise InputError(
                f"simulator address {address!r}",
                f"{part!r} is no host:port (nor an IPv6 address, as CARLA listens on IPv4 alone)",
                "write carla://HOST:2000",
            )
        servers.append(Server(found[1], port))
    twice = [server for server in servers if servers.count(server) > 1]
    if twice:
        raise InputError(f"simulator address {address!r}", f"names {twice[0]} twice", "name each server once")
    return tuple(servers)


class Claim:
    """A server that this process holds until `close`, and what holders tell each other about it."""

    def __init__(self, server: Server, lock_fd: int):
        self.server, self.lock_fd = server, lock_fd
        self._state = self._read()

    @property
    def map_loads(self) -> int:
        """Maps that the server has loaded since it was last restarted."""
        return self._state.get("map_loads", 0)

    @property
    def rests_s(self) -> float:
        """For how long the server is to be left alone."""
        return self._state.get("rests_until_s", 0.0) - time.time()

    @property
    def why(self) -> str:
        """What it rests for."""
        return self._state.get("why", "")

    def add_map_loads(self, count: int) -> None:
        if count:
            self._write(map_loads=self.map_loads + count)

    def restarted(self) -> None:
        self._write(map_loads=0, rests_until_s=0.0, why="")

    def rest(self, seconds: float, why: str) -> None:
        self._write(rests_until_s=time.time() + seconds, why=why)

    def close(self) -> None:
        """Free the server. A capture process that still lives goes on holding it."""
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1

    def _read(self) -> dict:
        try:
            state = json.loads(os.pread(self.lock_fd, 65536, 0) or b"{}")
        except ValueError:  # its writer was killed in the middle of it: as if nothing were known
            state = {}
        return state if isinstance(state, dict) else {}

    def _write(self, **changes: object) -> None:
        self._state |= changes
        text = json.dumps(self._state).encode()
        os.ftruncate(self.lock_fd, 0)
        os.pwrite(self.lock_fd, text, 0)


class Pool:
    """Hands out the servers of an address, one holder each."""

    def __init__(self, servers: Sequence[Server], folder: Path | None = None):
        """`folder` holds the lock files: by default one of this user, for all of his runs on this machine.

        Raises InputError where the folder is somebody else's, or cannot be made.
        """
        self.servers = tuple(servers)
        self._folder = folder or Path(tempfile.gettempdir()) / f"hardcase-carla-{os.getuid()}"
        _make_own(self._folder)
        self._names = {server: _file_name(server) for server in self.servers}

    def claim(self, patience_s: float, last: Server | None = None) -> Claim:
        """The first server that is free and does not rest, `last` before the others; waits for one.

        Raises InputError when there is none within `patience_s`.
        """
        # Workers that begin at once begin at different servers.
        start = self.servers.index(last) if last in self.servers else os.getpid() % len(self.servers)
        order = self.servers[start:] + self.servers[:start]
        ends_s = time.monotonic() + patience_s
        claim, taken = self._first_free(order)
        if claim is not None:
            return claim
        with self._wanting():
            while time.monotonic() < ends_s:
                time.sleep(POLL_S)
                claim, taken = self._first_free(order)
                if claim is not None:
                    return claim
        names = f"CARLA server{'s' if len(order) > 1 else ''} {', '.join(map(str, order))}"
        raise InputError(
            names, f"none came free in {patience_s:.0f} s: {'; '.join(taken)}", "start one, or name others"
        )

    def _first_free(self, order: Sequence[Server]) -> tuple[Claim | None, list[str]]:
        """A claim of the first server to be had, or what keeps each."""
        taken = []
        for server in order:
            claim = self._lock(server)
            if claim is None:
                taken.append(f"{server} is held by another client")
            elif claim.rests_s > 0:
                taken.append(f"{server} rests ({claim.why})")
                claim.close()
            else:
                return claim, taken
        return None, taken

    def hold(self, server: Server) -> Claim | None:
        """A claim at once, also where the server rests; None where another client holds it."""
        return self._lock(server)

    def wanted(self, server: Server) -> bool:
        """Whether another client waits for a server (and would take this one)."""
        fd = self._open(server, "wanted")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    @contextmanager
    def _wanting(self) -> Iterator[None]:
        """While the block runs, `wanted` says so to the holders of all servers."""
        fds = [self._open(server, "wanted") for server in self.servers]
        try:
            for fd in fds:
                fcntl.flock(fd, fcntl.LOCK_SH)
            yield
        finally:
            for fd in fds:
                os.close(fd)

    def _lock(self, server: Server) -> Claim | None:
        fd = self._open(server, "lock")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return Claim(server, fd)

    def _open(self, server: Server, kind: str) -> int:
        """A file descriptor of a server's file."""
        path = self._folder / f"{self._names[server]}.{kind}"
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _make_own(folder: Path) -> None:
    """A folder that only we can write into: others could plant links there. Raises InputError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:  # a file is in its place, its parents are not ours, or the disk is full
        problem = f"no folder for the locks of CARLA's servers can be made ({error.strerror})"
        raise InputError(folder, problem, "remove what is there, or set TMPDIR to a folder of your own") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise InputError(folder, "is no folder of this user's own", "remove it, or set TMPDIR to a folder of your own")
    if found.st_mode & 0o022:
        folder.chmod(0o700)


def _file_name(server: Server) -> str:
    """One for all names of a server; the name that was given where it has no address now."""
    try:
        found = socket.getaddrinfo(server.host, server.port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return f"{server.host}-{server.port}"
    address = min(str(place[0]) for *_, place in found)
    return f"{'127.0.0.1' if ipaddress.ip_address(address).is_loopback else address}-{server.port}"
