"""Elements so alike that they may share the sites of a crystal.

Ions of one charge whose radii differ by less than 15 % replace each other (Goldschmidt, Naturwissenschaften 14, 477
(1926)); so do metals of like size, electronegativity and number of electrons (Hume-Rothery's rules, the first two in
the form of Darken & Gurry, Physical Chemistry of Metals (1953)). Ions of different charge can share sites, too, as in
many spinels; these rules leave them out, and so do not find every disordered crystal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from statistics import fmean

from lodestone.substitution.oxidation_states import electronegativities, smact_lines

MOST_SIZE_DIFFERENCE = 0.15  # of the smaller radius
MOST_ELECTRONEGATIVITY_DIFFERENCE = 0.4  # of metals, on Pauling's scale
MOST_GROUPS_APART = 2  # of metals in the periodic table, as more electrons of one keep NiAl in order


def similar_elements(formula: str, most: float = MOST_SIZE_DIFFERENCE) -> list[tuple[str, str]]:
    """Pairs of elements of a compound that could share its sites, in alphabetical order.

    The charges are those of pymatgen's neutral assignments of common oxidation states, all of them; those with a
    fraction of a charge only where there are no others. Without an assignment, the elements are taken for metals.

    Args:
        formula: Of the compound.
        most: Largest difference of radii, as a share of the smaller one.

    Examples:
        >>> similar_elements("Mg3NiO4"), similar_elements("LiCoO2")
        ([('Mg', 'Ni')], [])
    """
    from pymatgen.core import Composition

    composition = Composition(formula)
    elements = sorted(element.symbol for element in composition)
    assignments = _assignments(formula)
    if not assignments:
        return [pair for pair in combinations(elements, 2) if _are_like_metals(*pair, most)]
    return [pair for pair in combinations(elements, 2) if any(_are_like_ions(*pair, of, most) for of in assignments)]


@lru_cache(maxsize=10_000)
def _assignments(formula: str) -> tuple[Mapping[str, float], ...]:
    """Oxidation states of each element; whole numbers, where possible."""
    from pymatgen.core import Composition

    every = Composition(formula).oxi_state_guesses(max_sites=-1)
    whole = tuple(one for one in every if all(float(state).is_integer() for state in one.values()))
    return whole or every


def _are_like_ions(one: str, other: str, states: Mapping[str, float], most: float) -> bool:
    if abs(states[one] - states[other]) > 1e-6:
        return False
    radii = [_ionic_radii().get((symbol, round(states[symbol])), {}) for symbol in (one, other)]
    shared = radii[0].keys() & radii[1].keys()
    return bool(shared) and _are_close([fmean(radius[n] for n in sorted(shared)) for radius in radii], most)


def _are_like_metals(one: str, other: str, most: float) -> bool:
    from pymatgen.core import Element

    pair, known = [Element(one), Element(other)], electronegativities()
    radii = [float(element.atomic_radius) for element in pair if element.atomic_radius]
    if len(radii) < len(pair) or not {one, other} <= known.keys():
        return False
    is_apart = abs(pair[0].group - pair[1].group) > MOST_GROUPS_APART
    is_polar = abs(known[one] - known[other]) > MOST_ELECTRONEGATIVITY_DIFFERENCE
    return _are_close(radii, most) and not is_apart and not is_polar


def _are_close(radii: Sequence[float], most: float) -> bool:
    return max(radii) - min(radii) <= most * min(radii)


@lru_cache(maxsize=1)
def _ionic_radii() -> Mapping[tuple[str, int], Mapping[int, float]]:
    """Shannon's radii, Å, by element and charge, then by coordination number; the mean of spins and shapes.

    Shannon, Acta Crystallogr. A 32, 751 (1976); data of smact.
    """
    values: defaultdict[tuple[str, int], defaultdict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in smact_lines("shannon_radii.csv")[1:]:
        symbol, charge, coordination, _, radius, *_ = line.split(",")
        values[symbol, int(charge)][int(coordination.split("_")[0])].append(float(radius))
    return {ion: {n: fmean(radii) for n, radii in by_number.items()} for ion, by_number in values.items()}
