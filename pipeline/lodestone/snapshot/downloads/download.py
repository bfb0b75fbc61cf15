"""Resumable downloads: each page of a query is written as a parquet part before the next one is requested.

Each download has its own folder, named after a digest of everything that determines its content, so that two requests
or two versions of a database never share one. Parts are written atomically and never changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.runtime.progress import track
from lodestone.snapshot.downloads.parts import STRUCTURE, part_facts, read_part, read_structures
from lodestone.tables.files import read_json, write_json, write_table

FORMAT = 1  # of the parts; raise it when their columns change


@dataclass(frozen=True)
class Page:
    """One answer of a server.

    Attributes:
        table: One row per document: ``material_id``, any scalars, and the columns of
            :func:`lodestone.snapshot.downloads.parts.structure_columns`.
        total: Number of documents in the whole query, as the server counts them.
    """

    table: pl.DataFrame
    total: int


def downloads_folder() -> Path:
    """``$LODESTONE_DOWNLOADS``, or ``.lodestone/downloads`` under the working directory."""
    return Path(os.environ.get("LODESTONE_DOWNLOADS") or ".lodestone/downloads")


class Download:
    """All pages of some queries, as parts in one folder.

    Args:
        name: Name of the source, for messages.
        request: What else determines the content, as JSON: address, fields, database version; never a key.
        queries: One description per query, as JSON.
        page_size: Documents per page.
    """

    def __init__(self, name: str, request: Mapping[str, Any], queries: Sequence[Any], page_size: int) -> None:
        self.name = name
        self.page_size = page_size
        self.request = {**request, "queries": list(queries), "page_size": page_size, "format": FORMAT}
        content = json.dumps(self.request, sort_keys=True, allow_nan=False).encode()
        self.folder = downloads_folder() / hashlib.blake2b(content, digest_size=16).hexdigest()

    @property
    def facts(self) -> dict[str, Any] | None:
        """The facts passed to :meth:`run`, once it has finished; ``None`` while a part is missing."""
        try:
            content: dict[str, Any] = read_json(self.folder / "finished.json")
        except LodestoneError:  # missing or damaged: `run` writes it anew
            return None
        whole = all((self.folder / name).is_file() for name in content["parts"])
        return content["facts"] if whole else None

    def run(self, fetch: Callable[[int, int], Page], facts: Mapping[str, Any] | None = None) -> None:
        """Fetch the missing pages; first pages come first, since they say how many pages there are.

        Args:
            fetch: Returns one page, given the number of the query and how many of its documents to skip.
            facts: Stored with the finished download, as JSON; see :attr:`facts`.

        Raises:
            LodestoneError: If a page is truncated or repeated, or the total changes; finished parts stay.
        """
        write_json(self.request, self.folder / "request.json")
        numbers = range(len(self.request["queries"]))
        seen = self._identifiers()
        self._fetch([(query, 0) for query in numbers], fetch, seen, "first pages")
        rest = [(query, page) for query in numbers for page in range(1, -(-self._total(query) // self.page_size))]
        self._fetch(rest, fetch, seen, "pages")
        parts = sorted(self._part_path(query, page).name for query, page in [*((query, 0) for query in numbers), *rest])
        write_json({"facts": dict(facts or {}), "parts": parts}, self.folder / "finished.json")

    def outline(self) -> pl.DataFrame:
        """Every document without its structure, and its place: columns ``part`` and ``at`` (row in the part)."""
        paths = self._part_paths()
        columns = [name for name in pl.read_parquet_schema(paths[0]) if name not in STRUCTURE]
        tables = [read_part(path, columns).with_row_index("at") for path in paths]
        places = [pl.lit(number, pl.UInt32).alias("part") for number in range(len(paths))]
        return pl.concat([table.with_columns(place) for table, place in zip(tables, places, strict=True)])

    def structures(self, places: pl.DataFrame) -> list[Any]:
        """Crystals of some documents, or the reasons why there are none; each part is read at most once.

        Args:
            places: Columns ``part`` and ``at`` of :meth:`outline`, in any order.
        """
        paths = self._part_paths()
        crystals: list[Any] = [None] * len(places)
        for (part,), rows in places.select("part", "at").with_row_index("order").group_by("part"):
            content = read_part(paths[int(str(part))], list(STRUCTURE))
            for order, raw in zip(rows["order"], read_structures(content[rows["at"].to_list()]), strict=True):
                crystals[order] = raw
        return crystals

    def _fetch(
        self, pages: list[tuple[int, int]], fetch: Callable[[int, int], Page], seen: set[str], what: str
    ) -> None:
        missing = [page for page in pages if part_facts(self._part_path(*page)) is None]
        for query, page in track(missing, len(missing), f"{self.name}, {what}"):
            answer = fetch(query, page * self.page_size)
            self._check(answer, query, page, seen)
            write_table(answer.table, self._part_path(query, page), metadata={"total": str(answer.total)})
            seen.update(answer.table["material_id"])

    def _check(self, answer: Page, query: int, page: int, seen: set[str]) -> None:
        skip, names = page * self.page_size, answer.table["material_id"]
        expected = max(0, min(self.page_size, answer.total - skip))
        documents = f"{self.name}: documents {skip + 1} to {skip + expected} of {answer.total}"
        if page and answer.total != self._total(query):
            raise self._fault(f"{self.name} counts {answer.total} documents now and {self._total(query)} before")
        if len(names) != expected:
            raise self._fault(f"{documents} came as a page of {len(names)}, not {expected}: it is truncated")
        repeated = sorted(seen.intersection(names)) or names.filter(names.is_duplicated()).unique().sort().to_list()
        if repeated:
            raise self._fault(f"{documents} repeat {len(repeated)} that came before, {repeated[0]} among them")

    def _fault(self, problem: str) -> LodestoneError:
        pages = len(list(self.folder.glob("*.parquet")))
        remedy = f"run again: {pages} finished pages are kept, and this one is asked for anew; if it fails once more, "
        return LodestoneError(problem, f"{remedy}delete {self.folder} and start from the first page")

    def _identifiers(self) -> set[str]:
        paths = [path for path in sorted(self.folder.glob("*.parquet")) if part_facts(path) is not None]
        return {name for path in paths for name in read_part(path, ["material_id"])["material_id"]}

    def _total(self, query: int) -> int:
        return int((part_facts(self._part_path(query, 0)) or {})["total"])

    def _part_path(self, query: int, page: int) -> Path:
        return self.folder / f"{query:04d}-{page:05d}.parquet"

    def _part_paths(self) -> list[Path]:
        return [self.folder / name for name in read_json(self.folder / "finished.json")["parts"]]
