"""The tables of the Materials Project, made from its API, from Matbench, or from one's own files."""

import gzip
import json

import polars as pl
import pytest
from mp_snapshots import pages_of_two, take
from pymatgen.core import Lattice, Structure

from lodestone.cli.main import main
from lodestone.curation.source_scale import read_phases
from lodestone.errors import LodestoneError
from lodestone.schemas import Snapshot
from lodestone.snapshot.public_tables import ENERGIES, STRUCTURES, public_tables, read_matbench
from lodestone.snapshot.sources.file import FileParams
from lodestone.snapshot.take import take_snapshot

CUBE = Lattice.cubic(4.0)
ROWS = [
    (Structure(CUBE, ["Na"], [[0, 0, 0]]), 0.0),
    (Structure(CUBE, ["Cl"], [[0, 0, 0]]), 0.0),
    (Structure(CUBE, ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]), -2.0),
    (Structure(CUBE, ["Na", "Na", "Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]), -0.5),
]


def matbench(folder, rows=ROWS, *, cut: int | None = None):
    data = [[structure.as_dict(), energy] for structure, energy in rows]
    text = json.dumps({"index": list(range(len(rows))), "columns": ["structure", "e_form"], "data": data})
    path = folder / "matbench_mp_e_form.json.gz"
    path.write_bytes(gzip.compress(text[:cut].encode()))
    return path


def test_matbench_makes_both_tables_and_they_are_a_source(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["tables", "--matbench", str(matbench(tmp_path)), "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    assert "4 rows, 3 on the hull" in capsys.readouterr().out
    energies = pl.read_parquet(tmp_path / "out" / ENERGIES)
    assert energies["material_id"].to_list() == [f"mb-mp-e-form-00000{k}" for k in range(1, 5)]
    assert energies["energy_above_hull"].to_list() == pytest.approx([0, 0, 0, 0.5])
    labels = {"label_method": "dft-pbe", "correction_scheme": "MP-2019-legacy"}
    source = FileParams(source="file", path=tmp_path / "out" / STRUCTURES, **labels)
    snapshot, unread, _ = take_snapshot(source, seed=0)
    assert Snapshot.validate(snapshot)["formula_pretty"].to_list() == ["Na", "Cl2", "NaCl", "Na3Cl"]
    assert snapshot["energy_above_hull"].to_list() == pytest.approx(energies["energy_above_hull"].to_list())
    assert len(unread) == 0
    assert len(read_phases(tmp_path / "out" / ENERGIES, snapshot)) == 0  # all are crystals of the snapshot
    fewer = snapshot.filter(pl.col("formula_pretty") != "Na3Cl")
    assert read_phases(tmp_path / "out" / ENERGIES, fewer)["formula_pretty"].to_list() == ["Na3Cl"]


def test_the_api_makes_them_too(monkeypatch, tmp_path):
    with pages_of_two(monkeypatch, tmp_path):
        snapshot, _, _ = take(chemical_systems=("Cl-Na",))
    structures, energies = public_tables(snapshot)
    assert structures.drop("structure", "created_at").equals(energies)
    assert (energies["energy_above_hull"] >= 0).all()
    salt = energies.filter(pl.col("formula") == "NaCl")["formation_energy_per_atom"][0]
    assert salt < 0


def test_formation_energies_follow_from_total_ones(tmp_path):
    table = read_matbench(matbench(tmp_path)).with_columns(
        pl.Series("energy_per_atom", [-1.0, -2.0, -3.5, -1.75]), formation_energy_per_atom=pl.lit(None, pl.Float64)
    )
    _, energies = public_tables(table)
    assert energies["formation_energy_per_atom"].to_list() == pytest.approx([0, 0, -2.0, -0.5])
    with pytest.raises(LodestoneError, match="no elemental reference energy for Cl"):
        public_tables(table.filter(pl.col("chemsys") != "Cl"))


def test_what_is_no_matbench_file_is_refused(tmp_path):
    with pytest.raises(LodestoneError, match="damaged at character"):
        read_matbench(matbench(tmp_path, cut=900))
    with pytest.raises(LodestoneError, match="cannot be read"):
        read_matbench(tmp_path / "none.json.gz")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(LodestoneError, match="no table of Matbench"):
        read_matbench(tmp_path / "other.json")
    disordered = Structure(CUBE, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    with pytest.raises(LodestoneError, match="row 1: "):
        read_matbench(matbench(tmp_path, [(disordered, 0.0)]))
