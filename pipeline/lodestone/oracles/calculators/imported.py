"""Calculators of ASE by their import path."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lodestone.errors import LodestoneError
from lodestone.runtime.memory import is_out_of_memory

if TYPE_CHECKING:
    from ase import Atoms


@lru_cache(maxsize=2)  # a chain has two
def calculator_of(path: str, arguments: str, packages: tuple[str, ...] = ()) -> Any:
    """A calculator, made once per process.

    Args:
        path: Of a class or function that gives one: ``module:Class`` or ``module.function``.
        arguments: Its arguments by name, as JSON.
        packages: What it comes with, as pip calls it.

    Raises:
        LodestoneError: If it cannot be imported or made.
    """
    make = _imported(path, packages)
    try:
        calculator = make(**json.loads(arguments))
    except Exception as error:  # whatever a constructor raises
        if is_out_of_memory(error):
            raise
        raise LodestoneError(
            f"oracle.calculator: {path} cannot be made with oracle.arguments: {type(error).__name__}: {error}",
            "correct the arguments; a model file that they name may be cut short",
        ) from error
    if not hasattr(calculator, "get_potential_energy"):
        raise LodestoneError(
            f"oracle.calculator: {path} gives no calculator of ASE, but {type(calculator).__name__}",
            "name a class or function that does",
        )
    return calculator


def forget(calculator: Any) -> None:
    """Let a calculator forget the last crystal, if it can."""
    if hasattr(calculator, "reset"):
        calculator.reset()


def results_of(calculator: Any, atoms: Atoms, *, derivatives: bool) -> dict[str, Any]:
    """Energy (eV), and forces (eV/Å) and stress (eV/Å3) if asked for, of a crystal, which stays as it is.

    Raises:
        LodestoneError: If the calculator has no forces or stresses.
    """
    from ase.calculators.calculator import PropertyNotImplementedError

    copy = atoms.copy()
    copy.calc = calculator
    try:
        gradients = {"stress": copy.get_stress(), "forces": copy.get_forces()} if derivatives else {}
        return {"energy": float(copy.get_potential_energy()), **gradients}
    except PropertyNotImplementedError as error:
        raise LodestoneError(
            f"oracle.calculator: {type(calculator).__name__} lacks a property: {error}",
            "choose one that gives energies, forces and stresses, as a cell is relaxed, too",
        ) from error


def _imported(path: str, packages: tuple[str, ...]) -> Any:
    module, _, name = path.rpartition(":" if ":" in path else ".")
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # a module may raise anything while it is imported
        listed = " ".join(packages)
        raise LodestoneError(
            f"oracle.calculator: {path} cannot be imported: {type(error).__name__}: {error}",
            f"pip install {listed}" if listed else "correct the path, or install the package that it comes with",
        ) from error
