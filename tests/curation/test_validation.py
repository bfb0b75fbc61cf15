"""Each check of physics finds its fault and no other; bad rows fail the stage or are set aside."""

import math

import polars as pl
import pytest
from snapshot_rows import LABELS, RULES, structure

from lodestone.crystals.encoding import describe, encode
from lodestone.curation.validation import check_rows, validate_snapshot
from lodestone.errors import LodestoneError
from lodestone.schemas import Rejections, Snapshot, Validated
from lodestone.snapshot.structures import parse_structure
from lodestone.tables.files import read_table, validated

NONE = Rejections.empty()
QUARANTINE = RULES.model_copy(update={"on_bad_rows": "quarantine"})


def _table(*crystals: dict) -> pl.DataFrame:
    n = len(crystals)
    table = describe([parse_structure(raw) for raw in crystals]).with_columns(
        pl.Series("material_id", [f"mp-{i}" for i in range(n)]),
        pl.Series("energy_per_atom", [None] * n, dtype=pl.Float64),
        pl.Series("formation_energy_per_atom", [-1.0] * n),
        pl.Series("energy_above_hull", [0.0] * n),
        *(
            pl.lit(None, pl.Float64).alias(name)
            for name in ("uncorrected_energy_per_atom", "energy_correction_per_atom")
        ),
        pl.lit(None, pl.String).alias("created_at"),
        *(pl.lit(value).alias(name) for name, value in LABELS.items()),
    )
    return table.select(list(Snapshot.to_schema().columns))


UNSOUND = "lattice, atomic numbers and positions do not make a crystal of finite size"
GOOD = _table(structure(["Na", "Cl"]), structure(["K"]), structure(["K", "Na", "Cl", "Cl"], 7.0))
SALT = structure(["Na", "Cl"])


def _with(**columns) -> pl.DataFrame:
    """The good table with values of the first row replaced."""
    first = GOOD.head(1).with_columns(pl.lit(pl.Series([v], dtype=GOOD.schema[k])).alias(k) for k, v in columns.items())
    return pl.concat([first, GOOD.tail(2)])


def test_good_rows_pass():
    assert validated(GOOD, Snapshot, "x").equals(GOOD)
    assert check_rows(GOOD, RULES).is_empty()


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (_with(formula_pretty="NaF"), "formula_pretty is NaF, but the structure has NaCl"),
        (_with(chemsys="F-Na"), "chemsys is F-Na, but the structure has Cl-Na"),
        (_with(nsites=4), "nsites is 4, but the structure has 2"),
        (_with(formation_energy_per_atom=math.nan), "formation_energy_per_atom is NaN"),
        (_with(energy_per_atom=math.inf), "energy_per_atom is inf"),
        (_with(energy_above_hull=math.nan), "energy_above_hull is NaN"),
        (_with(formation_energy_per_atom=None), "no energy"),
        (_with(energy_above_hull=-2e-6), "energy_above_hull is negative: -2e-6"),
        (_with(formation_energy_per_atom=-20.0), "formation energy -20.0 eV/atom, outside -6.0 to 5.0"),
        (
            _with(formation_energy_per_atom=-8.0),
            "formation energy -8.0 eV/atom, outside -6.0 to 5.0: looks like eV per cell; divide by nsites",
        ),
        (_with(uncorrected_energy_per_atom=math.inf), "uncorrected_energy_per_atom is inf"),
        (
            _with(energy_per_atom=-3.5, uncorrected_energy_per_atom=-3.0, energy_correction_per_atom=0.5),
            "energy_per_atom -3.5 is not -3.0 plus correction 0.5",
        ),
        (_with(atomic_numbers=[11, 200]), "atomic number 200 is no known element"),
        (_with(atomic_numbers=[0, 17]), "atomic number 0 is no known element"),
        (_with(lattice=[math.nan, 0, 0, 0, 4, 0, 0, 0, 4]), UNSOUND),
        (_with(frac_coords=[0.0, 0, 0]), UNSOUND),
        (_table(SALT | {"species": ["Na", "Cm"]}, structure(["K"])), "Cm is beyond atomic number 94"),
        (
            _table(SALT | {"frac_coords": [[0, 0, 0], [0, 0, 0.1]]}, structure(["K"])),
            "atoms 0.4 Å apart, less than 0.5",
        ),
        # Neighbors in the next cell count: 0.02 and 0.98 of 4 Å are 0.16 Å apart.
        (
            _table(SALT | {"frac_coords": [[0, 0, 0.02], [0, 0, 0.98]]}, structure(["K"])),
            "atoms 0.16 Å apart, less than 0.5",
        ),
        (_table(structure(["Na", "Cl"], 7.0), structure(["K"])), "volume 171.5 Å3/atom, outside 2.0 to 150.0"),
        (_table(structure(["Na", "Cl"], 1.5), structure(["K"])), "volume 1.69 Å3/atom, outside 2.0 to 150.0"),
    ],
)
def test_each_fault_is_told_and_nothing_else(table, reason):
    bad = check_rows(table, RULES)
    assert validated(bad, Rejections, "x").equals(bad)
    assert bad["material_id"].to_list() == ["mp-0"]
    assert bad["reason"].to_list() == [reason]


