"""From the reference set to a batch: start volumes, networks, predictions, and what is chosen of them."""

import numpy as np
import polars as pl
import pytest
from pymatgen.core import Composition

from dask_tasks import choose_dask, dask_workers
from lodestone.crystals.encoding import decode
from lodestone.reference.build import initial_crystal
from lodestone.reference.enumeration import enumerate_decorations, formula_of
from lodestone.reference.first_phases import first_phases
from lodestone.reference.ledger import decorations_of
from lodestone.reference.networks import deal, train_ensemble
from lodestone.reference.prototypes import all_prototypes
from lodestone.reference.screening import screen, start_crystal
from lodestone.reference.selection import Limits, scale_of, select
from lodestone.reference.start import StartVolumes
from lodestone.reference.stoichiometries import COMMON, missing_pairs
from lodestone.stability.hull import ConvexHull
from lodestone.substitution.charges import is_charge_balanced

FEW = ("Cl", "Mg", "Na", "O", "Ti")
ROCK_SALT, CSCL, FLUORITE = "AB_cF8_225_a_b", "AB_cP2_221_b_a", "AB2_cF12_225_a_c"


@pytest.fixture(scope="module")
def set_of_salts(shipped):
    return shipped.filter(pl.col("nsites") <= 5).sample(500, seed=1).sort("material_id")


@pytest.fixture(scope="module")
def shipped(pytestconfig):
    return pl.read_parquet(pytestconfig.rootpath / "reference" / "crystals.parquet")


def test_learned_volumes_are_nearer_than_guessed_ones(shipped):
    """Learned from four in five crystals, tried on some of the rest."""
    fold = np.arange(len(shipped)) % 5 == 0
    volumes = StartVolumes.fit(shipped.filter(~fold))
    rows = shipped.filter(fold).filter(pl.col("chemsys").str.contains("-")).sample(60, seed=0)
    relaxed = np.array([crystal.volume for crystal in decode(rows)])
    starts = [start_crystal(item, volumes) for item in decorations_of(rows)]
    guesses = [initial_crystal(all_prototypes()[label], x) for label, x in decorations_of(rows)]
    learned, guessed = (np.abs(np.log([c.volume for c in some] / relaxed)).mean() for some in (starts, guesses))
    assert learned < 0.16
    assert learned < 0.7 * guessed


def test_an_element_that_was_never_seen_starts_at_the_estimated_volume(shipped):
    volumes = StartVolumes.fit(shipped.filter(~pl.col("chemsys").str.contains("Na")))
    item = (ROCK_SALT, ("Na", "Cl"))
    guessed = initial_crystal(all_prototypes()[ROCK_SALT], item[1])
    assert start_crystal(item, volumes).volume == pytest.approx(guessed.volume)


def test_the_scale_of_a_row_gives_back_its_volume():
    item = (FLUORITE, ("Ca", "F"))
    crystal = initial_crystal(all_prototypes()[FLUORITE], item[1], scale_of(item, 41.0))
    assert crystal.volume == pytest.approx(41.0, rel=1e-4)


def test_the_split_is_by_formula_and_elements_are_trained_on(shipped):
    dealt = deal(shipped)
    assert dealt.group_by("formula_pretty").agg(pl.col("split").n_unique())["split"].max() == 1
    assert set(dealt.filter(~pl.col("chemsys").str.contains("-"))["split"]) == {"train"}
    shares = dict(dealt["split"].value_counts(normalize=True).iter_rows())
    assert 0.05 < shares["validation"] < 0.15
    assert 0.02 < shares["test"] < 0.08


