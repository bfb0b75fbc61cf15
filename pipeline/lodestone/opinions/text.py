"""Second opinions as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTHING = "-"


def text(content: Mapping[str, Any]) -> str:
    """The shares with their intervals, then one line per find, undisputed ones first; energies in meV/atom.

    Args:
        content: As :func:`lodestone.opinions.opinions.opinions` gives it.
    """
    several = [name for name, one in content["functionals"].items() if len(one["oracles"]) > 1]
    heads = [content["campaign"], *content["oracles"], *(f"median (spread) {name}" for name in several)]
    rows = [_line(row, several) for row in sorted(content["finds"], key=_place)]
    lines = [["formula", "by", *heads, "agree", "disputed by"], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([_first(content), "", *_shares(content), "", *table])


def _first(content: Mapping[str, Any]) -> str:
    near = f"what the campaign knows within {content['near']:g} eV/atom of its hull"
    against = "what they decompose into on the campaign's hull, and their elements" if content["few"] else near
    return (
        f"{content['n_finds']} finds, held by {len(content['oracles'])} further oracles against {against}: "
        f"{content['n_crystals']} crystals.\n"
        "Distances are to each oracle's own hull without the find, meV/atom; negative: stable."
    )


def _shares(content: Mapping[str, Any]) -> list[str]:
    lines = [share_line(content["all_agree"], "all agree, of those on which each gives a verdict")]
    for name, share in content["survive"].items():
        refused = sum(content["oracles"][name]["refused"].values())
        lines.append(share_line(share, f"{name} says stable" + (f" ({refused} crystals refused)" if refused else "")))
    for name, one in content["functionals"].items():
        if len(one["oracles"]) > 1 and one["median_spread"] is not None:
            spread = f"median spread {1e3 * one['median_spread']:.0f} meV/atom (n = {one['n_spread']})"
            lines.append(share_line(one["survive_by_median"], f"the median of {name} says stable; {spread}"))
    return lines


def share_line(share: Mapping[str, Any], words: str) -> str:
    """A share with its n and 95 % interval, and what it is of."""
    if share["n"] == 0:
        return f"{0:>5} of 0  {words}"
    bounds = f"[{100 * share['low']:.0f}, {100 * share['high']:.0f}]"
    return f"{share['hits']:>5} of {share['n']}  {100 * share['rate']:5.1f} %  {bounds}  {words}"


def _place(row: Mapping[str, Any]) -> tuple[int, float, str]:
    """The more dispute a find, and the higher they put it, the later it comes."""
    every = [row["campaign"], *row["opinions"].values()]
    highest = max(one["energy_above_hull"] for one in every if one["energy_above_hull"] is not None)
    return len(row["disputed_by"]), highest, row["material_id"]


def _line(row: Mapping[str, Any], several: list[str]) -> list[str]:
    silent = [f"no verdict of {name} ({one['reason']})" for name, one in row["opinions"].items() if one["reason"]]
    return [
        row["formula_pretty"],
        row["acquired_by"],
        *(_milli(one["energy_above_hull"]) for one in [row["campaign"], *row["opinions"].values()]),
        *(_median(row["functionals"][name]) for name in several),
        f"{row['agree']} of {row['n_verdicts']}",
        "; ".join([", ".join(row["disputed_by"]) or NOTHING, *silent]),
    ]


def _median(part: Mapping[str, Any]) -> str:
    return NOTHING if part["median"] is None else f"{_milli(part['median'])} ({_milli(part['spread'])})"


def _milli(energy: float | None) -> str:
    return NOTHING if energy is None else str(round(1e3 * energy))
