"""Which crystals a campaign learned from and was measured on, with digests by which MLflow tells sets apart."""

from __future__ import annotations

import hashlib

import polars as pl

from lodestone.schemas import Crystals
from lodestone.tables.files import read_table
from lodestone.tables.layout import RoundLayout
from lodestone.tracking.records import DatasetRecord

_CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}
_DIGITS = 32  # MLflow stores 36 characters
_ENERGY = "formation_energy_per_atom"


def datasets_of(files: RoundLayout) -> tuple[DatasetRecord, ...]:
    """The three sets of a round, from the table of its known crystals.

    Args:
        files: Files of the round.

    Raises:
        LodestoneError: If the table is missing or damaged.
    """
    crystals = read_table(files.crystals, Crystals).sort("material_id")
    return tuple(
        DatasetRecord(
            name=f"{context} crystals",
            context=context,
            digest=_digest(crystals.filter(split=split)),
            n=int((crystals["split"] == split).sum()),
            source=f"{files.name}/{files.crystals.name}",
        )
        for split, context in _CONTEXTS.items()
    )


def _digest(rows: pl.DataFrame) -> str:
    text = rows.select("material_id", _ENERGY).write_csv()
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
