"""The folder of one run: who may be in it, what of it goes on after an interruption, and what is kept at the end."""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lodestone.crystals.crystal import Crystal
from lodestone.tables.files import write_atomically

_LEAVINGS = ("WAVECAR*", "CHG*", "AECCAR*", "LOCPOT*", "PROCAR*", "DOSCAR*", "POTCAR*", "vasprun.xml.*[!z]")
# What VASP would read if it were there: written by custodian, by a user, or cut short when VASP was killed.
_UNASKED = ("KPOINTS", "STOPCAR", "WAVECAR", "CHGCAR")
_SHORTEST = 0.5  # Å between two atoms, below which a CONTCAR is damaged
_STRUCTURES = ("CONTCAR", "POSCAR", "CONTCAR.relax1", "POSCAR.orig")  # the best first


@dataclass(frozen=True)
class RunFolder:
    """A folder in which VASP runs one crystal.

    Attributes:
        path: The folder; absolute.
        suffixes: What the calculations in it are called that follow one another, as in ``vasprun.xml.relax2``.
    """

    path: Path
    suffixes: Sequence[str]

    @property
    def result(self) -> Path:
        """The run; it is there as soon as all has been computed."""
        return self.path / "vasprun.xml.gz"

    @property
    def running(self) -> Path:
        """Locked while VASP runs."""
        return self.path.with_name(f".{self.path.name}.running")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be alone in it, until the end of the block or of this process; waits for another one, and for its VASP."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.path.with_name(f".{self.path.name}.lock")):
            with _locked(self.running):
                pass
            yield

    def prepare(self, files: Mapping[str, str]) -> int:
        """Write the input files, or go on from what an interrupted run has reached.

        Args:
            files: Text of each input file by its name.

        Returns:
            Calculations that are finished.
        """
        reached = self._reached(files["POSCAR"])
        if reached is None:
            shutil.rmtree(self.path, ignore_errors=True)
            self._write(files)
            return 0
        for name in set(_UNASKED) - set(files):
            (self.path / name).unlink(missing_ok=True)
        self._write({**files, "POSCAR": reached, "CONTCAR": reached})
        return self.n_finished

    @property
    def n_finished(self) -> int:
        """Calculations that have ended well."""
        done = [(self.path / f"vasprun.xml{suffix}").is_file() for suffix in self.suffixes]
        return [*done, False].index(False)

    def finish(self) -> None:
        """Keep the run, packed; then remove what is large and no longer needed."""
        content = (self.path / f"vasprun.xml{self.suffixes[-1]}").read_bytes()
        write_atomically(self.result, lambda target: target.write_bytes(gzip.compress(content, mtime=0)))
        self._clean()

    def set_aside(self) -> None:
        """Leave a failed run for the user to look at, so that the next one begins anew."""
        self._clean()
        aside = self.path.with_name(f"{self.path.name}.failed")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(self.path, aside)

    def _clean(self) -> None:
        for file in {file for pattern in _LEAVINGS for file in self.path.glob(pattern)}:
            file.unlink(missing_ok=True)

    def _write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            write_atomically(self.path / name, partial(Path.write_text, data=text, encoding="utf-8"))

    def _reached(self, start: str) -> str | None:
        """The best structure of an interrupted run as POSCAR, or ``None`` where there is no sound one."""
        texts = (_text(self.path / name) for name in _STRUCTURES)
        return next((text for text in texts if _is_sound(text, start)), None)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _is_sound(text: str, start: str) -> bool:
    """Whether a structure is whole: all atoms of the start, none too close."""
    from pymatgen.io.vasp import Poscar

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            now, before = (Poscar.from_str(each).structure for each in (text, start))
        crystal = Crystal.from_pymatgen(now)
    except Exception:  # pymatgen raises many types
        return False
    return now.species == before.species and crystal.volume > 0 and bool(now.is_valid(tol=_SHORTEST))
