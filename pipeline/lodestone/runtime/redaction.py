"""Removes secrets from addresses: names and passwords must not appear in any message, file or page."""

from __future__ import annotations

import re

# A password may contain an @, and, after a name and a colon, a slash.
_CREDENTIALS = re.compile(r"(?<=//)(?:[^/\s:@]*:\S*@|[^/\s]*@)")
_SECRETS = re.compile(r"(?<=[?&])((?:password|passwd|token|secret|key|api_key)=)[^&#\s'\"]+", re.IGNORECASE)


def public_address(text: str) -> str:
    """Text without the names, passwords and tokens in its addresses.

    Examples:
        >>> public_address("postgresql://me:secret@db.example:5432/runs cannot be reached")
        'postgresql://db.example:5432/runs cannot be reached'
    """
    return _SECRETS.sub(r"\1***", _CREDENTIALS.sub("", text))
