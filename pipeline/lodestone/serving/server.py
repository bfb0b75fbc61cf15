"""The server: a model and its hull, read once, behind one port."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.prediction.model import StabilityModel
from lodestone.prediction.phases import KnownPhases
from lodestone.serving.access import LOOPBACK, Access, is_loopback
from lodestone.serving.app import make_app
from lodestone.serving.questions import Limits

if TYPE_CHECKING:
    from uvicorn import Server

PASSWORD_VARIABLE = "LODESTONE_SERVE_PASSWORD"  # noqa: S105 - its name
_MOST_CONNECTIONS = 256  # more get 503
_ALL = ("0.0.0.0", "::")  # noqa: S104 - recognized, not bound


def access_of(host: str, allowed: str, password: str) -> Access:
    """Who may ask a server that listens on an address.

    Args:
        host: The address.
        allowed: Further names that it is called by, separated by commas.
        password: Empty for none.

    Raises:
        LodestoneError: If the network could ask without a password.
    """
    if not is_loopback(host) and not password:
        raise LodestoneError(
            f"whoever reaches {host} could ask this server",
            f"set a password in {PASSWORD_VARIABLE}, or leave out --host",
        )
    names = [name.strip().lower() for name in allowed.split(",")]
    own = [] if host in _ALL else [host.lower()]
    return Access(frozenset({*LOOPBACK, *own, *filter(None, names)}), password)


def run(
    model: StabilityModel, phases: KnownPhases | None, access: Access, limits: Limits, *, host: str, port: int
) -> None:
    """Serve until a signal ends it.

    Raises:
        LodestoneError: If the port cannot be had.
    """
    from uvicorn import Config

    with _listening(host, port) as listener:
        _ = model.ensemble  # read before anybody waits for it
        settings: dict[str, Any] = {"limit_concurrency": _MOST_CONNECTIONS, "proxy_headers": False}
        app = make_app(model, phases, access, limits)
        config = Config(app, log_level="warning", access_log=False, server_header=False, **settings)
        address = f"[{host}]" if ":" in host else host
        server = _announcing(f"predictions on http://{address}:{port}/predict (Ctrl-C ends it)")(config)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _announcing(line: str) -> type[Server]:
    """A server that prints a line when it has taken over signals: one that came in between would be lost."""
    from uvicorn import Server

    class Announcing(Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(line, flush=True)

    return Announcing


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_MOST_CONNECTIONS)
    except OSError as error:
        raise LodestoneError(
            f"cannot listen on {host}, port {port}: {error.strerror}", "choose another --port"
        ) from error
