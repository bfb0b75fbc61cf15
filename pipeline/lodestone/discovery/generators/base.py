"""What a generator gives: candidates before screening."""

from __future__ import annotations

from dataclasses import dataclass

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS

Replacement = tuple[tuple[int, int], ...]  # pairs of atomic numbers (old, new)


@dataclass(frozen=True)
class Proposal:
    """A candidate before screening.

    Attributes:
        parent: Row of the parent in the table of known crystals.
        replacement: Pairs of atomic numbers, old and new.
        probability: Product of the conditional probabilities of the replacements.
        decorated_prototype: Composition and prototype; the candidate's identity.
        crystal: Unrelaxed candidate, at the volume that its elements suggest.
    """

    parent: int
    replacement: Replacement
    probability: float
    decorated_prototype: str
    crystal: Crystal

    @property
    def substitution(self) -> str:
        """The replacement as text, e.g. ``Na>K``."""
        return ",".join(f"{SYMBOLS[old]}>{SYMBOLS[new]}" for old, new in self.replacement)


@dataclass(frozen=True)
class Proposals:
    """What a round proposes, and how many ideas it dropped as already known."""

    items: list[Proposal]
    n_known: int
