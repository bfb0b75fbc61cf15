"""The Materials Project API through its own client, mp-api: the database version, and one page of documents.

The client repeats a request by itself (``urllib3.Retry``: up to three times on 429, 502, 504 and dropped connections,
within a second or after the time in ``Retry-After``) but not on 500 or a truncated answer. To avoid multiplying its
retries by ours, they are switched off on its session; :mod:`lodestone.snapshot.downloads.retries` does all of them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.runtime.redaction import public_address
from lodestone.snapshot.downloads.retries import TransientError, patiently, retry_after

KEY = "MP_API_KEY"
ENDPOINT = "MP_API_ENDPOINT"
TIMEOUT = 60.0  # seconds without a byte; the API is slow to send a page with structures


class _StatusError(Exception):
    def __init__(self, status: int, message: str, wait: float | None) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status
        self.wait = wait


class MaterialsProjectApi:
    """One connection; the key is read from ``MP_API_KEY`` and never appears in a message, file or log.

    Raises:
        LodestoneError: If there is no key, or it is malformed.
    """

    def __init__(self) -> None:
        self._key = _key()
        self._endpoint = _endpoint()

    def __enter__(self) -> MaterialsProjectApi:
        return self

    def __exit__(self, *_: object) -> None:
        if "_client" in self.__dict__:
            self._client.session.close()

    def database_version(self) -> str:
        """Version of the database that the API serves now.

        Raises:
            LodestoneError: If the API cannot be reached or fails, again and again.
        """
        return patiently(self._ask_version)

    def thermo_page(
        self, criteria: dict[str, Any], fields: Sequence[str], skip: int, limit: int
    ) -> tuple[list[Any], int]:
        """One page of thermo documents, sorted by ``material_id``, and how many documents match in all.

        Args:
            criteria: Arguments of the client's ``thermo.search``: ``thermo_types``, ``chemsys``, ``energy_above_hull``.
            fields: Of a document.
            skip: Number of documents before this page.
            limit: Maximum number of documents; the API returns at most 1000.

        Raises:
            LodestoneError: If the key is refused, or the API cannot be reached or fails, again and again.
        """
        # Without an order, the database behind the API may return one document twice and skip another.
        query = _parameters(criteria) | {"_sort_fields": "material_id", "_fields": ",".join(fields)}
        return patiently(lambda: self._ask_page(query | {"_skip": skip, "_limit": limit}, limit))

    def _ask_version(self) -> str:
        import requests

        with self._readable_faults(shows_key=False):
            # Not through the client, which fetches the heartbeat only once and without a time limit.
            response = requests.get(self._endpoint + "heartbeat", timeout=TIMEOUT)
            _refuse_failures(response)
            version = response.json().get("db_version")
            if not version:
                raise KeyError("the heartbeat has no db_version")
            return str(version)

    def _ask_page(self, query: dict[str, Any], limit: int) -> tuple[list[Any], int]:
        with self._readable_faults():
            # `search` starts at the first document and hides the total; it calls this method.
            answer = self._client.materials.thermo._query_resource(
                criteria=query, num_chunks=1, chunk_size=limit, timeout=TIMEOUT
            )
            documents, total = answer["data"], answer.get("meta", {}).get("total_doc")
            if not isinstance(documents, list) or type(total) is not int:
                raise KeyError("the answer has no documents, or does not say how many there are")
            return documents, total

    @cached_property
    def _client(self) -> Any:
        from mp_api.client import MPRester
        from requests.adapters import HTTPAdapter

        client = MPRester(self._key, endpoint=self._endpoint, use_document_model=False, mute_progress_bars=True)
        for scheme in ("http://", "https://"):
            client.session.mount(scheme, HTTPAdapter(max_retries=0))
        client.session.hooks["response"].append(_refuse_failures)
        return client

    @contextmanager
    def _readable_faults(self, shows_key: bool = True) -> Iterator[None]:
        """Turn faults of the client into one message; the cause is cut off, so that no traceback can show the key."""
        import requests
        from mp_api.client.core.exceptions import MPRestError

        try:
            yield
        except (
            MPRestError,
            requests.RequestException,
            _StatusError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
        ) as error:
            text = str(error.args[0] if error.args else type(error).__name__)
            message = public_address(text).replace(self._key, "***")
            raise self._fault(error, message[:300], shows_key) from None

    def _fault(self, error: Exception, message: str, shows_key: bool) -> Exception:
        import requests

        where = f"the Materials Project API at {public_address(self._endpoint)}"
        status = error.status if isinstance(error, _StatusError) else 0
        if status in (401, 403) and shows_key:
            return _refused(f"the API answered HTTP {status}")
        # The client wraps what requests raises; an invalid address is also a ValueError, and stays one.
        causes = [e for e in (error, error.__context__) if isinstance(e, requests.RequestException)]
        if causes and not isinstance(causes[0], ValueError):
            remedy = f"check the network, the proxy, and {ENDPOINT} if it is set; then run again"
            return TransientError(LodestoneError(f"{where} cannot be reached: {message}", remedy))
        remedy = f"see https://status.materialsproject.org, check {ENDPOINT} if it is set; then run again"
        fault = LodestoneError(f"{where} failed: {message}", remedy)
        busy = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        passing = busy or isinstance(error, json.JSONDecodeError)
        return TransientError(fault, getattr(error, "wait", None)) if passing else fault


def public_endpoint() -> str:
    """Address of the API, without any user name and password for a proxy."""
    return public_address(_endpoint())


def _endpoint() -> str:
    return (os.environ.get(ENDPOINT) or "https://api.materialsproject.org").rstrip("/") + "/"


def _parameters(criteria: dict[str, Any]) -> dict[str, Any]:
    """Criteria as query parameters of the API, translated as in the client's ``search``."""
    query: dict[str, Any] = {name: ",".join(criteria[name]) for name in ("chemsys",) if name in criteria}
    query["thermo_types"] = ",".join("r2SCAN" if kind == "R2SCAN" else kind for kind in criteria["thermo_types"])
    if "energy_above_hull" in criteria:
        query["energy_above_hull_min"], query["energy_above_hull_max"] = criteria["energy_above_hull"]
    return query


def _refuse_failures(response: Any, *_: object, **__: object) -> None:
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise _StatusError(response.status_code, response.text, retry_after(response.headers.get("Retry-After")))


def _key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise LodestoneError(
            f"snapshot: source: materials_project needs a key, and {KEY} is not set",
            f"get one at https://next-gen.materialsproject.org/api and run `export {KEY}=...`",
        )
    if not re.fullmatch(r"[A-Za-z0-9]{32}", key):
        raise _refused(f"it has {len(key)} characters; keys have 32 letters and digits")
    return key


def _refused(why: str) -> LodestoneError:
    return LodestoneError(
        f"the key in {KEY} is refused: {why}",
        f"copy it again from https://next-gen.materialsproject.org/api and run `export {KEY}=...`",
    )
