"""A crystal is discovered once, and only if nobody knew it."""

from dataclasses import replace

import polars as pl
from world import acquired_of

from lodestone.crystals.encoding import decode
from lodestone.discovery.round import run_round


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
    twins = {}

    def into_one(crystals, labels):
        model = {}
        for crystal, label in zip(crystals, labels, strict=True):
            key = tuple(sorted(crystal.atomic_numbers.tolist()))
            if label.ok:
                model.setdefault(key, crystal)
                twins.setdefault(key, []).append((label.energy_per_atom, crystal.digest()))
            yield replace(label, crystal=model[key]) if label.ok else label

    result = run_round(
        "round_0", start, world, params, lambda crystals: list(into_one(crystals, world.label(crystals)))
    )
    acquired = acquired_of(result)
    digests = dict(zip([crystal.digest() for crystal in decode(acquired)], acquired["material_id"], strict=True))
    rows = {row["material_id"]: row for row in result.verifications.iter_rows(named=True)}
    groups = [sorted(group) for group in twins.values() if len(group) > 1]
    assert groups  # else the world holds no twins to tell apart
    for (_, lowest), *others in groups:
        assert rows[digests[lowest]]["is_new"]
        assert not any(rows[digests[digest]]["is_new"] for _, digest in others)
    assert result.state.crystals["material_id"].n_unique() == len(result.state.crystals)
