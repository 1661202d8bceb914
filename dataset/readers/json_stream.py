"""The entries of a large JSON array one after the other: memory holds one of them and a piece of the file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from dataset.errors import InputError

PIECE_CHARS = 1 << 16
LONGEST_WORD_CHARS = 16  # an error nearer to the window's end than this may come from where it ends
DECODER = json.JSONDecoder()


def entries(file: Path, key: str | None = None) -> Iterator[dict[str, Any]]:
    """The objects of the array that `file` consists of or, where it is an object, that it holds under `key`.

    Raises InputError where the file is missing, is no JSON so far as it was read, or holds no such array.
    """
    try:
        with file.open(encoding="utf-8-sig") as text:
            yield from _Scanner(file, text).objects(key)
    except FileNotFoundError:
        raise InputError(file, "file not found", "check the path") from None
    except OSError as error:
        raise InputError(file, f"cannot be read ({error.strerror})", "give the JSON file itself") from None
    except UnicodeDecodeError:
        raise InputError(file, "not text in UTF-8", "replace the file") from None


class _Scanner:
    """A window that slides over the text; `_at` is the next character in it, `_passed` those before it."""

    def __init__(self, file: Path, text: TextIO):
        self._file, self._text = file, text
        self._window, self._at, self._passed, self._ended = "", 0, 0, False

    def objects(self, key: str | None) -> Iterator[dict[str, Any]]:
        if key is not None and self._next() == "{":
            self._take("{")
            while self._value() != key:
                self._take(":")
                self._value()
                if self._next() != ",":
                    raise InputError(self._file, f"has no list {key!r}", "give a file in the format named")
                self._take(",")
            self._take(":")
        self._take("[")
        while self._next() != "]":
            start = self._passed + self._at
            entry = self._value()
            if not isinstance(entry, dict):
                self._fail(f"an entry is {str(entry)[:40]!r}, not an object", start)
            yield entry
            if self._next() != "]":
                self._take(",")

    def _read_on(self) -> bool:
        """Widen the window, by as much as it holds already, so that a long entry is not scanned again and again."""
        self._window, self._passed, self._at = self._window[self._at :], self._passed + self._at, 0
        more = self._text.read(max(PIECE_CHARS, len(self._window)))
        self._window += more
        self._ended = not more
        return not self._ended

    def _next(self) -> str:
        """The next character that is no space; '' at the end."""
        while True:
            while self._at < len(self._window):
                if not self._window[self._at].isspace():
                    return self._window[self._at]
                self._at += 1
            if not self._read_on():
                return ""

    def _take(self, expected: str) -> None:
        if (found := self._next()) != expected:
            self._fail(f"{expected!r} expected, {found or 'the end of the file'} found", self._passed + self._at)
        self._at += 1

    def _value(self) -> Any:
        self._next()
        while True:
            try:
                value, end = DECODER.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                place = self._passed + error.pos
                cut = error.msg.startswith("Unterminated") or error.pos >= len(self._window) - LONGEST_WORD_CHARS
                if not cut or not self._read_on():
                    self._fail(error.msg, place)
                continue
            if end < len(self._window) or self._ended:
                self._at = end
                return value
            self._read_on()  # a number may go on in what was not read yet

    def _fail(self, problem: str, character: int) -> NoReturn:
        raise InputError(f"{self._file}, character {character}", f"not JSON as expected ({problem})", "mend the file")
