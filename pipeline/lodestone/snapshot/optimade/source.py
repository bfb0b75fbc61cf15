"""Source ``optimade``: structures and energies through any OPTIMADE endpoint; no key is needed.

Rows are written to parquet parts in a temporary folder as they arrive, so that only one page and one part are in memory
at a time. The query holds the filters that OPTIMADE can express; all filters are applied again to the result.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.runtime.redaction import public_address
from lodestone.snapshot.downloads.parts import STRUCTURE, read_part, read_structures, structure_columns
from lodestone.snapshot.optimade.client import Endpoint
from lodestone.snapshot.optimade.providers import Provider, discovered, find_provider
from lodestone.snapshot.optimade.query import optimade_filter
from lodestone.snapshot.optimade.rows import FIELDS, attributes_of, to_row, to_structure
from lodestone.snapshot.provenance import package_versions
from lodestone.snapshot.source import OUTLINE, Source, make_outline
from lodestone.tables.files import write_table

if TYPE_CHECKING:
    from lodestone.snapshot.sources.optimade import OptimadeParams

PART = 5000  # rows per part


def open_endpoint(params: OptimadeParams) -> Source:
    """Query an endpoint for the structures that the filters allow.

    Named providers are Materials Project (energies of ``snapshot.thermo_type``), Alexandria (PBE, and PBEsol as
    ``alexandria_pbesol``) and OQMD. Any other address needs ``snapshot.label_method`` and
    ``snapshot.correction_scheme``; its energies are found by the names of its fields, see
    :data:`lodestone.snapshot.optimade.providers.GENERIC`. OPTIMADE has no date of creation, so ``created_at`` is
    null.

    Raises:
        LodestoneError: If the provider is unknown, cannot be reached, is not an OPTIMADE server, refuses the query,
            returns less than it announced, or has none of the energies.
    """
    provider, endpoint = _reached(params)
    query = optimade_filter(params.filters, provider)
    fields = [*FIELDS, *sorted({path[0] for path in provider.energies.values()})]
    documents = _Modified(endpoint.structures(query, fields, provider.page_size))
    parts = _Parts(documents, provider)
    table = parts.outline()
    _check(table, provider)
    facts = {
        "query": {
            "provider": provider.name,
            "endpoint": public_address(provider.address),
            "filter": query,
            "fields": fields,
        },
        "thermo_type": params.thermo_type if provider.name == "materials_project" else None,
        "optimade": _about(endpoint.meta) | {"last_modified": documents.span, "count": len(table)},
        "versions": package_versions("optimade"),
    }
    outline = make_outline(table, provider.name)
    return Source(outline, parts.structures, provider.label_method, provider.correction_scheme, facts)


def current_version(params: OptimadeParams) -> str:
    """Newest modification and number of the structures that the filters allow, which stand for a version.

    OPTIMADE has no version of a database. A server that cannot sort tells the number only, which misses changes of
    structures that were there before.

    Raises:
        LodestoneError: As in :func:`open_endpoint`, or if the server tells neither.
    """
    provider, endpoint = _reached(params)
    newest, number = endpoint.newest(optimade_filter(params.filters, provider))
    known = [f"last modified {newest}" if newest else "", f"{number} structures" if number is not None else ""]
    if not any(known):
        raise LodestoneError(
            f"{provider.name} tells neither when its structures were modified nor how many there are",
            "take its snapshot anew by `lodestone discover --force snapshot`",
        )
    return ", ".join(filter(None, known))


def _reached(params: OptimadeParams) -> tuple[Provider, Endpoint]:
    """The provider with the fields of its energies, and its endpoint."""
    provider = find_provider(params)
    endpoint = Endpoint(provider.address)
    properties = endpoint.properties()
    return provider if provider.energies else discovered(provider, properties), endpoint


class _Modified:
    """Passes documents on and records the range of their modification dates."""

    def __init__(self, documents: Iterable[dict[str, Any]]) -> None:
        self._documents = documents
        self.span: list[str] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for document in self._documents:
            date = attributes_of(document).get("last_modified")
            if isinstance(date, str) and date:
                low, high = self.span or (date, date)
                self.span = [min(low, date), max(high, date)]
            yield document


class _Parts:
    """Rows in parquet files, which are deleted together with this object.

    They are not kept for another run: an OPTIMADE endpoint has no version that would show whether its data changed.
    """

    def __init__(self, documents: Iterable[dict[str, Any]], provider: Provider) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lodestone-optimade-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._size, self._paths = PART, list[Path]()
        remaining = iter(documents)
        while (some := list(islice(remaining, self._size))) or not self._paths:
            self._write(some, provider)

    def _write(self, documents: Sequence[dict[str, Any]], provider: Provider) -> None:
        path = self._folder / f"{len(self._paths):06}.parquet"
        rows = pl.DataFrame([to_row(document, provider) for document in documents], schema=OUTLINE)
        write_table(rows.hstack(structure_columns(map(to_structure, documents))), path)
        self._paths.append(path)

    def outline(self) -> pl.DataFrame:
        return pl.concat([read_part(path, list(OUTLINE)) for path in self._paths])

    def structures(self, rows: pl.DataFrame) -> Sequence[Any]:
        positions = rows.select("row")
        numbers = (positions["row"] // self._size).unique().sort()
        tables = [self._part(part).join(positions, on="row", how="semi") for part in numbers]
        if not tables:
            return []
        return read_structures(positions.join(pl.concat(tables), on="row", how="left", maintain_order="left"))

    def _part(self, number: int) -> pl.DataFrame:
        return read_part(self._paths[number], STRUCTURE).with_row_index("row", offset=number * self._size)


def _check(table: pl.DataFrame, provider: Provider) -> None:
    repeated = table.filter(pl.col("material_id").is_duplicated())["material_id"].drop_nulls()
    if len(repeated):
        raise LodestoneError(
            f"{provider.name} gave {repeated[0]} more than once: a page came twice, or its order changed meanwhile",
            "run again",
        )
    for energy in provider.required:
        if len(table) and table[energy].null_count() == len(table):
            field = ".".join(provider.energies[energy])
            raise LodestoneError(
                f"{provider.name}: none of the {len(table)} structures has the field {field}",
                "choose another snapshot.thermo_type if it names one; else the provider has changed its fields: use "
                "another source, and report it",
            )


def _about(meta: dict[str, Any]) -> dict[str, Any]:
    stated = meta.get("implementation")
    implementation = stated if isinstance(stated, dict) else {}
    server = {name: implementation.get(name) for name in ("name", "version")}
    return {"api_version": meta.get("api_version"), "implementation": server}
