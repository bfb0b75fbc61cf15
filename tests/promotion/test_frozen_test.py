"""The frozen test set: which rows, and above which hull."""

import numpy as np
import polars as pl
import pytest

from lodestone.errors import LodestoneError
from lodestone.promotion.frozen_test import PredictedTestSet, common_test, predicted_test_set, read_predicted_test_set
from lodestone.tables.files import write_table


def crystals() -> pl.DataFrame:
    rows = [
        ("rock-salt", "Cl-Na", [11, 17], -2.0, "train"),
        ("other", "Cl-Na", [11, 11, 17], -0.5, "test"),
        ("held", "Cl-Na", [11, 17, 17], -3.0, "validation"),
    ]
    columns = ("material_id", "chemsys", "atomic_numbers", "formation_energy_per_atom", "split")
    return pl.DataFrame(rows, schema=columns, orient="row")


def predictions() -> pl.DataFrame:
    rows = [
        (name, shape, split, label)
        for name, split, label in (("other", "test", -0.5), ("held", "validation", -3.0))
        for shape in ("relaxed", "unrelaxed")
    ]
    table = pl.DataFrame(
        rows, schema=("material_id", "input_structure", "split", "formation_energy_per_atom"), orient="row"
    )
    energy = {"pred": -0.6, "lower": -0.8, "upper": -0.4, "std": 0.1}
    return table.with_columns(**{f"formation_energy_per_atom_{name}": pl.lit(value) for name, value in energy.items()})


def test_test_crystals_lie_above_the_hull_of_what_is_not_held_out():
    table = predicted_test_set(predictions(), crystals())
    PredictedTestSet.validate(table)
    assert table["material_id"].to_list() == ["other", "other"]
    np.testing.assert_allclose(table["hull_energy_per_atom"], -2.0 * 2 / 3)  # rock salt and sodium


def test_the_digest_is_that_of_crystals_and_labels():
    table = predicted_test_set(predictions(), crystals())
    other = table.with_columns(pl.col("formation_energy_per_atom_pred") + 0.1)
    assert common_test(table, table).digest == common_test(other, table).digest
    assert common_test(table, table).digest != common_test(table[:1], table).digest


def test_a_table_of_another_version_is_refused(tmp_path):
    table = predicted_test_set(predictions(), crystals())
    write_table(table, tmp_path / "new.parquet", PredictedTestSet)
    assert read_predicted_test_set(tmp_path / "new.parquet").equals(table)
    table.drop("hull_energy_per_atom").write_parquet(tmp_path / "old.parquet")
    with pytest.raises(LodestoneError, match=r"old\.parquet"):
        read_predicted_test_set(tmp_path / "old.parquet")
