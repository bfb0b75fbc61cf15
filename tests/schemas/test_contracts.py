"""What each contract refuses, with the row it names; and that no stage goes round its contract."""

import ast
import re
from pathlib import Path

import polars as pl
import pytest
from pandera.errors import SchemaErrors

from lodestone.documentation.table_facts import FACTS
from lodestone.errors import LodestoneError
from lodestone.schemas import (
    CONTRACTS,
    Candidates,
    Crystals,
    CrystalsByChemsys,
    Discoveries,
    Drift,
    MemberPredictions,
    Predictions,
    References,
    Snapshot,
    Validated,
    Verifications,
)
from lodestone.tables.files import validated

ROOT = Path(__file__).parents[2]
NAMES = {contract.__name__ for contract in CONTRACTS}
SALT = {
    "material_id": "mp-1", "formula_pretty": "NaCl", "chemsys": "Cl-Na", "nsites": 2, "spacegroup_number": 221,
    "lattice": [4.0, 0, 0, 0, 4.0, 0, 0, 0, 4.0], "atomic_numbers": [11, 17], "frac_coords": [0.0] * 3 + [0.5] * 3,
    "energy_per_atom": -3.5, "uncorrected_energy_per_atom": -3.0, "energy_correction_per_atom": -0.5,
    "created_at": "2012-02-29", "energy_above_hull": 0.0, "status": "ok", "is_new": True, "is_stable": True,
    "is_discovery": True,
    "energy_above_hull_start": -0.1, "element": "Na", "view": "structure", "member": 0, "acquired_by": "model",
    "presence": "kept", "structure": "same", "flip": "none",
    "formation_energy_per_atom_std": 0.1, "out_of_distribution": "pair,latent", "input_structure": "relaxed",
    "provenance": "{}", "same_as": None, "novelty": "new composition", "known_as": None,
    "n_verdicts": 5, "disputed_by": "", "dynamical_stability": "stable",
}  # fmt: skip
SPLITS = {"MemberPredictions": "test", "Predictions": "test"}


def _example(name, column) -> str:
    """A column; of those that are named by a pattern, one for each view, one."""
    return re.sub(r"\^(.*)\[.*", r"\1structure", name) if column.regex else name


def rows(contract, *changes: dict) -> pl.DataFrame:
    """A table that keeps the contract but for the changes, one row for each."""
    dtypes = {_example(name, column): column.dtype.type for name, column in contract.to_schema().columns.items()}
    values = SALT | {"split": SPLITS.get(contract.__name__, "train")}
    blank = {
        name: values.get(name, "x" if d == pl.String else False if d == pl.Boolean else 0) for name, d in dtypes.items()
    }
    return pl.DataFrame([blank | change for change in changes or ({},)], schema=dtypes)


def check(contract, *changes: dict) -> None:
    validated(rows(contract, *changes), contract, Path("t.parquet"))


@pytest.mark.parametrize("contract", [*CONTRACTS, CrystalsByChemsys], ids=lambda c: c.__name__)
def test_a_sound_row_passes_and_an_empty_table_too(contract):
    check(contract)
    validated(rows(contract).clear(), contract, Path("t.parquet"))


def numbers_of(contract) -> dict[str, bool]:
    """Columns of numbers, and whether they hold lists of them."""
    dtypes = {_example(name, column): column.dtype.type for name, column in contract.to_schema().columns.items()}
    return {name: dtype != pl.Float64 for name, dtype in dtypes.items() if dtype in (pl.Float64, pl.List(pl.Float64))}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize(
    "contract", [c for c in CONTRACTS if numbers_of(c) and c is not Snapshot], ids=lambda c: c.__name__
)
def test_every_number_is_finite(contract, value):
    """In each row another column is wrong, and in each the checks of that column say so."""
    numbers = numbers_of(contract)
    wrong = [{name: [value, *SALT[name][1:]] if is_list else value} for name, is_list in numbers.items()]
    with pytest.raises(SchemaErrors) as refused:
        contract.validate(rows(contract, *wrong), lazy=True)
    cases = refused.value.failure_cases.filter(pl.col("schema_context") == "Column")
    assert set(enumerate(numbers)) <= set(cases.select("index", "column").iter_rows())
    assert {name for name in numbers if numbers[name]} <= set(cases.filter(pl.col("check") == "finite")["column"])


