"""What each generator has contributed to a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from lodestone.ensemble.metrics import wilson_proportion
from lodestone.novelty.classes import NEW_PROTOTYPE
from lodestone.report.collect import CampaignData, HitRate
from lodestone.report.markup import milli
from lodestone.report.rows import hit_rate
from lodestone.stability.density import depths

_WHO = ("model", "random")


def contributions(campaign: CampaignData, discoveries: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """What is told of each generator, by its name.

    Returns:
        ``screened`` and ``verified`` candidates; ``hits`` by who chose them, ``model`` or ``random``, with n
        and 95 % Wilson interval; how many are ``discoveries``, how many of these have a prototype that no crystal had
        when the campaign began (``new_prototypes``), and their median ``depth`` below the hull, eV/atom or ``None``.
    """
    screened = pl.concat([data.candidates.select("generator") for data in campaign.rounds])["generator"]
    verified = campaign.verifications.select("generator", "acquired_by", "is_stable")
    return {
        name: {"screened": int((screened == name).sum())}
        | _verified(verified.filter(pl.col("generator") == name))
        | _discovered(discoveries.filter(pl.col("generator") == name))
        for name in screened.unique().sort()
    }


def _verified(rows: pl.DataFrame) -> dict[str, Any]:
    chosen = {who: rows.filter(pl.col("acquired_by") == who)["is_stable"] for who in _WHO}
    hits = {who: wilson_proportion(int(stable.sum()), len(stable)) for who, stable in chosen.items()}
    return {"verified": len(rows), "hits": hits}


def _discovered(rows: pl.DataFrame) -> dict[str, Any]:
    new = int((rows["novelty"] == NEW_PROTOTYPE).sum())
    depth = depths(rows["energy_above_hull_start"])["median"]
    return {"discoveries": len(rows), "new_prototypes": new, "depth": depth}


def generator_rows(parts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same, ready for the page."""
    return [
        {"name": name, **part}
        | {"hits": {who: hit_rate(HitRate(**share)) for who, share in part["hits"].items()}}
        | {"depth": milli(part["depth"])}
        for name, part in parts.items()
    ]
