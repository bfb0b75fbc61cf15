"""Source `file`: every format gives the same crystals; formation energies and hull distances from total energies."""

import gzip
import json

import numpy as np
import polars as pl
import pytest
import structure_sets as sets
from pymatgen.core import Lattice, Structure
from pymatgen.core.entries import ComputedStructureEntry, ManualEnergyAdjustment, TemperatureEnergyAdjustment
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar
from snapshot_rows import LABELS, ROWS, file_params

from lodestone.crystals.encoding import decode
from lodestone.errors import LodestoneError
from lodestone.schemas import Snapshot
from lodestone.snapshot import take
from lodestone.snapshot.files.structure_files import is_structure_file, name_of, parse_structure_file
from lodestone.snapshot.sources.file import FileParams
from lodestone.snapshot.take import take_snapshot
from lodestone.tables.files import validated


def _write(kind: str, tmp_path):
    path = tmp_path / f"crystals{kind}"
    if kind in ("", "_in_a_folder"):
        return sets.write_folder(path, {f"{'a/' if kind else ''}{n}": c for n, c in sets.folder_files().items()})
    if kind == ".zip":
        return sets.write_zip(path, {f"set/{name}": content for name, content in sets.folder_files().items()})
    if kind == ".xyz":
        return sets.write_xyz(path)
    if kind == ".parquet":
        pl.DataFrame(sets.rows()).write_parquet(path)
    elif kind == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in sets.rows()))
    else:
        text = json.dumps(sets.entries()).encode()
        path.write_bytes(gzip.compress(text) if kind.endswith("gz") else text)
    return path


KINDS = ("", "_in_a_folder", ".zip", ".xyz", ".parquet", ".jsonl", ".json", ".json.gz")


@pytest.mark.parametrize("kind", KINDS)
def test_formats_give_the_same_crystals_and_energies(kind, tmp_path):
    path = _write(kind, tmp_path)
    table, rejections, provenance = take_snapshot(file_params(path), seed=1)
    assert validated(table, Snapshot, path).equals(table)
    assert rejections.is_empty()
    found = {row["material_id"]: row for row in table.iter_rows(named=True)}
    for column, expected in {
        "formula_pretty": sets.FORMULAS,
        "energy_per_atom": sets.TOTALS,
        "formation_energy_per_atom": sets.FORMATION,
        "energy_above_hull": sets.HULL,
    }.items():
        told = {name: row[column] for name, row in found.items()}
        assert told == (expected if column == "formula_pretty" else pytest.approx(expected, abs=1e-9)), column
    for name, crystal in zip(table["material_id"], decode(table), strict=True):
        same = Structure.from_sites(sets.CRYSTALS[name].to_pymatgen()).matches(crystal.to_pymatgen())
        assert same, name
    assert provenance["elemental_references"] == {
        "Cl": {"energy_per_atom": pytest.approx(-2.0), "material_id": "mp-3"},
        "Na": {"energy_per_atom": pytest.approx(-1.0), "material_id": "mp-1"},
    }
    assert provenance["file"] == path.name
    assert take_snapshot(file_params(path), seed=1)[2] == provenance
    assert str(tmp_path) not in json.dumps(provenance)


def test_chunks_change_nothing(tmp_path, monkeypatch):
    whole = [take_snapshot(file_params(_write(kind, tmp_path)), seed=1)[0] for kind in KINDS]
    monkeypatch.setattr(take, "CHUNK", 2)
    for kind, expected in zip(KINDS, whole, strict=True):
        assert take_snapshot(file_params(tmp_path / f"crystals{kind}"), seed=1)[0].equals(expected)


def test_raw_structures_of_a_chunk_are_gone_before_the_next(tmp_path, monkeypatch):
    path = tmp_path / "crystals.parquet"
    pl.DataFrame(sets.rows()).write_parquet(path, row_group_size=2)
    asked = []
    monkeypatch.setattr(take, "CHUNK", 2)
    opened = take.opened(file_params(path))

    def structures(rows):
        asked.append(len(rows))
        return opened.structures(rows)

    list(take._parsed(take.Source(opened.outline, structures, "a", "b"), opened.outline))
    assert asked == [2, 2, 1]


