"""Command-line arguments: a parser that suggests the intended command, and value types with clear messages."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

Number = TypeVar("Number", int, float)


class Parser(argparse.ArgumentParser):
    """A parser that suggests the command that was probably meant."""

    def error(self, message: str) -> NoReturn:
        """End with the usage and the message on stderr."""
        word = re.search(r"invalid choice: '([^']*)'", message)
        choices = [str(name) for action in self._actions for name in action.choices or ()]
        close = get_close_matches(word[1], choices, n=1) if word else []
        super().error(f"{message}; did you mean {close[0]}?" if close else message)


def positive(text: str) -> int:
    """A positive whole number."""
    return _number(int, text, "a positive whole number", lambda value: value >= 1)


def energy(text: str) -> float:
    """An energy of 0 or more."""
    return _number(float, text, "an energy of 0 or more, eV/atom", lambda value: value >= 0)


def length(text: str) -> float:
    """A length above 0."""
    return _number(float, text, "a length above 0, Å", lambda value: value > 0)


def frequency(text: str) -> float:
    """A frequency of 0 or more."""
    return _number(float, text, "a frequency of 0 or more, THz", lambda value: value >= 0)


def share(text: str) -> float:
    """A share above 0."""
    return _number(float, text, "a share above 0 and at most 1", lambda value: 0 < value <= 1)


def hours(text: str) -> float:
    """A duration above 0."""
    return _number(float, text, "a number of hours above 0", lambda value: value > 0)


def port(text: str) -> int:
    """A port that a server can listen on."""
    return _number(int, text, "a port from 1 to 65535", lambda value: 1 <= value <= 65535)


def _number(kind: Callable[[str], Number], text: str, meant: str, is_good: Callable[[Number], Any]) -> Number:
    """Parse a number; the error states what is allowed instead of naming a function."""
    try:
        value = kind(text)
        if math.isfinite(value) and is_good(value):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not {meant}")
