"""The periodic table of what was tried and found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lodestone.report.collect import CampaignData

if TYPE_CHECKING:
    from pymatgen.core import Element

_LANTHANUM, _F_BLOCK = 57, 8  # row of pymatgen in which the lanthanides stand apart


def element_cells(campaign: CampaignData) -> list[dict[str, Any]]:
    """One cell per element that a known crystal has: its place, and the verified candidates and discoveries with it."""
    from pymatgen.core import Element

    known = {symbol for chemsys in campaign.known["chemsys"].unique() for symbol in chemsys.split("-")}
    tried = _counts(campaign.verifications["chemsys"])
    found = _counts(campaign.verifications.filter("is_discovery")["chemsys"])
    most = max([1, *found.values()])
    return [
        {"symbol": element.symbol, "tried": tried[element.symbol], "found": found[element.symbol]}
        | {"shade": round(100 * found[element.symbol] / most), "row": element.row, "column": _column(element)}
        for element in sorted(map(Element, known))
    ]


def _column(element: Element) -> int:
    """Its group; lanthanides and actinides stand in rows of their own."""
    return 3 + (element.Z - _LANTHANUM) % 32 if element.row >= _F_BLOCK else int(element.group)


def _counts(systems: Iterable[str]) -> Counter[str]:
    return Counter(symbol for chemsys in systems for symbol in chemsys.split("-"))
