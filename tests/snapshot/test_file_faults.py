"""Source `file`: every fault of a file is one clear error, or a rejected row with its reason; no row slips through."""

import gzip
import json
import math
import pickle
import struct
import zipfile

import polars as pl
import pytest
import structure_sets as sets
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from snapshot_rows import RULES, file_params

from lodestone.curation.validation import check_rows
from lodestone.errors import LodestoneError
from lodestone.snapshot.files import collection, json_list
from lodestone.snapshot.take import take_snapshot

NACL = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0, 0]])
FULL = str(CifWriter(NACL, symprec=0.01))
OPERATIONS = FULL[FULL.index("loop_\n _symmetry") : FULL.index("loop_\n _atom_site")]
P1 = str(CifWriter(sets.CRYSTALS["mp-4"].to_pymatgen()))


def _refused(content: str | bytes, tmp_path, name: str = "mp-4.cif") -> str:
    """Why a structure file is refused, beside good ones that are taken."""
    files = {n: c for n, c in sets.folder_files().items() if "mp-4" not in n} | {name: content}
    table, rejections, _ = take_snapshot(file_params(sets.write_folder(tmp_path / "set", files)), seed=1)
    assert "mp-4" not in table["material_id"]
    assert len(table) == 4
    assert rejections["material_id"].to_list() == ["mp-4"]
    return rejections["reason"][0]


def test_the_files_that_the_faults_are_made_of_are_sound(tmp_path):
    for text in (FULL, P1):
        files = sets.folder_files() | {"nested/mp-4.CIF": text}
        table, rejections, _ = take_snapshot(file_params(sets.write_folder(tmp_path / "set", files)), seed=1)
        assert rejections.is_empty()
        assert check_rows(table, RULES).is_empty()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            FULL.replace("Na0  4  0.00000000  0.00000000  0.00000000  1", "Na0  4  0.0  0.0  0.0  0.5"),
            "partially occupied",
        ),
        (
            FULL.replace("Na0  4  0.00000000  0.00000000  0.00000000  1", "Na0  4  0.0  0.0  0.0  ?"),
            "partially occupied",
        ),
        (str(CifWriter(Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]))), "partially occupied"),
        (FULL.replace(OPERATIONS, "").replace("P 1", "F m -3 m"), "no symmetry operations"),
        (FULL.replace("  5  '-y, x, z'\n", "").replace("'y, -x, z'", "'y, -x, x'"), "do not form a group"),
        (FULL.replace("'-x, -y, -z'", "'-x, -y, q'"), "do not form a group"),
        (FULL.replace("  2  '-x, -y, -z'\n", 5000 * "  2  '-x, -y, -z'\n"), "5,191 symmetry operations"),
        ("# Müller\n".encode("latin-1") + FULL.encode(), "no UTF-8 text (byte 3)"),
        (FULL.encode("utf-16"), "no UTF-8 text"),
        (FULL.encode("utf-16-le"), "no UTF-8 text"),
        (FULL.replace("_cell_length_a   5.60000000", "_cell_length_a   0.0"), "CIF does not parse|span no volume"),
        (P1.replace("_cell_angle_gamma   90.00000000", "_cell_angle_gamma   0.0"), "CIF does not parse|span no volume"),
        ("", "is empty"),
        (" \n", "is empty"),
        (b"\x00" * 50, "zero bytes"),
        (FULL[: FULL.index("_atom_site_occupancy")], "CIF"),
        (FULL[: FULL.rindex("Cl  Cl1")], "is NaCl, but its atoms make Na"),
        (FULL[: FULL.rindex("0.5")], "does not parse"),
        (FULL + "\n" + FULL, "2 data blocks"),
        (FULL.replace("Na  Na0", "Qq  Qq0"), "'Qq' is no known element"),
        (FULL.replace("Na  Na0", "OH  OH1"), "'OH' is no known element"),
        (FULL.replace("0.00000000  0.00000000  0.00000000  1", "?  0.0  0.0  1"), "no numbers _atom_site_fract_x"),
        (FULL.replace("_cell_length_b   5.60000000", ""), "no number _cell_length_b"),
        (FULL.replace("Na4 Cl4", "Na4 Cl3"), "_chemical_formula_sum is Na4Cl3, but its atoms make NaCl"),
        (P1.replace("'Na1 Cl1'", "'Na4 Cl4'"), "are not the 2 atoms"),
        ("\x89PNG\r\n" * 20, "no atoms"),
    ],
)
def test_a_cif_that_is_refused(content, told, tmp_path):
    assert content not in (FULL, P1)
    reason = _refused(content, tmp_path)
    assert any(part in reason for part in told.split("|")), reason


