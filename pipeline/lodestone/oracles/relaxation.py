"""Relaxations in lockstep: one call of a potential serves all crystals that wait for their forces.

Each crystal has an optimizer of its own (BFGS with the Frechet cell filter of ASE), so that what it relaxes to does not
depend on its neighbors, up to the rounding of the potential.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import reason as reason_of
from lodestone.oracles.base import Label

if TYPE_CHECKING:
    from ase import Atoms

Results = dict[str, Any]  # of ASE's calculators: energy (eV), forces (eV/Å), stress (eV/Å3)
Evaluate = Callable[[Sequence["Atoms"]], list[Results]]
Fault = Callable[[Crystal, Crystal, float], str | None]
Relaxation = Generator["Atoms", Results, Label]


def relax_all(
    crystals: Sequence[Crystal], evaluate: Evaluate, fault: Fault, *, fmax: float, max_steps: int, width: int = 1
) -> Iterator[tuple[int, Label]]:
    """Relax cells and positions.

    Args:
        crystals: Where to start.
        evaluate: Energies, forces and stresses of several crystals.
        fault: Why a state (the start, the state, its energy in eV/atom) ends a relaxation; ``None`` if it does not.
        fmax: Largest residual force, eV/Å.
        max_steps: Steps after which a relaxation counts as failed.
        width: Crystals that are relaxed at once; where one is finished, the next takes its place.

    Yields:
        Index of a crystal and its label, as soon as it is known.
    """
    waiting = ((index, _relaxation(crystal, fault, fmax, max_steps)) for index, crystal in enumerate(crystals))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        active = [(index, one, next(one)) for index, one in islice(waiting, width)]
        while active:
            going = []
            for (index, one, _), result in zip(
                active, _evaluated([atoms for *_, atoms in active], evaluate), strict=True
            ):
                try:
                    going.append((index, one, one.throw(result) if isinstance(result, Exception) else one.send(result)))
                except StopIteration as end:
                    yield index, end.value
            started = islice(waiting, width - len(going))
            active = going + [(index, one, next(one)) for index, one in started]


def _evaluated(many: list[Atoms], evaluate: Evaluate) -> list[Results | Exception]:
    """Results of each; if all together fail, one by one, so that only the one at fault has an error instead."""
    try:
        return [*evaluate(many)]
    except LodestoneError:
        raise
    except Exception as error:  # a potential may raise anything
        return [error] if len(many) == 1 else [x for atoms in many for x in _evaluated([atoms], evaluate)]


def _relaxation(start: Crystal, fault: Fault, fmax: float, max_steps: int) -> Relaxation:
    """Asks for the results of its atoms, moves them, and so on; returns the label."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = start.to_ase()
    cell = FrechetCellFilter(atoms)
    optimizer = BFGS(cell, logfile=None)  # type: ignore[arg-type]  # a filter acts as Atoms
    optimizer.fmax = fmax  # type: ignore[assignment]
    cell.get_forces = remembered(cell.get_forces, atoms)  # type: ignore[method-assign]
    for step in range(max_steps + 1):
        try:
            results = yield atoms
        except Exception as error:
            return Label(reason_of(error), n_steps=step)
        if not all(np.isfinite(value).all() for value in results.values()):
            return Label("not_finite", n_steps=step)
        atoms.calc = SinglePointCalculator(atoms, **results)
        energy, current = float(results["energy"] / len(atoms)), Crystal.from_ase(atoms)
        reason = fault(start, current, energy)
        if reason is not None:
            return Label(reason, n_steps=step)
        if optimizer.converged():
            return Label("ok", energy, current, step)
        optimizer.step()
    return Label("not_converged", n_steps=max_steps)


def remembered(get_forces: Callable[..., np.ndarray], atoms: Atoms) -> Callable[..., np.ndarray]:
    """The forces of the current atoms and cell, computed once.

    The optimizer asks for them three times a step, and the filter takes logarithms of the cell each time: a tenth of a
    relaxation of a small cell. The numbers are the same to the last bit.
    """
    known: dict[bytes, np.ndarray] = {}

    def forces(**options: Any) -> np.ndarray:
        state = atoms.positions.tobytes() + atoms.cell.array.tobytes()
        if state not in known:
            known.clear()
            known[state] = get_forces(**options)
        return known[state].copy()

    return forces
