"""MessagePack, as far as msgpack-rpc needs it: nil, bool, int, float, str, bin, array and map.

Source: the MessagePack specification. Written out here because 100 lines spare the project a compiled dependency.
"""

import struct
from collections.abc import Iterator
from typing import Any

MAX_MESSAGE_BYTES = 256 << 20
MAX_DEPTH = 64

# Fixed-width values: first byte -> (how to read what follows, its size in bytes).
NUMBERS = {
    0xCA: (struct.Struct(">f"), 4), 0xCB: (struct.Struct(">d"), 8),
    0xCC: (struct.Struct(">B"), 1), 0xCD: (struct.Struct(">H"), 2),
    0xCE: (struct.Struct(">I"), 4), 0xCF: (struct.Struct(">Q"), 8),
    0xD0: (struct.Struct(">b"), 1), 0xD1: (struct.Struct(">h"), 2),
    0xD2: (struct.Struct(">i"), 4), 0xD3: (struct.Struct(">q"), 8),
}  # fmt: skip
# Values with a length: first byte -> (what it is, size of the length in bytes).
SIZED = {
    0xC4: ("bin", 1), 0xC5: ("bin", 2), 0xC6: ("bin", 4),
    0xD9: ("str", 1), 0xDA: ("str", 2), 0xDB: ("str", 4),
    0xDC: ("array", 2), 0xDD: ("array", 4), 0xDE: ("map", 2), 0xDF: ("map", 4),
}  # fmt: skip
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
FLOAT64 = struct.Struct(">Bd")


class Malformed(Exception):
    """Bytes that are not MessagePack, or more of them than a message may have."""


class Incomplete(Exception):
    """The value goes on beyond the bytes that have come so far."""


def packed(value: Any) -> bytes:
    """One value as MessagePack. bytes become bin; tuples are arrays."""
    out = bytearray()
    _pack(value, out)
    return bytes(out)


def _pack(value: Any, out: bytearray) -> None:
    if value is None:
        out.append(0xC0)
    elif value is True:
        out.append(0xC3)
    elif value is False:
        out.append(0xC2)
    elif isinstance(value, int):
        _pack_int(value, out)
    elif isinstance(value, float):
        out += FLOAT64.pack(0xCB, value)
    elif isinstance(value, str):
        raw = value.encode()
        _pack_size(len(raw), out, fixed=(0xA0, 32), wide=(0xD9, 0xDA, 0xDB))
        out += raw
    elif isinstance(value, bytes | bytearray):
        _pack_size(len(value), out, fixed=None, wide=(0xC4, 0xC5, 0xC6))
        out += value
    elif isinstance(value, list | tuple):
        _pack_size(len(value), out, fixed=(0x90, 16), wide=(None, 0xDC, 0xDD))
        for item in value:
            _pack(item, out)
    elif isinstance(value, dict):
        _pack_size(len(value), out, fixed=(0x80, 16), wide=(None, 0xDE, 0xDF))
        for key, item in value.items():
            _pack(key, out)
            _pack(item, out)
    else:
        raise TypeError(f"a {type(value).__name__} cannot be sent as MessagePack")


def _pack_int(value: int, out: bytearray) -> None:
    if 0 <= value < 0x80:
        out.append(value)
    elif -0x20 <= value < 0:
        out.append(value + 0x100)
    elif value >= 0:
        out += struct.pack(">BI", 0xCE, value) if value < 1 << 32 else struct.pack(">BQ", 0xCF, value)
    else:
        out += struct.pack(">Bi", 0xD2, value) if value >= -(1 << 31) else struct.pack(">Bq", 0xD3, value)


def _pack_size(size: int, out: bytearray, fixed: tuple[int, int] | None, wide: tuple[int | None, int, int]) -> None:
    if fixed is not None and size < fixed[1]:
        out.append(fixed[0] + size)
    elif wide[0] is not None and size < 1 << 8:
        out += struct.pack(">BB", wide[0], size)
    elif size < 1 << 16:
        out += struct.pack(">BH", wide[1], size)
    else:
        out += struct.pack(">BI", wide[2], size)


class Unpacker:
    """Values out of a stream of bytes that comes in pieces."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, piece: bytes) -> Iterator[Any]:
        """The values that are complete now. Raises `Malformed`."""
        self._bytes += piece
        if len(self._bytes) > MAX_MESSAGE_BYTES:
            raise Malformed(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
        while self._bytes:
            try:
                value, end = _unpack(self._bytes, 0, MAX_DEPTH)
            except Incomplete:
                return
            del self._bytes[:end]
            yield value


def _unpack(data: bytearray, at: int, depth: int) -> tuple[Any, int]:
    """The value that starts at byte `at`, and where it ends."""
    if at >= len(data):
        raise Incomplete
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    if first >= 0xE0:
        return first - 0x100, at
    if first in NUMBERS:
        number, size = NUMBERS[first]
        if at + size > len(data):
            raise Incomplete
        return number.unpack_from(data, at)[0], at + size
    if first in CONSTANTS:
        return CONSTANTS[first], at
    if first in SIZED:
        kind, width = SIZED[first]
        if at + width > len(data):
            raise Incomplete
        size, at = int.from_bytes(data[at : at + width], "big"), at + width
    elif first < 0x90:
        kind, size = "map", first - 0x80
    elif first < 0xA0:
        kind, size = "array", first - 0x90
    elif first < 0xC0:
        kind, size = "str", first - 0xA0
    else:
        raise Malformed(f"byte 0x{first:02x} starts no value of the protocol")
    if kind in ("str", "bin"):
        if at + size > len(data):
            raise Incomplete
        raw = bytes(data[at : at + size])
        return (raw.decode(errors="replace") if kind == "str" else raw), at + size
    if depth == 0:
        raise Malformed(f"values nested deeper than {MAX_DEPTH}")
    items = []
    for _ in range(size if kind == "array" else 2 * size):
        item, at = _unpack(data, at, depth - 1)
        items.append(item)
    return (items if kind == "array" else dict(zip(items[::2], items[1::2], strict=True))), at
