"""The two files of a reference set that grows; they hold all that another machine needs to go on."""

from __future__ import annotations

import json
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.oracles.base import Oracle
from lodestone.reference.build import PER_PROTOTYPE, REFERENCE_SEED, base_decorations
from lodestone.reference.ledger import KEY, PLANNED, TRIED, Ledger, plan_of
from lodestone.tables.files import read_table, write_table

_EARLIER = "refused_by_an_earlier_build"


def tried_file(path: Path) -> Path:
    """The file of what was tried, beside the file of the crystals: ``crystals.tried.parquet``."""
    return path.with_suffix(f".tried{path.suffix}")


def load_ledger(path: Path, oracle: Oracle) -> Ledger:
    """Open a reference set to let it grow.

    Without a file of what was tried, that is what `make reference` tries and did not keep.

    Raises:
        LodestoneError: If the file is missing, or its labels are of another oracle or other settings.
    """
    table = read_table(path)
    facts = json.loads(pl.read_parquet_metadata(path).get("lodestone", "null")) or {}
    ours, theirs = _identity(oracle), {name: facts.get(name) for name in _identity(oracle)}
    if ours != theirs:
        raise LodestoneError(
            f"{path} has labels of {theirs}, and this build would add labels of {ours}",
            "labels of two kinds do not mix: build into another file (--out), or use the version that made this one",
        )
    seed = int(facts.get("seed", REFERENCE_SEED))
    if not tried_file(path).is_file():
        return Ledger(table, _refused_earlier(table, int(facts.get("decorations", 0))), (), seed)
    footer = json.loads(pl.read_parquet_metadata(tried_file(path)).get("lodestone", "{}"))
    tried = read_table(tried_file(path)).join(table, on=KEY, how="anti", maintain_order="left")
    return Ledger(table, tried, tuple(footer.get("passes", ())), seed)


def write_ledger(ledger: Ledger, path: Path, oracle: Oracle) -> None:
    """Write both files; the crystals first, as what is a row of theirs needs no other memory."""
    refused = Counter(ledger.tried.filter(pl.col("status") != PLANNED)["status"])
    facts = {
        "note": "Energies are predictions of CHGNet 0.3.0, not DFT.",
        **_identity(oracle),
        "seed": ledger.seed,
        "per_prototype": PER_PROTOTYPE,
        "decorations": len(ledger.table) + sum(refused.values()),
        "kept": len(ledger.table),
        "rejected": dict(sorted(refused.items())),
        "versions": {**oracle.versions, "moyopy": version("moyopy")},
    }
    _write(ledger.table, path, facts, sort_by="material_id")
    _write(ledger.tried, tried_file(path), {"passes": list(ledger.passes)})


def _write(table: pl.DataFrame, path: Path, facts: dict[str, Any], sort_by: str | None = None) -> None:
    write_table(table, path, sort_by=sort_by, metadata={"lodestone": json.dumps(facts, sort_keys=True)}, small=True)


def _identity(oracle: Oracle) -> dict[str, Any]:
    return {"label_method": oracle.name, "settings": oracle.label_settings()}


def _refused_earlier(table: pl.DataFrame, decorations: int) -> pl.DataFrame:
    """What `make reference` tried and did not keep, if the table is its work."""
    tried = base_decorations()
    if len(tried) != decorations:
        return pl.DataFrame(schema=TRIED)
    plan = plan_of(tried, [1.0] * len(tried)).with_columns(pl.lit(_EARLIER).alias("status"))
    return plan.join(table, on=KEY, how="anti", maintain_order="left").select(list(TRIED))
