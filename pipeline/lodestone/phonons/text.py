"""Phonons as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lodestone.opinions.text import share_line
from lodestone.report.dynamics import NOT_COMPUTED, WORDS

NOTHING = "-"
_HEADS = ("formula", "by", "group", "says", "lowest, THz", "at q", "highest, THz", "atoms", "followed to")


def text(content: Mapping[str, Any]) -> str:
    """The shares with their intervals, then one line per find: the stable, the undecided, the unstable.

    Args:
        content: As :func:`lodestone.phonons.phonons.phonons` gives it.
    """
    lines = [list(_HEADS), *(_line(row) for row in sorted(content["finds"], key=_place))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([_first(content), "", *_shares(content), "", *table])


def _first(content: Mapping[str, Any]) -> str:
    settings, who = content["settings"], content["oracle"]["name"]
    how = f"images {settings['min_length']:g} Å apart, at most {settings['max_atoms']} atoms"
    return (
        f"Phonons of {content['n_finds']} of {content['n_discoveries']} finds by {who}: {how}.\n"
        f"Stable: no frequency below -{settings['tolerance']:g} THz (negative: imaginary), at 0 K and without quantum "
        "and thermal motion."
    )


def _shares(content: Mapping[str, Any]) -> list[str]:
    lines = [share_line(content[word], f"{word}, of those whose phonons were computed") for word in WORDS.values()]
    if content["n_not_computed"]:
        lines.append(f"{content['n_not_computed']:>5} {NOT_COMPUTED}")
    if content["n_followed"]:
        ended = "stable there, of those that an imaginary mode led to a lower crystal"
        lines.append(share_line(content["stable_after_following"], ended))
    return lines


def _place(row: Mapping[str, Any]) -> tuple[int, float, str]:
    order = 3 if not row["is_computed"] else [True, None, False].index(row["is_stable"])
    return order, -row.get("lowest_frequency", 0.0), row["material_id"]


def _line(row: Mapping[str, Any]) -> list[str]:
    head = [row["formula_pretty"], row["acquired_by"]]
    if not row["is_computed"]:
        return [*head, NOTHING, NOT_COMPUTED, *[NOTHING] * 4, row["reason"]]
    return [
        *head,
        str(row["spacegroup_number"]),
        WORDS[row["is_stable"]],
        f"{row['lowest_frequency']:.2f}",
        _q(row["lowest_q"]),
        f"{row['highest_frequency']:.2f}",
        str(row["n_atoms_supercell"]),
        _end(row["followed"]) if row["followed"] else NOTHING,
    ]


def _q(q: list[float]) -> str:
    return " ".join(f"{value:g}" for value in (round(value, 3) for value in q))


def _end(followed: Mapping[str, Any]) -> str:
    """Where an imaginary mode has led."""
    if followed["gained"] is None:
        return f"nowhere: {followed['reason']}"
    state = WORDS[followed["is_stable"]] if followed["is_computed"] else f"no phonons: {followed['reason']}"
    group, gained = followed["spacegroup_number"], 1e3 * followed["gained"]
    return f"space group {group}, {gained:.1f} meV/atom lower, {state} there"
