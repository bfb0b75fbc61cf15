"""What an oracle's energies differ by from those of a source, learned on crystals of which both are known.

Three ways: by the rules of correction schemes (:mod:`lodestone.corrections`); by one energy for each element,
fitted to the differences; or both, the fit to what the rules leave (:mod:`lodestone.curation.learned_difference`). The
error that is left is measured, and adds to the predicted errors of candidates that the oracle will verify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from lodestone.corrections.chemistry import chemistry_of
from lodestone.corrections.rules import correction
from lodestone.corrections.schemes import scheme
from lodestone.crystals.compositions import N_ELEMENTS, atomic_fractions, weighted_sums
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Labeller
from lodestone.substitution.oxidation_states import ANIONS, electronegativities

ALLOY, ALL = "alloy", "all"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What must be added to the energies of an oracle, and the error that is left.

    Attributes:
        kind: ``none``, ``corrections``, ``learned`` or ``both``.
        offsets: For each element, the energy of an atom, eV; with the references of both, so that they need not meet.
        schemes: Correction schemes of the oracle and of the source, if their rules are applied.
        errors: By chemistry (the most electronegative element, if it is an anion, else ``alloy``) and for ``all``:
            number of crystals ``n``, ``mae``, ``bias`` and ``std``, eV/atom, on formulas left out of the fit.
        versions: Of the schemes.
    """

    kind: str = "none"
    offsets: Mapping[str, float] = field(default_factory=dict)
    schemes: tuple[str, str] | None = None
    errors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def energies(self, crystals: Sequence[Crystal]) -> np.ndarray:
        """What to add to the total energy of each crystal, shape ``(n,)``, eV/atom.

        Raises:
            LodestoneError: If a crystal has an element of which nothing was learned.
        """
        if self.kind == "none" or not crystals:
            return np.zeros(len(crystals))
        fractions = atomic_fractions([crystal.atomic_numbers for crystal in crystals])
        unknown = [SYMBOLS[z] for z in np.flatnonzero(fractions.any(axis=0)) if SYMBOLS[z] not in self.offsets]
        if unknown:
            remedy = "leave them out by snapshot.filters.elements"
            raise LodestoneError(f"no difference between oracle and source is known for {', '.join(unknown)}", remedy)
        return weighted_sums(fractions, by_number(self.offsets)) + rules(crystals, self.schemes)

    def std(self, crystals: Sequence[Crystal]) -> np.ndarray:
        """Standard deviation of the error that is left, shape ``(n,)``, eV/atom: 0 where nothing is added."""
        if self.kind == "none":
            return np.zeros(len(crystals))
        known = [self.errors.get(chemistry_name(crystal), self.errors[ALL]) for crystal in crystals]
        return np.array([error["std"] for error in known], dtype=float)

    def applied(self, label: Labeller) -> Labeller:
        """The same labeller, its energies brought to the scale of the source."""

        def shifted(crystals: Sequence[Crystal]) -> list[Label]:
            labels = label(crystals)
            good = [one.crystal for one in labels if one.crystal is not None]
            added = iter(self.energies(good).tolist())
            return [
                replace(one, energy_per_atom=one.energy_per_atom + next(added))
                if one.crystal is not None and one.energy_per_atom is not None
                else one
                for one in labels
            ]

        return label if self.kind == "none" else shifted

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"schemes": None if self.schemes is None else list(self.schemes)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Difference:
        """The inverse of :meth:`as_dict`."""
        schemes = content["schemes"]
        return cls(**{**content, "schemes": None if schemes is None else tuple(schemes)})


def chemistry_name(crystal: Crystal) -> str:
    """The anion that is the most electronegative element of a crystal, or ``alloy``."""
    last = max(set(crystal.species), key=lambda symbol: (symbol in ANIONS, electronegativities().get(symbol, 0.0)))
    return last if last in ANIONS else ALLOY


def rules(crystals: Sequence[Crystal], schemes: tuple[str, str] | None) -> np.ndarray:
    """What total energies change by from one scheme to another, shape ``(n,)``, eV/atom; 0 without schemes."""
    if schemes is None:
        return np.zeros(len(crystals))
    old, new = map(scheme, schemes)
    chemistries = map(chemistry_of, crystals)
    return np.array([correction(one, new) - correction(one, old) for one in chemistries])


def by_number(energies: Mapping[str, float]) -> np.ndarray:
    """Energies of elements by atomic number, shape ``(N_ELEMENTS,)``, 0 where none is given."""
    values = np.zeros(N_ELEMENTS)
    for symbol, energy in energies.items():
        values[ATOMIC_NUMBERS[symbol]] = energy
    return values
