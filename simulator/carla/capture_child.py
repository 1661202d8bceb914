"""The process that holds the CARLA client: `python -m simulator.carla.capture_child SOCKET_FD PIXELS_FD`.

Started and spoken to by capture_process.py. It is a process of its own because the client library may abort, crash or
hang, and it holds the interpreter's lock while it waits: so the clock that ends a hung capture is not Python's but
faulthandler's, a thread in C that also writes where it hung.

Messages, pickled: in come (module, attribute, arguments) once, then (scene, seconds); out go ("open",), then
("render", map loads, lengths of its arrays' bytes in PIXELS_FD, pickle without them) or
("raised", map loads, error, traceback).
"""

import faulthandler
import importlib
import os
import pickle
import select
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from simulator.backend import Backend
from simulator.carla.errors import ForeignError

CLOSE_S = 10.0  # to put the server back as it was
ALIGNMENT = 64


def main() -> None:
    """Serve scenes until the parent closes the connection, or dies."""
    faulthandler.enable()  # where it crashed, too
    parent, pixels_fd = Connection(int(sys.argv[1])), int(sys.argv[2])
    threading.Thread(target=_hurry_without_parent, args=(parent.fileno(),), name="parent", daemon=True).start()
    backend: Backend | None = None
    try:
        module, attribute, arguments, seconds = parent.recv()
        _end_after(seconds)
        backend = getattr(importlib.import_module(module), attribute)(*arguments)
        assert backend is not None
        faulthandler.cancel_dump_traceback_later()
        parent.send(("open",))
        while True:
            scene, seconds = parent.recv()
            _end_after(seconds)
            kind, *answer = _answer(backend, scene, pixels_fd)
            faulthandler.cancel_dump_traceback_later()
            parent.send((kind, getattr(backend, "map_loads", 0), *answer))
    except (EOFError, ConnectionError):
        pass  # the parent is done, or gone
    except Exception as error:
        kind, *answer = _raised(error)
        parent.send((kind, 0, *answer))
    finally:
        _end_after(CLOSE_S)
        if backend is not None:
            backend.close()
        os._exit(0)  # the client library's own end may hang or abort


def _answer(backend: Backend, scene: Any, pixels_fd: int) -> tuple:
    try:
        render = backend.render(scene)
    except Exception as error:
        return _raised(error)
    arrays: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(render, protocol=5, buffer_callback=arrays.append)
    offset, lengths = 0, []
    for array in arrays:
        with array.raw() as view:
            lengths.append(view.nbytes)
            os.pwrite(pixels_fd, view, offset)
            offset += -(-view.nbytes // ALIGNMENT) * ALIGNMENT
    os.ftruncate(pixels_fd, max(offset, os.fstat(pixels_fd).st_size))
    return "render", lengths, rest


def _raised(error: Exception) -> tuple:
    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an error of some library that does not survive the way
        error = ForeignError(f"{type(error).__name__}: {error}")
    return "raised", error, text


def _end_after(seconds: float) -> None:
    faulthandler.dump_traceback_later(seconds, exit=True)


def _hurry_without_parent(fd: int) -> None:
    """When the parent dies the capture under way may end, but not hang on until its own deadline."""
    poll = select.poll()
    poll.register(fd, 0)  # only that the other end is closed
    poll.poll()
    _end_after(CLOSE_S)


if __name__ == "__main__":
    main()
