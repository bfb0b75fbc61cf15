"""Every file of every find is read back: by pymatgen, by ASE, and as the formats want it."""

import json
import re
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import polars as pl
import pytest
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.io.cif import CifFile
from pymatgen.io.vasp import Poscar

from lodestone.crystals.crystal import Crystal
from lodestone.handover.files import files_of
from lodestone.handover.finds import finds
from lodestone.report.powder import picture, powder_pattern
from lodestone.report.structure_files import cif, parsed, poscar, same_crystal

ORACLE = {"name": "chgnet-0.3.0", "caveat": "Energies are predictions."}


def crystal_of(row) -> Crystal:
    return Crystal(row["lattice"], row["atomic_numbers"], row["frac_coords"])


def folders(handed_over, finished):
    """Row of each discovery, and its folder."""
    contents = json.loads((handed_over / "index.json").read_text())
    by_id = {one["material_id"]: handed_over / one["folder"] for one in contents["finds"]}
    rows = finished.discoveries.rows(named=True)
    assert len(rows) == len(by_id) == contents["n_finds"] > 5
    return [(row, by_id[row["material_id"]]) for row in rows]


def only_file(folder, ending):
    (path,) = folder.glob(f"*{ending}")
    return path


def test_every_cif_is_the_crystal_of_its_find(handed_over, finished):
    from ase.io import read

    for row, folder in folders(handed_over, finished):
        path, crystal = only_file(folder, ".cif"), crystal_of(row)
        structure = parsed(path.read_text())
        assert same_crystal(crystal.to_pymatgen(), structure), path
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = read(path)
        assert Composition(atoms.get_chemical_formula()).reduced_formula == row["formula_pretty"]
        assert atoms.get_volume() / len(atoms) == pytest.approx(crystal.volume / len(crystal), rel=1e-3)


def test_every_cif_says_what_its_energies_are(handed_over, finished):
    for row, folder in folders(handed_over, finished):
        (block,) = CifFile.from_file(only_file(folder, ".cif")).data.values()
        items = block.data
        assert items["_lodestone_is_a_prediction"] == "yes"
        assert items["_lodestone_material_id"] == row["material_id"]
        assert items["_lodestone_label_method"] == "chgnet-0.3.0"
        assert items["_lodestone_functional"] == "PBE, PBE+U"
        assert float(items["_lodestone_formation_energy_per_atom"]) == row["formation_energy_per_atom"]
        assert float(items["_lodestone_energy_above_hull"]) == row["energy_above_hull"]
        assert items["_lodestone_energy_unit"] == "eV per atom"
        assert items["_lodestone_caveat"] == "Energies are <made up>."
        assert items["_audit_creation_method"].startswith("Predicted, not measured: relaxed by chgnet-0.3.0")


def test_every_poscar_has_the_coordinates_of_the_oracle(handed_over, finished):
    for row, folder in folders(handed_over, finished):
        own = Poscar.from_file(only_file(folder, ".POSCAR")).structure
        crystal = crystal_of(row).to_pymatgen()
        np.testing.assert_allclose(own.lattice.matrix, crystal.lattice.matrix, atol=1e-9)
        nearest = own.lattice.get_all_distances(own.frac_coords, crystal.frac_coords)
        same_element = np.array([[a.specie == b.specie for b in crystal] for a in own])
        assert (np.where(same_element, nearest, np.inf).min(axis=1) < 1e-6).all()
        assert len(own) == len(crystal)


def test_a_cell_whose_symmetrizing_makes_other_atoms_is_written_otherwise():
    """At 0.1 Å, spglib gives this cell one space group and the operations of another: twice the atoms."""
    coords = [
        [0.0, 0.0, 0.008023], [0.500041, 0.500007, 0.011669], [0.135883, 0.635796, -0.003772],
        [0.864176, 0.364182, -0.003773], [0.635772, 0.864178, -0.00377], [0.364155, 0.135893, -0.003768],
        [0.340937, 0.841082, 0.498847], [0.659035, 0.158933, 0.498849], [0.841101, 0.659024, 0.498852],
        [0.158959, 0.340938, 0.498843],
    ]  # fmt: skip
    crystal = Crystal(np.diag([6.260581, 6.260581, 3.753408]), [78] * 2 + [14] * 4 + [74] * 4, coords)
    structure = parsed(cif(crystal, ORACLE, {}))
    assert same_crystal(crystal.to_pymatgen(), structure)
    assert len(structure) == 10


