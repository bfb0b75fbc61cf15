"""Every CIF and POSCAR of a hand-over is read back by gemmi and pymatgen to the same crystal, without exception.

gemmi reads no POSCAR; ASE does.
"""

import json
import warnings
from collections import Counter
from pathlib import Path

import ase.io
import gemmi
import numpy as np
import polars as pl
import pytest
from pymatgen.core import Composition
from pymatgen.io.cif import CifParser
from pymatgen.io.vasp import Poscar

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.crystals.symmetry import symmetry_of
from lodestone.report.cifs import cif_in_group
from lodestone.report.structure_files import poscar

ROOT = Path(__file__).parents[2]
NAME = "_symmetry_space_group_name_H-M"
ORACLE = {"name": "toy", "caveat": "Made up."}


def differences(cif_file: Path, poscar_file: Path, crystal: Crystal, number: int) -> list[str]:
    """What differs between a crystal and what is read back of its files, and between who reads them.

    Args:
        cif_file: In a symmetrized, conventional cell.
        poscar_file: In the cell of the crystal.
        crystal: As it is.
        number: Its space group.
    """
    return [*_of_cif(cif_file, crystal, number), *_of_poscar(poscar_file, crystal, number)]


def _of_cif(path: Path, crystal: Crystal, number: int) -> list[str]:
    small, block = gemmi.read_small_structure(str(path)), gemmi.cif.read(str(path)).sole_block()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coordinates are rounded to the ideal ones
        (structure,) = CifParser(path).parse_structures(primitive=False)
    atoms = Counter(site.element.name for site in small.get_all_unit_cell_sites())
    cell = [getattr(small.cell, name) for name in ("a", "b", "c", "alpha", "beta", "gamma")]
    operations = [gemmi.Op(gemmi.cif.as_string(one)) for one in block.find_values("_symmetry_equiv_pos_as_xyz")]
    named = gemmi.find_spacegroup_by_name(gemmi.cif.as_string(block.find_value(NAME)))
    stated, group = int(block.find_value("_symmetry_Int_Tables_number")), small.spacegroup
    units, is_in_p1 = len(structure) / len(crystal), ", not symmetrized" in path.read_text()
    own = Crystal(structure.lattice.matrix, structure.atomic_numbers, structure.frac_coords)
    checks = {
        "atoms of gemmi and of pymatgen": atoms == Counter(structure.composition.get_el_amt_dict()),
        "atoms as stated": Composition(gemmi.cif.as_string(block.find_value("_chemical_formula_sum")))
        == structure.composition,
        "atoms of the crystal": all(crystal.species.count(name) * units == n for name, n in atoms.items()),
        "volume": abs(structure.volume / units / crystal.volume - 1) < 3e-3,  # symmetrizing moves atoms and cell
        "cell": np.allclose(cell, structure.lattice.parameters, atol=1e-6),
        "space group as stated": group is not None and group.number == stated,
        "space group as named": named is not None and named.number == stated,
        "operations": {op.wrap().triplet() for op in group.operations()} == {op.wrap().triplet() for op in operations},
        "space group of the crystal": stated == (1 if is_in_p1 else number),
        "space group of the atoms": symmetry_of(own).spacegroup_number == number,
    }
    return [f"{path.name}: {name}" for name, is_right in checks.items() if not is_right]


def _of_poscar(path: Path, crystal: Crystal, number: int) -> list[str]:
    by_pymatgen, by_ase = Poscar.from_file(path).structure, ase.io.read(path, format="vasp")
    own = Crystal(by_pymatgen.lattice.matrix, by_pymatgen.atomic_numbers, by_pymatgen.frac_coords)
    atoms = Counter(crystal.species)
    checks = {
        "atoms by pymatgen": Counter(own.species) == atoms,
        "atoms by ASE": Counter(by_ase.get_chemical_symbols()) == atoms,
        "cell by pymatgen": np.allclose(own.lattice, crystal.lattice, atol=1e-9),
        "cell by ASE": np.allclose(by_ase.cell.array, crystal.lattice, atol=1e-9),
        "positions": np.allclose(by_ase.positions, own.cart_coords, atol=1e-9),
        "space group of the atoms": symmetry_of(own).spacegroup_number == number,
    }
    return [f"{path.name}: {name}" for name, is_right in checks.items() if not is_right]


def written(folder: Path, crystal: Crystal, number: int) -> tuple[Path, Path]:
    (folder / "a.cif").write_text(cif_in_group(crystal, number, ORACLE, {}))
    (folder / "a.POSCAR").write_text(poscar(crystal, "a"))
    return folder / "a.cif", folder / "a.POSCAR"


def test_all_files_of_a_hand_over_are_the_crystals_of_its_finds(handed_over, finished):
    rows = {row["material_id"]: row for row in finished.discoveries.iter_rows(named=True)}
    contents = json.loads((handed_over / "index.json").read_text())["finds"]
    assert len(contents) == len(rows) > 5
    for find in contents:
        row, folder = rows[find["material_id"]], handed_over / find["folder"]
        crystal = Crystal(row["lattice"], row["atomic_numbers"], row["frac_coords"])
        (cif_file,), (poscar_file,) = folder.glob("*.cif"), folder.glob("*.POSCAR")
        assert differences(cif_file, poscar_file, crystal, row["spacegroup_number"]) == []


@pytest.mark.slow
def test_one_crystal_of_each_of_sixty_space_groups(tmp_path):
    """The smallest of the reference set; those of rare groups are near others within the tolerance of symmetry."""
    table = pl.read_parquet(ROOT / "reference" / "crystals.parquet").sort("nsites", "material_id")
    chosen = table.unique("spacegroup_number", keep="first", maintain_order=True).head(60)
    assert len(chosen) == 60
    crystals, wrong, symmetrized = decode(chosen), [], 0
    for name, number, crystal in zip(chosen["material_id"], chosen["spacegroup_number"], crystals, strict=True):
        files = written(tmp_path, crystal, number)
        wrong += [f"{name} ({number}): {difference}" for difference in differences(*files, crystal, number)]
        symmetrized += "symmetrized within" in files[0].read_text()
    assert wrong == []
    assert symmetrized > 0.9 * len(chosen)


@pytest.mark.parametrize(
    ("of", "old", "new", "expected"),
    [
        ("cif", "  Cl  ", "  Br  ", "atoms of the crystal"),
        (
            "cif",
            "_symmetry_space_group_name_H-M   Fm-3m",
            "_symmetry_space_group_name_H-M   Pm-3m",
            "space group as named",
        ),
        ("cif", "_cell_length_a   5.64", "_cell_length_a   5.94", "volume"),
        ("cif", "Na4 Cl4", "Na4 Cl3", "atoms as stated"),
        ("POSCAR", "1 1", "2 0", "atoms by pymatgen"),
        ("POSCAR", "2.82", "2.92", "cell by ASE"),
    ],
)
def test_a_wrong_file_is_noticed(tmp_path, of, old, new, expected):
    salt = Crystal(2.82 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
    files = written(tmp_path, salt, 225)
    assert differences(*files, salt, 225) == []
    path = tmp_path / f"a.{of}"
    text = path.read_text()
    assert old in text, text
    path.write_text(text.replace(old, new, 1))
    assert any(expected in difference for difference in differences(*files, salt, 225))