def test_corrections_that_add_up_within_rounding_are_no_fault():
    told = {"energy_per_atom": -3.5 + 9e-7, "uncorrected_energy_per_atom": -3.0, "energy_correction_per_atom": -0.5}
    assert check_rows(_with(**told), RULES).is_empty()
    assert check_rows(_with(**told | {"energy_correction_per_atom": None}), RULES).is_empty()


def test_rounding_below_the_hull_is_no_fault():
    assert check_rows(_with(energy_above_hull=-5e-7), RULES).is_empty()


def test_several_reasons_of_a_row_stand_together():
    bad = check_rows(_with(formula_pretty="NaF", energy_above_hull=-1.0), RULES)
    assert bad["reason"].to_list() == [
        "formula_pretty is NaF, but the structure has NaCl; energy_above_hull is negative: -1.0"
    ]


def test_equal_identifiers_are_all_reported():
    bad = check_rows(_with(material_id="mp-1"), RULES)
    assert bad.rows() == [("mp-1", formula, "material_id is not unique") for formula in ("K", "NaCl")]


def test_equal_identifiers_with_different_energies_say_so():
    bad = check_rows(_with(material_id="mp-1", formation_energy_per_atom=-1.5), RULES)
    assert set(bad["reason"]) == {"material_id is not unique, and its energies differ: -1.5 to -1.0 eV/atom"}


def salts(per_cell: bool, column: str = "formation_energy_per_atom") -> pl.DataFrame:
    """Cells of two to six atoms, which lie in the allowed range even per cell; energies per atom follow composition."""
    cells = [["Na"] * a + ["Cl"] * b for a in range(1, 4) for b in range(1, 4)] * 14
    energies = [(-0.4 * c.count("Na") - 1.4 * c.count("Cl")) / len(c) + 0.01 * (i % 5) for i, c in enumerate(cells)]
    told = [energy * len(cell) if per_cell else energy for energy, cell in zip(energies, cells, strict=True)]
    table = _table(*(structure(cell, 4.0 * (len(cell) / 2) ** (1 / 3)) for cell in cells))
    return table.with_columns(pl.lit(-1.0).alias("formation_energy_per_atom")).with_columns(pl.Series(column, told))


@pytest.mark.parametrize("column", ["formation_energy_per_atom", "energy_per_atom"])
def test_a_table_in_ev_per_cell_is_refused_as_a_whole(column):
    """Whatever becomes of bad rows: small cells lie in the allowed range, and would go on as good ones."""
    with pytest.raises(LodestoneError, match=f"{column} of the snapshot looks like eV per cell") as refused:
        check_rows(salts(True, column), QUARANTINE)
    assert f"divide {column} by nsites" in refused.value.remedy
    low, high = RULES.formation_energy
    assert salts(True, column)[column].is_between(low, high).all()
    assert check_rows(salts(False, column), RULES).is_empty()


