"""Reference snapshots: crystals made by this project, with energies from CHGNet 0.3.0, not DFT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.snapshot.files.file import rows_of
from lodestone.snapshot.source import Source, make_outline
from lodestone.stability.hull import ConvexHull
from lodestone.tables.files import read_table

LABEL_METHOD = "chgnet-0.3.0"
# CHGNet was trained on energies that include the MP2020 corrections.
CORRECTION_SCHEME = "MP2020 (learned)"


def read_reference(path: Path) -> Source:
    """Open a reference snapshot; its hull distances are computed from its own formation energies.

    Raises:
        LodestoneError: If the file is missing or damaged, or is not a reference snapshot.
    """
    if not path.is_file():
        remedy = f"restore it with `git checkout {path}`, or build it with `make reference`"
        raise LodestoneError(f"{path} does not exist", remedy)
    table, metadata = read_table(path), _metadata(path)
    distances = pl.Series(ConvexHull.of(table).distances)
    outline = make_outline(table.with_columns(energy_above_hull=distances), str(path))
    facts = {"file": path.name, "reference": metadata}
    return Source(outline, rows_of(table), LABEL_METHOD, CORRECTION_SCHEME, facts)


def _metadata(path: Path) -> Any:
    """What `lodestone reference` wrote into the footer, which tells a reference snapshot from any other table."""
    metadata = json.loads(pl.read_parquet_metadata(path).get("lodestone", "null"))
    if not isinstance(metadata, dict) or metadata.get("label_method") != LABEL_METHOD:
        raise LodestoneError(
            f"snapshot.path: {path} is no reference snapshot, as `lodestone reference` writes them",
            "for a table of your own set snapshot.source: file, with label_method and correction_scheme",
        )
    return metadata