def test_a_cell_without_symmetry_is_written_as_it_is():
    generator = np.random.default_rng(0)
    lattice = np.diag([4.0, 5.0, 6.0]) + generator.uniform(-0.3, 0.3, (3, 3))
    coords = np.array([[0, 0, 0], [0.5, 0.4, 0.3], [0.25, 0.7, 0.8]]) + generator.uniform(-0.03, 0.03, (3, 3))
    crystal = Crystal(lattice, [3, 8, 17], coords)
    text = cif(crystal, ORACLE, {"text": "it's long " * 20, "unknown": None})
    assert same_crystal(crystal.to_pymatgen(), parsed(text))
    (block,) = CifFile.from_str(text).data.values()
    assert block.data["_lodestone_text"].split() == ("it's long " * 20).split()
    assert block.data["_lodestone_unknown"] == "?"
    assert all(len(line) <= 2048 and line.isascii() for line in text.splitlines())  # the limits of CIF 1.1


def test_a_poscar_groups_its_elements():
    crystal = Crystal(4.0 * np.eye(3), [8, 3, 8, 3], [[0, 0, 0], [0.5, 0, 0], [0, -0.5, 0], [0, 0, 0.5]])
    lines = poscar(crystal, "mixed order").splitlines()
    assert lines[0] == "mixed order"
    assert lines[5].split() == ["Li", "O"]
    assert lines[6].split() == ["2", "2"]


def test_the_powder_pattern_is_that_of_a_known_crystal():
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6402), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    pattern = powder_pattern(salt)
    two_theta = dict(zip(pattern["hkl"], pattern["two_theta_deg"], strict=True))
    for indices in ((1, 1, 1), (2, 0, 0), (2, 2, 0), (2, 2, 2)):
        spacing = 5.6402 / np.sqrt(sum(index**2 for index in indices))
        bragg = 2 * np.degrees(np.arcsin(1.54184 / (2 * spacing)))
        assert two_theta[" ".join(map(str, indices))] == pytest.approx(bragg, abs=1e-3)
    assert two_theta["2 0 0"] == pytest.approx(31.7, abs=0.05)  # as measured on halite
    strongest = pattern.sort("intensity").row(-1, named=True)
    assert (strongest["hkl"], strongest["intensity"], strongest["multiplicity"]) == ("2 0 0", 100.0, "6")
    assert strongest["d_spacing_angstrom"] == pytest.approx(5.6402 / 2, abs=1e-4)


def test_an_empty_pattern_is_drawn_all_the_same():
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6402), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    empty = powder_pattern(salt, (5.0, 30.0)).clear()
    ET.fromstring(picture(empty, "nothing <here> & there"))


def test_tables_pictures_and_json_of_every_find_are_read_back(handed_over, finished):
    for row, folder in folders(handed_over, finished):
        facts = json.loads(only_file(folder, ".json").read_text())
        assert facts["formula"] == row["formula_pretty"]
        assert sorted([*facts["files"], only_file(folder, ".json").name, "index.html"]) == sorted(
            path.name for path in folder.iterdir()
        )
        pattern = pl.read_csv(only_file(folder, "-powder.csv"))
        assert pattern["intensity"].max() == 100.0
        drawn = ET.fromstring(only_file(folder, "-powder.svg").read_text())
        sticks = [one for one in drawn.iter() if one.tag.endswith("path") and one.get("stroke-width") == "1.5"]
        assert len(sticks) == len(pattern)
        phases = pl.read_csv(only_file(folder, "-competing-phases.csv"))
        (own,) = phases.filter("is_this_find").rows(named=True)
        assert own["material_id"] == row["material_id"]
        assert len(pl.read_csv(only_file(folder, "-reactions.csv"))) == len(facts["reactions"])


def test_names_of_files_are_letters_digits_and_little_else(handed_over):
    names = [str(path.relative_to(handed_over)) for path in handed_over.rglob("*")]
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", name) for name in names)
    assert len({name.lower() for name in names}) == len(names)  # on disks that do not tell A from a


def test_equal_campaigns_give_equal_files(finished):
    first, second = (files_of(next(finds(finished))) for _ in range(2))
    assert first == second