def test_an_unnamed_group_is_accepted_where_it_is_p1(tmp_path):
    start, end = P1.index("loop_"), P1.index("loop_\n _atom_site")
    files = sets.folder_files() | {"nested/mp-4.CIF": P1[:start] + P1[end:]}
    assert len(take_snapshot(file_params(sets.write_folder(tmp_path / "set", files)), seed=1)[0]) == 5


def test_overlapping_atoms_are_found_by_validation(tmp_path):
    text = P1.replace("0.50000000  0.50000000  0.50000000", "0.01000000  0.01000000  0.01000000")
    files = sets.folder_files() | {"nested/mp-4.CIF": text}
    table, _, _ = take_snapshot(file_params(sets.write_folder(tmp_path / "set", files)), seed=1)
    assert check_rows(table, RULES)["reason"].to_list() == ["atoms 0.069 Å apart, less than 0.5"]
    assert "does not parse" in _refused(
        P1.replace("0.50000000  0.50000000  0.50000000", "0.0  0.0  0.0"), tmp_path / "b"
    )


POSCAR = sets.poscar("mp-4").splitlines()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (POSCAR[:-1], "1 positions for 2 atoms"),
        (POSCAR[:6], "does not parse"),
        ([*POSCAR[:5], *POSCAR[6:]], "no line of element symbols"),
        ([*POSCAR[:5], "Na Qq", *POSCAR[6:]], "'Qq' is no known element"),
        ([*POSCAR[:6], "1 -1", *POSCAR[7:]], "2 elements, counts 1 -1"),
        ([*POSCAR[:6], "99999999 1", *POSCAR[7:]], "2 elements, counts 99999999"),
        ([POSCAR[0], "0.0", *POSCAR[2:]], "scaling factor is zero"),
        ([*POSCAR[:2], POSCAR[3], *POSCAR[3:]], "span no volume"),
        ([*POSCAR[:7], "fractional", *POSCAR[8:]], "not Direct or Cartesian"),
        ([*POSCAR[:8], "nan 0 0 Na", POSCAR[9]], "not finite"),
        ([*POSCAR[:8], "1_0 0 0 Na", POSCAR[9]], "are no numbers"),
    ],
)
def test_a_poscar_that_is_refused(lines, told, tmp_path):
    assert told in _refused("\n".join(lines), tmp_path, "mp-4.vasp")


def test_rows_without_a_file_and_files_without_a_row(tmp_path):
    files = sets.folder_files() | {"mp-6.cif": FULL, "mp-3/POSCAR": sets.poscar("mp-3")}
    files["energies.csv"] = files["energies.csv"].replace("energy_per_atom", "formation_energy_per_atom")
    del files["mp-1.cif"]
    _, rejections, _ = take_snapshot(file_params(sets.write_folder(tmp_path / "set", files), min_sites=2), seed=1)
    assert rejections.select("material_id", pl.col("reason").str.slice(0, 38)).rows() == [
        ("POSCAR_mp-3", "energies.csv has no row for the file P"),
        ("mp-1", "no file fits the material_id mp-1"),
        ("mp-3", "several files fit: POSCAR_mp-3, mp-3/P"),
        ("mp-3/POSCAR", "energies.csv has no row for the file m"),
        ("mp-6.cif", "energies.csv has no row for the file m"),
    ]


