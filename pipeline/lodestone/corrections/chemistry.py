"""What correction schemes ask about a crystal: kinds of oxygen and sulfur, and which elements are anions.

The answers depend on the crystal, and on the oxidation states and electronegativities that the charge rules use; not on
pymatgen, whose guesses of oxidation states have changed between its versions (matbench-discovery, issue 358).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import log

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.pairs import pairs_within
from lodestone.substitution.oxidation_states import electronegativities, reported_states

# Longest bonds, Å, as pymatgen draws them: 1.05 times typical ones.
HYDROXIDE, SUPEROXIDE, PEROXIDE = 1.05 * 0.93, 1.05 * 1.35, 1.05 * 1.49
_SHELL, _MOST_NEIGHBORS = 0.4, 4  # of a sulfur atom: so much further than the nearest, Å, and at most so many
_REACH = (4.0, 8.0)  # Å
_PEROXIDES = frozenset("Li2O2 Na2O2 K2O2 Cs2O2 Rb2O2 BeO2 MgO2 CaO2 SrO2 BaO2".split())
_SUPEROXIDES = frozenset("LiO2 NaO2 KO2 RbO2 CsO2".split())
_OZONIDES = frozenset("LiO3 NaO3 KO3 NaO5".split())
_LEAST_SHARE = 0.005  # of the reports of an element: rarer states are not considered
_MIXED = 0.1  # two states of one element in a compound count as so much less likely than the rarer of them alone

Counts = tuple[tuple[str, int], ...]  # elements in alphabetical order, and how many atoms of each


@dataclass(frozen=True, kw_only=True)
class Chemistry:
    """What schemes ask about a crystal.

    Attributes:
        counts: Atoms of each element.
        oxide: ``oxide``, ``peroxide``, ``superoxide`` or ``ozonide``, for the oxygen that there is.
        bonded_oxygen: Atoms of oxygen bonded to their like; all of them in an oxide.
        sulfate: Whether sulfur is bonded to what is more electronegative.
        states: Likeliest oxidation states; empty where none sum to zero.
    """

    counts: Mapping[str, int]
    oxide: str = "oxide"
    bonded_oxygen: int = 0
    sulfate: bool = False
    states: Mapping[str, float] = field(default_factory=dict)

    @property
    def last(self) -> str:
        """The most electronegative element."""
        return max(self.counts, key=lambda symbol: (electronegativities().get(symbol, 0.0), symbol))

    def is_anion(self, symbol: str) -> bool:
        """Whether its likeliest state is negative, or no element is more electronegative."""
        return self.states.get(symbol, 0) <= -1 or symbol == self.last


def chemistry_of(crystal: Crystal) -> Chemistry:
    """The chemistry of a crystal."""
    symbols = np.array(crystal.species)
    counts = Counter(crystal.species)
    oxide, bonded = _oxide(crystal, symbols) if "O" in counts else ("oxide", 0)
    return Chemistry(
        counts=counts,
        oxide=oxide,
        bonded_oxygen=bonded,
        sulfate="S" in counts and len(counts) > 1 and _has_sulfate(crystal, symbols),
        states=likeliest_states(_reduced(counts)),
    )


def chemistry_of_formula(formula: str) -> Chemistry:
    """The same where no structure is known: peroxides and the like by their formulas, sulfates by the state of sulfur.

    Args:
        formula: Reduced, with integer amounts.
    """
    counts = _counts(formula)
    kinds = {"peroxide": _PEROXIDES, "superoxide": _SUPEROXIDES, "ozonide": _OZONIDES}
    oxide = next((kind for kind, formulas in kinds.items() if formula in formulas), "oxide")
    states = likeliest_states(_reduced(counts))
    sulfate = states.get("S", 0) > 0
    return Chemistry(counts=counts, oxide=oxide, bonded_oxygen=counts.get("O", 0), sulfate=sulfate, states=states)


@lru_cache(maxsize=200_000)
def likeliest_states(counts: Counts) -> Mapping[str, float]:
    """Of the oxidation states that sum to zero, those whose shares have the largest product.

    Each element has one state, or, at the price of a factor, two neighboring ones, of which the mean is given.

    Args:
        counts: Elements and amounts of the reduced formula.

    Returns:
        Empty where no states sum to zero, as in alloys and where an element has no reported states.

    Examples:
        >>> dict(likeliest_states((("Bi", 1), ("Cl", 1), ("O", 1))))
        {'Bi': 3.0, 'Cl': -1.0, 'O': -2.0}
    """
    best: dict[int, tuple[float, tuple[float, ...]]] = {0: (0.0, ())}
    for symbol, n in counts:
        charges = _charges(symbol, n)
        following: dict[int, tuple[float, tuple[float, ...]]] = {}
        for charge, (score, chosen) in best.items():
            for more, gain in charges.items():
                option = (score + gain, (*chosen, more / n))
                following[charge + more] = max(following.get(charge + more, option), option)
        best = following
    symbols = [symbol for symbol, _ in counts]
    return dict(zip(symbols, best[0][1], strict=True)) if 0 in best and len(counts) > 1 else {}


@lru_cache(maxsize=10_000)
def _charges(symbol: str, n: int) -> Mapping[int, float]:
    """Charges that n atoms of an element can have together, with the logarithm of their share."""
    shares = [(state, share) for state, share in reported_states().get(symbol, {}).items() if share >= _LEAST_SHARE]
    charges: dict[int, float] = {}
    for (low, of_low), (high, of_high) in pairwise(shares):
        if low > 0:
            mixed = log(min(of_low, of_high) * _MIXED)
            charges |= {low * k + high * (n - k): mixed for k in range(1, n)}
    return charges | {state * n: log(share) for state, share in shares}


def _oxide(crystal: Crystal, symbols: np.ndarray) -> tuple[str, int]:
    """Kind of oxide, and atoms of oxygen bonded to their like; all of them if none are."""
    one, other, distance = pairs_within(crystal, PEROXIDE, "ijd")
    apart = one != other
    from_oxygen = apart & (symbols[one] == "O")
    all_oxygen = int((symbols == "O").sum())
    if (from_oxygen & (symbols[other] == "H") & (distance < HYDROXIDE)).any():
        return "oxide", all_oxygen
    bonded = from_oxygen & (symbols[other] == "O")
    short = bonded & (distance < SUPEROXIDE)
    if not bonded.any():
        return "oxide", all_oxygen
    pairs = short if short.any() else bonded
    partners = Counter(atom for atom, _ in set(zip(one[pairs].tolist(), other[pairs].tolist(), strict=True)))
    kind = "peroxide" if not short.any() else "ozonide" if max(partners.values()) > 1 else "superoxide"
    return kind, len(partners)


def _has_sulfate(crystal: Crystal, symbols: np.ndarray) -> bool:
    """Whether the first neighbors of a sulfur atom are on average more electronegative than sulfur."""
    values = np.array([electronegativities().get(symbol, 0.0) for symbol in symbols])
    own = electronegativities()["S"]
    for reach in _REACH:
        one, other, distance = pairs_within(crystal, reach, "ijd")
        sulfur = np.flatnonzero(symbols == "S")
        if set(sulfur.tolist()) <= set(one.tolist()):
            break
    return any(_mean_of_shell(values[other[one == atom]], distance[one == atom]) > own + 1e-9 for atom in sulfur)


def _mean_of_shell(values: np.ndarray, distance: np.ndarray) -> float:
    if len(distance) == 0:
        return 0.0
    order = np.argsort(distance, kind="stable")
    shell = order[distance[order] < distance[order[0]] + _SHELL][:_MOST_NEIGHBORS]
    return float(values[shell].mean())


def _reduced(counts: Mapping[str, int]) -> Counts:
    divisor = int(np.gcd.reduce(list(counts.values())))
    return tuple((symbol, counts[symbol] // divisor) for symbol in sorted(counts))


def _counts(formula: str) -> dict[str, int]:
    from pymatgen.core import Composition

    return {symbol: round(amount) for symbol, amount in Composition(formula).get_el_amt_dict().items()}