@pytest.mark.slow
def test_networks_screen_what_is_enumerated(set_of_salts, tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("LODESTONE_CHECKPOINTS", str(tmp_path))
    hull = ConvexHull.of(set_of_salts)
    ensemble = train_ensemble(set_of_salts, tiny, seed=3)
    everything = list(enumerate_decorations(FEW, largest_cell=4))

    def screened(most):
        return screen(lambda: iter(everything), set_of_salts, ensemble, hull, most)

    first, fewer = screened(10_000), screened(100)
    assert first.decorations == len(everything)
    assert first.table.select("aflow_prototype", "decoration").is_unique().all()
    assert 0.9 * len(everything) < len(first.table) <= len(everything)
    assert first.table["energy_above_hull_pred"].is_finite().all()
    assert 40 < len(fewer.table) < 400  # of whole formulas
    assert set(fewer.table["formula"]) < set(first.table["formula"])
    with dask_workers(2) as cluster:
        choose_dask(monkeypatch, cluster.scheduler_address)
        assert first.table.equals(screened(10_000).table), "a second time, and on a Dask cluster"


def judged(*rows):
    """Predictions: prototype, decoration and predicted distance to the hull."""
    table = pl.DataFrame(
        [
            (label, x, x if label != FLUORITE else x + "2", "-".join(sorted(x.split("-"))), 40.0, e)
            for label, x, e in rows
        ],
        schema=["aflow_prototype", "decoration", "formula", "chemsys", "volume", "energy_above_hull_pred"],
        orient="row",
    )
    return table.sample(fraction=1, shuffle=True, seed=0)


def chosen(table, known, **limits):
    return [(label, "-".join(x)) for label, x in decorations_of(select(table, known, Limits(**limits)))]


def test_the_lowest_come_first_and_limits_hold(shipped):
    known = shipped.filter(pl.col("chemsys").is_in(["K-Mg", "Na"]))
    table = judged(
        (ROCK_SALT, "Na-Ti", 0.04), (CSCL, "Na-Ti", 0.02), (FLUORITE, "Na-Ti", -0.1), (ROCK_SALT, "K-Ti", 0.0)
    )
    order = [(FLUORITE, "Na-Ti"), (ROCK_SALT, "K-Ti"), (CSCL, "Na-Ti"), (ROCK_SALT, "Na-Ti")]
    wide = {"margin": 0.1, "per_formula": 2, "per_system": 8, "turns": (5, 4, 1)}
    assert chosen(table, known, **wide) == order
    assert chosen(table, known, **wide | {"batch": 2}) == order[:2]
    assert chosen(table, known, **wide | {"per_formula": 1}) == order[:3]
    assert chosen(table, known, **wide | {"per_system": 1}) == order[:2]
    assert chosen(table, known, **wide | {"margin": 0.03}) == order[:3]


def test_no_element_crowds_out_the_others(shipped):
    known = shipped.filter(pl.col("chemsys").is_in(["Na", "K", "Li", "Rb", "Cs", "F", "Cl", "Mg"]))
    fluorides = [(ROCK_SALT, f"{x}-F", -2.0) for x in ("K", "Li", "Na", "Rb", "Cs")]
    chlorides = [(ROCK_SALT, f"{x}-Cl", -1.0) for x in ("K", "Li", "Na", "Rb", "Cs")]
    table = judged(*fluorides, *chlorides)
    even = [x.split("-")[1] for _, x in chosen(table, known, batch=8, turns=(1,), crowding=1.0)]
    assert even == ["F", "F", "Cl", "Cl"]  # eight pairs of eight elements hold each twice
    crowded = [x.split("-")[1] for _, x in chosen(table, known, batch=8, turns=(1,), crowding=3.0)]
    assert crowded == ["F"] * 5 + ["Cl"] * 3


def test_numbers_of_elements_take_turns(shipped):
    known = shipped.filter(pl.col("chemsys") == "Na")
    pairs = [(ROCK_SALT, f"{x}-Cl", -0.1) for x in ("K", "Li", "Na", "Rb")]
    triples = [("ABC_cF12_216_b_c_a", f"{x}-Mg-O", -2.0) for x in ("K", "Li", "Na", "Rb")]
    order = [len(x.split("-")) for _, x in chosen(judged(*pairs, *triples), known, turns=(2, 1))]
    assert order == [2, 3, 2, 2, 3, 2, 3, 3]


def test_a_pair_without_a_compound_gets_one_however_high_it_lies(shipped):
    known = shipped.filter(pl.col("chemsys") == "Cl-Na")
    table = judged((ROCK_SALT, "Na-Ti", 1.5), (CSCL, "Na-Ti", 1.2), (FLUORITE, "Na-Cl", 1.0))
    assert chosen(table, known, margin=0.1) == [(CSCL, "Na-Ti")]


def test_what_is_known_in_another_cell_is_not_relaxed_again(shipped):
    known = shipped.filter((pl.col("aflow_prototype") == ROCK_SALT) & (pl.col("formula_pretty") == "NaCl"))
    assert len(known) == 1
    table = judged((ROCK_SALT, "Cl-Na", -0.5), (CSCL, "Cl-Na", -0.4))
    assert chosen(table, known) == [(CSCL, "Cl-Na")]


def test_pairs_that_lack_a_common_stoichiometry(shipped):
    known = set(shipped["formula_pretty"])
    few = shipped.filter(~pl.col("formula_pretty").is_in(["NaCl", "MgCl2"]))
    found = list(missing_pairs(few, ("Cl", "Mg", "Na"), 20))
    formulas = {formula_of(all_prototypes()[label], pair) for label, pair in found}
    assert {(("Cl", 1), ("Na", 1)), (("Cl", 2), ("Mg", 1))} <= formulas
    assert all(tuple(sorted(amount for _, amount in formula)) in COMMON for formula in formulas)
    names = {Composition(dict(formula)).reduced_formula for formula in formulas}
    assert names & known == {"NaCl", "MgCl2"}
    assert ROCK_SALT in {label for label, pair in found if set(pair) == {"Na", "Cl"}}


def test_first_phases_of_a_new_element():
    elements, tried = ("Cl", "Cs", "Na", "O"), set()
    found = list(first_phases(["Cs"], elements, tried, seed=1))
    pairs = [tuple(sorted(x)) for _, x in found]
    assert set(pairs) == {("Cl", "Cs"), ("Cs", "Na"), ("Cs", "O")}
    assert max(pairs.count(pair) for pair in pairs) == 2
    counts = {label: all_prototypes()[label].counts for label, _ in found}
    assert all(is_charge_balanced(x, counts[label]) for label, x in found if {"Cl", "O"} & set(x))
    again = list(first_phases(["Cs"], elements, {(label, "-".join(x)) for label, x in found}, seed=1))
    assert not set(again) & set(found)
