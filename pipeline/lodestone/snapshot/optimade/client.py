"""Pages of an OPTIMADE endpoint through OPTIMADE's own client, one at a time, with one clear message per fault.

Left alone, the client would keep all pages in memory, retry forever after 429, and not retry after anything else. So we
request single pages, and :func:`lodestone.snapshot.downloads.retries.patiently` retries after faults that may pass.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from lodestone.errors import LodestoneError
from lodestone.runtime.progress import track
from lodestone.runtime.redaction import public_address
from lodestone.snapshot.downloads.retries import TransientError, patiently, retry_after
from lodestone.snapshot.optimade.session import AnswerTooLargeError, Exchange, session_class

TIMEOUT = 60.0  # seconds, to connect and between two bytes; a large database takes a while to count
MOST_STRUCTURES = 10**8  # from an endpoint that announces no total
LONGEST_DELAY = 5.0  # seconds between two pages, even if the server asks for more
PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class RefusedError(LodestoneError):
    """The endpoint understands a query and cannot answer it."""


@dataclass
class Endpoint:
    """An OPTIMADE endpoint.

    Attributes:
        address: Base address, without the version.
        meta: Metadata of its last answer.
    """

    address: str
    meta: dict[str, Any] = field(default_factory=dict)
    _exchange: Exchange = field(default_factory=Exchange)

    def properties(self) -> dict[str, Any]:
        """Descriptions of the properties of its structures, by name.

        Raises:
            LodestoneError: If it cannot be reached, or is not an OPTIMADE server.
        """
        data = self._page("info/structures").data
        properties = data.get("properties") if isinstance(data, dict) else None
        if not isinstance(properties, dict):
            raise self._no_optimade("its /info/structures lists no properties")
        return properties

    def structures(self, query: str, fields: list[str], page_size: int | None) -> Iterator[dict[str, Any]]:
        """All structures that match a filter, page by page.

        Args:
            query: Filter in the OPTIMADE language; empty for all.
            fields: Properties to request.
            page_size: Structures per page; ``None`` leaves the choice to the server.

        Raises:
            LodestoneError: If the endpoint fails, refuses the query, or does not return what it announced.
        """
        first = self._page("structures", query, response_fields=fields, page_limit=page_size)
        total = _number(first.meta.get("data_returned"))
        title = self.address.split("//")[-1].split("/")[0].split("@")[-1]
        yield from track(self._follow(first, total), len(first.data) if total is None else total, title)

    def newest(self, query: str) -> tuple[str | None, int | None]:
        """When the structure that matches a filter was modified last, and how many match; ``None`` if it is not told.

        Raises:
            LodestoneError: If the endpoint fails, or refuses the query.
        """
        fields = ["last_modified"]
        try:
            page = self._page("structures", query, response_fields=fields, page_limit=1, sort="-last_modified")
        except RefusedError:  # the standard leaves sorting to the server
            page = self._page("structures", query, response_fields=["id"], page_limit=1)
        dates = [(structure.get("attributes") or {}).get("last_modified") for structure in self._checked(page)]
        return next((date for date in dates if isinstance(date, str)), None), _number(page.meta.get("data_returned"))

    def _follow(self, page: Any, total: int | None) -> Iterator[dict[str, Any]]:
        received, visited = 0, set()
        while True:
            received += len(self._checked(page))
            if received > (MOST_STRUCTURES if total is None else total):
                raise self._incomplete(f"it gave {received} structures and goes on, after it announced {total}")
            yield from page.data
            following = self._next(page)
            if following is None:
                break
            if following in visited:
                raise self._incomplete("its pages go round in a circle")
            visited.add(following)
            time.sleep(min(_number(page.meta.get("request_delay")) or 0, LONGEST_DELAY))
            page = self._page("structures", override_url=following)
            count = _number(page.meta.get("data_returned"))
            if total is not None and count is not None and count != total:
                raise self._incomplete(f"its count went from {total} to {count}: it changed in mid-download")
        if page.meta.get("more_data_available") or received < (total or 0):
            raise self._incomplete(f"it gave {received} structures of {total or 'more'}")

    def _next(self, page: Any) -> str | None:
        link = page.links.get("next")
        link = link.get("href") if isinstance(link, dict) else link
        return self._on_same_host(urljoin(f"{self.address}/v1/structures", str(link))) if link else None

    def _on_same_host(self, address: str) -> str:
        """The address unchanged, if it is on the server's own host: it must not send us elsewhere."""
        answered = self.address if self._exchange.answer is None else self._exchange.answer.url
        target, hosts = urlsplit(address), {urlsplit(url).hostname for url in (self.address, answered)}
        if target.scheme not in ("http", "https") or target.hostname not in hosts:
            raise self._no_optimade(f"its next page is on another host: {public_address(address)[:100]}")
        return address

    def _checked(self, page: Any) -> list[dict[str, Any]]:
        if not (isinstance(page.data, list) and all(isinstance(structure, dict) for structure in page.data)):
            raise self._no_optimade("its structures are no list of objects")
        return page.data

    def _page(self, path: str, condition: str = "", **query: Any) -> Any:
        return patiently(lambda: self._ask(path, condition, query))

    def _ask(self, path: str, condition: str, query: dict[str, Any]) -> Any:
        self._exchange.answer = self._exchange.error = None
        try:
            results = self._client.get_one(path, condition, self.address, paginate=False, **query)[self.address]
        except IndexError as error:  # the client fails on errors without text
            raise self._fault([repr(self._exchange.error)]) from error
        if results.errors:
            raise self._fault(results.errors)
        if not isinstance(results.meta, dict) or "api_version" not in results.meta:
            raise self._no_optimade("its answer states no version of the API")
        self.meta = results.meta
        return results

    @cached_property
    def _client(self) -> Any:
        from optimade.client import OptimadeClient

        client = OptimadeClient(
            [self.address],
            use_async=False,
            silent=True,
            http_timeout=TIMEOUT,
            http_client=session_class(self._exchange),
        )
        client._progress.console.quiet = True  # "silent" still prints error messages, with full addresses
        return client

    @property
    def _title(self) -> str:
        return f"the OPTIMADE endpoint {public_address(self.address)}"

    def _fault(self, errors: list[Any]) -> Exception:
        """The fault behind the errors that the client reports."""
        answer, message = self._exchange.answer, public_address("; ".join(map(str, errors)))[:300]
        status, detail = (200, None) if answer is None else (answer.status_code, _detail(answer))
        if isinstance(self._exchange.error, AnswerTooLargeError):
            return self._no_optimade(str(self._exchange.error))
        if isinstance(self._exchange.error, PASSING):
            remedy = "check snapshot.provider, the network and the proxy; then run again"
            return TransientError(LodestoneError(f"{self._title} cannot be reached: {message}", remedy))
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
        if failed or status == HTTPStatus.TOO_MANY_REQUESTS:
            remedy = "try again later, or ask for less with snapshot.filters"
            fault = LodestoneError(f"{self._title} failed: HTTP {status} {detail or message}", remedy)
            return TransientError(fault, retry_after(answer.headers.get("Retry-After")) if answer is not None else None)
        if detail is not None and status != HTTPStatus.NOT_FOUND:
            remedy = "the endpoint cannot answer this: simplify snapshot.filters, or use another provider"
            return RefusedError(f"{self._title} refuses the query: HTTP {status} {detail}", remedy)
        return self._no_optimade(message)

    def _no_optimade(self, why: str) -> LodestoneError:
        remedy = "correct snapshot.provider: https://www.optimade.org/providers-dashboard lists addresses"
        return LodestoneError(f"{public_address(self.address)} does not answer as an OPTIMADE server: {why}", remedy)

    def _incomplete(self, why: str) -> LodestoneError:
        return LodestoneError(f"{self._title} did not give all that it announced: {why}", "run again")


def _detail(answer: requests.Response) -> str | None:
    """The text of an OPTIMADE error document; ``None`` if the answer is not one."""
    try:
        errors = answer.json()["errors"]
        return "; ".join(f"{error.get('title', 'error')}: {error.get('detail', '')}" for error in errors)[:500]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12 else None
