"""What can be asked about, and what is refused with its reason while the rest goes on."""

import json

import numpy as np
import polars as pl
import pytest
from pymatgen.core import Composition, Structure
from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry
from untrained import rock_salt

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.prediction.files import read_queries
from lodestone.prediction.inputs import formula_query, queries_of


def nothing() -> bytes:
    raise AssertionError("nobody named the standard input")


def read(*paths, stdin=nothing, **options):
    return read_queries([str(path) for path in paths], stdin, **options)


@pytest.fixture
def cif(tmp_path, salt):
    path = tmp_path / "salt.cif"
    salt.to(str(path))
    return path


def test_objects_of_pymatgen_and_ase_and_formulas_are_the_same_crystal(salt):
    atoms, entry = salt.to_ase_atoms(), ComputedStructureEntry(salt, -27.0, entry_id="mp-1")
    queries = queries_of([salt, atoms, entry, Crystal.from_pymatgen(salt), "NaCl", Composition("Na4Cl4")])
    assert not queries.unread
    assert {query.formula for query in queries.good} == {"NaCl"}
    assert [query.is_formula for query in queries.good] == [False, False, False, False, True, True]
    assert queries.good[2].name == "mp-1"
    lattices = [query.crystal.lattice for query in queries.good[:4]]
    assert all(np.allclose(lattice, lattices[0]) for lattice in lattices)


def test_an_entry_without_structure_is_a_formula():
    (query,) = queries_of(ComputedEntry("Na2O", -10.0, entry_id="mine")).good
    assert (query.name, query.formula, query.is_formula) == ("mine", "Na2O", True)


WRONG = ["Xx2O3", "nacl", "Na Cl", "NaCl.cif", "()", "Na0", "", "NaCl9999", "Na1" + 12 * "0" + "Cl"]
ENDLESS = ["Na" + 5000 * "1" + "x", 3000 * "Na", 300 * "(" + "Na" + 300 * ")"]  # to search, or to recurse


@pytest.mark.parametrize("text", [*WRONG, *ENDLESS], ids=lambda text: text[:9])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(LodestoneError):
        formula_query(text)


def test_files_of_every_kind(tmp_path, cif, salt):
    poscar, xyz, entries, one = (tmp_path / name for name in ("POSCAR_b", "c.extxyz", "d.json", "e.json"))
    salt.to(str(poscar), fmt="poscar")
    salt.to_ase_atoms().write(str(xyz), format="extxyz")
    entries.write_text(json.dumps([ComputedStructureEntry(salt, -27.0, entry_id="mp-1").as_dict()], default=str))
    one.write_text(json.dumps(salt.as_dict(), default=str))
    row = {"lattice": salt.lattice.matrix.tolist(), "species": [s.symbol for s in salt.species]}
    row |= {"frac_coords": salt.frac_coords.tolist()}
    table, lines = tmp_path / "f.parquet", tmp_path / "g.jsonl"
    pl.DataFrame({"material_id": ["t-1", "t-2"], "structure": [json.dumps(row)] * 2}).write_parquet(table)
    lines.write_text(json.dumps({"material_id": "l-1", "structure": row}) + "\n")
    queries = read(cif, poscar, xyz, entries, one, table, lines, "NaCl")
    assert not queries.unread
    assert [query.name for query in queries.good] == ["salt", "b", "c-1", "mp-1", "e", "t-1", "t-2", "l-1", "NaCl"]
    assert {query.formula for query in queries.good} == {"NaCl"}


def test_a_table_of_formulas(tmp_path):
    path = tmp_path / "formulas.parquet"
    pl.DataFrame({"material_id": ["a", "b"], "formula": ["MgO", "Xx"]}).write_parquet(path)
    queries = read(path)
    assert [(query.name, query.formula) for query in queries.good] == [("a", "MgO")]
    assert "b" in queries.unread[0].name


