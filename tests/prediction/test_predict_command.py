"""`lodestone predict` on the command line: what it prints and writes, and how it ends."""

import io
import json
from types import SimpleNamespace

import polars as pl
import pytest
from untrained import write_ensemble

from lodestone.cli.main import main
from lodestone.oracles.base import Label
from lodestone.prediction import answers as module
from lodestone.prediction.inputs import queries_of
from lodestone.prediction.model import load
from lodestone.prediction.relaxation import oracle_of, relaxed
from lodestone.tables.layout import Layout


@pytest.fixture
def cif(tmp_path, salt):
    path = tmp_path / "salt.cif"
    salt.to(str(path))
    return path


@pytest.fixture
def run(ensemble_folder, capsys):
    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["predict", *map(str, words), "--model", str(ensemble_folder)])
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


@pytest.fixture
def hull(tmp_path):
    path = tmp_path / "hull.parquet"
    labels = {"label_method": "dft-pbe", "correction_scheme": "MP-2019-legacy"}
    rows = {"material_id": ["mp-1", "mp-2"], "formula": ["NaCl", "NaCl3"], "formation_energy_per_atom": [-2.1, -0.1]}
    pl.DataFrame(rows).with_columns(**{name: pl.lit(value) for name, value in labels.items()}).write_parquet(path)
    return path


def test_one_crystal_in_full(run, cif, hull):
    code, out, _ = run(cif, "--hull", hull)
    assert code == 0
    for words in ("NaCl  salt, 8 atoms", "formation energy", "P(stable)", "mp-1", "calibrated 90 %", "dft-pbe"):
        assert words in out
    assert "out of distribution" not in out


def test_without_a_hull_nothing_is_said_of_stability(run, cif):
    code, out, _ = run(cif)
    assert code == 0
    assert "P(stable)" not in out
    assert "--hull FILE" in out


def test_many_crystals_are_a_table(run, cif, hull):
    code, out, _ = run(cif, cif, cif, "Na3Cl", "NaCl3", "Na", "--hull", hull)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:2]] == ["crystal", str(cif)[:27] + "…"]
    assert max(map(len, out.splitlines())) < 200


def test_json_and_tables_hold_the_same_numbers(run, cif, hull, tmp_path):
    for ending in ("parquet", "csv", "jsonl"):
        table = tmp_path / f"out.{ending}"
        code, out, _ = run(cif, "NaCl3", "--hull", hull, "--json", "--out", table)
        content = json.loads(out)
        assert code == 0
        read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[ending](table)
        assert read["material_id"].to_list() == ["salt", "NaCl3"]
        energies = [row["formation_energy_per_atom_pred"] for row in content["predictions"]]
        assert read["formation_energy_per_atom_pred"].to_list() == pytest.approx(energies, abs=1e-12)
    assert content["same_scale"] is True
    assert content["hull"]["label_method"] == "dft-pbe"
    assert content["predictions"][0]["energy_above_hull_lower"] < content["predictions"][0]["energy_above_hull_upper"]


def test_what_cannot_be_read_is_named_and_the_exit_code_tells(run, cif, tmp_path):
    (tmp_path / "bad.cif").write_text("data_x\n_cell_length_a 1\n")
    (tmp_path / "empty.cif").write_text("")
    code, out, _ = run(tmp_path / "bad.cif", cif, tmp_path / "empty.cif", "Xx2")
    assert code == 3
    assert out.count("not predicted:") == 3
    assert "NaCl  salt" in out
    code, out, _ = run(tmp_path / "bad.cif")
    assert code == 1
    assert "not predicted" in out


def test_faults_of_the_whole_command_have_a_remedy(run, cif, tmp_path):
    for words, reason in (
        (("--hull", tmp_path / "none.parquet"), "does not exist"),
        (("--hull", "snapshot"), "--across-scales"),
        (("--out", tmp_path / "out.xlsx"), "unknown ending"),
    ):
        code, _, err = run(cif, *words)
        assert code == 1
        assert reason in err
        assert "->" in err


def test_a_difference_of_scales_is_stated(run, cif):
    code, out, _ = run(cif, "--hull", "snapshot", "--across-scales")
    assert code == 0
    assert "CAUTION" in out


def test_the_standard_input(run, cif, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(cif.read_bytes())))
    code, out, _ = run("-")
    assert code == 0
    assert "NaCl  stdin, 8 atoms" in out


def test_formulas_are_set_aside_where_networks_cannot_judge_them(tmp_path, cif, capsys):
    write_ensemble(tmp_path / "model", with_formulas=False)
    with pytest.raises(SystemExit) as ended:
        main(["predict", "MgO", str(cif), "--model", str(tmp_path / "model")])
    assert ended.value.code == 3
    assert "not predicted: MgO" in capsys.readouterr().out


def test_relaxed_crystals_are_predicted_and_the_others_named(tmp_path, salt, monkeypatch, known):
    folder = tmp_path / "data" / "rounds" / "round_0"
    write_ensemble(folder)
    layout = Layout(tmp_path / "data")
    layout.oracle.parent.mkdir()
    layout.oracle.write_text('{"name": "chgnet-0.3.0"}')
    known.write_parquet(folder / "crystals.parquet")
    elements = pl.DataFrame({"element": ["Na", "Cl"], "energy_per_atom": [-1.0, -2.0], "material_id": ["a", "b"]})
    elements.write_parquet(layout.references)
    model, oracle = load(tmp_path), oracle_of(layout)
    assert oracle.name == "chgnet-0.3.0"
    queries = queries_of([salt, salt.copy(), "NaCl"])
    smaller = queries.good[0].crystal.scaled_to(170.0)
    labels = [Label("ok", -4.0, smaller), Label("not_converged")]
    monkeypatch.setattr("lodestone.prediction.relaxation.label_all", lambda *_: labels)
    result = relaxed(queries, oracle)
    assert [len(result.queries.good), len(result.queries.unread)] == [2, 1]
    assert "not_converged" in result.queries.unread[0].reason
    told = module.answer(model, queries, relax=True)
    row = told.table.row(0, named=True)
    assert row["oracle_energy_per_atom"] == -4.0
    assert row["oracle_energy_above_hull"] == pytest.approx(
        -2.5 - (row["formation_energy_per_atom_pred"] - row["energy_above_hull_pred"]), abs=1e-9
    )
    assert told.table["oracle_energy_per_atom"].to_list() == [-4.0, None]
