"""The stream port: who listens to which sensor, and the messages that go out."""

import asyncio
import contextlib
import struct
from collections import defaultdict

from simulator.carla.loopback.faults import Faults

FULL_BYTES = 32 << 20  # a listener with more than this unsent holds up the next frame
GIVE_UP_S = 10.0  # ... but not for longer than this: then it is cut off


class Streams:
    """One TCP connection a subscription: the client sends the stream's id once and then only listens."""

    def __init__(self, faults: Faults):
        self._faults = faults
        self._listeners: dict[int, set[asyncio.StreamWriter]] = defaultdict(set)
        self._held_back: dict[int, asyncio.TimerHandle] = {}
        self._held_message: dict[int, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One subscription, until the client closes it. Streams of actors that are gone stay silent."""
        stream_id = None
        try:
            (stream_id,) = struct.unpack("<I", await reader.readexactly(4))
            self._listeners[stream_id].add(writer)
            while await reader.read(1024):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone, killed perhaps
        finally:
            if stream_id is not None:
                self._forget(stream_id, writer)
            writer.transport.abort()

    def listened(self, stream_id: int) -> bool:
        return stream_id in self._listeners

    @property
    def subscriptions(self) -> int:
        return sum(len(writers) for writers in self._listeners.values())

    def send(self, stream_id: int, message: bytes) -> None:
        """To all who listen."""
        head = struct.pack("<I", len(message))
        for writer in tuple(self._listeners.get(stream_id, ())):
            if not writer.is_closing():
                writer.write(head)
                writer.write(message)

    def send_image(self, stream_id: int, message: bytes) -> None:
        """An image, which may come late, out of order or not at all when that was asked for."""
        if self._faults.strikes("dropped_images"):
            return
        late, reordered = self._faults.strikes("late_images"), self._faults.strikes("reordered_images")
        loop = asyncio.get_running_loop()
        if late:
            loop.call_later(self._faults.rates.late_s, self.send, stream_id, message)
        elif reordered and stream_id not in self._held_message:
            self._held_message[stream_id] = message
            self._held_back[stream_id] = loop.call_later(self._faults.rates.late_s, self._release, stream_id)
        else:
            self.send(stream_id, message)
            self._release(stream_id)

    async def until_drained(self) -> None:
        """Wait for listeners that cannot keep up; cut off those that stopped reading."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + GIVE_UP_S
        while full := [w for ws in self._listeners.values() for w in ws if _unsent_bytes(w) > FULL_BYTES]:
            if loop.time() > deadline_s:
                for writer in full:
                    writer.transport.abort()
                return
            await asyncio.sleep(0.002)

    def close(self) -> None:
        for writer in [w for ws in self._listeners.values() for w in ws]:
            with contextlib.suppress(ConnectionError):
                writer.transport.abort()

    def _release(self, stream_id: int) -> None:
        message = self._held_message.pop(stream_id, None)
        timer = self._held_back.pop(stream_id, None)
        if timer is not None:
            timer.cancel()
        if message is not None:
            self.send(stream_id, message)

    def _forget(self, stream_id: int, writer: asyncio.StreamWriter) -> None:
        self._listeners[stream_id].discard(writer)
        if not self._listeners[stream_id]:
            del self._listeners[stream_id]


def _unsent_bytes(writer: asyncio.StreamWriter) -> int:
    return 0 if writer.is_closing() else writer.transport.get_write_buffer_size()
