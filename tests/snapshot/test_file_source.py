"""Source `file`: what it takes over, what it sets aside, and what it refuses."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
from pymatgen.core import Structure
from snapshot_rows import ROWS, file_params, row, structure

from lodestone.crystals.encoding import decode
from lodestone.errors import LodestoneError
from lodestone.schemas import Rejections, Snapshot
from lodestone.snapshot.take import take_snapshot
from lodestone.tables.files import validated


def _taken(path: Path, **filters):
    table, rejections, provenance = take_snapshot(file_params(path, **filters), seed=3)
    assert validated(table, Snapshot, path).equals(table)
    assert validated(rejections, Rejections, path).equals(rejections)
    return table, rejections, provenance


def test_parquet_and_json_lines_give_the_same_snapshot(write):
    table, rejections, provenance = _taken(write())
    shuffled = [{**r, "structure": json.loads(r["structure"])} for r in reversed(ROWS)]
    assert _taken(write(shuffled, "crystals.jsonl"))[0].equals(table)
    assert rejections.is_empty()
    assert table["material_id"].to_list() == [r["material_id"] for r in ROWS]
    assert table["formula_pretty"].to_list()[:4] == ["Na", "Na", "Cl2", "NaCl"]
    assert table["spacegroup_number"][3] == 221
    assert table["energy_per_atom"].null_count() == len(ROWS)
    assert table["formation_energy_per_atom"].to_list() == [r["formation_energy_per_atom"] for r in ROWS]
    assert provenance["counts"] == {"source": 8, "filters": [], "rejected": 0, "snapshot": 8}


def test_provenance_says_everything_but_where_and_when(write, tmp_path):
    _, _, first = _taken(write(), elements=["Na", "Cl"], limit=3)
    _, _, second = _taken(write(), elements=["Na", "Cl"], limit=3)
    assert first == second
    assert first["file"] == "crystals.parquet"
    assert first["label_method"] == "dft-pbe"
    assert first["correction_scheme"] == "MP-2019"
    assert first["filters"] == {"elements": ["Na", "Cl"], "limit": 3, "min_sites": 1}
    assert [step["rows_out"] for step in first["counts"]["filters"]] == [4, 3]
    assert str(tmp_path) not in json.dumps(first)


def test_content_hash_follows_the_content_only(write):
    def digest(rows, name="crystals.parquet"):
        return _taken(write(rows, name))[2]["content_hash"]

    assert digest(ROWS) == digest(ROWS[::-1], "again.jsonl")
    assert digest(ROWS) != digest([*ROWS[:-1], {**ROWS[-1], "formation_energy_per_atom": 0.1 + 1e-12}])
    moved = {**ROWS[-1], "structure": json.dumps(structure(["K", "Na"], edge=4.0001))}
    assert digest(ROWS) != digest([*ROWS[:-1], moved])


def test_what_a_silent_file_lacks_is_read_from_the_structures(write):
    needed = ("material_id", "formation_energy_per_atom", "structure")
    silent = [{name: r[name] for name in needed} for r in ROWS]
    columns = ["formula_pretty", "chemsys", "nsites", "prototype"]
    spoken = _taken(write(), chemical_systems=["K-Na-Cl"], max_sites=2)[0]
    assert (
        _taken(write(silent, "silent.parquet"), chemical_systems=["K-Na-Cl"], max_sites=2)[0]
        .select(columns)
        .equals(spoken.select(columns))
    )


def test_own_columns_structs_and_pymatgen_dictionaries_load(write, tmp_path):
    table = _taken(write())[0]
    as_array = pl.col("lattice").cast(pl.Array(pl.Float32, 9))
    for name, content in {
        "own.parquet": table.drop("label_method", "correction_scheme"),
        "array.parquet": table.with_columns(as_array),
        "struct.parquet": pl.DataFrame([{**r, "structure": json.loads(r["structure"])} for r in ROWS]),
        "pymatgen.parquet": table.select("material_id", "formation_energy_per_atom").with_columns(
            pl.Series("structure", [json.dumps(c.to_pymatgen().as_dict()) for c in decode(table)])
        ),
    }.items():
        content.write_parquet(tmp_path / name)
        found = _taken(tmp_path / name)[0]
        assert found.drop("energy_above_hull").equals(table.drop("energy_above_hull")), name


def test_rows_without_identity_or_structure_are_set_aside_with_reasons(write):
    bad = [
        row("mp-20", ["Li"], structure="{"),
        row("mp-21", ["Li", "F"], structure=None),
        row("mp-4", ["Na", "Cl"]),
        row("", ["Li"]),
        row("mp-22", ["Li"], nsites=0),
    ]
    table, rejections, provenance = _taken(write([*ROWS, *bad]))
    assert table["material_id"].to_list() == [r["material_id"] for r in ROWS if r["material_id"] != "mp-4"]
    told = rejections.select("material_id", pl.col("reason").str.slice(0, 15)).rows()
    assert told == [
        ("mp-20", "structure is no"),
        ("mp-21", "no structure"),
        ("mp-22", "nsites is 0"),
        ("mp-4", "material_id occ"),
        ("mp-4", "material_id occ"),
        ("row 11", "no material_id"),
    ]
    assert provenance["counts"]["rejected"] == 6


def test_what_the_file_says_stays_for_validation_to_judge(write):
    lies = {"formula": "KF", "chemsys": "K-F", "nsites": 3, "formation_energy_per_atom": math.nan}
    table, _, _ = _taken(write([{**ROWS[3], **lies}]))
    assert table.select("formula_pretty", "chemsys", "nsites").row(0) == ("KF", "F-K", 3)
    assert math.isnan(table["formation_energy_per_atom"][0])
    beyond = _taken(write([{**ROWS[3], "nsites": 10**12}]))[0]  # no number of sites at all
    assert beyond["nsites"].to_list() == [2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"formation_energy_per_atom": "-2.0"}, "formation_energy_per_atom is"),
        ({"material_id": 17}, "material_id is"),
        ({"nsites": 2.5}, "nsites is"),
        ({"structure": 3.0}, "structure is"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(change, told, write):
    with pytest.raises(LodestoneError, match=rf"crystals\.parquet: column {told} of type"):
        _taken(write([{**ROWS[3], **change}]))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"material_id": "mp-9", "nsites": true}', "line 9: nsites is 'True'; an integer is expected"),
        ('{"material_id": "mp-9", "formation_energy_per_atom": "low"}', "line 9: formation_energy_per_atom is 'low'"),
        ('{"material_id": "mp-', "line 9: no JSON"),
        ("[1]", "line 9: a list, not an object"),
    ],
)
def test_a_bad_line_is_named(line, told, write):
    path = write(name="crystals.jsonl")
    path.write_text(path.read_text() + line)
    with pytest.raises(LodestoneError, match=told):
        _taken(path)


def test_columns_that_must_not_be_missing(write):
    for missing, told in {
        "material_id": "no column material_id",
        "formation_energy_per_atom": "no column energy_per_atom nor formation_energy_per_atom",
        "structure": "no structures",
    }.items():
        with pytest.raises(LodestoneError, match=told):
            _taken(write([{k: v for k, v in r.items() if k != missing} for r in ROWS]))


def test_missing_truncated_and_unknown_files(write, tmp_path):
    whole = write()
    truncated = tmp_path / "truncated.parquet"
    truncated.write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "table.csv").write_text("material_id\n")
    for name, told in {
        "missing.parquet": "missing.parquet does not exist",
        "truncated.parquet": "truncated.parquet is no readable parquet file",
        "table.csv": "neither parquet nor JSON lines",
    }.items():
        with pytest.raises(LodestoneError, match=told):
            _taken(tmp_path / name)


def test_a_file_that_states_other_labels_is_refused(write):
    with pytest.raises(
        LodestoneError, match=r"correction_scheme holds MP2020, but snapshot\.correction_scheme is MP-2019"
    ):
        _taken(write([{**r, "correction_scheme": "MP2020"} for r in ROWS]))


def test_nothing_usable_is_an_error(write):
    with pytest.raises(LodestoneError, match="none of the 1 chosen rows is usable; mp-1: no structure"):
        _taken(write([{**ROWS[0], "structure": None}], "crystals.jsonl"))
    with pytest.raises(LodestoneError, match="has no rows"):
        _taken(write([], "empty.jsonl").with_name("empty.jsonl"))


def test_shared_structures_load_as_they_are(shared_data):
    path = shared_data / "mp_structures.parquet"
    table, rejections, provenance = _taken(path, elements=["Na", "Cl", "O"], max_sites=20, max_energy_above_hull=0.5)
    said = pl.read_parquet(path).filter(pl.col("material_id").is_in(table["material_id"].implode())).sort("material_id")
    assert len(table) > 20
    assert rejections.is_empty()
    assert provenance["counts"]["source"] == 80829
    for column in ("chemsys", "nsites", "formation_energy_per_atom", "energy_above_hull"):
        assert table[column].to_list() == said[column].to_list()
    assert table["formula_pretty"].to_list() == said["formula"].to_list()
    read = Structure(*(json.loads(said["structure"][0])[key] for key in ("lattice", "species", "frac_coords")))
    assert decode(table[:1])[0].to_pymatgen() == read
