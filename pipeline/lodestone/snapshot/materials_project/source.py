"""Source ``materials_project``: thermo documents of the Materials Project through its own client, mp-api.

Documents and structures are downloaded page by page into a folder (:mod:`lodestone.snapshot.downloads.download`) and
read from there. One download holds one version of the database: the version is checked after every page, and a page
that may come from another version is discarded. The client reads open data in S3 only for queries without criteria;
ours always name the thermo type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import polars as pl

from lodestone.config.sections import Filters
from lodestone.errors import LodestoneError
from lodestone.snapshot.downloads.download import Download, Page
from lodestone.snapshot.materials_project.api import MaterialsProjectApi, public_endpoint
from lodestone.snapshot.materials_project.documents import FIELDS, LABELS, document_columns
from lodestone.snapshot.provenance import package_versions
from lodestone.snapshot.source import Source, make_outline

if TYPE_CHECKING:
    from lodestone.snapshot.sources.materials_project import MaterialsProjectParams

NAME = "Materials Project"
PAGE = 500  # documents; with their structures some 10 MB, which take about 100 MB until they are a table
BATCH = 100  # chemical systems per query, which keeps its address short
MOST_SYSTEMS = 5000  # a query by more systems is slower than reading all documents and filtering here


def open_documents(params: MaterialsProjectParams) -> Source:
    """Download the thermo documents that the filters allow, or open the finished download of this version.

    A pinned version (``snapshot.database_version``) that is already downloaded needs neither network nor key.

    Raises:
        LodestoneError: No key, a refused key, an API that cannot be reached or fails, a database version other than the
            pinned one, or an incomplete page.
    """
    version = params.database_version
    download = _download(params, version or "")
    if version and (facts := download.facts) is not None:
        return _source(params, download, version, facts)
    with MaterialsProjectApi() as api:
        version = api.database_version()
        _check_pinned(version, params.database_version)
        download = _download(params, version)
        if download.facts is None:
            _run(api, download, params, version)
    return _source(params, download, version, download.facts or {})


def current_version(params: MaterialsProjectParams) -> str:
    """Version of the database that a snapshot would be of now; a pinned one needs neither network nor key.

    Raises:
        LodestoneError: No key, or an API that cannot be reached or fails.
    """
    if params.database_version:
        return params.database_version
    with MaterialsProjectApi() as api:
        return api.database_version()


def chemical_systems(filters: Filters) -> list[str] | None:
    """The systems to query, subsystems included; ``None`` if there would be too many to list."""
    parents = [system.split("-") for system in filters.chemical_systems or ()] or [list(filters.elements or ())]
    if not parents[0] or sum(2 ** len(parent) for parent in parents) > MOST_SYSTEMS:
        return None
    sized = ((sorted(set(parent)), size) for parent in parents for size in range(1, len(parent) + 1))
    return sorted({"-".join(subset) for elements, size in sized for subset in combinations(elements, size)})


def _queries(params: MaterialsProjectParams) -> Iterator[dict[str, Any]]:
    common: dict[str, Any] = {"thermo_types": [params.thermo_type]}
    if params.filters.max_energy_above_hull is not None:
        common["energy_above_hull"] = [-1.0, params.filters.max_energy_above_hull]
    systems = chemical_systems(params.filters)
    if systems is None:
        yield common
    for start in range(0, len(systems or ()), BATCH):
        yield {**common, "chemsys": (systems or [])[start : start + BATCH]}


def _download(params: MaterialsProjectParams, version: str) -> Download:
    request = {"endpoint": public_endpoint() + "materials/thermo", "database_version": version, "fields": list(FIELDS)}
    return Download(NAME, request, list(_queries(params)), PAGE)


def _run(api: MaterialsProjectApi, download: Download, params: MaterialsProjectParams, version: str) -> None:
    queries = list(_queries(params))

    def fetch(query: int, skip: int) -> Page:
        documents, total = api.thermo_page(queries[query], list(FIELDS), skip, download.page_size)
        # After the page and before it is kept: checked earlier, the page itself could come from the next version.
        _check_unchanged(api.database_version(), version, params.database_version)
        return Page(document_columns(documents, params.thermo_type), total)

    download.run(fetch, {"versions": package_versions("mp-api", "emmet-core")})


def _source(params: MaterialsProjectParams, download: Download, version: str, facts: Mapping[str, Any]) -> Source:
    documents = download.outline()
    valid = documents.filter(~pl.col("deprecated"))
    outline, places = make_outline(_comparable(valid, params.thermo_type), NAME), valid.select("part", "at")
    corrections = valid["corrections"].value_counts().sort("corrections")
    label_method, scheme = LABELS[params.thermo_type]
    all_facts = {
        "database_version": version,
        "query": {"endpoint": download.request["endpoint"], "criteria": download.request["queries"]},
        "thermo_type": params.thermo_type,
        "documents": len(documents),
        "deprecated": len(documents) - len(valid),
        "corrections": dict(corrections.iter_rows()),
        **facts,
    }

    def structures(rows: pl.DataFrame) -> list[Any]:
        return download.structures(places[rows["row"].to_list()])

    return Source(outline, structures, label_method, scheme, all_facts)


def _comparable(table: pl.DataFrame, thermo_type: str) -> pl.DataFrame:
    """Drop total energies of the mixing scheme: they are comparable only within one chemical system."""
    totals = ("energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom")
    mixed = thermo_type == "GGA_GGA+U_R2SCAN"
    return table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in totals) if mixed else table


def _check_pinned(version: str, pinned: str | None) -> None:
    if pinned not in (None, version):
        raise LodestoneError(
            f"the Materials Project serves database version {version}, but snapshot.database_version is {pinned}",
            f"set snapshot.database_version to {version} to take the new version, or restore the download of {pinned}",
        )


def _check_unchanged(now: str, before: str, pinned: str | None) -> None:
    if now != before:
        pin = f", with snapshot.database_version set to {now}" if pinned else ""
        raise LodestoneError(
            f"the Materials Project changed its database from version {before} to {now} in mid-download",
            f"run again{pin}: {now} is downloaded from its first page, and no page of {before} is mixed in",
        )