def test_filters_come_after_references_and_hull(tmp_path):
    path = _write(".json", tmp_path)
    table, _, _ = take_snapshot(file_params(path, min_sites=4), seed=1)
    assert table["energy_above_hull"].to_list() == pytest.approx([1.15])


@pytest.mark.parametrize("way", ["references.csv", "params"])
def test_references_may_be_stated(way, tmp_path):
    files = {name: content for name, content in sets.folder_files().items() if "POSCAR" not in name}
    rows = [
        {"file": f"./{n}", "energy_per_atom": sets.TOTALS[m]} for n, m in (("mp-1.cif", "mp-1"), ("mp-5.vasp", "mp-5"))
    ]
    files |= {"energies.csv": sets.energies_csv(rows)}
    del files["nested/mp-4.CIF"]
    stated = {"Cl": -2.0}
    if way == "references.csv":
        files["references.csv"] = "element,energy_per_atom\nCl,-2.0\n"
    path = sets.write_folder(tmp_path / "set", files)
    params = FileParams(source="file", path=path, **LABELS, elemental_references=stated if way == "params" else None)
    table, rejections, provenance = take_snapshot(params, seed=1)
    assert rejections.is_empty()
    assert table["formation_energy_per_atom"].to_list() == pytest.approx([0.0, 0.15])
    assert provenance["elemental_references"]["Cl"] == {"energy_per_atom": -2.0, "material_id": None}


def test_an_element_without_reference_is_named_with_every_remedy(write):
    rows = [{**row, "energy_per_atom": -3.0, "formation_energy_per_atom": None} for row in ROWS]
    with pytest.raises(
        LodestoneError, match=r"no elemental reference for K, Mg, O(.|\n)*references\.csv(.|\n)*elemental_"
    ):
        take_snapshot(file_params(write([{**row, "energy_above_hull": None} for row in rows])), seed=1)


@pytest.mark.parametrize(("references", "told"), [({"Xx": 1.0}, "'Xx' is no element")])
def test_stated_references_are_checked(references, told, write):
    params = FileParams(source="file", path=write(), **LABELS, elemental_references=references)
    with pytest.raises(LodestoneError, match=told):
        take_snapshot(params, seed=1)


def test_what_the_file_says_is_not_computed_again(write):
    given = take_snapshot(file_params(write()), seed=1)
    assert "elemental_references" not in given[2]
    assert given[0]["energy_above_hull"].null_count() == 1
    rows = [{**row, "energy_above_hull": None, "energy_per_atom": -9.0} for row in ROWS]
    table, _, provenance = take_snapshot(file_params(write(rows, "silent.parquet")), seed=1)
    assert table["formation_energy_per_atom"].equals(given[0]["formation_energy_per_atom"])
    distances = dict(table.select("material_id", "energy_above_hull").iter_rows())
    assert distances["mp-2"] == pytest.approx(0.05)
    assert distances["mp-6"] == pytest.approx(0.05)  # KNaCl2 is half NaCl at -2.0 and half KCl at -2.1
    assert "computed" in provenance["energy_above_hull"]


def test_rows_that_cannot_be_trusted_move_no_reference_and_no_hull(tmp_path):
    rows = sets.rows()
    salt = next(row for row in rows if row["material_id"] == "mp-4")
    rows += [
        {**rows[0], "material_id": "mp-20", "energy_per_atom": float("nan")},
        {**rows[0], "material_id": "mp-21", "energy_per_atom": float("-inf")},
        {**salt, "material_id": "mp-22", "energy_per_atom": -50.0},
        {**salt, "material_id": "mp-23", "energy_per_atom": -4.0},
        {**salt, "material_id": "mp-23", "energy_per_atom": -4.1},
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "crystals.parquet")
    table, rejections, _ = take_snapshot(file_params(tmp_path / "crystals.parquet"), seed=1)
    assert rejections["reason"].to_list() == ["material_id occurs 2 times, with different energies"] * 2
    found = dict(table.select("material_id", "energy_above_hull").iter_rows())
    assert {name: found[name] for name in sets.HULL} == pytest.approx(sets.HULL)