def test_a_folder_is_searched_and_its_bad_files_are_named(tmp_path, cif):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "broken.cif").write_text("data_x\n_cell_length_a 1\n")
    (tmp_path / "deep" / "empty.vasp").write_text("")
    (tmp_path / "notes.txt").write_text("nothing")
    queries = read(tmp_path)
    assert [query.name for query in queries.good] == ["salt"]
    assert {one.name for one in queries.unread} == {"deep/broken.cif", "deep/empty.vasp"}


def test_equal_names_are_told_apart(tmp_path, cif):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "POSCAR").write_bytes(b"")
        (tmp_path / folder / "salt.cif").write_bytes(cif.read_bytes())
    names = [query.name for query in read(tmp_path / "a" / "salt.cif", tmp_path / "b" / "salt.cif", cif, cif).good]
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"),
        ("data_x\n_cell_length_a 1\n", ""),
        ("\0\0\0", "zero bytes"),
    ],
)
def test_bad_files_say_why_and_the_others_go_on(tmp_path, cif, content, reason):
    bad = tmp_path / "bad.cif"
    bad.write_text(content)
    queries = read(bad, cif, tmp_path / "missing.cif", "Xx2")
    assert [query.name for query in queries.good] == ["salt"]
    assert [one.name for one in queries.unread] == [str(bad), str(tmp_path / "missing.cif"), "Xx2"]
    assert reason in queries.unread[0].reason


def test_partial_occupancies_unknown_elements_and_nan_are_refused(tmp_path, salt):
    text = salt.to(fmt="cif")
    files = {
        "partial.cif": text.replace("  1.0\n", "  0.5\n").replace("  1\n", "  0.5\n"),
        "strange.cif": text.replace("Na", "Qq"),
    }
    files |= {"nan.vasp": "x\n1.0\nnan 0 0\n0 5 0\n0 0 5\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    queries = read(*(tmp_path / name for name in files))
    assert not queries.good
    reasons = dict(zip(files, (one.reason for one in queries.unread), strict=True))
    assert "partially occupied" in reasons["partial.cif"]
    assert "no known element" in reasons["strange.cif"]
    assert reasons["nan.vasp"]


def test_a_disordered_structure_of_pymatgen_is_refused(salt):
    salt.replace(0, {"Na": 0.5, "K": 0.5})
    assert "partially occupied" in queries_of([salt]).unread[0].reason


@pytest.mark.slow
def test_cells_of_ten_thousand_atoms_are_refused_unless_allowed(tmp_path):
    large = rock_salt("Na", "Cl", 5.69)
    large.make_supercell((11, 11, 11))
    path = tmp_path / "POSCAR_large"
    large.to(str(path), fmt="poscar")
    assert "10,648 atoms" in read(path).unread[0].reason
    assert len(read(path, most_sites=20_000).good[0].crystal) == 10_648


def test_atoms_on_top_of_each_other_are_refused(salt):
    salt.append("Na", [0.001, 0, 0])
    assert "apart" in queries_of([salt]).unread[0].reason


def test_the_standard_input_is_recognized_by_its_content(salt):
    content = {"lattice": salt.lattice.matrix.tolist(), "frac_coords": salt.frac_coords.tolist()}
    line = json.dumps({"material_id": "l", "structure": content | {"species": [site.specie.symbol for site in salt]}})
    whole = json.dumps(salt.as_dict(), default=str)
    contents = [salt.to(fmt="cif"), salt.to(fmt="poscar"), line + "\n", "NaCl\n", whole]
    for text in contents:
        queries = read("-", stdin=text.encode)
        assert [query.formula for query in queries.good] == ["NaCl"], text[:40]
    assert "empty" in read("-", stdin=lambda: b" \n").unread[0].reason


def test_a_molecule_is_no_crystal(salt):
    atoms = salt.to_ase_atoms()
    atoms.pbc = False
    assert "periodic" in queries_of(atoms).unread[0].reason
    assert isinstance(salt, Structure)
