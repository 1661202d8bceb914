"""The RPC port: msgpack-rpc as rpclib speaks it, with CARLA's wrapping of results and errors."""

import asyncio
import contextlib
import inspect
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, Literal

from simulator.carla.loopback.faults import Faults
from simulator.carla.messages import Malformed, Unpacker, packed

log = logging.getLogger(__name__)

Answer = Literal["value", "void", "bare"]
NO_EPISODE = "episode not ready"  # CARLA's own words
UNSTALLED = "loopback_"  # what starts with this is answered during a stall too


class Refused(Exception):
    """A call that cannot be done: its text is what the client's RuntimeError says."""


def answers(kind: Answer) -> Callable:
    """Mark a method as the RPC function of its name, and how its result is wrapped."""

    def mark(function: Callable) -> Callable:
        function.answer = kind  # type: ignore[attr-defined]
        return function

    return mark


class RpcPort:
    """Answers calls of one connection in their order. `functions` is an object whose marked methods can be called."""

    def __init__(self, functions: object, faults: Faults):
        self._functions = {
            name: method for name, method in inspect.getmembers(functions, callable) if hasattr(method, "answer")
        }
        self._faults = faults
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        return len(self._open)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(writer)
        unpacker = Unpacker()
        try:
            while piece := await reader.read(1 << 18):
                for request in _requests(unpacker, piece):
                    writer.write(packed(await self._answered(request)))
                    await writer.drain()
        except Malformed as error:
            log.warning("connection closed: %s", error)
        except ConnectionError:
            pass  # the client is gone
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    def close(self) -> None:
        for writer in tuple(self._open):
            with contextlib.suppress(ConnectionError):
                writer.transport.abort()

    async def _answered(self, request: Any) -> list:
        """The response to [0, id, name, [metadata, *arguments]]."""
        try:
            _, call_id, name, (_, *arguments) = request
        except (TypeError, ValueError):
            raise Malformed(f"not a request: {str(request)[:100]}") from None
        if not isinstance(name, str):
            raise Malformed(f"not the name of a function: {str(name)[:100]}")
        if not name.startswith(UNSTALLED):
            await self._faults.until_answering()
        function = self._functions.get(name)
        if function is None:
            return [1, call_id, f"the loopback server has no function '{name}'", None]
        kind = function.answer  # type: ignore[attr-defined]
        if self._faults.is_unready and name != "version" and not name.startswith(UNSTALLED):
            return [1, call_id, None, _error(kind, NO_EPISODE)]
        try:
            result = function(*arguments)
            if inspect.isawaitable(result):
                result = await result
        except Refused as refusal:
            return [1, call_id, None, _error(kind, str(refusal))]
        except Exception as error:
            log.exception("%s%s", name, str(arguments)[:300])
            return [1, call_id, None, _error(kind, f"{name}: {type(error).__name__}: {error}")]
        return [1, call_id, None, result if kind == "bare" else [[False]] if kind == "void" else [[1, result]]]


def _requests(unpacker: Unpacker, piece: bytes) -> Iterator[Any]:
    """Raises Malformed, also for MessagePack that Python has no value for: a map with a list as key, broken UTF-8."""
    try:
        yield from unpacker.feed(piece)
    except (TypeError, ValueError) as error:
        raise Malformed(f"not a message: {error}") from None


def _error(kind: Answer, message: str) -> list:
    return [[True, [message]]] if kind == "void" else [[0, [message]]]
