"""The split: by hash or by time, for good, and nothing on both sides."""

import hashlib
import runpy
import shutil
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from lodestone.config.sections import SplitParams
from lodestone.crystals.splits import split_of
from lodestone.curation.splits import empty_attempts, split_metrics, split_snapshot, split_verified
from lodestone.errors import LodestoneError
from lodestone.schemas import Attempts, Crystals, Labelled
from lodestone.tables.files import read_json, read_table, write_table
from lodestone.tables.layout import METRICS, Layout

ROOT = Path(__file__).parents[2]
PARAMS = SplitParams(by="formula", validation=0.1, test=0.2)
BY_TIME = SplitParams(by="created_at", validation_from="2016-01-01", test_from="2018-01-01")
DAYS = {"validation_from": "2016-01-01", "test_from": "2018-01-01"}
METALS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Al", "Fe", "Ni", "Zn")
ANIONS = ("O", "S", "F", "Cl", "Br", "N")


def compounds(polymorphs: int = 2) -> pl.DataFrame:
    """Made-up compounds, several crystals of each formula, and two elements."""
    rows = [
        (f"{m}{x}{n}", "-".join(sorted((m, x))))
        for m, x, n, _ in product(METALS, ANIONS, ("", 2, 3, 4), range(polymorphs))
    ]
    table = pl.DataFrame([*rows, ("Na", "Na"), ("O2", "O")], schema=["formula_pretty", "chemsys"], orient="row")
    return table.with_row_index("row").with_columns(
        pl.format("c-{}", "row").alias("material_id"), split=pl.lit("train")
    )


def remainder(key: str) -> int:
    return int(hashlib.md5(key.encode()).hexdigest(), 16) % 100


def test_parts_follow_the_md5_hash_modulo_100():
    for key in compounds()["formula_pretty"].unique():
        expected = "test" if remainder(key) < 20 else "validation" if remainder(key) < 30 else "train"
        assert split_of(key, PARAMS) == expected


def test_known_keys_stay_where_they_are():
    parts = {key: split_of(key, PARAMS) for key in ("NaCl", "SrTiO3", "TiO2", "ZnS", "PbO")}
    assert parts == {"NaCl": "train", "SrTiO3": "train", "TiO2": "test", "ZnS": "test", "PbO": "validation"}


def test_a_share_that_is_no_whole_percentage_lies_between_its_neighbors():
    keys = [f"key {i}" for i in range(5000)]
    shares = (0.12, 0.125, 0.13)
    tested = [{key for key in keys if split_of(key, PARAMS.model_copy(update={"test": s})) == "test"} for s in shares]
    assert tested[0] < tested[1] < tested[2]
    assert len(tested[1]) == pytest.approx(625, abs=80)


def test_shares_are_as_asked():
    parts = [split_of(f"key {i}", PARAMS) for i in range(5000)]
    assert parts.count("test") == pytest.approx(1000, abs=100)
    assert parts.count("validation") == pytest.approx(500, abs=75)


def test_elements_are_always_learned_from():
    mostly_test = SplitParams(by="formula", validation=0.05, test=0.85)
    assert {split_of(element, mostly_test) for element in ("Na", "O2")} == {"test"}  # by their hash alone
    known = compounds()
    for dealt in (split_snapshot(known, mostly_test), split_verified(known, known, mostly_test)):
        assert dealt.filter(~pl.col("chemsys").str.contains("-"))["split"].to_list() == ["train", "train"]


@pytest.mark.parametrize(("by", "key"), [("formula", "formula_pretty"), ("chemsys", "chemsys")])
def test_no_key_is_on_both_sides(by, key):
    dealt = split_snapshot(compounds(), PARAMS.model_copy(update={"by": by}))
    assert set(dealt["split"]) == {"train", "validation", "test"}
    assert dealt.group_by(key).agg(pl.col("split").n_unique())["split"].max() == 1


def test_splitting_by_formula_does_separate_formulas_of_one_system():
    dealt = split_snapshot(compounds(), PARAMS)
    assert dealt.group_by("chemsys").agg(pl.col("split").n_unique())["split"].max() > 1


def test_the_test_set_does_not_move_when_crystals_are_added():
    table = compounds()
    early, late = (split_snapshot(part, PARAMS) for part in (table[:300], table.reverse()))
    both = early.join(late, on="material_id", suffix="_late")
    assert len(both) == 300
    assert both["split"].to_list() == both["split_late"].to_list()


def test_a_larger_validation_share_takes_nothing_from_the_test_set():
    larger = PARAMS.model_copy(update={"validation": 0.4})
    tested = [split_snapshot(compounds(), p).filter(pl.col("split") == "test")["material_id"] for p in (PARAMS, larger)]
    assert tested[0].equals(tested[1])


def test_verified_crystals_are_never_validated_or_tested_on():
    table = compounds()
    verified, dealt = split_verified(table, table.clear(), PARAMS), split_snapshot(table, PARAMS)
    assert set(verified["split"]) == {"train", "holdout"}
    assert ((verified["split"] == "train") == (dealt["split"] == "train")).all()
    assert split_verified(table.clear(), dealt, PARAMS).schema == verified.schema


def dated(**days: str | None) -> pl.DataFrame:
    """Crystals of formulas named like ``NaCl__1``, one for each, and sodium without a date."""
    rows = [(name, name.split("__")[0], "Cl-Na", day) for name, day in days.items()]
    columns = ["material_id", "formula_pretty", "chemsys", "created_at"]
    return pl.DataFrame([*rows, ("Na", "Na", "Na", None)], schema=columns, orient="row")


def parts_of(table: pl.DataFrame) -> dict[str, str]:
    return dict(table.select("material_id", "split").iter_rows())


