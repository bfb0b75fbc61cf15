"""The split: by hash, for good, and nothing on both sides."""

import hashlib
from itertools import product

import polars as pl
import pytest

from pipeline.errors import LodestoneError
from pipeline.params import SplitParams
from pipeline.schemas import Attempts
from pipeline.splits import empty_attempts, split_of, split_snapshot, split_verified

PARAMS = SplitParams(by="formula", validation=0.1, test=0.2)
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


def share(key: str) -> float:
    return int(hashlib.md5(key.encode()).hexdigest(), 16) % 10_000 / 10_000


def test_parts_follow_the_md5_hash():
    for key in compounds()["formula_pretty"].unique():
        expected = "test" if share(key) < 0.2 else "validation" if share(key) < 0.3 else "train"
        assert split_of(key, PARAMS) == expected


def test_known_keys_stay_where_they_are():
    parts = {key: split_of(key, PARAMS) for key in ("NaCl", "SrTiO3", "MgO", "ZnS", "AlN")}
    assert parts == {"NaCl": "train", "SrTiO3": "train", "MgO": "test", "ZnS": "test", "AlN": "validation"}


def test_shares_are_as_asked():
    parts = [split_of(f"key {i}", PARAMS) for i in range(5000)]
    assert parts.count("test") == pytest.approx(1000, abs=100)
    assert parts.count("validation") == pytest.approx(500, abs=75)


def test_elements_are_always_learned_from():
    mostly_test = SplitParams(by="formula", validation=0.05, test=0.85)
    assert {split_of(element, mostly_test) for element in ("Na", "O2")} == {"test"}  # by their hash alone
    for deal in (split_snapshot, split_verified):
        dealt = deal(compounds(), mostly_test)
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
    verified, dealt = split_verified(table, PARAMS), split_snapshot(table, PARAMS)
    assert set(verified["split"]) == {"train", "holdout"}
    assert ((verified["split"] == "train") == (dealt["split"] == "train")).all()
    assert split_verified(table.clear(), PARAMS).schema == verified.schema


@pytest.mark.parametrize(("rows", "missing"), [(["NaCl"], "validation, test|train, "), ([], "train, validation, test")])
def test_an_empty_part_is_an_error(rows, missing):
    table = compounds().filter(pl.col("formula_pretty").is_in(rows))
    with pytest.raises(LodestoneError, match=f"split by formula leaves no crystal for ({missing})") as refused:
        split_snapshot(table, PARAMS)
    assert "snapshot.filters" in refused.value.remedy


def test_there_are_no_attempts_before_the_first_round():
    assert len(Attempts.validate(empty_attempts())) == 0
