"""What further oracles say of the discoveries: columns of the table, facts of a find, figures of the summary.

They come from ``data/opinions.json``, see :func:`lodestone.opinions.opinions.opinions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.report import markup
from lodestone.tables.files import read_json

Opinions = Mapping[str, Any] | None  # None: nobody was asked
SILENT = "no verdict"


def said_by_a_stage(path: Path, what: str) -> Mapping[str, Any] | None:
    """What a stage has written of the discoveries.

    Args:
        path: Its file.
        what: Key under which nothing stands where there was nothing to do.

    Returns:
        The content; ``None`` where there was nothing to do, or the stage has not run yet.
    """
    content: Mapping[str, Any] | None = read_json(path) if path.is_file() else None
    return content if content and content[what] else None


def verdict_columns(names: pl.Series, opinions: Opinions) -> pl.DataFrame:
    """Columns ``n_verdicts`` and ``disputed_by`` of the discoveries.

    Args:
        names: Their identifiers.
        opinions: Content of ``opinions.json``.
    """
    finds = _by_name(opinions)
    kept = [(row["n_verdicts"], ", ".join(row["disputed_by"])) if (row := finds.get(name)) else None for name in names]
    return pl.DataFrame(
        {"n_verdicts": [row and row[0] for row in kept], "disputed_by": [row and row[1] for row in kept]},
        schema={"n_verdicts": pl.Int32, "disputed_by": pl.String},
    )


def opinion_facts(name: str, opinions: Opinions) -> list[tuple[str, str]]:
    """What each further oracle says of a find: its name, and how far the find lies from its hull.

    Args:
        name: Identifier of the find.
        opinions: Content of ``opinions.json``.
    """
    if opinions is None or (row := _by_name(opinions).get(name)) is None:
        return []
    functional = {oracle: facts["functional"] for oracle, facts in opinions["oracles"].items()}
    return [(f"{oracle} ({functional[oracle]})", _said(one)) for oracle, one in row["opinions"].items()]


def agreement(row: Mapping[str, Any]) -> dict[str, Any]:
    """How many judges call a find stable, the campaign's oracle among them, and who disputes it.

    Args:
        row: Of the discoveries.
    """
    n, against = row["n_verdicts"], row["disputed_by"]
    if n is None:
        return {"agree": None, "agree_text": markup.NOTHING, "disputed_by": ""}
    agree = n - (len(against.split(", ")) if against else 0)
    return {"agree": agree, "agree_text": f"{agree} of {n}", "disputed_by": against}


def opinion_summary(opinions: Opinions) -> dict[str, Any] | None:
    """The shares of the discoveries on which all agree, and that each calls stable; ``None`` where nobody was asked."""
    if opinions is None:
        return None
    return {name: opinions[name] for name in ("near", "n_crystals", "all_agree", "survive", "functionals")}


def _said(one: Mapping[str, Any]) -> str:
    if one["says_stable"] is None:
        return f"{SILENT}: {one['reason']}"
    distance = markup.milli(one["energy_above_hull"])
    return f"{'stable' if one['says_stable'] else 'disputes it'}: {distance} meV/atom from its own hull"


def _by_name(opinions: Opinions) -> dict[str, Mapping[str, Any]]:
    return {row["material_id"]: row for row in opinions["finds"]} if opinions else {}
