"""Elements that potentials have learned; for all others their numbers mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.oracles.base import Label

# None of the Materials Project's calculations holds one of these, nor any after plutonium.
_RARE = frozenset({"Po", "At", "Rn", "Fr", "Ra"})
OF_THE_MATERIALS_PROJECT = frozenset(SYMBOLS[1:95]) - _RARE

LabelMany = Callable[[Sequence[Crystal]], Iterable[tuple[int, Label]]]


def label_learned(
    crystals: Sequence[Crystal], learned: frozenset[str], label: LabelMany
) -> Iterator[tuple[int, Label]]:
    """Label crystals of elements that a potential has learned; the others get a reason.

    Args:
        crystals: Any number.
        learned: Symbols of the elements.
        label: Labels crystals, as an oracle does.

    Yields:
        Index of a crystal and its label.
    """
    seen = [index for index, crystal in enumerate(crystals) if learned.issuperset(crystal.species)]
    for index in sorted(set(range(len(crystals))) - set(seen)):
        yield index, Label(f"unseen_element: {', '.join(sorted(set(crystals[index].species) - learned))}")
    for position, given in label([crystals[index] for index in seen]):
        yield seen[position], given
