"""An audit as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHARES = {
    "survive": "survive on the completed hull",
    "survive_and_new_formula": "survive, and the table lacks their formula",
    "known_by_formula": "the table has their formula",
    "known_by_structure": "the table has them",
    "fall_to_the_table": "fall because of the table",
    "fall_within_the_campaign": "fall because of later crystals of the campaign itself",
}
_HEAD = ("formula", "round", "by", "depth", "known", "above", "verdict")


def text(content: Mapping[str, Any]) -> str:
    """The shares with their intervals, then one line per discovery, survivors first; energies in meV/atom.

    Args:
        content: As :func:`lodestone.audit.verdicts.audit` gives it.
    """
    rows = sorted(content["discoveries"], key=lambda row: (row["energy_above_hull"], row["formula_pretty"]))
    lines = [_HEAD, *(_line(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEAD) - 1)]
    table = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    ]
    return "\n".join([_first(content), "", *_proportions(content), "", *table])


def _first(content: Mapping[str, Any]) -> str:
    phases, against, n = content["phases"], content["against"], content["survive"]["n"]
    refused = sum(phases["refused"].values())
    return (
        f"{n} discoveries ({content['n_formulas']} formulas, {content['n_systems']} chemical systems) against "
        f"{against['file']}: {phases['n_in_systems']} phases, of which {phases['n_labelled']} within "
        f"{against['max_energy_above_hull']:g} eV/atom of the table's hull compete ({refused} refused by the oracle)."
    )


def _proportions(content: Mapping[str, Any]) -> list[str]:
    return [
        f"{share['hits']:>5} of {share['n']}  {100 * share['rate']:5.1f} %  [{100 * share['low']:.0f}, "
        f"{100 * share['high']:.0f}]  {words}"
        for share, words in ((content[name], words) for name, words in _SHARES.items())
    ]


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    known = row["known_as"] or ("formula" if row["formula_is_known"] else "-")
    return (
        row["formula_pretty"],
        row["round"],
        row["acquired_by"],
        f"{-1e3 * row['energy_above_hull_start']:.0f}",
        known,
        f"{1e3 * row['energy_above_hull']:.0f}",
        "survives" if row["survives"] else f"falls to {_products(row)}",
    )


def _products(row: Mapping[str, Any]) -> str:
    """Phases of the table with their identifiers, those of the campaign without."""
    return " + ".join(
        f"{phase['amount']:.2f} {phase['formula_pretty']}"
        + (f" ({phase['material_id']})" if phase["source"] == "table" else "")
        for phase in row["falls_to"]
    )