DATED = dated(
    NaCl__1="2012-05-01", NaCl__2="2019-01-01", NaCl__3=None,  # known since 2012, whatever came later
    NaCl2="2015-12-31", NaCl3="2016-01-01", NaCl4="2017-12-31", NaCl5="2018-01-01", NaCl6__1="2019-01-01",
    NaCl6__2=None, NaCl7=None,
)  # fmt: skip


def test_by_time_a_formula_belongs_to_its_first_day():
    dealt = split_snapshot(DATED, BY_TIME)
    assert parts_of(dealt) == {
        "NaCl__1": "train", "NaCl__2": "train", "NaCl__3": "train", "NaCl2": "train",
        "NaCl3": "validation", "NaCl4": "validation", "NaCl5": "test", "NaCl6__1": "test", "NaCl6__2": "test",
        "NaCl7": "holdout", "Na": "train",
    }  # fmt: skip
    assert parts_of(split_snapshot(DATED.reverse(), BY_TIME)) == parts_of(dealt)
    sizes = split_metrics(dealt)
    assert sizes["train"] == {
        "n": 5, "n_formulas": 3, "n_undated": 2, "first_day": "2012-05-01", "last_day": "2019-01-01"
    }  # fmt: skip
    assert sizes["holdout"] == {"n": 1, "n_formulas": 1, "n_undated": 1, "first_day": None, "last_day": None}


def test_by_time_verified_crystals_of_held_out_formulas_are_held_out_and_new_formulas_learned_from():
    known = split_snapshot(DATED, BY_TIME)
    found = dated(NaCl=None, NaCl3=None, NaCl5=None, NaCl7=None, NaCl8=None).with_columns(split=pl.lit("train"))
    assert parts_of(split_verified(found, known, BY_TIME)) == {
        "NaCl": "train", "NaCl3": "holdout", "NaCl5": "holdout", "NaCl7": "holdout", "NaCl8": "train", "Na": "train"
    }  # fmt: skip


def test_by_time_without_any_date_is_an_error():
    with pytest.raises(LodestoneError, match="none of 2 crystals has that date") as refused:
        split_snapshot(dated(NaCl=None), BY_TIME)
    assert "split.by: formula" in refused.value.remedy


def test_by_time_an_empty_part_names_the_days():
    with pytest.raises(LodestoneError, match="by created_at leaves no crystal for validation, test") as refused:
        split_snapshot(dated(NaCl="2012-01-01"), BY_TIME)
    assert "split.validation_from and split.test_from" in refused.value.remedy


@pytest.mark.parametrize(("rows", "missing"), [(["NaCl"], "validation, test|train, "), ([], "train, validation, test")])
def test_an_empty_part_is_an_error(rows, missing):
    table = compounds().filter(pl.col("formula_pretty").is_in(rows))
    with pytest.raises(LodestoneError, match=f"split by formula leaves no crystal for ({missing})") as refused:
        split_snapshot(table, PARAMS)
    assert "snapshot.filters" in refused.value.remedy


def test_there_are_no_attempts_before_the_first_round():
    assert len(Attempts.validate(empty_attempts())) == 0


def test_the_stage_writes_what_the_first_round_starts_from(tmp_path, monkeypatch):
    layout = Layout()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    known = pl.read_parquet(ROOT / "reference" / "crystals.parquet").head(300).with_columns(
        pl.lit(None, pl.Float64).alias("source_formation_energy_per_atom"), pl.lit(None, pl.String).alias("created_at"),
        energy_above_hull=pl.lit(0.0), origin=pl.lit("snapshot"), split=pl.lit("train"),
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_table(known.select(list(Labelled.to_schema().columns)), layout.labelled, Labelled)
    monkeypatch.setattr("sys.argv", ["split.py"])
    runpy.run_path(str(ROOT / "stages" / "split.py"), run_name="__main__")
    dealt = read_table(layout.round("round_0").crystals, Crystals)
    sizes = {part: told["n"] for part, told in read_json(METRICS / "split.json").items()}
    assert sizes == dict(dealt["split"].value_counts().iter_rows()) | {"holdout": 0}
    assert read_table(layout.round("round_0").attempts, Attempts).is_empty()
    assert (layout.round("round_0").warm_start / "origin.json").is_file()


def test_a_share_is_learned_from_and_the_rest_is_known_only():
    params = SplitParams(by="formula", validation=0.1, test=0.2, train=0.3)
    dealt = split_snapshot(compounds(), params)
    whole = split_snapshot(compounds(), PARAMS)
    assert dealt.filter(pl.col("split") == "test").equals(whole.filter(pl.col("split") == "test"))
    for formula, chemsys, split in dealt.select("formula_pretty", "chemsys", "split").iter_rows():
        if "-" in chemsys and remainder(formula) >= 30:
            assert split == ("train" if remainder(formula) < 60 else "holdout")
        elif "-" not in chemsys:
            assert split == "train"
    assert set(dealt["split"]) == {"train", "validation", "test", "holdout"}
    new = pl.DataFrame({"formula_pretty": ["HfSe7"], "chemsys": ["Hf-Se"]})
    assert remainder("HfSe7") >= 60
    assert split_verified(new, dealt, params)["split"].to_list() == ["train"]  # what is found is learned from


@pytest.mark.parametrize("wrong", [{"train": 0.9}, {"by": "created_at", "train": 0.5} | DAYS])
def test_an_impossible_share_is_refused(wrong):
    with pytest.raises(ValueError, match=r"more than all|does not read train"):
        SplitParams(**{"by": "formula", "validation": 0.1, "test": 0.2} | wrong)
