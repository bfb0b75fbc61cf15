"""Which candidates were chosen, and which of them have no label yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Oracle
from lodestone.oracles.store import LabelStore, label_keys
from lodestone.schemas import Candidates
from lodestone.tables.files import read_table
from lodestone.tables.layout import Layout, RoundLayout


@dataclass(frozen=True)
class Chosen:
    """A candidate that a round has chosen for its oracle.

    Attributes:
        round: The round.
        is_over: Whether the round has gone on with the labels that there were.
        row: Its row in the table of candidates.
        crystal: The unrelaxed crystal.
        key: Of its label in the store.
        label: What is known of it; ``None`` while it waits.
    """

    round: str
    is_over: bool
    row: dict[str, object]
    crystal: Crystal
    key: str
    label: Label | None

    @property
    def material_id(self) -> str:
        """The candidate's identifier."""
        return str(self.row["material_id"])

    @property
    def has_energy(self) -> bool:
        """Whether a label with an energy is known."""
        return self.label is not None and self.label.ok

    @property
    def formula(self) -> str:
        """The candidate's reduced formula."""
        return str(self.row["formula_pretty"])


def chosen_candidates(files: RoundLayout, oracle: Oracle, store: LabelStore) -> list[Chosen]:
    """What a round has chosen, by the acquisition and at random, sorted by identifier.

    Raises:
        LodestoneError: If the round has not got as far as that.
    """
    if not files.candidates.is_file():
        raise LodestoneError(
            f"{files.name} has chosen no candidates yet: {files.candidates} does not exist",
            "run `lodestone discover` first; it stops where the round waits for labels",
        )
    table = read_table(files.candidates, Candidates)
    table = table.filter(pl.col("acquired_by") != "none").sort("material_id")
    is_over, crystals = files.verifications.is_file(), decode(table)
    return [
        Chosen(round=files.name, is_over=is_over, row=row, crystal=crystal, key=key, label=store.get(key))
        for row, crystal, key in zip(table.iter_rows(named=True), crystals, label_keys(oracle, crystals), strict=True)
    ]


def rounds_with_candidates(layout: Layout, names: list[str]) -> Iterator[RoundLayout]:
    """The rounds of a campaign that have chosen candidates."""
    return (files for name in names if (files := layout.round(name)).candidates.is_file())
