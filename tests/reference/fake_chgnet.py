"""Stands for CHGNet in tests of the builder; worker processes can load it."""

import os
from pathlib import Path

from lodestone.config.sections import OracleParams
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Label, Oracle


class FakeCHGNet(Oracle):
    """Keeps each crystal as it is; refuses those below ``$FAKE_DENSE`` Å3/atom as exploded, notes each in a file."""

    packages = ("chgnet",)
    caveat = "Energies are made up."

    def __init__(self) -> None:
        super().__init__(OracleParams(name="fake-chgnet"))

    def label(self, crystals):
        for index, crystal in enumerate(crystals):
            journal = Path(os.environ["FAKE_JOURNAL"])
            if journal.exists() and len(journal.read_text()) >= int(os.environ.get("FAKE_LIMIT", "1000")):
                raise LodestoneError("interrupted", "go on")
            with journal.open("a") as file:
                file.write(".")
            per_atom = crystal.volume / len(crystal)
            if per_atom < float(os.environ.get("FAKE_DENSE", "0")):
                yield index, Label("exploded", n_steps=1)
            else:
                yield index, Label("ok", per_atom / 100, crystal, 1)
