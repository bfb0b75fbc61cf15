"""A crystal is discovered once, and only if nobody knew it."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from world import acquired_of

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode, describe
from lodestone.crystals.symmetry import symmetry_of
from lodestone.discovery.duplicates import same_as
from lodestone.discovery.round import run_round
from lodestone.discovery.verification import verify
from lodestone.oracles.base import Label
from lodestone.schemas import Verifications
from lodestone.tables.files import validated


def test_relaxing_into_a_known_crystal_is_no_discovery(start, world, params):
    known = {}
    for row in start.crystals.iter_rows(named=True):
        known[tuple(sorted(row["atomic_numbers"]))] = row["material_id"]
    by_id = dict(zip(start.crystals["material_id"], decode(start.crystals), strict=True))
    fell = set()

    def into_known(crystals, labels):
        for crystal, label in zip(crystals, labels, strict=True):
            key = tuple(sorted(crystal.atomic_numbers.tolist()))
            if label.ok and key in known:
                fell.add(crystal.digest())
                yield replace(label, crystal=by_id[known[key]], energy_per_atom=label.energy_per_atom - 1.0)
            else:
                yield label

    result = run_round(
        "round_0", start, world, params, lambda crystals: list(into_known(crystals, world.label(crystals)))
    )
    acquired = acquired_of(result)
    names = acquired.filter(pl.Series([crystal.digest() in fell for crystal in decode(acquired)]))[
        "material_id"
    ].to_list()
    rows = result.verifications.filter(pl.col("material_id").is_in(names))
    assert len(rows) >= 2
    assert (rows["energy_above_hull"] < -0.8).all()
    assert not rows["is_new"].any()
    assert not rows["is_stable"].any()
    assert not set(names) & set(result.state.crystals["material_id"])
    tried = result.state.attempts.filter(
        pl.col("decorated_prototype").is_in(acquired.filter(pl.col("material_id").is_in(names))["decorated_prototype"])
    )
    assert len(tried) == len(names)
    assert not tried["is_stable"].any()


def test_candidates_that_relax_into_the_same_crystal_count_once(start, world, params):
    """The lowest of them is the discovery."""
    twins = []

    def into_one(crystals, labels):
        """Every second one that relaxes ends in the crystal of the one before it, and a little lower."""
        before = None
        for crystal, label in zip(crystals, labels, strict=True):
            if label.ok and before is not None:
                other, digest = before
                label = replace(other, energy_per_atom=other.energy_per_atom - 0.01)  # noqa: PLW2901
                twins.append((crystal.digest(), digest))
                before = None
            elif label.ok:
                label = replace(label, crystal=crystal)  # noqa: PLW2901
                before = (label, crystal.digest())
            yield label

    result = run_round(
        "round_0", start, world, params, lambda crystals: list(into_one(crystals, world.label(crystals)))
    )
    acquired = acquired_of(result)
    digests = dict(zip([crystal.digest() for crystal in decode(acquired)], acquired["material_id"], strict=True))
    rows = {row["material_id"]: row for row in result.verifications.iter_rows(named=True)}
    pairs = [(rows[digests[lower]], rows[digests[higher]]) for lower, higher in twins]
    assert sum(lower["is_new"] for lower, _ in pairs) >= 5
    for lower, higher in pairs:  # others in the world may be the same crystal, too
        assert not higher["is_new"]
        assert higher["same_as"] == (lower["material_id"] if lower["is_new"] else lower["same_as"])
    assert result.state.crystals["material_id"].n_unique() == len(result.state.crystals)


def shaken(crystal, seed, size=0.02):
    """A crystal with its atoms moved at random by two hundredths of an Å along each axis."""
    moves = np.random.default_rng(seed).normal(0, size, (len(crystal), 3))
    return replace(crystal, frac_coords=crystal.frac_coords + moves @ np.linalg.inv(crystal.lattice))


@pytest.fixture(scope="module")
def relabelled(start):
    """Known crystals that have another label after they were shaken, and these."""
    compounds = start.crystals.filter(pl.col("nsites").is_between(3, 14))
    pairs = [(crystal, shaken(crystal, seed)) for seed, crystal in enumerate(decode(compounds)[:80])]
    changed = [pair for pair in pairs if symmetry_of(pair[0]).decorated != symmetry_of(pair[1]).decorated]
    assert len(changed) >= 5
    return changed


def judged(first, start, crystals, energies, **settings):
    """Verdicts as if the first candidates of the round had relaxed into these crystals."""
    acquired = acquired_of(first).head(len(crystals))
    labels = [Label("ok", energy, crystal, 1, 0.0) for crystal, energy in zip(crystals, energies, strict=True)]
    return verify("round_0", acquired, labels, start, start.hull(), **settings)


def test_a_known_crystal_that_was_shaken_is_not_new(first, start, relabelled):
    crystals = [after for _, after in relabelled]
    verdicts = judged(first, start, crystals, [-9.0] * len(crystals))
    assert not verdicts["is_new"].any()
    assert not verdicts["is_stable"].any()
    formulas = dict(start.crystals.select("material_id", "formula_pretty").iter_rows())
    originals = describe([before for before, _ in relabelled])["formula_pretty"]
    assert [formulas[name] for name in verdicts["same_as"]] == originals.to_list()


def test_shaken_copies_among_the_verified_count_once_in_any_order(first, start, relabelled):
    unknown = replace(start, crystals=start.crystals.filter(~pl.col("chemsys").str.contains("-")))
    before, after = relabelled[0]
    energies = [-9.0, -9.3, -9.2]
    copies = [before, after, shaken(before, 99)]
    for order in permutations(range(3)):
        verdicts = judged(first, unknown, [copies[i] for i in order], [energies[i] for i in order])
        assert verdicts["is_new"].to_list() == [i == 1 for i in order]
        lowest = verdicts["material_id"][order.index(1)]
        assert verdicts["same_as"].to_list() == [None if i == 1 else lowest for i in order]


def test_a_crystal_that_is_near_a_smaller_cell_is_the_same_after_it_was_shaken():
    """Half of the cell of this oxide is a cell but for 0.1 Å; shaken by 0.02 Å it is reduced to that no longer."""
    half = [(0.0982, 0.9791), (0.4018, 0.9791), (0.25, 0.9849), (0.1494, 0.4838), (0.3506, 0.4838)]
    half += [(0.9415, 0.9722), (0.5585, 0.9722)]  # zinc twice, then oxygen
    coords = [site for y, z in half for site in ([0.75, y, z], [0.25, 1 - y, 1 - z])]
    crystal = Crystal(np.diag([3.9105, 12.6823, 3.8106]), [30] * 4 + [8] * 10, coords)
    rows = describe([crystal, shaken(crystal, 4)]).with_columns(
        material_id=pl.Series(["as it was", "shaken"]), energy_per_atom=pl.Series([-3.0, -2.9])
    )
    assert rows["decorated_prototype"].n_unique() == 2
    assert same_as(rows[1:], rows[:1]) == {"shaken": "as it was"}


def test_other_phases_of_a_known_formula_are_new(start):
    """Rock salt and the structure of CsCl have one formula, and no shaking leads from one to the other."""
    salts = start.crystals.filter(pl.col("formula_pretty") == "NaCl")
    other = Crystal(3.5 * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rows = describe([other]).with_columns(material_id=pl.lit("new"), energy_per_atom=pl.lit(-3.0))
    assert 225 in salts["spacegroup_number"]
    assert 221 not in salts["spacegroup_number"]
    assert same_as(rows, salts) == {}


@pytest.mark.parametrize(
    ("best", "distance", "stable"),
    [(0.0, -0.0005, False), (0.0, -0.0015, True), (0.05, -0.0005, True), (0.05, 0.0005, False), (None, 0.0, True)],
    ids=["noise", "lower", "its formula was far above", "above", "new formula"],
)
def test_a_known_formula_must_be_beaten_by_the_tolerance(first, start, best, distance, stable, tmp_path):
    other = Crystal(3.5 * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
    is_salt = pl.col("formula_pretty") == "NaCl"
    others = replace(start, crystals=start.crystals.filter(~is_salt))
    floor = float(others.hull().hull_energies(atomic_fractions([other.atomic_numbers]))[0])
    salts = start.crystals.filter(is_salt & pl.lit(best is not None))
    raised = salts.with_columns(formation_energy_per_atom=pl.lit(floor + (best or 0.0)))
    state = replace(start, crystals=pl.concat([others.crystals, raised]))
    mu = dict(start.references.select("element", "energy_per_atom").iter_rows())
    energy = floor + distance + (mu["Na"] + mu["Cl"]) / 2
    verdicts = judged(first, state, [other], [energy], tolerance=0.001)
    validated(verdicts, Verifications, tmp_path)
    assert verdicts["is_new"].item()
    assert verdicts["is_stable"].item() == stable


def test_a_crystal_that_both_choosers_came_upon_is_a_hit_of_both(start, world, params):
    """It is one discovery."""
    crystal = Crystal(3.5 * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
    lowest = start.crystals.filter(pl.col("formula_pretty") == "NaCl")["energy_per_atom"].min()

    def into_one(crystals):
        return [Label("ok", lowest - 0.1 - 0.001 * place, crystal, 1, 0.0) for place, _ in enumerate(crystals)]

    result = run_round("round_0", start, world, params, into_one)
    assert set(result.verifications.filter("is_stable")["acquired_by"]) < {"model", "random"}
    assert result.metrics["n_discovered"] == 1
    assert [result.metrics["hit_rate"][how]["hits"] for how in ("model", "random")] == [1, 1]
