"""Oxidation states as the ICSD reports them, and electronegativities: data of the package smact.

Davies et al., J. Open Source Softw. 4, 1361 (2019). The files are read where smact is installed; importing the package
would import pandas, for seconds, and for two small tables.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from lodestone.errors import LodestoneError

ANIONS = ("N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I")

_COUNTS = "oxidation_states_icsd24_counts.json"
_ELEMENTS = "element_data.txt"
_ELECTRONEGATIVITY = 9  # column of the table of elements
_FEWEST_REPORTS = 3  # smact's own; fewer are taken for typing errors


@lru_cache(maxsize=1)
def reported_states() -> Mapping[str, Mapping[int, float]]:
    """Share of each oxidation state among the reports of an element in the ICSD of 2024.

    Returns:
        By symbol, then by state, ascending; states that are reported less than three times are left out, and so are
        neutral atoms, which have no charge to balance.

    Raises:
        LodestoneError: If smact is not installed as it should be.
    """
    counts: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for row in json.loads(smact_text(_COUNTS)):
        if row["results_count"] >= _FEWEST_REPORTS and row["oxidation_state"]:
            counts[row["element"]][row["oxidation_state"]] = row["results_count"]
    return {
        symbol: {state: n / sum(reports.values()) for state, n in sorted(reports.items())}
        for symbol, reports in counts.items()
    }


@lru_cache(maxsize=1)
def electronegativities() -> Mapping[str, float]:
    """Electronegativity of each element on Pauling's scale; elements that have none are left out.

    Raises:
        LodestoneError: If smact is not installed as it should be.
    """
    column = _ELECTRONEGATIVITY
    return {symbol: float(words[column]) for symbol, words in element_table() if words[column] != "None"}


def element_table() -> list[tuple[str, list[str]]]:
    """Symbol and columns of each element in smact's table of elements.

    Raises:
        LodestoneError: If smact is not installed as it should be.
    """
    return [(words[0], words) for words in map(str.split, smact_lines(_ELEMENTS))]


def smact_lines(name: str) -> list[str]:
    """Lines of a table of smact; empty ones and comments are left out.

    Raises:
        LodestoneError: If smact is not installed as it should be.
    """
    return [line for line in smact_text(name).splitlines() if line.strip() and not line.startswith("#")]


def smact_text(name: str) -> str:
    """A data file of smact.

    Raises:
        LodestoneError: If smact is not installed as it should be.
    """
    found = find_spec("smact")
    folders = list(found.submodule_search_locations or ()) if found else []
    path = Path(folders[0], "data", name) if folders else None
    if path is None or not path.is_file():
        problem = f"smact's table {name}, which charge rules read, is not installed"
        raise LodestoneError(problem, "install the version of smact that requirements.lock names: make install")
    return path.read_text(encoding="utf-8")
