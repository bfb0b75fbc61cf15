"""An oracle for tests of the closing loop, which labels in the process of the test."""

import os
from pathlib import Path

from lodestone.config.sections import OracleParams
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Oracle

_CHARGES = {11: 1.0, 12: 0.5, 17: -1.0, 8: -0.8}  # of Na, Mg, Cl and O: opposites attract


class FakePotential(Oracle):
    """Keeps each crystal as it is, notes its digest in ``$FAKE_JOURNAL``, and stops after ``$FAKE_LIMIT`` of them."""

    packages = ("chgnet",)
    caveat = "Energies are made up."

    def __init__(self):
        super().__init__(OracleParams(name="fake-potential"))

    @property
    def one_process(self):
        return True  # the tests wait for no worker processes

    def label(self, crystals):
        for index, crystal in enumerate(crystals):
            journal = Path(os.environ["FAKE_JOURNAL"])
            done = journal.read_text().splitlines() if journal.exists() else []
            if len(done) >= int(os.environ.get("FAKE_LIMIT", "100000")):
                raise LodestoneError("interrupted", "go on")
            with journal.open("a") as file:
                file.write(crystal.digest() + "\n")
            if "FAKE_DENSE" in os.environ and crystal.volume / len(crystal) < float(os.environ["FAKE_DENSE"]):
                yield index, Label("exploded", n_steps=1)
            elif len(crystal) == 3 and 8 in crystal.atomic_numbers:
                yield index, Label("not_converged", n_steps=100)
            else:
                yield index, Label("ok", energy_of(crystal), crystal, 1)


def energy_of(crystal):
    """Lower the more its atoms differ in charge, and higher by something that depends on the structure."""
    charges = [_CHARGES[int(z)] for z in crystal.atomic_numbers]
    mean = sum(charges) / len(charges)
    spread = sum((charge - mean) ** 2 for charge in charges) / len(charges)
    arrangement = int(crystal.scaled_to(10.0 * len(crystal)).digest()[:4], 16) / 65535
    return -3.0 - spread + 0.6 * arrangement
