"""Oracles that worker processes can load; each crystal asked about is one line of a file."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label, RelaxationSettings


@dataclass(frozen=True)
class FakeOracle:
    """Energy: minus the edge of the cell. Fails on the crystal whose first atomic number is ``fails_on``."""

    journal: Path
    settings: RelaxationSettings = field(default_factory=RelaxationSettings)
    name: str = "fake-1"
    fails_on: int = 0

    def label(self, crystal: Crystal) -> Label:
        number = int(crystal.atomic_numbers[0])
        if number == self.fails_on:
            raise ArithmeticError(f"no energy for {number}")
        with self.journal.open("a") as journal:  # a short line appended is written whole
            journal.write(f"{number} {os.getpid()}\n")
        return Label("ok", -float(crystal.lattice[0, 0]), crystal.scaled_to(2 * crystal.volume), 3, 0.1)

    def asked(self) -> list[int]:
        """Atomic numbers of the crystals labelled so far, sorted."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return sorted(int(line.split()[0]) for line in lines)


def cube(number: int, edge: float = 3.0) -> Crystal:
    return Crystal(np.eye(3) * edge, [number], [[0, 0, 0]])
