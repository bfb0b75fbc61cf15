"""Stands for CHGNet in tests of the builder; worker processes can load it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label, RelaxationSettings


@dataclass(frozen=True)
class FakeCHGNet:
    """Keeps each crystal as it is; refuses those below ``$FAKE_DENSE`` Å3/atom as exploded, notes each in a file."""

    settings: RelaxationSettings = field(default_factory=RelaxationSettings)
    name: str = "fake-chgnet"

    def label(self, crystal: Crystal) -> Label:
        journal = Path(os.environ["FAKE_JOURNAL"])
        if journal.exists() and len(journal.read_text()) >= int(os.environ.get("FAKE_LIMIT", "1000")):
            raise ArithmeticError("interrupted")
        with journal.open("a") as file:
            file.write(".")
        per_atom = crystal.volume / len(crystal)
        if per_atom < float(os.environ.get("FAKE_DENSE", "0")):
            return Label("exploded", None, None, 1, 0.0)
        return Label("ok", per_atom / 100, crystal, 1, 0.0)