def test_a_snapshot_may_say_nonsense_which_is_for_the_next_stage_to_judge():
    check(Snapshot, {"formation_energy_per_atom": float("nan"), "energy_above_hull": -1.0, "nsites": 9})


@pytest.mark.parametrize(
    ("contract", "change", "told"),
    [
        (Snapshot, {"lattice": [1.0] * 8}, "nine lattice numbers"),
        (Snapshot, {"frac_coords": [0.0] * 5}, "three coordinates per atom"),
        (Snapshot, {"atomic_numbers": [], "frac_coords": []}, "at least one atom"),
        (Snapshot, {"frac_coords": [0.0] * 5 + [None]}, "no gaps"),
        (Snapshot, {"chemsys": "Na-Cl"}, "alphabetical order"),
        (Snapshot, {"chemsys": "Cl-Cl-Na"}, "each once"),
        (Snapshot, {"created_at": "2019-02-29"}, "a day of the calendar"),
        (Snapshot, {"created_at": "2019-2-9"}, "a day of the calendar"),
        (Snapshot, {"material_id": ""}, "str_length"),
        (Validated, {"nsites": 4}, "nsites counts the atoms"),
        (Validated, {"chemsys": "Na"}, "chemsys the elements"),
        (Validated, {"energy_above_hull": -2e-6}, "energy_above_hull not below"),
        (Validated, {"energy_per_atom": None, "formation_energy_per_atom": None}, "at least one of"),
        (Validated, {"energy_per_atom": -3.4}, "add up"),
        (Crystals, {"energy_above_hull": -1e-9}, "energy_above_hull: "),
        (Crystals, {"split": "exam"}, "split: "),
        (Predictions, {"formation_energy_per_atom_lower": 0.1}, "the prediction lies within its interval"),
        (Predictions, {"formation_energy_per_atom_std": 0.0}, "formation_energy_per_atom_std: "),
        (Candidates, {"out_of_distribution": "pair,odd"}, "out_of_distribution names"),
        (Candidates, {"out_of_distribution": "odd"}, "out_of_distribution names"),
        (Candidates, {"incomplete_probability": 0.1}, "a part of stability_probability"),
        (Candidates, {"provenance": "Na>K"}, "provenance is one object"),
        (Verifications, {"status": "exploded"}, "refused ones have neither"),
        (Verifications, {"energy_per_atom": None}, "accepted relaxations"),
        (Verifications, {"energy_above_hull": 0.1}, "is_stable says"),
        (Verifications, {"energy_above_hull": -0.001, "stable_below": -0.002}, "is_stable says"),
        (Verifications, {"is_new": False}, "is_stable says"),
        (Verifications, {"hull_is_incomplete": True}, "never both"),
        (Verifications, {"is_stable": False}, "a discovery is a hit"),
        (Verifications, {"is_stable": False, "hull_is_incomplete": True}, "lies deeper than any hit"),
        (Verifications, {"n_competing_phases": -1}, "n_competing_phases: "),
        (Verifications, {"same_as": "mp-2"}, "is_new says"),
        (Discoveries, {"energy_above_hull_start": 0.1}, "energy_above_hull_start: "),
        (Discoveries, {"novelty": "new"}, "novelty: "),
        (Discoveries, {"novelty": "polymorph"}, "known_as says"),
        (Discoveries, {"known_as": "mp-2"}, "known_as says"),
        (Discoveries, {"likely_disorder": None}, "come together"),
        (Discoveries, {"disputed_by": None}, "n_verdicts and disputed_by come together"),
        (References, {"element": "Sodium"}, "element: "),
        (Drift, {"presence": "added"}, "kept crystals have a comparison"),
    ],
)  # fmt: skip
def test_a_broken_row_is_refused_and_named(contract, change, told):
    good = {"material_id": "good"} | ({"element": "Cl"} if contract is References else {})
    with pytest.raises(LodestoneError) as refused:
        check(contract, good, change)
    assert "breaks the contract" in refused.value.problem
    assert told in refused.value.problem
    assert f" in material_id {change.get('material_id', 'mp-1')}" in refused.value.problem
    check(contract, good, {"out_of_distribution": ""} if "out_of_distribution" in change else {})


def test_sums_within_the_rounding_of_a_source_pass():
    check(Validated, {"energy_per_atom": -3.5 + 9e-7}, {"material_id": "b", "energy_correction_per_atom": None})


