"""Properties by which elements are kept out of a search: radioactivity, toxicity, abundance, supply, price."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files

from lodestone.substitution.oxidation_states import element_table, smact_lines

# As, Cd, Hg, Pb: WHO, "10 chemicals of public health concern" (2020). Be, Tl: compounds are fatal if inhaled by the
# harmonised classification of Regulation (EC) 1272/2008 (CLP), Annex VI. Elements that only some compounds make toxic,
# as chromium and nickel, are not listed, nor are radioactive ones.
TOXIC = frozenset({"As", "Be", "Cd", "Hg", "Pb", "Tl"})

_ABUNDANCE = 8  # column of the table of elements
_SMALL_PACKS = frozenset({"C", "F", "K", "Na", "P"})  # as a laboratory buys them, a hundred times the price in bulk

PRICE_CLASSES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # where the next class begins, USD/kg


@lru_cache(maxsize=1)
def radioactive_elements() -> frozenset[str]:
    """Elements without a stable isotope, bismuth excepted, which outlives the universe: data of pymatgen."""
    from pymatgen.core import Element

    return frozenset(element.symbol for element in Element if element.is_radioactive)


@lru_cache(maxsize=1)
def crustal_abundances() -> Mapping[str, float]:
    """Share of each element in the Earth's crust, mg/kg (CRC Handbook, 92nd edition, 2011, in smact).

    Elements without a value occur in traces at most, and are left out.
    """
    return {symbol: float(words[_ABUNDANCE]) for symbol, words in element_table() if words[_ABUNDANCE] != "None"}


@lru_cache(maxsize=1)
def supply_concentrations() -> Mapping[str, float]:
    """Herfindahl-Hirschman index of production by country, up to 10,000 (one country), of elements that have one.

    Gaultois et al., Chem. Mater. 25, 2911 (2013), who hold more than 2,500 for highly concentrated; data of smact.
    """
    rows = (line.split() for line in smact_lines("hhi.txt"))
    return {symbol: float(production) for symbol, production, _ in rows}


@lru_cache(maxsize=1)
def prices() -> Mapping[str, float]:
    """Price of each pure element that has one, USD/kg, most of September 2013: data of pymatgen (`CostDBElements`).

    Markets move; orders of magnitude last. Elements that are priced in small packs only are left out.
    """
    table = files("pymatgen.analysis").joinpath("costdb_elements.csv").read_text(encoding="utf-8")
    rows = csv.reader(table.splitlines(), quotechar="|")
    return {symbol: float(price) for symbol, price, *_ in rows if symbol not in _SMALL_PACKS}


def price_class(symbols: Iterable[str]) -> int | None:
    """Price class of the dearest of some elements: 0 below 1 USD/kg, then one more for each factor of ten, up to 5.

    Returns:
        ``None`` if none of them has a price.

    Examples:
        >>> price_class(["Fe", "O"]), price_class(["Pt", "O"]), price_class(["Na", "F"])
        (1, 5, None)
    """
    known = [prices()[symbol] for symbol in symbols if symbol in prices()]
    return sum(max(known) >= end for end in PRICE_CLASSES) if known else None