def test_one_of_two_equal_names_does_not_pass_a_filter(write):
    rows = [*ROWS, {**ROWS[3], "energy_above_hull": 0.5, "formation_energy_per_atom": -1.5}]
    _, rejections, _ = take_snapshot(file_params(write(rows), max_energy_above_hull=0.1), seed=1)
    assert rejections["material_id"].to_list() == ["mp-4"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mp-1.cif", "mp-1"),
        ("a/b/mp-1.CIF", "mp-1"),
        ("mp-1.vasp", "mp-1"),
        ("POSCAR_mp-1", "mp-1"),
        ("POSCAR.mp-1.vasp", "mp-1"),
        ("CONTCAR-mp-1", "mp-1"),
        ("mp-1.poscar", "mp-1"),
        ("runs/mp-1/CONTCAR", "mp-1"),
        ("POSCAR", "POSCAR"),
    ],
)
def test_names_of_structure_files(path, name):
    assert is_structure_file(path)
    assert name_of(path) == name


@pytest.mark.parametrize("path", ["OUTCAR", "mp-1.xyz", "POSCARS.txt", "mp-1.pkl", "cif"])
def test_other_files_are_left_alone(path):
    assert not is_structure_file(path)


STRUCTURES = (
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0, 0]]),
    Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(2.95, 4.68), ["Ti"], [[1 / 3, 2 / 3, 0.25]]),
    Structure(Lattice.from_parameters(4, 5, 6, 80, 95, 107), ["O", "Fe"], [[0, 0, 0], [0.6, 0.4, 0.9]]),
)


@pytest.mark.parametrize("expected", STRUCTURES)
def test_cif_and_poscar_are_read_as_pymatgen_reads_them(expected):
    files = {
        "a.cif": str(CifWriter(expected)),
        "b.cif": str(CifWriter(expected, symprec=0.01)),
        "POSCAR": Poscar(expected).get_str(direct=True, significant_figures=12),
        "CONTCAR": Poscar(expected, selective_dynamics=[[True] * 3] * len(expected)).get_str(direct=False),
    }
    for name, text in files.items():
        assert expected.matches(parse_structure_file(name, text.encode()).to_pymatgen(), scale=False), name


def test_poscar_scaling_and_potentials():
    lines = sets.poscar("mp-4").splitlines()
    scaled = "\n".join([lines[0], "-128", *lines[2:5], "Na_pv Cl/5f2a91", *lines[6:]])
    assert parse_structure_file("POSCAR", scaled.encode()).volume == pytest.approx(128)
    scaled = "\n".join([lines[0], "1 2 3", *lines[2:5], "Na_pv Cl/5f2a91", *lines[6:]])
    np.testing.assert_allclose(np.diag(parse_structure_file("POSCAR", scaled.encode()).lattice), [4, 8, 12])


@pytest.mark.parametrize("how", ["manual", "temperature", "legacy", "normalized", "none"])
def test_corrections_are_those_of_pymatgen(how, tmp_path):
    structure = sets.CRYSTALS["mp-4"].to_pymatgen()
    adjustments = {
        "manual": [ManualEnergyAdjustment(-0.3), ManualEnergyAdjustment(0.1)],
        "temperature": [TemperatureEnergyAdjustment(-0.0005, 298.0, 2)],
    }
    entry = ComputedStructureEntry(structure, -7.123, energy_adjustments=adjustments.get(how, []), entry_id="mp-4")
    if how == "normalized":
        with pytest.warns(UserWarning, match="inconsistent"):
            entry = entry.normalize("atom")
    content = json.loads(json.dumps(entry.as_dict()))
    if how == "legacy":
        content |= {"correction": -0.7, "energy_adjustments": None}
        entry = ComputedStructureEntry.from_dict(content)
    (tmp_path / "entries.json").write_text(json.dumps([content]))
    stated = {"Na": 0.0, "Cl": 0.0}
    params = FileParams(source="file", path=tmp_path / "entries.json", **LABELS, elemental_references=stated)
    (row,) = take_snapshot(params, seed=1)[0].iter_rows(named=True)
    assert row["energy_per_atom"] == entry.energy_per_atom
    assert row["uncorrected_energy_per_atom"] == entry.uncorrected_energy_per_atom
    assert row["energy_correction_per_atom"] == entry.correction_per_atom


