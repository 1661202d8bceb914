"""A CARLA client in a process that can be killed, as seen from the outside."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np

from dataset.errors import InputError
from simulator.backend import Render
from simulator.carla.capture_child import ALIGNMENT, CLOSE_S
from simulator.carla.errors import CaptureFailed
from simulator.recreate import NotRecreatable
from simulator.scene import Scene

ROOT = Path(__file__).parents[2]
LOADING = "in load_map\n"  # in a traceback: Connection.load_map
GRACE_S = 3.0  # between a child's own deadline and ours


class Lost(Exception):
    """A capture that another try may make good. `kind` is what is counted."""

    def __init__(self, kind: str, what: str):
        self.kind, self.what = kind, what
        super().__init__(f"{kind}: {what}")


class CaptureProcess:
    """One client of one server. After a Lost whose kind is no 'capture', only `close` may follow."""

    def __init__(self, backend: tuple[str, str], arguments: tuple, seconds: float, lock_fd: int):
        """Starts `module.attribute(*arguments)` in a process that inherits `lock_fd`.

        Raises Lost when that takes more than `seconds` or ends the process, and the backend's own errors.
        """
        self._lost: str | None = None
        self._map_loads = self._map_loads_told = 0
        self._pixels_fd = os.memfd_create("carla-pixels")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._connection, theirs = Pipe()
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        # A session of its own, so that Ctrl-C is ours to hand on: the server is put back as it was first.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulator.carla.capture_child", str(theirs.fileno()), str(self._pixels_fd)],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            env=os.environ | {"PYTHONPATH": path},
            pass_fds=(theirs.fileno(), self._pixels_fd, lock_fd),
            start_new_session=True,
        )
        theirs.close()
        try:
            self._ask((*backend, arguments, seconds), seconds)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def new_map_loads(self) -> int:
        """How many maps the server has loaded for us since this was asked last."""
        new, self._map_loads_told = self._map_loads - self._map_loads_told, self._map_loads
        return new

    def render(self, scene: Scene, seconds: float) -> Render:
        """The render. Raises Lost, and the backend's own errors."""
        lengths, rest = self._ask((scene, seconds), seconds)
        starts = np.cumsum([0, *(-(-length // ALIGNMENT) * ALIGNMENT for length in lengths)])
        pixels = np.empty(starts[-1], np.uint8)
        os.preadv(self._pixels_fd, [pixels.data], 0)
        arrays = [pixels[start : start + length] for start, length in zip(starts, lengths, strict=False)]
        return pickle.loads(rest, buffers=arrays)

    def close(self) -> None:
        """Ends the process; the backend puts the server back as it was, if it can."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_S + GRACE_S)
        self.kill()

    def kill(self) -> None:
        """Ends the process and all that it started, at once."""
        self._connection.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._pixels_fd >= 0:
            os.close(self._pixels_fd)
            self._pixels_fd = -1
        self._said.close()

    def _ask(self, question: Any, seconds: float) -> tuple:
        try:
            self._connection.send(question)
            if not self._connection.poll(seconds + GRACE_S):
                raise Lost("stalled", f"no answer in {seconds:.0f} s, nor did the client end itself")
            answer = self._connection.recv()
        except (EOFError, ConnectionError):
            raise self._ended(seconds) from None
        if answer[0] == "open":
            return ()
        kind, self._map_loads, *answer = answer
        if kind != "raised":
            return tuple(answer)
        error, text = answer
        if isinstance(error, (InputError, NotRecreatable)):
            raise error
        # CARLA's client raises RuntimeError for whatever it did not get from the server.
        if isinstance(error, CaptureFailed) or type(error) is RuntimeError:
            raise Lost(error.kind if isinstance(error, CaptureFailed) else "client", str(error))
        error.add_note(f"in the capture process:\n{text}")
        raise error

    def _ended(self, seconds: float) -> Lost:
        """What it means that the process ended by itself."""
        code = self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        self._map_loads += LOADING in said + "\n"  # which the process no longer tells
        if "Timeout (" in said:  # faulthandler's heading, which stands before all threads' frames
            main = said[said.rindex("Thread 0x") :].splitlines()  # the last one that is listed
            place = next((line.strip() for line in main if line.strip().startswith("File")), "")
            return Lost("stalled", f"no answer in {seconds:.0f} s, at {place}")
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        before = said.partition("Fatal Python error: ")[0].strip()  # faulthandler's, of a crash
        last = before.splitlines()[-1][-200:] if before else ""
        return Lost("crashed", f"the client ended with {how}{f': {last}' if last else ''}")
