"""A request that is not answered: a status of HTTP and one sentence, never a traceback."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse


class Fault(Exception):  # noqa: N818 - an answer, which the words of HTTP do not call an error
    """Why a request is not answered.

    Attributes:
        status: Status code of HTTP.
        sentence: What is wrong, for the one who asks.
        more: Further keys of the answer.
    """

    def __init__(self, status: int, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.more = more


def fault_response(fault: Fault) -> JSONResponse:
    """A fault as an answer."""
    headers = {"www-authenticate": 'Basic realm="lodestone"'} if fault.status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse({"error": fault.sentence, **fault.more}, fault.status, headers)


def on_fault(_: Request, error: Exception) -> JSONResponse:
    """Answer to whatever went wrong; of what nobody foresaw it says no more than that it happened."""
    if isinstance(error, Fault):
        return fault_response(error)
    if isinstance(error, HTTPException):
        words = {404: "there is nothing here; POST crystals to /predict", 405: "only POST is answered at /predict"}
        return fault_response(Fault(error.status_code, words.get(error.status_code, error.detail)))
    return fault_response(Fault(500, "the request could not be answered; the server's log says why"))
