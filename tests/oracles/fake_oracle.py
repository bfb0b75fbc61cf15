"""An oracle that worker processes can load; each crystal asked about is one line of a file."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Oracle

ALWAYS = 1000


class FakeSettings(OracleParams):
    name: str = "fake-1"
    fmax: float = 0.05
    max_steps: int = 100
    queue: str = "short"


class FakeOracle(Oracle):
    """Energy: minus the edge of the cell.

    Args:
        journal: Gets one line per crystal asked about, before anything happens.
        faults: What happens to the crystal whose first atomic number this is, and the first how many times.
        together: Whether one process shall label all.
        several: Crystals of one call of a worker process.
    """

    settings: FakeSettings
    packages = ("numpy",)
    caveat = "Energies are made up."

    def __init__(
        self,
        journal: Path,
        *,
        faults: Mapping[int, tuple[str, int]] | None = None,
        together: bool = False,
        several: int = 1,
        **settings: object,
    ) -> None:
        super().__init__(FakeSettings.model_validate(settings))
        self.journal = journal
        self.faults = faults or {}
        self.together = together
        self.several = several

    @property
    def at_once(self) -> int:
        return self.several

    @property
    def one_process(self) -> bool:
        return self.together

    def label_settings(self):
        return {name: value for name, value in super().label_settings().items() if name != "queue"}

    def label(self, crystals):
        for index, crystal in enumerate(crystals):
            number = int(crystal.atomic_numbers[0])
            with self.journal.open("a") as journal:  # a short line appended is written whole
                journal.write(f"{number} {os.getpid()} {len(crystals)}\n")
            fault, times = self.faults.get(number, ("", 0))
            if self.asked().count(number) <= times:
                _happen(fault)
            yield index, Label("ok", -float(crystal.lattice[0, 0]), crystal.scaled_to(2 * crystal.volume), 3)

    def asked(self) -> list[int]:
        """Atomic numbers of the crystals labelled so far, sorted."""
        return sorted(int(line.split()[0]) for line in self.lines())

    def lines(self) -> list[str]:
        """Atomic number, process and number of crystals in the call, for each crystal."""
        return self.journal.read_text().splitlines() if self.journal.exists() else []


def _happen(fault: str) -> None:
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "hang":
        while True:
            with suppress(Exception):  # as some libraries do
                time.sleep(1)
    else:
        raise {
            "memory": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            "assertion": AssertionError(),
            "key": KeyError("no such atom"),
            "arithmetic": ArithmeticError("no energy"),
            "installation": LodestoneError("the license has expired", "renew it"),
        }[fault]


def cube(number: int, edge: float = 3.0) -> Crystal:
    return Crystal(np.eye(3) * edge, [number], [[0, 0, 0]])
