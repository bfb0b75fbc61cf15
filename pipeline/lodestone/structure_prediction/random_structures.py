"""Random structures along symmetry, by PyXtal (Fredericks et al., Comput. Phys. Commun. 261, 107810 (2021))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.motions import primitive_motions
from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import Outcome, process_each
from lodestone.structure_prediction.formulas import Formula

_LAST_SPACE_GROUP = 230


@dataclass(frozen=True)
class RandomStructure:
    """A structure to be made.

    Attributes:
        formula: Its composition.
        max_sites: Most atoms of its primitive cell.
        volume: Of one formula unit, Å3.
        seed: Decides number of formula units, space group, lattice and positions.
    """

    formula: Formula
    max_sites: int
    volume: float
    seed: int

    def make(self) -> Crystal:
        """A primitive cell in a random one of the space groups that have room for the atoms.

        Raises:
            Exception: What PyXtal raises if it finds no places that are far enough from each other.
        """
        rng = np.random.default_rng(self.seed)
        units = int(rng.integers(1, self.max_sites // len(self.formula) + 1))
        crystal, _ = primitive_motions(_along_symmetry(self.formula, units, rng))
        return crystal.scaled_to(self.volume * len(crystal) / len(self.formula))


def _along_symmetry(formula: Formula, units: int, rng: np.random.Generator) -> Crystal:
    """So many formula units for each lattice point, in a random space group."""
    from pyxtal import pyxtal
    from pyxtal.msg import Comp_CompatibilityError

    symbols, counts = [SYMBOLS[z] for z in formula.elements], [units * n for n in formula.counts]
    for group in [*rng.permutation(np.arange(2, _LAST_SPACE_GROUP + 1)).tolist(), 1]:
        made = pyxtal()
        with suppress(Comp_CompatibilityError):  # its positions are too many for the atoms; P1 has room for any
            made.from_random(3, group, symbols, counts, conventional=False, random_state=rng)
            break
    return Crystal.from_ase(made.to_ase())


def check_installed() -> None:
    """See to it that PyXtal is there.

    Raises:
        LodestoneError: If not.
    """
    if find_spec("pyxtal") is None:
        remedy = "pip install 'lodestone-materials[random-structures]', or set random_structures of the generator to 0"
        raise LodestoneError("random structures need the package pyxtal, which is not installed", remedy)


def random_structures(tasks: Mapping[str, RandomStructure], max_seconds: float) -> Iterator[Outcome[Crystal]]:
    """Make structures on all cores, each within a time limit.

    Args:
        tasks: Structures to be made, by key.
        max_seconds: Where PyXtal takes longer for one, its process is killed.

    Yields:
        For each key a crystal, or the error; :class:`lodestone.runtime.parallel.OutOfTimeError` after the limit.
    """
    yield from process_each(_make, tasks, ("pyxtal",), max_seconds=max_seconds)


def _make(task: RandomStructure) -> Crystal:
    return task.make()