CHLORIDES = ("mp-4", "mp-5")
OF_2020 = {"cls": {"@class": "MaterialsProject2020Compatibility"}}


@pytest.mark.parametrize(
    ("labels", "reasons"),
    [
        ({"correction_scheme": "MP2020"}, {"mp-1": "the functional is r2SCAN, not PBE"}),
        ({"correction_scheme": "house rules", "label_method": "dft"}, {}),  # nothing is known of them
        (
            {"correction_scheme": "MP-2019", "label_method": "r2scan"},
            dict.fromkeys(CHLORIDES, "its corrections are of"),
        ),
        (
            {"correction_scheme": "none", "label_method": "dft"},
            dict.fromkeys(CHLORIDES, "its corrections are of"),
        ),
    ],
)
def test_entries_of_another_kind_than_stated_are_refused(tmp_path, labels, reasons):
    """Chlorides have corrections of 2020, chlorine (mp-3) one that names no scheme, and sodium is of r2SCAN."""
    entries = sets.entries()
    for entry in entries:
        if entry["entry_id"] in CHLORIDES:
            entry["energy_adjustments"][0] |= OF_2020
    entries[0]["parameters"] = {"run_type": "R2SCAN"}
    (tmp_path / "entries.json").write_text(json.dumps(entries))
    _, rejections, _ = take_snapshot(file_params(tmp_path / "entries.json").model_copy(update=labels), seed=1)
    refused = dict(rejections.select("material_id", "reason").iter_rows())
    assert refused.keys() == reasons.keys()
    assert all(reason in refused[name] for name, reason in reasons.items())


@pytest.mark.parametrize("name", [pytest.param("Fe-Li-O-P", marks=pytest.mark.slow), "Cl-Mn-Na-O-Y"])
def test_entries_of_the_materials_project_give_the_hull_of_pymatgen(name, shared_data):
    from pymatgen.analysis.phase_diagram import PhaseDiagram

    path = shared_data / f"mp_entries_{name}.json.gz"
    labels = {"correction_scheme": "MP2020"}  # as its adjustments say
    table, rejections, _ = take_snapshot(file_params(path).model_copy(update=labels), seed=1)
    content = json.loads(gzip.decompress(path.read_bytes()))
    by_name = {found["entry_id"]: ComputedStructureEntry.from_dict(found) for found in content}
    assert rejections.is_empty()
    assert set(table["material_id"]) == set(by_name)
    diagram = PhaseDiagram(list(by_name.values()))
    ordered = [by_name[name] for name in table["material_id"]]
    for column, expected in {
        "energy_per_atom": [entry.energy_per_atom for entry in ordered],
        "uncorrected_energy_per_atom": [entry.uncorrected_energy_per_atom for entry in ordered],
        "energy_correction_per_atom": [entry.correction_per_atom for entry in ordered],
        "formation_energy_per_atom": [diagram.get_form_energy_per_atom(entry) for entry in ordered],
        "energy_above_hull": [diagram.get_e_above_hull(entry) for entry in ordered],
    }.items():
        assert np.abs(table[column].to_numpy() - expected).max() < 1e-9, column
    assert table["formula_pretty"].to_list() == [entry.reduced_formula for entry in ordered]
    assert table["nsites"].to_list() == [len(entry.structure) for entry in ordered]
