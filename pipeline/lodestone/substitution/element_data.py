"""Properties by which elements are kept out of a search: radioactivity, toxicity, abundance, supply."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from lodestone.substitution.oxidation_states import element_table, smact_lines

# As, Cd, Hg, Pb: WHO, "10 chemicals of public health concern" (2020). Be, Tl: compounds are fatal if inhaled by the
# harmonised classification of Regulation (EC) 1272/2008 (CLP), Annex VI. Elements that only some compounds make toxic,
# as chromium and nickel, are not listed, nor are radioactive ones.
TOXIC = frozenset({"As", "Be", "Cd", "Hg", "Pb", "Tl"})

_ABUNDANCE = 8  # column of the table of elements


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
