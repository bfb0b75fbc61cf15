"""Chosen candidates as files to compute from: a folder with the input of VASP for each, all as CIF, and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lodestone.cluster.waiting import Chosen
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.tables.files import write_atomically
from lodestone.vasp.faults import MisfitError
from lodestone.vasp.inputs import INPUT_SETS, input_files, poscar_text

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
_DIGITS = 10  # of a CIF


def write_candidates(chosen: Sequence[Chosen], folder: Path, input_set: str | None = None) -> Path:
    """Write ``ID/POSCAR`` and ``cifs/ID.cif`` for each candidate, and then the table of all of them.

    VASP may run in ``folder/ID``; `lodestone labels import folder` finds the results there. What else lies in the
    folder stays as it is.

    Args:
        chosen: The candidates.
        folder: Is created where it is missing.
        input_set: Key of :data:`lodestone.vasp.inputs.INPUT_SETS`, by which ``INCAR``, ``KPOINTS`` and ``POTCAR`` (or
            ``POTCAR.spec``) are written, too; ``None``: only ``POSCAR``.

    Returns:
        The table. It is written last, so that where it is, the structures are.

    Raises:
        LodestoneError: If something else lies under the name of one of them, the input set does not know an element,
            or the disk refuses.
    """
    files = {candidate.material_id: vasp_files(candidate, input_set) for candidate in chosen}
    for name, texts in files.items():
        for file, text in texts.items():
            _refuse_other(folder / name / file, text)
    for candidate in chosen:
        name = candidate.material_id
        for file, text in files[name].items():
            _write(folder / name / file, text)
        _write(folder / "cifs" / f"{name}.cif", cif_text(candidate.crystal))
    table = pl.DataFrame([{name: candidate.row[name] for name in COLUMNS} for candidate in chosen], orient="row")
    write_atomically(folder / TABLE, table.write_csv)
    return folder / TABLE


def vasp_files(candidate: Chosen, input_set: str | None = None) -> dict[str, str]:
    """Text of each input file of VASP by its name; without an input set, of POSCAR alone.

    Raises:
        LodestoneError: If the input set has no pseudopotential of an element.
    """
    if input_set is None:
        return {"POSCAR": poscar_text(candidate.crystal, candidate.material_id)}
    try:
        return input_files(candidate.crystal, candidate.material_id, INPUT_SETS[input_set])
    except MisfitError as error:
        remedy = "write the candidates without --inputs, and make the inputs of this one yourself"
        raise LodestoneError(f"{candidate.material_id}: {error}", remedy) from error


def cif_text(crystal: Crystal) -> str:
    """A crystal as CIF without symmetry, exactly as it is."""
    from pymatgen.io.cif import CifWriter

    return str(CifWriter(crystal.to_pymatgen(), significant_figures=_DIGITS))


def _refuse_other(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
        what = "another structure than the candidate of this name" if path.name == "POSCAR" else "other settings"
        raise LodestoneError(
            f"{path} holds {what}", "it may be of another campaign, or changed by hand: name a folder of its own"
        )


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))