def test_rows_that_name_the_wrong_file(tmp_path):
    table = "file,formation_energy_per_atom\nmp-1.cif,0\nmp-1.cif,0.1\nmp-9.cif,0\nREADME.txt,0\n,0\nmp-5.vasp,0.15\n"
    path = sets.write_folder(tmp_path / "set", sets.folder_files() | {"energies.csv": table})
    found, rejections, _ = take_snapshot(file_params(path), seed=1)
    assert found["material_id"].to_list() == ["mp-5"]
    reasons = set(rejections["reason"])
    assert {
        "the row names no file",
        "several rows name the file mp-1.cif",
        "the file mp-9.cif does not exist",
    } <= reasons
    assert "the file README.txt is no CIF or POSCAR by its name" in reasons


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"energies.csv": None}, r"has no table of energies(.|\n)*energies\.csv.*file.*material_id"),
        ({"b/energies.jsonl": '{"material_id": "mp-1"}'}, "has 2 tables of energies"),
        ({"energies.csv": "name,energy_per_atom\nmp-1,0\n"}, "neither a column file nor material_id"),
        ({"energies.csv": "material_id,energy\nmp-1,0\n"}, "no column energy_per_atom nor formation_energy_per_atom"),
        ({"energies.csv": "material_id,energy_per_atom\nmp-1,low\n"}, "row 2: energy_per_atom is 'low'; a number"),
        ({"energies.csv": "material_id,energy_per_atom\nmp-1,1_0\n"}, "row 2: energy_per_atom is '1_0'; a number"),
        ({"energies.csv": "material_id,energy_per_atom\nmp-1,-1,5\n"}, "row 2: 3 fields under 2 columns"),
        ({"energies.csv": "material_id,energy_per_atom,energy_per_atom\n"}, "names a column twice"),
        ({"energies.csv": 'material_id,energy_per_atom\n"mp-1,0\n'}, "is no CSV"),
        ({"energies.csv": "material_id,energy_per_atom\nmp-é,0\n".encode("latin-1")}, "is no CSV in UTF-8"),
        ({"energies.csv": ""}, "neither a column file nor material_id"),
        ({"energies.csv": "material_id,energy_per_atom\n"}, "none of the 5 chosen rows is usable"),
        ({"energies.csv": None, "energies.parquet": b"PAR1"}, r"energies\.parquet is no readable parquet"),
        ({"energies.csv": None, "energies.jsonl": "{"}, r"energies\.jsonl, line 1: no JSON"),
        ({"references.csv": "element,energy\nNa,0\n"}, "needs the columns element and energy_per_atom"),
        ({"references.csv": "element,energy_per_atom\nNa,0\nNa,1\n"}, "names Na twice"),
        ({"references.csv": "element,energy_per_atom\nNaCl,0\n"}, "'NaCl' is no element"),
        ({"references.csv": "element,energy_per_atom\nNa,nan\n"}, "the energy of Na is nan"),
        ({"references.csv": "element,energy_per_atom\nNa,\n"}, "a row without element or energy"),
    ],
)
def test_a_folder_that_is_refused(change, told, tmp_path):
    files = {name: content for name, content in (sets.folder_files() | change).items() if content is not None}
    with pytest.raises(LodestoneError, match=told):
        take_snapshot(file_params(sets.write_folder(tmp_path / "set", files)), seed=1)


def test_csv_from_a_spreadsheet_and_energies_that_are_no_numbers(tmp_path):
    rows = "﻿material_id,energy_per_atom\r\nmp-1,-1\r\n\r\nmp-2,NaN\r\nmp-3,-2e0\r\nmp-4,inf\r\nmp-5,\r\n"
    path = sets.write_folder(tmp_path / "set", sets.folder_files() | {"energies.csv": rows})
    table, rejections, _ = take_snapshot(file_params(path), seed=1)
    assert rejections.is_empty()
    bad = dict(check_rows(table, RULES).select("material_id", "reason").iter_rows())
    assert set(bad) == {"mp-2", "mp-4", "mp-5"}
    assert "energy_per_atom is NaN" in bad["mp-2"]
    assert "energy_per_atom is inf" in bad["mp-4"]
    assert "no energy" in bad["mp-5"]


def _zip_with(path, *members: tuple[str, str]):
    sets.write_zip(path, sets.folder_files())
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../x.cif", "/x.cif", "a/../../x.cif", "..\\x.cif", "C:x.cif"])
def test_a_zip_that_leaves_its_folder_is_refused_whole(name, tmp_path):
    path = _zip_with(tmp_path / "set.zip", (name, FULL))
    with pytest.raises(LodestoneError, match="which leaves the zip"):
        take_snapshot(file_params(path), seed=1)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["set.zip"]


