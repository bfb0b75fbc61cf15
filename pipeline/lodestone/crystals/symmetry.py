"""Space groups and prototype labels (moyopy)."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, gcd
from string import ascii_uppercase
from typing import Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.runtime.parallel import n_workers, process_all

SYMPREC = 0.1
ORBIT_SYMPREC = 0.01
_FEW = 2_000  # crystals: they are done before processes for them would have started


@dataclass(frozen=True)
class Symmetry:
    """Symmetry of a crystal.

    Attributes:
        spacegroup_number: International number, 1 to 230.
        prototype: Label independent of the elements, e.g. ``AB_cF8_225_4:m-3m_4:m-3m``.
        decorated: The same with the elements on their orbits; equal if composition and prototype are equal.
    """

    spacegroup_number: int
    prototype: str
    decorated: str


def symmetry_of(crystal: Crystal, symprec: float = SYMPREC) -> Symmetry:
    """Find space group and prototype label.

    The label names each orbit by multiplicity and site symmetry instead of its Wyckoff letter, so that it does not
    depend on the choice of origin; it needs no canonicalisation over the normalizer (compare Hicks et al., Comput.
    Mater. Sci. 161, S1 (2019)).

    Args:
        crystal: Any cell of the crystal, primitive or not.
        symprec: Tolerance in Å; lowered tenfold, twice, where moyopy fails; then P1 is assumed.
    """
    data = dataset_of(crystal, symprec)
    if data is not None:
        return _symmetry(data, crystal)
    sizes = zip(*np.unique(crystal.atomic_numbers, return_counts=True), strict=True)
    return _labels(1, f"aP{len(crystal)}", {int(z): [(1, "1")] * int(n) for z, n in sizes})


def symmetries_of(crystals: Sequence[Crystal]) -> list[Symmetry]:
    """Space groups and prototype labels of crystals; on all cores where there are many, as moyopy takes 0.3 ms each."""
    if len(crystals) <= _FEW:
        return _symmetries(crystals)
    size = ceil(len(crystals) / n_workers())
    pieces = {str(start): crystals[start : start + size] for start in range(0, len(crystals), size)}
    found = dict(process_all(_symmetries, pieces, ("moyopy",)))
    return [symmetry for start in pieces for symmetry in found[start]]


def _symmetries(crystals: Sequence[Crystal]) -> list[Symmetry]:
    return [symmetry_of(crystal) for crystal in crystals]


def orbits_of(crystal: Crystal, symprec: float = ORBIT_SYMPREC) -> np.ndarray:
    """Number the orbits of the atoms under the space group.

    Args:
        crystal: Any cell of the crystal, primitive or not.
        symprec: Tolerance in Å; where moyopy fails, each atom is its own orbit.

    Returns:
        Shape ``(n,)``, starting at 0; atoms of one orbit are equivalent.
    """
    data = dataset_of(crystal, symprec)
    return np.arange(len(crystal)) if data is None else np.unique(data.orbits, return_inverse=True)[1]


def orbits_by_element(decorated: str) -> dict[int, str]:
    """Parse a decorated label: share of the formula and orbits of each element.

    Returns:
        By atomic number; two elements with equal entries can be swapped.
    """
    heads = (entry.split("=", 1) for entry in decorated.split("_")[2:])
    split = ((head.rstrip("0123456789"), head, orbits) for head, orbits in heads)
    return {ATOMIC_NUMBERS[symbol]: f"{head[len(symbol) :]}={orbits}" for symbol, head, orbits in split}


def dataset_of(crystal: Crystal, symprec: float) -> Any:
    """What moyopy says of a crystal, at the tolerance or, where it fails, at a finer one; ``None`` if all fail."""
    import moyopy

    # It warns about every cell whose symmetry is higher than its lattice's. Setting empties a cache of all loggers.
    if (logger := logging.getLogger("moyo")).level != logging.ERROR:
        logger.setLevel(logging.ERROR)
    cell = moyopy.Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.atomic_numbers.tolist())
    for precision in (symprec, symprec / 10, symprec / 100):
        try:
            return moyopy.MoyoDataset(cell, symprec=precision)
        except Exception:  # noqa: S112 - moyopy raises its own error types, none of them public; a finer one may do
            continue
    return None


def _symmetry(data: Any, crystal: Crystal) -> Symmetry:
    conventional = len(data.std_cell.numbers) / len(crystal)
    sizes = np.bincount(data.orbits, minlength=len(crystal))
    orbits: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for site in np.unique(data.orbits):
        multiplicity = round(sizes[site] * conventional)
        orbits[int(crystal.atomic_numbers[site])].append((multiplicity, data.site_symmetry_symbols[site]))
    return _labels(data.number, data.pearson_symbol, orbits)


def _labels(number: int, pearson: str, orbits: dict[int, list[tuple[int, str]]]) -> Symmetry:
    counts = {z: sum(multiplicity for multiplicity, _ in sites) for z, sites in orbits.items()}
    divisor = gcd(*counts.values())
    named = {z: "+".join(f"{m}:{symbol}" for m, symbol in sorted(sites)) for z, sites in orbits.items()}
    order = sorted(named, key=lambda z: (counts[z], named[z]))
    anonymous = "".join(f"{ascii_uppercase[i]}{_count(counts[z] // divisor)}" for i, z in enumerate(order))
    prototype = "_".join([anonymous, pearson, str(number), *(named[z] for z in order)])
    by_element = sorted(f"{SYMBOLS[z]}{_count(counts[z] // divisor)}={named[z]}" for z in orbits)
    return Symmetry(number, prototype, "_".join([pearson, str(number), *by_element]))


def _count(number: int) -> str:
    return "" if number == 1 else str(number)
