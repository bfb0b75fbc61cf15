"""Crystals of the pure elements, for snapshots that have none."""

from __future__ import annotations

from collections.abc import Sequence

from lodestone.crystals.crystal import Crystal
from lodestone.reference.build import initial_crystal
from lodestone.reference.decorations import element_decorations
from lodestone.reference.prototypes import load_prototypes


def element_crystals(symbols: Sequence[str]) -> dict[str, Crystal]:
    """Each element in the prototypes of its kind, unrelaxed, by identifier.

    Args:
        symbols: Element symbols.
    """
    prototypes = load_prototypes()
    return {
        f"reference-{label}-{elements[0]}": initial_crystal(prototypes[label], elements)
        for label, elements in element_decorations(prototypes, symbols)
    }
