"""Reactions with amounts in moles and energies as laboratories count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

KILOJOULES = 96.48533212  # per mole, in one electronvolt per formula unit (CODATA 2018)
ARROW = "->"
_LARGEST_MULTIPLE = 120
_ROUNDING = 1e-6  # of an amount, mol


@dataclass(frozen=True)
class Substance:
    """One side's part of a reaction.

    Attributes:
        formula: Its formula unit.
        amount: Moles of it for one mole of formula units of the find.
        material_id: The phase; ``None`` for a reference element that is no known phase.
    """

    formula: str
    amount: float
    material_id: str | None = None

    def __post_init__(self) -> None:
        """Cut what linear algebra leaves in the last digits, so that equal input gives equal bytes."""
        object.__setattr__(self, "amount", round(self.amount, 9))


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """A balanced reaction that makes or takes one formula unit of a find.

    Attributes:
        reactants: What goes in.
        products: What comes out.
        energy: Products less reactants at 0 K, eV per formula unit of the find; negative: downhill.
        n_atoms: Atoms in this formula unit.
    """

    reactants: tuple[Substance, ...]
    products: tuple[Substance, ...]
    energy: float
    n_atoms: float

    @property
    def energy_per_atom(self) -> float:
        """EV per atom of the find."""
        return round(self.energy / self.n_atoms, 6)

    @property
    def kilojoules(self) -> float:
        """KJ per mole of formula units of the find."""
        return round(self.energy * KILOJOULES, 3)

    @property
    def equation(self) -> str:
        """With whole numbers where there are small ones, e.g. ``K2S + Y2S3 -> 2 KYS2``."""
        multiple = _whole_multiple([one.amount for one in (*self.reactants, *self.products)])
        return f" {ARROW} ".join(_side(side, multiple) for side in (self.reactants, self.products))

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "equation": self.equation,
            "reactants": [_substance(one) for one in self.reactants],
            "products": [_substance(one) for one in self.products],
            "reaction_energy_ev_per_atom": self.energy_per_atom,
            "reaction_energy_kj_per_mol": self.kilojoules,
        }


def atoms_in(formula: str) -> float:
    """Number of atoms in a formula unit."""
    from pymatgen.core import Composition

    return float(Composition(formula).num_atoms)


def _substance(one: Substance) -> dict[str, Any]:
    return {"formula": one.formula, "amount_mol": one.amount, "material_id": one.material_id}


def _whole_multiple(amounts: Sequence[float]) -> int:
    """The smallest that makes all amounts whole; 1 where none does."""
    multiples = range(1, _LARGEST_MULTIPLE + 1)
    return next((n for n in multiples if all(abs(x * n - round(x * n)) < n * _ROUNDING for x in amounts)), 1)


def _side(substances: Sequence[Substance], multiple: int) -> str:
    return " + ".join(_term(one.formula, one.amount * multiple) for one in substances)


def _term(formula: str, amount: float) -> str:
    number = f"{amount:.4f}".rstrip("0").rstrip(".")
    return formula if number == "1" else f"{number} {formula}"