def _read_shared(folder, every: int) -> pl.DataFrame:
    """Rows of the shared table as a snapshot; symmetries, which validation does not look at, are left out."""
    rows = pl.read_parquet(folder / "mp_structures.parquet").gather_every(every)
    crystals = encode([parse_structure(raw) for raw in rows["structure"]])
    blank = {"prototype": "p", "decorated_prototype": "p", **LABELS}
    unknown = ("energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom")
    table = rows.rename({"formula": "formula_pretty"}).hstack(crystals)
    table = table.with_columns(
        *(pl.lit(v).alias(k) for k, v in blank.items()), *(pl.lit(None, pl.Float64).alias(u) for u in unknown)
    )
    return table.select(list(Snapshot.to_schema().columns))


@pytest.mark.parametrize(
    "every", [pytest.param(20, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.end_to_end)]
)
def test_no_row_of_the_materials_project_is_refused_and_energies_per_cell_are_found(shared_data, every):
    table = _read_shared(shared_data, every)
    assert len(table) == -(-80829 // every)
    assert check_rows(table, RULES).is_empty()
    validated(table, Validated, "x")
    per_cell = pl.col("formation_energy_per_atom") * pl.col("nsites")
    for part in (table, table.filter(pl.col("chemsys").str.contains("O")), table.sample(200, seed=1)):
        with pytest.raises(LodestoneError, match="looks like eV per cell"):
            check_rows(part.with_columns(per_cell), QUARANTINE)


@pytest.mark.parametrize("column", list(LABELS))
def test_energies_of_different_kinds_are_refused_at_once(column):
    with pytest.raises(LodestoneError, match=f"mixes {column}: .*other"):
        check_rows(_with(**{column: "other"}), QUARANTINE)


def test_failing_shows_a_table_and_keeps_the_full_list(tmp_path):
    many = pl.concat([GOOD.head(1)] * 12).with_columns(
        pl.format("mp-{}", pl.int_range(10, 22)).alias("material_id"), pl.lit("NaF").alias("formula_pretty")
    )
    unread = pl.DataFrame([("mp-9", "?", "no structure")], schema=NONE.schema, orient="row")
    with pytest.raises(LodestoneError) as raised:
        validate_snapshot(pl.concat([GOOD, many]), unread, RULES, tmp_path / "quarantine.parquet")
    told = str(raised.value)
    assert "13 of 16 rows of the snapshot are bad" in told
    assert "mp-10        NaF      formula_pretty is NaF, but the structure has NaCl" in told
    assert "and 3 more" in told
    assert "on_bad_rows: quarantine" in told
    assert len(pl.read_csv(tmp_path / "offending_rows.csv")) == 13
    assert not (tmp_path / "quarantine.parquet").exists()


def test_quarantine_goes_on_with_the_good_rows(tmp_path):
    path = tmp_path / "quarantine.parquet"
    (tmp_path / "offending_rows.csv").write_text("of an earlier run")
    unread = pl.DataFrame([("mp-9", "?", "no structure")], schema=NONE.schema, orient="row")
    good = validate_snapshot(_with(nsites=4), unread, QUARANTINE, path)
    assert good.equals(GOOD.tail(2))
    assert read_table(path, Rejections)["material_id"].to_list() == ["mp-0", "mp-9"]
    assert not (tmp_path / "offending_rows.csv").exists()


def test_quarantine_is_written_even_if_empty(tmp_path):
    good = validate_snapshot(GOOD, NONE, RULES, tmp_path / "quarantine.parquet")
    assert good.equals(GOOD)
    assert read_table(tmp_path / "quarantine.parquet", Rejections).is_empty()


def test_no_good_row_is_an_error_even_with_quarantine(tmp_path):
    with pytest.raises(LodestoneError, match="1 of 1 rows"):
        validate_snapshot(_with(nsites=4).head(1), NONE, QUARANTINE, tmp_path / "quarantine.parquet")
