"""The in-memory crystal and its exact conversions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from math import cbrt
from typing import TYPE_CHECKING

import numpy as np

from lodestone.crystals.arithmetic import determinant, matmul
from lodestone.crystals.elements import SYMBOLS
from lodestone.errors import LodestoneError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Crystal:
    """An ordered periodic crystal.

    Attributes:
        lattice: Lattice vectors as rows, shape ``(3, 3)``, Å.
        atomic_numbers: Shape ``(n,)``, uint8.
        frac_coords: Fractional coordinates, shape ``(n, 3)``.
    """

    lattice: np.ndarray
    atomic_numbers: np.ndarray
    frac_coords: np.ndarray

    def __post_init__(self) -> None:
        """Normalize dtypes and shapes."""
        object.__setattr__(self, "lattice", np.asarray(self.lattice, dtype=float).reshape(3, 3))
        object.__setattr__(self, "atomic_numbers", np.asarray(self.atomic_numbers, dtype=np.uint8))
        object.__setattr__(self, "frac_coords", np.asarray(self.frac_coords, dtype=float).reshape(-1, 3))

    def __len__(self) -> int:
        return len(self.atomic_numbers)

    @cached_property
    def volume(self) -> float:
        """Cell volume in Å3."""
        return abs(determinant(self.lattice))

    @property
    def species(self) -> list[str]:
        """Element symbols, one per site."""
        return [SYMBOLS[z] for z in self.atomic_numbers]

    @property
    def cart_coords(self) -> np.ndarray:
        """Cartesian coordinates, shape ``(n, 3)``, Å."""
        return matmul(self.frac_coords, self.lattice)

    def scaled_to(self, volume: float) -> Crystal:
        """The same crystal isotropically scaled to a cell volume in Å3."""
        return replace(self, lattice=self.lattice * cbrt(volume / self.volume))

    def rounded(self, decimals: int) -> Crystal:
        """The same crystal with so many decimals of the lattice vectors (Å) and the fractional coordinates."""
        lattice, frac_coords = (np.round(x, decimals) + 0.0 for x in (self.lattice, self.frac_coords))  # no -0.0
        return replace(self, lattice=lattice, frac_coords=frac_coords)

    def with_elements(self, mapping: dict[int, int]) -> Crystal:
        """The same crystal with atomic numbers replaced by ``mapping`` (others stay)."""
        table = np.arange(256, dtype=np.uint8)
        for old, new in mapping.items():
            table[old] = new
        return replace(self, atomic_numbers=table[self.atomic_numbers])

    def digest(self) -> str:
        """Content hash of the crystal, rounded to 1e-6, as 32 hex digits."""
        arrays = (np.round(self.lattice, 6) + 0.0, self.atomic_numbers, np.round(self.frac_coords, 6) + 0.0)
        return hashlib.blake2b(b"".join(array.tobytes() for array in arrays), digest_size=16).hexdigest()

    def to_pymatgen(self) -> Structure:
        """Convert to a pymatgen ``Structure``."""
        from pymatgen.core import Structure

        return Structure(self.lattice, self.species, self.frac_coords)

    def to_ase(self) -> Atoms:
        """Convert to an ASE ``Atoms``."""
        from ase import Atoms

        return Atoms(numbers=self.atomic_numbers, cell=self.lattice, scaled_positions=self.frac_coords, pbc=True)

    @classmethod
    def from_pymatgen(cls, structure: Structure) -> Crystal:
        """Convert from a pymatgen ``Structure``.

        Raises:
            LodestoneError: If a site is partially occupied.
        """
        if not structure.is_ordered:
            raise LodestoneError(
                f"structure {structure.composition.formula!r} has partially occupied sites",
                "order it first (pymatgen OrderDisorderedStructureTransformation) or drop the row",
            )
        numbers = [site.specie.Z for site in structure]
        return cls(structure.lattice.matrix, np.array(numbers), structure.frac_coords)

    @classmethod
    def from_ase(cls, atoms: Atoms) -> Crystal:
        """Convert from a periodic ASE ``Atoms``; coordinates are kept unwrapped."""
        return cls(atoms.cell.array, atoms.numbers, atoms.get_scaled_positions(wrap=False))
