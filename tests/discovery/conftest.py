"""Rounds of active learning with made-up models and a made-up oracle, on real crystals."""

from pathlib import Path

import polars as pl
import pytest
from world import BASELINE, BUDGET, ELEMENTS, ROUNDS, World

from lodestone.config.load import load_params
from lodestone.config.registry import GENERATORS
from lodestone.config.rounds import RoundParams
from lodestone.config.sections import Filters
from lodestone.curation.labelling import energy_above_hull
from lodestone.curation.splits import empty_attempts, split_snapshot
from lodestone.discovery.generators.base import Known
from lodestone.discovery.proposals import Rules, collect
from lodestone.discovery.round import run_round
from lodestone.discovery.state import RoundState
from lodestone.schemas import Crystals
from lodestone.stability.references import elemental_references
from lodestone.substitution.charges import STRICT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def params():
    defaults = load_params(ROOT / "params.yaml")
    whole = GENERATORS.settings("substitution", {"name": "substitution"})  # one whose candidates are counted here
    limits = {"generators": (whole,), "max_proposals": 300, "max_per_chemsys": 12, "max_sites": 8, "threshold": 0.1}
    rounds = {name: RoundParams(next="after", budget=BUDGET, random_baseline=BASELINE) for name in ROUNDS}
    return defaults.model_copy(
        update={"seed": 3, "discovery": defaults.discovery.model_copy(update=limits), "rounds": rounds}
    )


@pytest.fixture(scope="session")
def start(params):
    """The crystals of thirteen elements, dealt as the split stage deals them."""
    rows = pl.read_parquet(ROOT / "reference" / "crystals.parquet").sort("material_id")
    rows = rows.filter(pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(ELEMENTS)).list.all())
    rows = rows.filter((pl.col("formula_pretty") != "NaCl") | (pl.col("spacegroup_number") != 221))  # tests find it
    rows = rows.with_columns(
        energy_above_hull(rows, rows["formation_energy_per_atom"].to_numpy()),
        pl.lit(None, dtype=pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit("snapshot").alias("origin"),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        pl.lit("train").alias("split"),
    )
    crystals = split_snapshot(rows, params.split).select(list(Crystals.to_schema().columns))
    return RoundState(crystals, empty_attempts(), elemental_references(crystals))


@pytest.fixture(scope="session")
def world(start):
    return World(start.hull(), start.references)


@pytest.fixture(scope="session")
def campaign(start, world, params):
    """Three rounds, and the state before each and after the last."""
    states, results = [start], []
    for name in ROUNDS:
        results.append(run_round(name, states[-1], world, params, world.label))
        states.append(results[-1].state)
    return states, results


@pytest.fixture(scope="session")
def first(campaign):
    return campaign[1][0]


SIXTEEN = frozenset("Li Na K Mg Ca Sr Ba Al Zn Ti O S Se F Cl Br".split())


@pytest.fixture(scope="session")
def reference() -> pl.DataFrame:
    """Every crystal of the reference set, on its own hull."""
    rows = pl.read_parquet(ROOT / "reference" / "crystals.parquet").sort("material_id")
    return rows.with_columns(
        energy_above_hull(rows, rows["formation_energy_per_atom"].to_numpy()),
        pl.lit(None, dtype=pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit("snapshot").alias("origin"),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        pl.lit("train").alias("split"),
    ).select(list(Crystals.to_schema().columns))


@pytest.fixture(scope="session")
def known(reference) -> pl.DataFrame:
    """Those made of sixteen elements."""
    return reference.filter(pl.col("chemsys").str.split("-").list.eval(pl.element().is_in(SIXTEEN)).list.all())


@pytest.fixture(scope="session")
def discovery():
    return load_params(ROOT / "params.yaml").discovery


@pytest.fixture(scope="session")
def substitute(discovery):
    """Draw substitutions as a round does: from what is known, tried before, and the elements allowed."""

    def _substitute(known, elements, rng, *, tried=frozenset(), filters=None, limit=None, **settings):
        limits = {name: settings.pop(name, getattr(discovery, name)) for name in ("max_sites", "max_elements")}
        section = discovery.generators[0].model_copy(update=settings)
        generator = GENERATORS.make("substitution", section)
        rules = Rules(
            known=frozenset(known["decorated_prototype"]),
            tried=tried,
            elements=elements,
            filters=filters or Filters(),
            charge_rule=STRICT,
            **limits,
        )
        limit = limit or discovery.max_proposals
        proposals = generator.propose(Known(known, elements, **limits), rng, limit)
        return collect({"substitution": proposals}, rules, limit)

    return _substitute
