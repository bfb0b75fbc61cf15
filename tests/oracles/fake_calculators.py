"""Calculators that go wrong, each in its own way; imported by their path."""

from contextlib import contextmanager

import numpy as np
import pytest
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT


class Faulty(EMT):
    """EMT whose results one thing is the matter with.

    Args:
        what: ``raises``, ``memory``, or the result that is not finite.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        if self.what == "raises":
            raise ArithmeticError("the density does not converge")
        if self.what == "memory":
            raise RuntimeError("CUDA out of memory")
        super().calculate(atoms, properties, system_changes)
        self.results[self.what] = self.results[self.what] * np.nan


class Remembering(EMT):
    """Energies rise with every call since it was told to forget."""

    calls = 0

    def reset(self):
        super().reset()
        self.calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        self.results["energy"] += 1e-3 * self.calls


class EnergyOnly(EMT):
    """No forces, no stresses."""

    implemented_properties = ("energy",)


def of_file(path: str) -> EMT:
    """One that reads a file of weights.

    Args:
        path: The file.
    """
    with open(path) as file:
        assert file.read().startswith("weights"), "the file is cut short"
    return EMT()


def gives_nothing() -> None:
    """No calculator."""


@contextmanager
def no_derivatives():
    """Whoever asks torch for a derivative inside fails."""
    import torch

    def refuse(*_, **__):
        raise AssertionError("a derivative was taken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.autograd, "_engine_run_backward", refuse)
        yield
