"""Balanced reactions that lead from common precursors to a find, ranked by their driving force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lodestone.handover.phases import KnownPhases
from lodestone.handover.precursors import Precursor, carbonates, precursor_of, precursors
from lodestone.handover.reactions import Reaction, Substance

MOST_OF_A_KIND = 20
COMPOUNDS, WITH_GAS, ELEMENTS, MIXED = KINDS = (
    "compounds",
    "compounds in an atmosphere",
    "elements",
    "compounds and elements",
)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A reaction from precursors.

    Attributes:
        reaction: Precursors in, one formula unit of the find out.
        kind: One of ``KINDS``.
        precursors: What goes in, as ``K2S (sulfide)``.
    """

    reaction: Reaction
    kind: str
    precursors: tuple[str, ...]

    @property
    def remark(self) -> str:
        """Gases that go in or come out; their entropy is not in the energy at 0 K."""
        taken = [one.split()[0] for one in self.precursors if one.endswith("(gas)")]
        given = [one.formula for one in self.reaction.products[1:]]
        return "; ".join([*(f"takes up {gas}" for gas in taken), *(f"gives off {gas}" for gas in given)])


def routes(find: Mapping[str, Any], phases: KnownPhases, most_of_a_kind: int = MOST_OF_A_KIND) -> list[Route]:
    """The routes to a find, those of the largest driving force first.

    Args:
        find: Row with ``material_id``, ``formula_pretty``, ``chemsys`` and ``formation_energy_per_atom``.
        phases: Of the campaign.
        most_of_a_kind: So many routes of each kind are kept.
    """
    elements, target = find["chemsys"].split("-"), precursor_of(find, "find")
    shelf = [one for one in precursors(phases.within(elements)) if one.formula != target.formula]
    gas: Precursor | None = None
    if "O" in elements and "C" not in elements:
        gas, more = carbonates(phases, elements)
        shelf += more
    ordered = sorted(_balanced(target, sorted(shelf, key=lambda one: one.formula), gas), key=_rank)
    return [one for one, place in zip(ordered, _places(ordered), strict=True) if place < most_of_a_kind]


def _balanced(target: Precursor, shelf: Sequence[Precursor], gas: Precursor | None) -> Iterator[Route]:
    """All reactions of as many precursors as there are elements, or fewer, that need every one of them."""
    needed = set(target.amounts)
    for size in range(1, len(needed) + 1):
        for chosen in combinations(shelf, size):
            if _kind(chosen) and needed <= {element for one in chosen for element in one.amounts}:
                released = gas if any("C" in one.amounts and "C" not in needed for one in chosen) else None
                amounts = _amounts_needed(target, chosen, released)
                if amounts is not None:
                    yield _route(target, chosen, amounts, released)


def _amounts_needed(target: Precursor, chosen: Sequence[Precursor], released: Precursor | None) -> np.ndarray | None:
    """Formula units of each precursor and of CO2, all above 0; ``None`` where no amounts balance, or several do."""
    others = [*chosen, *([released] if released else [])]
    elements = sorted({element for one in others for element in one.amounts})
    signs = np.array([1.0] * len(chosen) + [-1.0] * (len(others) - len(chosen)))
    matrix = np.array([[one.amounts.get(element, 0.0) for one in others] for element in elements]) * signs
    wanted = np.array([target.amounts.get(element, 0.0) for element in elements])
    amounts, _, rank, _ = np.linalg.lstsq(matrix, wanted, rcond=None)
    is_balanced = np.abs(matrix @ amounts - wanted).max() < 1e-8 and rank == len(others)
    return amounts if is_balanced and amounts.min() > 1e-8 else None


def _route(target: Precursor, chosen: Sequence[Precursor], amounts: np.ndarray, released: Precursor | None) -> Route:
    given = float(sum(one.energy * x for one, x in zip(chosen, amounts, strict=False)))
    freed = [(released, float(amounts[-1]))] if released else []
    products = [Substance(one.formula, x, one.material_id) for one, x in [(target, 1.0), *freed]]
    return Route(
        reaction=Reaction(
            reactants=tuple(
                Substance(one.formula, float(x), one.material_id) for one, x in zip(chosen, amounts, strict=False)
            ),
            products=tuple(products),
            energy=target.energy + sum(one.energy * x for one, x in freed) - given,
            n_atoms=sum(target.amounts.values()),
        ),
        kind=str(_kind(chosen)),
        precursors=tuple(f"{one.formula} ({one.name})" for one in chosen),
    )


def _kind(chosen: Sequence[Precursor]) -> str | None:
    """What a reaction starts from; ``None`` for elements in an atmosphere, of which compounds are made anyway."""
    names = {one.name for one in chosen}
    compounds = names - {"element", "gas"}
    if "gas" in names:
        return WITH_GAS if compounds and "element" not in names else None
    if "element" in names:
        return MIXED if compounds else ELEMENTS
    return COMPOUNDS


def _rank(route: Route) -> tuple[float, int, str]:
    return route.reaction.energy_per_atom, len(route.precursors), route.reaction.equation


def _places(ordered: Sequence[Route]) -> list[int]:
    """How many routes of the same kind come before each."""
    before: Counter[str] = Counter()
    places = []
    for one in ordered:
        places.append(before[one.kind])
        before[one.kind] += 1
    return places
