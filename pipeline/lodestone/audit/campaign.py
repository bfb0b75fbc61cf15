"""What an audit needs of a finished campaign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lodestone.config.params import Params
from lodestone.config.rounds import round_names
from lodestone.errors import LodestoneError
from lodestone.schemas import Crystals, Discoveries, References
from lodestone.tables.files import read_table
from lodestone.tables.layout import REPORTS, Layout


@dataclass(frozen=True)
class Campaign:
    """A finished campaign.

    Attributes:
        discoveries: Contract :class:`lodestone.schemas.Discoveries`; at least one.
        known: Crystals known at its end, the discoveries among them (contract :class:`lodestone.schemas.Crystals`).
        references: Contract :class:`lodestone.schemas.References`.
    """

    discoveries: pl.DataFrame
    known: pl.DataFrame
    references: pl.DataFrame

    @property
    def systems(self) -> list[str]:
        """Chemical systems of the discoveries, sorted."""
        return sorted(self.discoveries["chemsys"].unique())


def read_campaign(params: Params, root: Path = Path()) -> Campaign:
    """Read the finished campaign of a folder.

    Args:
        params: Its parameters.
        root: The folder.

    Raises:
        LodestoneError: If it is not finished, has no discovery, or its tables belong to different campaigns.
    """
    layout = Layout(root / Layout().data)
    end = layout.round(params.rounds[round_names(params.rounds)[-1]].next)
    discoveries = read_table(root / REPORTS / "discoveries.parquet", Discoveries)
    known = read_table(end.crystals, Crystals)
    if discoveries.is_empty():
        raise LodestoneError(
            "the campaign has no discovery, so there is nothing to audit", "add a round, or enlarge its budget"
        )
    lost = discoveries.join(known, on="material_id", how="anti")["material_id"].to_list()
    if lost:
        raise LodestoneError(
            f"discovery {lost[0]!r} is not among the crystals known at the end of the campaign",
            "the tables are from different campaigns: run `dvc repro` to make them again",
        )
    return Campaign(discoveries, known, read_table(layout.references, References))