def test_a_zip_that_is_damaged(tmp_path):
    path = sets.write_zip(tmp_path / "set.zip", sets.folder_files())
    whole = path.read_bytes()
    for content in (whole[:-30], whole[: len(whole) // 2], b"", b"no zip"):
        path.write_bytes(content)
        with pytest.raises(LodestoneError, match=r"set\.zip is no readable zip"):
            take_snapshot(file_params(path), seed=1)
    start = whole.index(b"mp-1.cif") + len("mp-1.cif") + 20
    path.write_bytes(whole[:start] + bytes(byte ^ 255 for byte in whole[start : start + 8]) + whole[start + 8 :])
    _, rejections, _ = take_snapshot(file_params(path), seed=1)
    assert "mp-1.cif is damaged in the zip" in rejections["reason"][0]


def test_a_zip_that_is_encrypted_or_holds_a_name_twice(tmp_path):
    path = sets.write_zip(tmp_path / "set.zip", sets.folder_files())
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 8 : entry + 10] = struct.pack("<H", 1)
    path.write_bytes(bytes(content))
    with pytest.raises(LodestoneError, match="is encrypted"):
        take_snapshot(file_params(path), seed=1)
    with pytest.warns(UserWarning, match="Duplicate name"):
        _zip_with(path, ("mp-1.cif", FULL))
    with pytest.raises(LodestoneError, match="two files of one name"):
        take_snapshot(file_params(path), seed=1)


def test_what_a_zip_unpacks_to_is_bounded(tmp_path, monkeypatch):
    path = _zip_with(tmp_path / "set.zip", ("mp-9.cif", " " * 300_000))
    monkeypatch.setattr(collection, "MOST_BYTES_PER_FILE", 100_000)
    with pytest.raises(LodestoneError, match=r"mp-9\.cif has"):
        take_snapshot(file_params(path), seed=1)
    monkeypatch.setattr(collection, "MOST_BYTES_PER_FILE", 2**30)
    monkeypatch.setattr(collection, "MOST_BYTES", 300_000)
    with pytest.raises(LodestoneError, match="when unpacked"):
        take_snapshot(file_params(path), seed=1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no JSON list"),
        (b"{}", "is no JSON list"),
        (b"[1]", "entry 1: a int, not an object"),
        (b"[{}", "entry 1: the list does not go on"),
        (b"[{},]", "entry 2: "),
        (b"[{}] {}", "something follows the list"),
        (b"[]", "has no rows"),
        (b"[" * 100_000, "entry 1: "),
        (b"\xff\xfe", "no readable JSON"),
        (json.dumps(sets.entries()).encode()[:-500], "entry 5: "),
    ],
)
def test_json_of_the_wrong_shape(content, told, tmp_path):
    (tmp_path / "entries.json").write_bytes(content)
    with pytest.raises(LodestoneError, match=told):
        take_snapshot(file_params(tmp_path / "entries.json"), seed=1)


def test_a_gzip_that_is_cut_off_or_too_large(tmp_path, monkeypatch):
    path = tmp_path / "entries.json.gz"
    whole = gzip.compress(json.dumps(sets.entries()).encode())
    for content in (whole[:-4], whole[: len(whole) // 2], b"[]", whole[:40] + b"\x00" * 40 + whole[80:]):
        path.write_bytes(content)
        with pytest.raises(LodestoneError, match="no readable JSON"):
            take_snapshot(file_params(path), seed=1)
    path.write_bytes(whole)
    monkeypatch.setattr(json_list, "MOST_BYTES", 1000)
    with pytest.raises(LodestoneError, match="when unpacked"):
        take_snapshot(file_params(path), seed=1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"structure": None}, "a ComputedStructureEntry is needed"),
        ({"@class": "ComputedEntry"}, "no structure: a ComputedEntry"),
        ({"energy": "-7"}, "energy is '-7'; a number"),
        ({"energy": True}, "energy is 'True'; a number"),
        ({"energy": None}, "energy is 'None'; a number"),
        ({"composition": {"Na": 1, "Cl": 2}}, "composition Na1 Cl2 is not that of the structure"),
        ({"composition": {"Na": -1, "Cl": -1}}, "is not that of the structure"),
        ({"composition": {"Na": 0, "Cl": 0}}, "is not that of the structure"),
        ({"composition": "NaCl"}, "composition is no mapping"),
        ({"correction": -3.0}, r"correction is -3.0 eV, but energy_adjustments add up to -0.25"),
        ({"energy_adjustments": [{"@class": "Magic", "value": 1}]}, "the unknown kind Magic"),
        ({"energy_adjustments": [{"@class": "ManualEnergyAdjustment"}]}, "value of an energy adjustment is 'None'"),
        ({"energy_adjustments": 7}, "energy_adjustments is no list"),
        ({"entry_id": ["mp-4"]}, "entry_id is "),
        ({"entry_id": "\ud800"}, "entry_id is "),
        ({"structure": {"lattice": 1}}, "structure has no 'frac_coords'"),
    ],
)
def test_an_entry_that_is_refused(change, told, tmp_path):
    content = sets.entries()
    content[3] |= change
    (tmp_path / "entries.json").write_text(json.dumps(content))
    table, rejections, _ = take_snapshot(file_params(tmp_path / "entries.json"), seed=1)
    assert table["material_id"].to_list() == ["mp-1", "mp-2", "mp-3", "mp-5"]
    assert rejections["material_id"][0] in ("mp-4", "row 3")
    assert told in rejections["reason"][0]


