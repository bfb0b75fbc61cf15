"""The law behind the scaling plot, and that no test crystal has a relative to learn from."""

import numpy as np
import polars as pl
import pytest

from lodestone.errors import LodestoneError
from materials_project import draw, read_crystals, split_by_system
from scaling_plot import Curve, write_plot

ELEMENTS = ("Li", "O", "Mn", "Fe", "Te", "Cl", "Na", "K", "S", "P")


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    drawn = [sorted(rng.choice(ELEMENTS, size=rng.integers(2, 5), replace=False)) for _ in range(2000)]
    drawn += [[symbol] for symbol in ELEMENTS]
    return pl.DataFrame(
        {
            "material_id": [f"mp-{row}" for row in range(len(drawn))],
            "formula": ["".join(f"{symbol}{rng.integers(1, 4)}" for symbol in symbols) for symbols in drawn],
            "chemsys": ["-".join(symbols) for symbols in drawn],
            "nsites": rng.integers(1, 30, len(drawn)),
        }
    )


def test_systems_are_on_one_side_and_training_sets_are_nested(table):
    split = split_by_system(table, max_sites=20, n_validation=20)
    assert split["nsites"].max() == 20
    parts = {name: set(rows["chemsys"]) for (name,), rows in split.group_by("split")}
    assert not parts["test"] & (parts["train"] | parts["validation"])
    assert not parts["train"] & parts["validation"]
    assert all("-" in system for system in parts["test"] | parts["validation"])
    assert split.filter(pl.col("split") == "validation").height == 20
    assert split["rank"].n_unique() == len(split)
    shuffled = split_by_system(table.sample(fraction=1.0, shuffle=True, seed=1), max_sites=20, n_validation=20)
    assert shuffled.sort("material_id").equals(split.sort("material_id"))


def test_what_is_left_out_is_left_out_of_everything(table):
    dealt = draw(table, train=300, test=50, elements=["Te"], max_sites=20)
    parts = {name: rows for (name,), rows in dealt.group_by("split")}
    assert all("Te" in system for system in parts["elements"]["chemsys"])
    seen = pl.concat([rows for name, rows in parts.items() if name not in ("elements", "systems")])
    assert not any("Te" in system for system in seen["chemsys"])
    assert not set(parts["systems"]["chemsys"]) & set(seen["chemsys"])
    compounds = {name: set(parts[name].filter(pl.col("chemsys").str.contains("-"))["formula"]) for name in parts}
    assert not compounds["formulas"] & (compounds["train"] | compounds["validation"])
    assert max(len(parts["elements"]), len(parts["systems"])) <= 50


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LodestoneError, match=r"(?s)mp_structures.parquet does not exist.*LODESTONE_SHARED_DATA"):
        read_crystals(tmp_path)


def test_the_law_is_found_and_drawn(tmp_path):
    sizes = np.array([1000, 4000, 16000])
    mae = 3.0 * sizes**-0.4
    curve = Curve("structure view", sizes, np.stack([mae, 0.9 * mae, 1.1 * mae], axis=1))
    assert curve.power_law() == pytest.approx((3.0, -0.4))
    assert curve.power_law_text() == "3.00 n^-0.40"
    write_plot({"structure": curve}, {"ALIGNN": 0.03}, tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_bytes()
    write_plot({"structure": curve}, {"ALIGNN": 0.03}, tmp_path / "plot.svg")
    assert drawn == (tmp_path / "plot.svg").read_bytes()


def test_one_size_has_no_law():
    assert Curve("structure view", np.array([1000]), np.array([[0.1, 0.09, 0.11]])).power_law_text() == ""
