"""Who may ask: the name under which the server is called, the page that calls it, and a password.

A page in a browser can make it call a server on the same machine, under a name that the page's owner lets point there.
So the headers ``Host`` and ``Origin`` must name hosts that are known.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from lodestone.serving.faults import Fault, fault_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Access:
    """Conditions that every request must meet.

    Attributes:
        hosts: Names that ``Host`` and ``Origin`` may have, without ports.
        password: Which a request must carry; empty for none.
    """

    hosts: frozenset[str] = LOOPBACK
    password: str = field(default="", repr=False)

    def refusal(self, headers: Headers) -> Fault | None:
        """Why a request is refused, or ``None`` if it is not."""
        named = headers.getlist("host")
        if not named or any(_host(f"//{host}") not in self.hosts for host in named):
            return Fault(403, "this server is not called by that name; its option --allowed-hosts adds names")
        if any(_host(origin) not in self.hosts for origin in headers.getlist("origin")):
            return Fault(403, "pages of other origins may not ask this server")
        if self.password and not self._is_right(headers.get("authorization", "")):
            return Fault(401, "a password is needed, as a bearer token or as that of any user")
        return None

    def _is_right(self, authorization: str) -> bool:
        kind, _, given = authorization.partition(" ")
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(), self.password.encode())


class Guard:
    """An application behind conditions: what does not meet them is answered before the application sees it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (the interface is that of ASGI)."""
        if scope["type"] == "http" and (refusal := self._access.refusal(Headers(scope=scope))):
            await fault_response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
