"""The candidates of a table, for campaigns that are replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from lodestone.config.discovery import GeneratorParams
from lodestone.config.registry import GENERATORS
from lodestone.crystals.json_text import from_json
from lodestone.discovery.generators.base import Known, Proposal
from lodestone.errors import LodestoneError
from lodestone.tables.files import read_table


class PoolParams(GeneratorParams):
    """Settings of the generator `pool`."""

    path: Path = Field(description="parquet table with material_id and initial_structure, as `lodestone replay` reads")


@GENERATORS.register("pool", settings=PoolParams)
@dataclass(frozen=True)
class PoolGenerator:
    """Proposes the initial structures of a table in random order; those tried before are dropped by who calls it.

    Of candidates that have the same composition and prototype, a campaign takes the first.
    """

    settings: PoolParams

    def propose(self, known: Known, rng: np.random.Generator, limit: int) -> Iterator[Proposal]:
        """All candidates of the table; see :class:`Generator`."""
        path = self.settings.path
        table = read_table(path)
        if missing := [name for name in ("material_id", "initial_structure") if name not in table.columns]:
            raise LodestoneError(f"{path} has no column {', '.join(missing)}", "docs/replay.md lists the columns")
        table = table.sort("material_id")[rng.permutation(len(table)).tolist()]
        for name, text in table.select("material_id", "initial_structure").iter_rows():
            try:
                crystal = from_json(text)
            except ValueError as error:
                raise LodestoneError(f"{path}: initial_structure of {name}: {error}", "remove this row") from error
            yield Proposal.of(crystal, candidate=str(name))
