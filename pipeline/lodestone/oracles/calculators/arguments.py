"""Arguments of calculators: what they amount to, and that they hold no secrets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"(^|[^a-z])(api_?key|key|token|password|passwd|secret|credential)s?($|[^a-z])", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"://[^/@\s]*@")


def secret_among(arguments: Mapping[str, Any]) -> str | None:
    """Name of an argument that looks like a key or password, or holds an address with one.

    Examples:
        >>> secret_among({"model": "small", "options": {"api_key": "x"}})
        'api_key'
        >>> secret_among({"server": "https://me:secret@example.org"})
        'server'
        >>> secret_among({"keywords": "https://example.org", "device": "cpu"})
    """
    for name, value in _leaves(arguments):
        if _SECRET.search(name) or (isinstance(value, str) and _PASSWORD_IN_ADDRESS.search(value)):
            return name
    return None


def by_content(value: Any) -> Any:
    """The same with the hash of a file in place of each path to one."""
    if isinstance(value, Mapping):
        return {key: by_content(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [by_content(inner) for inner in value]
    if isinstance(value, str) and _is_file(value):
        return {"file": hashlib.blake2b(Path(value).read_bytes(), digest_size=16).hexdigest()}
    return value


def digest(content: Any) -> str:
    """Eight letters that differ where content, as JSON, differs."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=4).hexdigest()


def _leaves(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All names, and all values under the innermost name."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield str(key), None
            yield from _leaves(value, str(key))
    elif isinstance(content, list):
        for value in content:
            yield from _leaves(value, name)
    else:
        yield name, content


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # no path at all: too long, or with a null byte
        return False
