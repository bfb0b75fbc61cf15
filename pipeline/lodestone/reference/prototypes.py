"""Prototypes: the AFLOW library (Mehl et al., Comput. Mater. Sci. 136, S1 (2017)) as pymatgen ships it, and more."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.substitution.oxidation_states import ANIONS

METALLOIDS = ("B", "C", "Si", "P", "Ge", "Sn", "Sb", "Bi")
METALS = tuple("Li Na K Rb Mg Ca Sr Ba Sc Y Ti Zr Hf V Nb Cr Mn Fe Co Ni Cu Ag Zn Al Ga In".split())
ELEMENTS = tuple(sorted((*ANIONS, *METALLOIDS, *METALS)))

_LARGEST_CELL = 14
_SYMPREC = 1e-3  # Å
_DIGITS = 8  # so that a structure type has the same bits everywhere


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

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Sites per element."""
        return tuple(int((self.crystal.atomic_numbers == ATOMIC_NUMBERS[el]).sum()) for el in self.elements)

    def decorate(self, elements: tuple[str, ...]) -> Crystal:
        """The prototype with its elements replaced, one for one, at the original volume."""
        pairs = zip(self.elements, elements, strict=True)
        return self.crystal.with_elements({ATOMIC_NUMBERS[old]: ATOMIC_NUMBERS[new] for old, new in pairs})


@lru_cache(maxsize=1)
def load_prototypes() -> dict[str, Prototype]:
    """The library's prototypes of at most 14 sites, by label, sorted; `make reference` decorates these."""
    return {label: p for label, p in _library().items() if len(p.crystal) <= _LARGEST_CELL}


@lru_cache(maxsize=1)
def all_prototypes() -> dict[str, Prototype]:
    """The library's prototypes of any size and those of ``structures.yaml``, by label, sorted."""
    import yaml

    text = files("lodestone.reference").joinpath("structures.yaml").read_text(encoding="utf-8")
    more = {label: _built(label, **facts) for label, facts in yaml.safe_load(text).items()}
    return dict(sorted({**_library(), **more}.items()))


@lru_cache(maxsize=1)
def _library() -> dict[str, Prototype]:
    """Read without pymatgen's own loader, which takes seconds to parse the references of each entry."""
    from pymatgen.core import Structure

    packed = files("pymatgen.analysis").joinpath("prototypes").joinpath("aflow_prototypes.json.gz")
    prototypes: dict[str, Prototype] = {}
    for entry in json.loads(gzip.decompress(packed.read_bytes())):
        label = _unique_label(entry["tags"]["aflow"], prototypes)
        prototypes[label] = _prototype(label, Crystal.from_pymatgen(Structure.from_dict(entry["snl"])))
    return dict(sorted(prototypes.items()))


def _built(label: str, *, group: list[int], cell: list[float], sites: Mapping[str, list[list[float]]]) -> Prototype:
    """The primitive cell of a structure type, from its space group and the sites of the asymmetric unit."""
    from ase.spacegroup import crystal

    number, setting = group
    symbols = [symbol for symbol, places in sites.items() for _ in places]
    basis = [place for places in sites.values() for place in places]
    atoms = crystal(symbols, basis, spacegroup=number, setting=setting, cellpar=cell)
    return _prototype(label, _primitive(Crystal.from_ase(atoms)))


def _primitive(crystal: Crystal) -> Crystal:
    import moyopy

    cell = moyopy.Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.atomic_numbers.tolist())
    primitive = moyopy.MoyoDataset(cell, symprec=_SYMPREC).prim_std_cell
    order = np.argsort([list(crystal.atomic_numbers).index(z) for z in primitive.numbers], kind="stable")
    positions = np.round(np.array(primitive.positions)[order], _DIGITS)
    return Crystal(np.round(primitive.basis, _DIGITS), np.array(primitive.numbers)[order], positions)


def _prototype(label: str, crystal: Crystal) -> Prototype:
    elements = dict.fromkeys(SYMBOLS[number] for number in crystal.atomic_numbers)
    return Prototype(label, crystal, tuple(elements))


def _unique_label(label: str, prototypes: dict[str, Prototype]) -> str:
    candidates = (label if number == 1 else f"{label}-{number}" for number in range(1, len(prototypes) + 2))
    return next(candidate for candidate in candidates if candidate not in prototypes)


def _role(element: str) -> str:
    if element in ANIONS:
        return "anion"
    return "metalloid" if element in (*METALLOIDS, "As", "H") else "metal"
