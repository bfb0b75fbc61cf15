"""The HTTP session behind OPTIMADE's client: it keeps the outcome of the last request and bounds its answer."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests

MOST_BYTES = 2**26  # of one answer, unpacked; a page is about 5 MB
_PIECE = 2**16  # bytes


class AnswerTooLargeError(requests.RequestException):
    """An answer that is larger than any page of structures."""


@dataclass
class Exchange:
    """Outcome of the last request, of which the client passes on only a text."""

    answer: requests.Response | None = None
    error: Exception | None = None


def session_class(exchange: Exchange) -> type[requests.Session]:
    """A session class, as the client expects, whose sessions write into ``exchange``."""

    class Session(requests.Session):
        def get(self, *args: Any, **kwargs: Any) -> requests.Response:
            try:
                exchange.answer = _read(super().get(*args, **(kwargs | {"stream": True})))
            except requests.RequestException as error:
                exchange.error = error
                raise
            if exchange.answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:  # the client would retry forever
                raise requests.exceptions.RetryError("too many requests")
            return exchange.answer

    return Session


def _read(answer: requests.Response) -> requests.Response:
    """Read an answer to its end, in pieces and up to a limit, unlike requests."""
    content = bytearray()
    for piece in answer.iter_content(_PIECE):
        content += piece
        if len(content) > MOST_BYTES:
            answer.close()
            raise AnswerTooLargeError(f"an answer has more than {MOST_BYTES // 2**20} MiB")
    answer._content = bytes(content)
    return answer
