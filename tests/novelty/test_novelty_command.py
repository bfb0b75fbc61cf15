"""`lodestone novelty`: any crystals against any others."""

from __future__ import annotations

import polars as pl
import pytest
from structure_types import ordered_rock_salt, perovskite, rock_salt

from lodestone.cli.main import main
from lodestone.crystals.encoding import describe
from lodestone.novelty.files import Judged
from lodestone.novelty.text import text


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main(["novelty", *map(str, arguments)])
    return end.value.code


def described(crystals) -> pl.DataFrame:
    names = pl.Series("material_id", list(crystals))
    return describe(list(crystals.values())).with_columns(names, energy_per_atom=pl.lit(-3.0))


FINDS = {
    "one": rock_salt("Na", "Cl", 5.7),
    "two": perovskite("Sr", "Ti", "O", 3.9),
    "three": ordered_rock_salt("Ni", "Mg", "O", 4.2),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    described(FINDS).write_parquet("finds.parquet")
    described({"salt": rock_salt("Na", "Cl", 5.6)}).write_parquet("ours.parquet")
    (tmp_path / "theirs").mkdir()
    perovskite("Ca", "Ti", "O", 3.85).to_pymatgen().to("theirs/perovskite.cif")
    return tmp_path


def test_any_table_is_held_against_any_number_of_others(folder, capsys):
    against = ("--against", "ours.parquet", "--against", "theirs")
    assert call("finds.parquet", *against, "--out", "answers.parquet") == 0
    said = capsys.readouterr().out
    answers = pl.read_parquet("answers.parquet")
    assert answers.select("material_id", "novelty", "known_as", "likely_disorder").rows() == [
        ("one", "known", "salt", None),
        ("two", "new composition", None, None),
        ("three", "new prototype", None, "Mg/Ni"),
    ]
    assert "NaCl (one): known; known of this formula: salt" in said
    assert "SrTiO3 (two): new composition\n" in said
    assert "1 of 3   33.3 %  [6, 79]  likely disordered" in said
    assert "3 families" in said


def test_formulas_may_be_known_without_structures_but_not_asked_about(folder, capsys):
    pl.DataFrame({"formula": ["SrTiO3", "KCl"]}).write_parquet("formulas.parquet")
    assert call("finds.parquet", "--against", "ours.parquet", "--against", "formulas.parquet") == 0
    said = capsys.readouterr().out
    assert said.startswith("3 crystals against 3 known ones\n")
    assert "SrTiO3 (two): new prototype; known of this formula: SrTiO3" in said
    assert call("formulas.parquet", "--against", "ours.parquet") == 0
    assert capsys.readouterr().out.startswith("0 crystals against 1 known ones\n2 of formulas.parquet cannot be used")


def test_structures_without_any_description_may_be_asked_about(folder, capsys):
    perovskite("Sr", "Ti", "O", 3.9).to_pymatgen().to("theirs/find.cif")
    assert call("theirs", "--against", "ours.parquet") == 0
    assert capsys.readouterr().out.count("new prototype") == 3  # two crystals, one line of counts


def test_the_discoveries_of_a_campaign_are_the_default(folder, capsys):
    (folder / "reports").mkdir()
    (folder / "data" / "rounds" / "round_0").mkdir(parents=True)
    (folder / "finds.parquet").rename("reports/discoveries.parquet")
    (folder / "ours.parquet").rename("data/rounds/round_0/crystals.parquet")
    assert call() == 0
    assert "MgNi" not in (said := capsys.readouterr().out)
    assert "Mg3NiO4 (three): new prototype" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("absent.parquet",), "absent.parquet does not exist"),
        (("finds.parquet", "--against", "absent"), "absent does not exist"),
        (("broken.parquet", "--against", "ours.parquet"), "broken.parquet"),
        (("finds.parquet",), "crystals.parquet does not exist"),
    ],
)
def test_bad_files_are_named_with_a_remedy(folder, capsys, arguments, problem):
    (folder / "broken.parquet").write_bytes(b"PAR1 no table")
    assert call(*arguments) == 1
    said = capsys.readouterr().err
    assert problem in said
    assert "->" in said
    assert "Traceback" not in said


def test_no_finds_are_no_lines():
    columns = ["material_id", "formula_pretty", "novelty", "known_as", "likely_disorder", "disorder_family"]
    nothing = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    said = text(Judged(answers=nothing, n_known=7, unread={"a.parquet": 2}))
    assert said.startswith("0 crystals against 7 known ones\n2 of a.parquet cannot be used\n")
    assert "     0 likely disordered\n0 families" in said


def test_many_finds_are_cut_short_and_counted():
    row = {"material_id": "a", "formula_pretty": "NaCl", "novelty": "known", "known_as": "b"}
    rows = [row | {"likely_disorder": None, "disorder_family": None}] * 50
    many = pl.DataFrame(rows, schema_overrides={"likely_disorder": pl.String, "disorder_family": pl.String})
    assert text(Judged(answers=many, n_known=1, unread={}), shown=10).endswith("… and 40 more")
