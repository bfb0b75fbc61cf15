"""A JSON list of objects, read piece by piece: only one element and one piece of the text are in memory at a time."""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from lodestone.errors import LodestoneError

MOST_BYTES = 2**32  # of a file, unpacked
MOST_TIMES = 100  # as large when unpacked: JSON of crystals grows about ten times, a zip bomb a thousand times
LEAST_BYTES = 2**20  # unpacked, always allowed
LONGEST_ELEMENT = 2**26  # characters
_PIECE = 2**16  # bytes
_BLANKS = re.compile(r"[ \t\n\r]*")


def read_objects(path: Path, expected: str = "list of objects") -> Iterator[dict[str, Any]]:
    """Objects of a list, one after the other.

    Args:
        path: A file in UTF-8, packed with gzip if its name ends in ``.gz``.
        expected: What the list should hold, for messages.

    Raises:
        LodestoneError: If the file is damaged, cut off, not a list of objects, or larger than any set of crystals.
    """
    text, number, after_comma = _Text(_pieces(path)), 0, False
    if text.peek() != "[":
        raise LodestoneError(f"{path} is no JSON list", f"give a {expected}, as json.dump writes it")
    text.step()
    while text.peek() != "]" or after_comma:
        number += 1
        yield _object(text, path, number)
        after_comma = text.peek() == ","
        if after_comma:
            text.step()
        elif text.peek() != "]":
            raise _damaged(path, number, "the list does not go on or end after it")
    text.step()
    if text.peek():
        raise _damaged(path, number, "something follows the list")


class _Text:
    """Text that arrives in pieces and is discarded once it has been used."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            self._at = cast("re.Match[str]", _BLANKS.match(self._text, self._at)).end()
            if self._at < len(self._text) or not self._grow():
                return self._text[self._at : self._at + 1]

    def step(self) -> None:
        """Skip one character."""
        self._at += 1

    def value(self) -> Any:
        """The next value; more text is read until it is complete.

        Raises:
            ValueError: If there is none, or it is too long.
        """
        while True:
            try:
                element, self._at = self._decoder.raw_decode(self._text, self._at)
                return element
            except ValueError:
                if len(self._text) - self._at > LONGEST_ELEMENT or not self._grow():
                    raise

    def _grow(self) -> bool:
        """Read at least as much again as is left, so that a long element is not tried again after every piece."""
        pieces = [self._text[self._at :]]
        missing = max(len(pieces[0]), 1)
        while missing > 0 and (piece := next(self._pieces, "")):
            pieces.append(piece)
            missing -= len(piece)
        self._text, self._at = "".join(pieces), 0
        return len(pieces) > 1


def _object(text: _Text, path: Path, number: int) -> dict[str, Any]:
    try:
        element = text.value()
    except (ValueError, RecursionError) as error:
        raise _damaged(path, number, str(error)) from error
    if not isinstance(element, dict):
        raise _damaged(path, number, f"a {type(element).__name__}, not an object")
    return element


def _pieces(path: Path) -> Iterator[str]:
    """Text of a file, none of the pieces empty."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        with _opened(path) as stream:
            for piece in _bounded(stream, path):
                if text := decoder.decode(piece):
                    yield text
        decoder.decode(b"", final=True)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        remedy = "it may be truncated: make or download it again"
        raise LodestoneError(f"{path} is no readable JSON in UTF-8: {error}", remedy) from error


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _bounded(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    total, most = 0, MOST_BYTES
    if path.suffix == ".gz":
        most = min(most, max(LEAST_BYTES, MOST_TIMES * path.stat().st_size))
    while piece := stream.read(_PIECE):
        total += len(piece)
        if total > most:
            problem = f"{path} has more than {most / 2**20:.3g} MiB when unpacked"
            raise LodestoneError(problem, "split it; if it came from elsewhere, it may be made to fill the memory")
        yield piece


def _damaged(path: Path, number: int, problem: str) -> LodestoneError:
    return LodestoneError(f"{path}, entry {number}: {problem}", "it may be truncated: make or download it again")
