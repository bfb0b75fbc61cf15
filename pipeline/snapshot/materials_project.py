"""Source ``materials_project``: the thermo documents of the Materials Project by its own client, mp-api.

Energies and hull distances come first and are filtered; structures are then asked for only where a crystal stays. They
are those of the thermo entries, so that each energy belongs to its structure (a summary document may show a cell
relaxed with another functional). The client reads open data in S3 only for queries without criteria; ours always name
the thermo type.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import Any

import polars as pl

from pipeline.errors import LodestoneError
from pipeline.params import Filters, SnapshotParams
from pipeline.snapshot.provenance import package_versions
from pipeline.snapshot.source import OUTLINE, Source, make_outline

KEY = "MP_API_KEY"
ENDPOINT = "MP_API_ENDPOINT"
CHUNK = 1000  # documents per page; the most that the API gives
BATCH = 100  # chemical systems or identifiers per query, which keeps its address short
MOST_SYSTEMS = 5000  # a query by more systems is slower than reading all documents and filtering here
TIMEOUT = 20.0  # seconds
LABELS = {
    "GGA_GGA+U": ("dft-pbe", "MP2020"),
    "R2SCAN": ("dft-r2scan", "none"),
    "GGA_GGA+U_R2SCAN": ("dft-pbe-r2scan-mixed", "MP2020 and MaterialsProjectDFTMixingScheme"),
}


def open_materials_project(params: SnapshotParams) -> Source:
    """Ask for the thermo documents that the filters allow; the key is read from ``MP_API_KEY`` and never kept.

    Raises:
        LodestoneError: No key, a refused key, or an API that cannot be reached or fails.
    """
    key, kind = _key(), params.thermo_type
    queries = list(_queries(params.filters, kind))
    documents, version = _search(key, queries, [*OUTLINE, "deprecated"])
    valid = [document for document in documents if not document.get("deprecated")]
    table = pl.DataFrame({name: [document.get(name) for document in valid] for name in OUTLINE}, schema=OUTLINE)
    if kind == "GGA_GGA+U_R2SCAN":
        # Energies of the mixing scheme are relative within one chemical system; across systems they share no scale.
        table = table.with_columns(pl.lit(None, pl.Float64).alias("energy_per_atom"))
    label_method, scheme = LABELS[kind]
    facts = {
        "database_version": version,
        "query": {"endpoint": _public(_endpoint()) + "materials/thermo", "criteria": queries},
        "thermo_type": kind,
        "deprecated": len(documents) - len(valid),
        "versions": package_versions("mp-api", "emmet-core"),
    }
    outline = make_outline(table, "materials_project")
    return Source(outline, lambda rows: _structures(rows, kind), label_method, scheme, facts)


def chemical_systems(filters: Filters) -> list[str] | None:
    """The systems to ask for, subsystems included; ``None`` where there would be too many to name."""
    parents = [system.split("-") for system in filters.chemical_systems or ()] or [list(filters.elements or ())]
    if not parents[0] or sum(2 ** len(parent) for parent in parents) > MOST_SYSTEMS:
        return None
    sized = ((sorted(set(parent)), size) for parent in parents for size in range(1, len(parent) + 1))
    return sorted({"-".join(subset) for elements, size in sized for subset in combinations(elements, size)})


def _queries(filters: Filters, kind: str) -> Iterator[dict[str, Any]]:
    common: dict[str, Any] = {"thermo_types": [kind]}
    if filters.max_energy_above_hull is not None:
        common["energy_above_hull"] = [-1.0, filters.max_energy_above_hull]
    systems = chemical_systems(filters)
    if systems is None:
        yield common
    for start in range(0, len(systems or ()), BATCH):
        yield {**common, "chemsys": (systems or [])[start : start + BATCH]}


def _structures(rows: pl.DataFrame, kind: str) -> list[Any]:
    names = rows["material_id"].to_list()
    batches = [names[start : start + BATCH] for start in range(0, len(names), BATCH)]
    queries = [{"thermo_types": [kind], "material_ids": batch} for batch in batches]
    documents, _ = _search(_key(), queries, ["material_id", "energy_type", "entries"])
    found = {document["material_id"]: _structure(document) for document in documents}
    return [found.get(name) for name in names]


def _structure(document: dict[str, Any]) -> Any:
    entries: dict[str, dict[str, Any]] = document.get("entries") or {}
    chosen: dict[str, Any] = entries.get(str(document.get("energy_type"))) or next(
        (entries[name] for name in sorted(entries)), {}
    )
    return chosen.get("structure")


def _search(key: str, queries: Sequence[dict[str, Any]], fields: list[str]) -> tuple[list[dict[str, Any]], str]:
    """All documents of some queries, and the version of the database."""
    with _told_plainly(key):
        _check_reachable()
        from mp_api.client import MPRester

        documents: list[dict[str, Any]] = []
        quiet = not sys.stderr.isatty()
        with MPRester(key, endpoint=_endpoint(), use_document_model=False, mute_progress_bars=quiet) as client:
            for query in queries:
                documents += client.materials.thermo.search(**query, chunk_size=CHUNK, all_fields=False, fields=fields)
            return documents, str(client.db_version)


def _check_reachable() -> None:
    """One request with a time limit: the client asks for the heartbeat without any."""
    import requests

    requests.get(_endpoint() + "heartbeat", timeout=TIMEOUT).json()


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


def _endpoint() -> str:
    return (os.environ.get(ENDPOINT) or "https://api.materialsproject.org").rstrip("/") + "/"


def _public(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)


@contextmanager
def _told_plainly(key: str) -> Iterator[None]:
    """Faults of the client as one message; the cause is cut off, so that no traceback can show the key."""
    import requests
    from mp_api.client.core.exceptions import MPRestError

    try:
        yield
    except (MPRestError, requests.RequestException, ValueError, KeyError) as error:
        raise _fault(error, key) from None


def _fault(error: Exception, key: str) -> LodestoneError:
    import requests

    told = _public(str(error)).replace(key, "***")[:300]
    status = re.search(r"status code (\d+)", told)
    where = f"the Materials Project API at {_public(_endpoint())}"
    if status and status[1] in ("401", "403"):
        return _refused(f"the API answered HTTP {status[1]}")
    unreachable = isinstance(error, requests.RequestException) and not isinstance(error, ValueError)
    if unreachable or "Max retries exceeded" in told or "timed out" in told:
        remedy = f"check the network, the proxy, and {ENDPOINT} if it is set; then run again"
        return LodestoneError(f"{where} cannot be reached: {told}", remedy)
    remedy = f"see https://status.materialsproject.org, check {ENDPOINT} if it is set; then run again"
    return LodestoneError(f"{where} failed: {told}", remedy)


def _refused(why: str) -> LodestoneError:
    return LodestoneError(
        f"the key in {KEY} is refused: {why}",
        f"copy it again from https://next-gen.materialsproject.org/api and run `export {KEY}=...`",
    )
