"""Whether discoveries are dynamically stable: a column of the table, a fact of a find, figures of the summary.

They come from ``data/phonons.json``, see :func:`lodestone.phonons.stage.undisputed_phonons`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from lodestone.report import markup

Phonons = Mapping[str, Any] | None  # None: nobody has looked
COLUMN = "dynamical_stability"
NOT_COMPUTED = "not computed"
WORDS = {True: "stable", False: "unstable", None: "undecided"}


def dynamics_column(names: pl.Series, phonons: Phonons) -> pl.Series:
    """Column ``dynamical_stability`` of the discoveries; null where nobody has looked.

    Args:
        names: Their identifiers.
        phonons: Content of ``phonons.json``.
    """
    words = {row["material_id"]: _word(row) for row in phonons["finds"]} if phonons else {}
    return pl.Series(COLUMN, [words.get(name) for name in names], dtype=pl.String)


def dynamics_facts(name: str, phonons: Phonons) -> list[tuple[str, str]]:
    """What the phonons of a find say.

    Args:
        name: Identifier of the find.
        phonons: Content of ``phonons.json``.
    """
    rows = [row for row in phonons["finds"] if row["material_id"] == name] if phonons else []
    return [(f"Phonons ({phonons['oracle']['name']})", _told(row)) for row in rows] if phonons else []


def dynamics_summary(phonons: Phonons) -> dict[str, Any] | None:
    """The shares of those whose phonons were computed; ``None`` where nobody has looked."""
    if phonons is None:
        return None
    return {name: phonons[name] for name in ("n_finds", "n_not_computed", *WORDS.values())}


def _word(row: Mapping[str, Any]) -> str:
    return WORDS[row["is_stable"]] if row["is_computed"] else NOT_COMPUTED


def _told(row: Mapping[str, Any]) -> str:
    if not row["is_computed"]:
        return f"{NOT_COMPUTED}: {row['reason']}"
    lowest = f"lowest frequency {row['lowest_frequency']:.1f} THz".replace("-", "−")
    end = row["followed"]
    if end is None or end["gained"] is None:
        return "; ".join(filter(None, (_word(row), lowest, row["reason"])))
    return f"{_word(row)}; {lowest}, an imaginary mode that leads {markup.milli(end['gained'], 1)} meV/atom down"
