"""A machine with a VASP that is none, and with pseudopotentials that are none."""

import multiprocessing
import os
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fake_potentials import write_potentials
from pymatgen.core import SETTINGS

from lodestone.runtime import workers

FAKE = Path(__file__).with_name("fake_vasp.py")


@dataclass(frozen=True)
class World:
    """Where VASP runs, and what it has done."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def starts(self) -> list[tuple[str, float]]:
        """Folder and first edge of each calculation that has begun."""
        journal = self.folder / "journal"
        rows = [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []
        return [(name, float(edge)) for name, _, edge in rows]

    def edges(self) -> list[float]:
        return [edge for _, edge in self.starts()]


def make_world(folder: Path, monkeypatch, elements: Iterable[str] = ("Na", "Cl", "Mn", "O")) -> World:
    potentials = str(write_potentials(folder / "potentials", elements))
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", potentials)
    variables = {
        "PMG_VASP_PSP_DIR": potentials,
        "LODESTONE_VASP": shlex.join([sys.executable, str(FAKE)]),
        "LODESTONE_VASP_RUNS": str(folder / "runs"),
        "FAKE_VASP": "good",
        "FAKE_VASP_JOURNAL": str(folder / "journal"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return World(folder)


def let_workers_know(monkeypatch) -> None:
    """Start each worker afresh: the server of another test has read where pseudopotentials are, and keeps that."""
    monkeypatch.setattr(workers, "_context", lambda _: multiprocessing.get_context("spawn"))
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