@pytest.mark.parametrize("column", ["label_method", "correction_scheme"])
def test_one_kind_of_energies_in_a_table(column):
    with pytest.raises(LodestoneError, match=r"one label_method .* in material_id mp-2"):
        check(Snapshot, {}, {"material_id": "mp-2", column: "other"})


def test_a_member_predicts_a_crystal_once():
    check(MemberPredictions, {}, {"member": 1}, {"material_id": "mp-2"})
    with pytest.raises(LodestoneError, match="each member predicts a geometry once"):
        check(MemberPredictions, {}, {"formation_energy_per_atom_pred": 1.0})


def deal(**parts: str) -> list[dict]:
    """Crystals of the formulas named like ``NaCl__1``, all of one chemical system, and their part."""
    return [{"material_id": n, "formula_pretty": n.split("__")[0], "split": part} for n, part in parts.items()]


@pytest.mark.parametrize("held_out", ["validation", "test", "holdout"])
def test_a_formula_on_two_sides_is_leakage(held_out):
    check(Crystals, *deal(NaCl__1="train", NaCl__2="train", NaCl2=held_out))
    with pytest.raises(LodestoneError, match=r"no reduced formula on two sides of the split .* in material_id NaCl__"):
        check(Crystals, *deal(NaCl__1="train", NaCl__2=held_out, NaCl2="train"))


def test_formulas_are_not_both_validated_and_tested_on_but_finds_may_join_either():
    check(Crystals, *deal(NaCl__1="validation", NaCl__2="holdout", NaCl2__1="test", NaCl2__2="holdout"))
    with pytest.raises(LodestoneError, match="leakage"):
        check(Crystals, *deal(NaCl__1="validation", NaCl__2="test"))


def test_by_chemical_system_systems_count_too():
    both_sides = deal(NaCl="train", NaCl2="test")
    check(Crystals, *both_sides)
    with pytest.raises(LodestoneError, match="no chemical system on two sides of the split"):
        check(CrystalsByChemsys, *both_sides)


def test_pure_elements_are_learned_from():
    sodium = {"formula_pretty": "Na", "chemsys": "Na", "nsites": 1, "atomic_numbers": [11], "frac_coords": [0.0] * 3}
    check(Crystals, sodium)
    with pytest.raises(LodestoneError, match="pure elements are in train"):
        check(Crystals, sodium | {"split": "test"})


def test_a_column_of_another_type_is_told_without_noise():
    wrong = rows(Snapshot).with_columns(pl.col("lattice").cast(pl.Array(pl.Float64, 9)))
    with pytest.raises(LodestoneError) as refused:
        validated(wrong, Snapshot, Path("t.parquet"))
    assert "lattice: dtype('List(Float64)')" in refused.value.problem
    assert "Error" not in refused.value.problem


def contracts_of(path: Path) -> list[tuple[str, str | None]]:
    """Each call of read_table and write_table in a file, with the contract it names; ``None`` where it names none."""
    calls = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("read_table", "write_table"):
            place = 1 if node.func.id == "read_table" else 2
            given = node.args[place] if len(node.args) > place else None
            if isinstance(given, ast.Call):  # the contract depends on what the split goes by
                given = ast.Name("Crystals") if given.func.id == "crystals_contract" else None
            calls.append((node.func.id, getattr(given, "id", None)))
    return calls


def test_every_stage_reads_and_writes_through_a_contract_and_the_documentation_says_which():
    found: dict[str, dict[str, set]] = {"read_table": {}, "write_table": {}}
    for path in [
        *(ROOT / "stages").glob("*.py"),
        *(ROOT / "pipeline/lodestone" / name for name in ("report/collect.py", "curation/validation.py")),
    ]:
        stage = {"collect": "report", "validation": "validate"}.get(path.stem, path.stem)
        for call, contract in contracts_of(path):
            assert contract in NAMES, f"{path.name}: {call} without a contract"
            found[call].setdefault(contract, set()).add(stage)
    for name, facts in FACTS.items():
        stages = {"write_table": facts.written_by, "read_table": facts.read_by}
        for call, told in stages.items():
            assert {s for s in told if not s.startswith("`")} == found[call].get(name, set()), f"{name}: {call}"


def test_every_contract_is_documented_once():
    assert list(FACTS) == [contract.__name__ for contract in CONTRACTS]