def test_entries_with_energies_that_are_no_numbers_are_left_to_validation(tmp_path):
    content = sets.entries()
    content[3]["energy"], content[4]["energy"] = math.nan, math.inf
    (tmp_path / "entries.json").write_text(json.dumps(content))
    table, _, _ = take_snapshot(file_params(tmp_path / "entries.json"), seed=1)
    assert check_rows(table, RULES)["material_id"].to_list() == ["mp-4", "mp-5"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("energy=-7.0", "energy=-7.0 energy=-6.0", "says energy twice"),
        ("energy=-7.0", "energy=low", "energy is 'low'; a number"),
        ("energy=-7.0", "energy=-7.0 energy_per_atom=-1.0", "energy_per_atom is -1.0, but energy over 2 atoms is -3.5"),
        ('pbc="T T T"', 'pbc="T T F"', "periodic in all directions"),
        ("Cl       2.00000000", "Qq       2.00000000", "frame does not parse"),
        ("Cl       2.00000000", "X        2.00000000", "no known element"),
        ("Cl       2.00000000", "Cl       two", "frame does not parse"),
    ],
)
def test_a_frame_that_is_refused(old, new, told, tmp_path):
    path = sets.write_xyz(tmp_path / "set.xyz")
    text = path.read_text()
    place = text.index("mp-4")
    assert old in text[place:]
    path.write_text(text[:place] + text[place:].replace(old, new, 1))
    table, rejections, _ = take_snapshot(file_params(path), seed=1)
    assert table["material_id"].to_list() == ["mp-1", "mp-2", "mp-3", "mp-5"]
    assert told in rejections["reason"][0]


def test_a_cut_xyz_is_refused_and_empty_lines_lose_no_frame(tmp_path):
    path = sets.write_xyz(tmp_path / "set.xyz")
    text = path.read_text()
    path.write_text(text.replace("\n4\n", "\n\n4\n"))
    assert len(take_snapshot(file_params(path), seed=1)[0]) == 5
    for cut, told in (
        ("\n".join(text.splitlines()[:-1]), "has fewer lines than that"),
        (text.replace("\n4\n", "\n3\n"), "number of atoms of a frame is expected"),
    ):
        path.write_text(cut)
        with pytest.raises(LodestoneError, match=told):
            take_snapshot(file_params(path), seed=1)


def test_names_of_frames_are_not_made_numbers(tmp_path):
    path = sets.write_xyz(tmp_path / "set.xyz")
    path.write_text(path.read_text().replace("material_id=mp-1", "material_id=007").replace("material_id=mp-2", "x=1"))
    assert take_snapshot(file_params(path), seed=1)[0]["material_id"].to_list() == [
        "007",
        "mp-3",
        "mp-4",
        "mp-5",
        "set-2",
    ]


def test_no_pickle_is_read(tmp_path):
    bomb = pickle.dumps(sets.rows())
    for name in ("crystals.pkl", "crystals.pickle", "crystals.npy"):
        (tmp_path / name).write_bytes(bomb)
        with pytest.raises(LodestoneError, match="neither parquet nor"):
            take_snapshot(file_params(tmp_path / name), seed=1)
    for suffix in (".parquet", ".jsonl", ".json", ".json.gz", ".xyz", ".zip"):
        (tmp_path / f"x{suffix}").write_bytes(bomb)
        with pytest.raises(LodestoneError):
            take_snapshot(file_params(tmp_path / f"x{suffix}"), seed=1)


def test_a_day_that_is_none_is_rejected(write):
    from snapshot_rows import ROWS

    days = ("2019-02-28", "2019-02-30", "yesterday", None)
    rows = [{**row, "created_at": day} for row, day in zip(ROWS, days, strict=False)]
    table, rejections, _ = take_snapshot(file_params(write(rows)), seed=1)
    assert table["created_at"].to_list() == ["2019-02-28", None]
    assert rejections["reason"].to_list() == [f"created_at is {day}, not YYYY-MM-DD" for day in days[1:3]]
