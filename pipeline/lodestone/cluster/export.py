"""Chosen candidates as files to compute from: a folder with a POSCAR for each, all as CIF, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lodestone.cluster.waiting import Chosen
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.tables.files import write_atomically

TABLE = "candidates.csv"
COLUMNS = (
    "material_id",
    "formula_pretty",
    "chemsys",
    "nsites",
    "acquired_by",
    "formation_energy_per_atom_pred",
    "formation_energy_per_atom_std",
    "energy_above_hull_pred",
    "stability_probability",
    "generator",
    "provenance",
)
_DIGITS = 10


def write_candidates(chosen: Sequence[Chosen], folder: Path) -> Path:
    """Write ``ID/POSCAR`` and ``cifs/ID.cif`` for each candidate, and then the table of all of them.

    VASP may run in ``folder/ID``; `lodestone labels import folder` finds the results there. What else lies in the
    folder stays as it is.

    Args:
        chosen: The candidates.
        folder: Is created where it is missing.

    Returns:
        The table. It is written last, so that where it is, the structures are.

    Raises:
        LodestoneError: If another crystal lies under the name of one of them, or the disk refuses.
    """
    texts = {candidate.material_id: poscar_text(candidate) for candidate in chosen}
    for name, text in texts.items():
        _refuse_other_crystal(folder / name / "POSCAR", text)
    for candidate in chosen:
        name = candidate.material_id
        _write(folder / name / "POSCAR", texts[name])
        _write(folder / "cifs" / f"{name}.cif", cif_text(candidate.crystal))
    table = pl.DataFrame([{name: candidate.row[name] for name in COLUMNS} for candidate in chosen], orient="row")
    write_atomically(folder / TABLE, table.write_csv)
    return folder / TABLE


def poscar_text(candidate: Chosen) -> str:
    """A candidate as POSCAR, its atoms grouped by element as POTCAR wants them; the comment is its identifier."""
    from pymatgen.io.vasp import Poscar

    structure = candidate.crystal.to_pymatgen().get_sorted_structure()
    return str(Poscar(structure, comment=candidate.material_id).get_str(significant_figures=_DIGITS))


def cif_text(crystal: Crystal) -> str:
    """A crystal as CIF without symmetry, exactly as it is."""
    from pymatgen.io.cif import CifWriter

    return str(CifWriter(crystal.to_pymatgen(), significant_figures=_DIGITS))


def _refuse_other_crystal(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
        raise LodestoneError(
            f"{path} holds another structure than the candidate of this name",
            "it may be of another campaign, or changed by hand: name a folder of its own",
        )


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))
