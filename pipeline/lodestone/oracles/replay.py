"""Labels that exist already, revealed when they are asked for: an oracle for campaigns that are replayed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.json_text import from_json
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Oracle

ENERGY = "formation_energy_per_atom"
INITIAL, RELAXED = "initial_structure", "structure"
UNKNOWN = "unknown: no table has this structure"


class ReplaySettings(OracleParams):
    """Where the labels are."""

    tables: tuple[Path, ...] = Field(
        min_length=1,
        description="parquet tables with material_id, formation_energy_per_atom, and structure, initial_structure, or "
        "both, as JSON with lattice, species and frac_coords",
    )


@ORACLES.register("replay", settings=ReplaySettings)
class ReplayOracle(Oracle):
    """Gives a crystal of its tables the energy and the relaxed structure that stand there, and refuses any other.

    Its energies are formation energies, so those of the elements are 0. A crystal is known by its initial structure as
    well as by its relaxed one, so that the same oracle labels a snapshot and the candidates of a pool.
    """

    settings: ReplaySettings
    caveat = "Energies are those of a table, revealed one by one as if they had been computed."

    @property
    def one_process(self) -> bool:
        """The tables are read once."""
        return True

    def label_settings(self) -> dict[str, Any]:
        """The content of the tables, wherever they lie."""
        return {"tables": self._digests}

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Look crystals up; see :class:`lodestone.oracles.base.Oracle`."""
        for index, crystal in enumerate(crystals):
            yield index, self._labels.get(crystal.digest(), Label(UNKNOWN))

    @cached_property
    def _digests(self) -> list[str]:
        """Of the tables, read once: the settings are asked for with every label."""
        return [hashlib.blake2b(_bytes(path), digest_size=16).hexdigest() for path in self.settings.tables]

    @cached_property
    def _labels(self) -> dict[str, Label]:
        """By the digests of initial and of relaxed structures."""
        labels: dict[str, Label] = {}
        for path in self.settings.tables:
            for key, label in _labels_of(path):
                if labels.setdefault(key, label).energy_per_atom != label.energy_per_atom:
                    raise LodestoneError(
                        f"{path}: one structure has the energies {labels[key].energy_per_atom} and "
                        f"{label.energy_per_atom} eV/atom",
                        "keep the lower one: an oracle is told nothing but the structure",
                    )
        return labels


def _labels_of(path: Path) -> Iterator[tuple[str, Label]]:
    from lodestone.tables.files import read_table

    table = read_table(path)
    columns = [name for name in (INITIAL, RELAXED) if name in table.columns]
    if ENERGY not in table.columns or not columns:
        raise LodestoneError(f"{path} lacks {ENERGY}, or {INITIAL} and {RELAXED}", "docs/replay.md lists the columns")
    for row in table.select("material_id", ENERGY, *columns).iter_rows(named=True):
        try:
            crystals = [from_json(row[name]) for name in columns]
            label = Label("ok", row[ENERGY], crystals[-1])
        except ValueError as error:
            raise LodestoneError(f"{path}: {row['material_id']}: {error}", "correct or remove this row") from error
        for crystal in crystals:
            yield crystal.digest(), label


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LodestoneError(f"{path} cannot be read: {error}", "correct oracle.tables in params.yaml") from error
