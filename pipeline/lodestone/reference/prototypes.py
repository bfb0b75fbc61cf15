"""Prototypes of the AFLOW library (Mehl et al., Comput. Mater. Sci. 136, S1 (2017)), as pymatgen ships them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.substitution.oxidation_states import ANIONS

METALLOIDS = ("B", "C", "Si", "P", "Ge", "Sn", "Sb", "Bi")
METALS = tuple("Li Na K Rb Mg Ca Sr Ba Sc Y Ti Zr Hf V Nb Cr Mn Fe Co Ni Cu Ag Zn Al Ga In".split())
ELEMENTS = tuple(sorted((*ANIONS, *METALLOIDS, *METALS)))

_LARGEST_CELL = 14


@dataclass(frozen=True)
class Prototype:
    """A crystal to be decorated.

    Attributes:
        label: AFLOW label, e.g. ``AB_cF8_225_a_b``, with a number where AFLOW lists several parameter sets.
        crystal: The original compound's crystal.
        elements: The original elements, heaviest site role first as AFLOW lists them.
    """

    label: str
    crystal: Crystal
    elements: tuple[str, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """Role of each element: ``metal``, ``metalloid`` or ``anion``."""
        return tuple(_role(element) for element in self.elements)

    @property
    def counts(self) -> tuple[int, ...]:
        """Sites per element."""
        return tuple(int((self.crystal.atomic_numbers == ATOMIC_NUMBERS[el]).sum()) for el in self.elements)

    def decorate(self, elements: tuple[str, ...]) -> Crystal:
        """The prototype with its elements replaced, one for one, at the original volume."""
        pairs = zip(self.elements, elements, strict=True)
        return self.crystal.with_elements({ATOMIC_NUMBERS[old]: ATOMIC_NUMBERS[new] for old, new in pairs})


@lru_cache(maxsize=1)
def load_prototypes() -> dict[str, Prototype]:
    """All prototypes of at most 14 sites, by label, sorted."""
    from monty.serialization import loadfn

    library = loadfn(str(files("pymatgen.analysis.prototypes") / "aflow_prototypes.json.gz"))
    prototypes: dict[str, Prototype] = {}
    for entry in library:
        structure = entry["snl"].structure
        if len(structure) <= _LARGEST_CELL:
            label = _unique_label(entry["tags"]["aflow"], prototypes)
            prototypes[label] = _prototype(label, structure)
    return dict(sorted(prototypes.items()))


def _prototype(label: str, structure: Any) -> Prototype:
    crystal = Crystal.from_pymatgen(structure)
    elements = dict.fromkeys(SYMBOLS[number] for number in crystal.atomic_numbers)
    return Prototype(label, crystal, tuple(elements))


def _unique_label(label: str, prototypes: dict[str, Prototype]) -> str:
    candidates = (label if number == 1 else f"{label}-{number}" for number in range(1, len(prototypes) + 2))
    return next(candidate for candidate in candidates if candidate not in prototypes)


def _role(element: str) -> str:
    if element in ANIONS:
        return "anion"
    return "metalloid" if element in (*METALLOIDS, "As", "H") else "metal"
