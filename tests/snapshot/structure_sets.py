"""The same few crystals in every format that the source `file` reads."""

import csv
import io
import json
import zipfile
from pathlib import Path

from ase.io import write as write_ase
from pymatgen.core.entries import CompositionEnergyAdjustment, ComputedStructureEntry
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar
from snapshot_rows import structure

from lodestone.crystals.crystal import Crystal
from lodestone.snapshot.structures import parse_structure

# Total energies, eV/atom: two forms of Na, so that the reference is the lower one.
TOTALS = {"mp-1": -1.0, "mp-2": -0.9, "mp-3": -2.0, "mp-4": -3.5, "mp-5": -1.6}
SPECIES = {"mp-1": ["Na"], "mp-2": ["Na", "Na"], "mp-3": ["Cl"], "mp-4": ["Na", "Cl"], "mp-5": ["Na", "Cl", "Cl", "Cl"]}
FORMULAS = {"mp-1": "Na", "mp-2": "Na", "mp-3": "Cl2", "mp-4": "NaCl", "mp-5": "NaCl3"}
# NaCl is 2 eV/atom below its elements, and NaCl3 1.15 above the line from it to Cl.
FORMATION = {"mp-1": 0.0, "mp-2": 0.1, "mp-3": 0.0, "mp-4": -2.0, "mp-5": 0.15}
HULL = {"mp-1": 0.0, "mp-2": 0.1, "mp-3": 0.0, "mp-4": 0.0, "mp-5": 1.15}
CRYSTALS: dict[str, Crystal] = {name: parse_structure(structure(species)) for name, species in SPECIES.items()}


def cif(name: str) -> str:
    return str(CifWriter(CRYSTALS[name].to_pymatgen(), symprec=0.01))


def poscar(name: str) -> str:
    return Poscar(CRYSTALS[name].to_pymatgen()).get_str(significant_figures=12)


def energies_csv(rows: list[dict]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def folder_files() -> dict[str, str]:
    """A folder with every way to name a structure file."""
    table = [{"material_id": name, "energy_per_atom": energy} for name, energy in TOTALS.items()]
    return {
        "energies.csv": energies_csv(table),
        "mp-1.cif": cif("mp-1"),
        "nested/mp-2/POSCAR": poscar("mp-2"),
        "POSCAR_mp-3": poscar("mp-3"),
        "nested/mp-4.CIF": cif("mp-4"),
        "mp-5.vasp": poscar("mp-5"),
        "README.txt": "no structure",
    }


def write_folder(path: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_zip(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_xyz(path: Path) -> Path:
    frames = []
    for name, crystal in CRYSTALS.items():
        atoms = crystal.to_ase()
        atoms.info |= {"material_id": name, "energy": TOTALS[name] * len(crystal)}
        frames.append(atoms)
    write_ase(path, frames, format="extxyz")
    return path


def entries() -> list[dict]:
    """Entries of pymatgen, with a correction of -0.25 eV for each Cl."""
    found = []
    for name, crystal in CRYSTALS.items():
        chlorine = crystal.species.count("Cl")
        adjustments = [CompositionEnergyAdjustment(-0.25, chlorine, name="Cl")] if chlorine else []
        energy = TOTALS[name] * len(crystal) + 0.25 * chlorine
        entry = ComputedStructureEntry(crystal.to_pymatgen(), energy, energy_adjustments=adjustments, entry_id=name)
        found.append(json.loads(json.dumps(entry.as_dict())))
    return found


def rows() -> list[dict]:
    return [
        {
            "material_id": name,
            "energy_per_atom": TOTALS[name],
            "lattice": crystal.lattice.ravel().tolist(),
            "atomic_numbers": crystal.atomic_numbers.tolist(),
            "frac_coords": crystal.frac_coords.ravel().tolist(),
        }
        for name, crystal in CRYSTALS.items()
    ]
