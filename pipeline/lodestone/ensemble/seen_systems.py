"""Which chemical systems training crystals have, kept without a list of them.

Elements and pairs of elements are kept as they are, whole systems as 64-bit numbers: whether one was there can be
asked, but no column of the table that was learned from is stored. It is no secret: who asks about each learns them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations

import numpy as np

from lodestone.crystals.compositions import Elements, elements_of
from lodestone.crystals.elements import SYMBOLS

_ELEMENTS, _PAIRS, _HASHES = "elements", "pairs", "system_hashes"
_LISTED = "systems"  # of files before version 0.3: the systems themselves, rows of atomic numbers padded with 0
_BYTES = 8


@dataclass(frozen=True)
class SeenSystems:
    """What training crystals are made of.

    Attributes:
        elements: Atomic numbers that any of them has.
        pairs: Ascending pairs of atomic numbers that any of them has together.
        hashes: Of their chemical systems, see :func:`hash_of`.
    """

    elements: frozenset[int]
    pairs: frozenset[Elements]
    hashes: frozenset[int]

    @classmethod
    def of(cls, systems: Iterable[Elements]) -> SeenSystems:
        """Those of a list of systems."""
        distinct = frozenset(systems)
        return cls(
            elements=frozenset(z for system in distinct for z in system),
            pairs=frozenset(pair for system in distinct for pair in combinations(system, 2)),
            hashes=frozenset(map(hash_of, distinct)),
        )

    @classmethod
    def named(cls, names: Iterable[str]) -> SeenSystems:
        """Those of a list of names, as ``Cl-Na``; in any order, any number of times."""
        return cls.of(map(elements_of, names))

    def why_new(self, system: Elements) -> str:
        """``element``, ``pair`` or ``system`` if no training crystal has it, the strongest only; empty otherwise."""
        if not self.elements.issuperset(system):
            return "element"
        if not self.pairs.issuperset(combinations(system, 2)):
            return "pair"
        return "" if hash_of(system) in self.hashes else "system"

    def tensors(self) -> dict[str, np.ndarray]:
        """As sorted arrays: equal systems give equal bytes."""
        return {
            _ELEMENTS: np.array(sorted(self.elements), dtype=np.uint8),
            _PAIRS: np.array(sorted(self.pairs), dtype=np.uint8).reshape(-1, 2),
            _HASHES: np.array(sorted(self.hashes), dtype=np.uint64),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> SeenSystems:
        """What :meth:`tensors` gave, or an earlier version's list of systems.

        Raises:
            KeyError: If it is neither.
        """
        if _LISTED in tensors:
            return cls.of(tuple(int(z) for z in row if z) for row in tensors[_LISTED])
        return cls(
            elements=frozenset(tensors[_ELEMENTS].tolist()),
            pairs=frozenset(map(tuple, tensors[_PAIRS].tolist())),
            hashes=frozenset(tensors[_HASHES].tolist()),
        )


def hash_of(system: Elements) -> int:
    """The first 64 bits of BLAKE2b of its name (``Cl-Na``): the same on every machine.

    Among the 35,000 systems of a large table, a new one is taken for a known one with a chance of 2e-15.
    """
    name = "-".join(sorted(SYMBOLS[z] for z in system))
    return int.from_bytes(blake2b(name.encode(), digest_size=_BYTES).digest(), "big")
