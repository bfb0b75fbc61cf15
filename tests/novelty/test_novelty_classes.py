"""What is new about a crystal: composition, prototype, structure, or nothing."""

from __future__ import annotations

import polars as pl
import pytest
from structure_types import layered_rock_salt, ordered_rock_salt, perovskite, relaxed, rock_salt, spinel

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import describe
from lodestone.crystals.symmetry import symmetry_of
from lodestone.novelty import comparison
from lodestone.novelty.classes import KNOWN, KNOWN_FORMULA, NEW_COMPOSITION, NEW_PROTOTYPE, POLYMORPH, novelty
from lodestone.schemas import Phases


def table(crystals: dict[str, Crystal], energy: float = -3.0) -> pl.DataFrame:
    rows = describe(list(crystals.values()))
    names = pl.Series("material_id", list(crystals), dtype=pl.String)
    return rows.with_columns(names, energy_per_atom=energy + 0.1 * pl.int_range(pl.len()))


CESIUM_CHLORIDE = Crystal([[3.5, 0, 0], [0, 3.5, 0], [0, 0, 3.5]], [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
OURS = {
    "rock salt": rock_salt("Na", "Cl", 5.6),
    "perovskite": perovskite("Ca", "Ti", "O", 3.85),
    "higher perovskite": relaxed(perovskite("Ca", "Ti", "O", 3.85), seed=4, most=0.25),
    "layers": layered_rock_salt("Li", "Co", "O", 4.0, 0.26),
    "cesium chloride": Crystal(CESIUM_CHLORIDE.lattice, [55, 35], CESIUM_CHLORIDE.frac_coords),
}
FINDS = {
    "the same": (rock_salt("Na", "Cl", 5.7), KNOWN, "rock salt"),
    "the same, moved": (relaxed(perovskite("Ca", "Ti", "O", 3.85), most=0.06), KNOWN, "perovskite"),
    "other formula": (rock_salt("K", "Br", 6.6), NEW_COMPOSITION, None),
    "other formula, moved": (relaxed(perovskite("Sr", "Zr", "O", 4.1), most=0.06), NEW_COMPOSITION, None),
    "other structure": (CESIUM_CHLORIDE, POLYMORPH, "rock salt"),
    "other prototype": (spinel("Mg", ("Al",) * 4, "O", 8.08), NEW_PROTOTYPE, None),
    "other prototype of a known formula": (ordered_rock_salt("Na", "Cl", "S", 5.5), NEW_PROTOTYPE, None),
}


@pytest.fixture(scope="module")
def known() -> pl.DataFrame:
    return table(OURS)


@pytest.fixture(scope="module")
def finds() -> pl.DataFrame:
    return table({name: crystal for name, (crystal, *_) in FINDS.items()})


def test_each_class(known, finds):
    answers = novelty(finds, [known])
    expected = [(kind, known_as) for _, kind, known_as in FINDS.values()]
    assert answers.select("novelty", "known_as").rows() == expected


def test_the_test_has_labels_that_moves_change(known, finds):
    """Without the comparison atom by atom, two of them would be new."""
    moved = finds.filter(pl.col("material_id").str.ends_with("moved"))
    assert moved["prototype"].is_in(known["prototype"].implode()).to_list() == [False, False]


@pytest.mark.parametrize("seed", range(3))
def test_answers_do_not_depend_on_the_order_of_rows_or_tables(known, finds, seed):
    expected = finds.select("material_id").hstack(novelty(finds, [known])).sort("material_id")
    shuffled = finds.sample(fraction=1.0, shuffle=True, seed=seed)
    parts = known.sample(fraction=1.0, shuffle=True, seed=seed)
    answers = novelty(shuffled, [parts[3:], parts[:3]])
    assert shuffled.select("material_id").hstack(answers).sort("material_id").equals(expected)


def test_answers_do_not_depend_on_the_other_finds(known, finds):
    together = novelty(finds, [known])
    alone = pl.concat(novelty(finds[row], [known]) for row in range(len(finds)))
    assert together.equals(alone)


def test_each_further_table_can_only_take_novelty_away(known, finds):
    more = table({"their perovskite": perovskite("Sr", "Zr", "O", 4.15)})
    before, after = novelty(finds, [known]), novelty(finds, [known, more])
    moved = finds["material_id"].to_list().index("other formula, moved")
    assert before.row(moved) == (NEW_COMPOSITION, None)
    assert after.row(moved) == (KNOWN, "their perovskite")
    others = [row for row in range(len(finds)) if row != moved]
    assert before[others].equals(after[others])


def test_a_moved_crystal_has_a_known_prototype_whatever_the_order_of_its_elements():
    """The cations of the known one are heavier than its anions, and those of the find are lighter."""
    known = table({"known": perovskite("Ba", "Zr", "O", 4.2)})
    finds = table({"find": relaxed(perovskite("Li", "Be", "Te", 5.0), most=0.06)})
    assert not finds["prototype"].is_in(known["prototype"].implode()).any()
    assert novelty(finds, [known]).rows() == [(NEW_COMPOSITION, None)]


def test_the_lowest_crystal_of_the_formula_is_named(known):
    """By its energy, not by its place; one without an energy comes last."""
    higher = known.filter(pl.col("material_id") == "rock salt").with_columns(
        material_id=pl.lit("a"), energy_per_atom=pl.Series([None], dtype=pl.Float64)
    )
    answers = novelty(table({"find": CESIUM_CHLORIDE}), [higher, known])
    assert answers.rows() == [(POLYMORPH, "rock salt")]


def test_a_formula_that_is_known_without_a_structure_is_no_new_composition(known):
    phases = pl.DataFrame(
        {
            "material_id": ["bare", "other"],
            "formula_pretty": ["KBr", "NaCl"],
            "chemsys": ["Br-K", "Cl-Na"],
            "formation_energy_per_atom": [-1.0, -9.0],
        }
    )
    finds = table({"one": rock_salt("K", "Br", 6.6), "two": CESIUM_CHLORIDE})
    assert novelty(finds, [phases, known]).rows() == [(KNOWN_FORMULA, "bare"), (POLYMORPH, "rock salt")]


def test_atoms_are_compared_only_where_labels_and_fingerprints_leave_it_open(known, finds, monkeypatch):
    """Two finds have a known formula under another label; the fingerprint of the cesium chloride settles one."""
    compared: list[str] = []

    def counting(one, other):
        compared.append(one[0].composition.reduced_formula)
        return False

    monkeypatch.setattr(comparison, "same_structure", counting)
    novelty(finds, [known])
    assert set(compared) == {"CaTiO3"}


@pytest.mark.parametrize("others", [[], [0]], ids=["no finds", "nothing known"])
def test_empty_tables(known, finds, others):
    if others:
        answers = novelty(finds, [known.clear(), Phases.empty()])
        assert set(answers["novelty"]) == {NEW_PROTOTYPE}
        assert answers["known_as"].null_count() == len(finds)
    else:
        answers = novelty(finds.clear(), [known])
        assert answers.schema == pl.Schema({"novelty": pl.String, "known_as": pl.String})
        assert answers.is_empty()


def test_labels_of_the_test_crystals_are_those_of_their_types():
    assert symmetry_of(OURS["layers"]).spacegroup_number == 166
    assert symmetry_of(FINDS["other prototype"][0]).prototype.startswith("AB2C4_cF56_227_")
