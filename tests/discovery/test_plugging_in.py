"""A generator or an acquisition of one's own: one file, or one function."""

import doctest
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from lodestone.config import registry
from lodestone.config.load import parse_params
from lodestone.config.registry import ACQUISITIONS, GENERATORS
from lodestone.config.rounds import RoundParams
from lodestone.discovery.acquisitions import rankings
from lodestone.discovery.choice import choose
from lodestone.discovery.generators import base
from lodestone.discovery.round import run_round
from lodestone.errors import LodestoneError

ROOT = Path(__file__).parents[2]
TOY = ROOT / "docs" / "how-to" / "toy_generator.py"


@pytest.fixture(autouse=True)
def _as_they_were(monkeypatch):
    """What a test registers is forgotten after it."""
    for kind in (GENERATORS, ACQUISITIONS):
        kind.names()
        monkeypatch.setattr(kind, "_entries", dict(kind._entries))


def content(**discovery):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    return params | {"discovery": params["discovery"] | discovery}


@pytest.mark.parametrize("module", [base, rankings, registry], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).attempted > 0
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("discovery", "problem"),
    [
        ({"generators": [{"name": "alchemy"}]}, "discovery.generators.0: there is no generator 'alchemy'"),
        ({"generators": []}, "discovery.generators: Tuple should have at least 1 item"),
        ({"generators": [{}]}, "discovery.generators.0.name: Field required"),
        (
            {"generators": [{"name": "substitution", "min_substitution_probability": 2}]},
            "discovery.generators.0.min_substitution_probability: Input should be less than or equal to 1",
        ),
        (
            {"generators": [{"name": "substitution", "luck": 1}]},
            "discovery.generators.0.luck: unknown parameter",
        ),
        ({"generators": [{"name": "substitution"}] * 2}, "discovery.generators: substitution stands twice"),
        ({"acquisition": "hope"}, "discovery.acquisition: there is no acquisition 'hope'"),
    ],
)
def test_wrong_choices_are_named(discovery, problem):
    with pytest.raises(LodestoneError) as refused:
        parse_params(content(**discovery))
    assert problem in refused.value.problem


def test_an_acquisition_is_one_function(discovery):
    @ACQUISITIONS.register("highest_energy")
    def highest_energy(candidates, threshold):
        return candidates.sort("energy_above_hull_pred", descending=True)

    params = parse_params(content(acquisition="highest_energy")).discovery
    names, energies = [f"c-{i}" for i in range(6)], [0.1 * i for i in range(6)]
    table = pl.DataFrame({"material_id": names, "chemsys": names, "energy_above_hull_pred": energies})
    table = table.with_columns(generator=pl.lit("substitution"))
    chosen = choose(table, params, RoundParams(next="n", budget=2, random_baseline=0), np.random.default_rng(0))
    assert chosen.filter(pl.col("acquired_by") == "model")["material_id"].to_list() == ["c-4", "c-5"]


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """The toy of the how-to page in a package of somebody else's."""
    (tmp_path / "shipped_generator.py").write_text(TOY.read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shipped_generator", raising=False)
    point = EntryPoint("swap", "shipped_generator", "lodestone.generators")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "lodestone.generators" else [])
    monkeypatch.setattr(GENERATORS, "_complete", False)


@pytest.mark.usefixtures("shipped")
def test_a_generator_is_found_by_its_entry_point():
    assert "swap" in GENERATORS.names()
    params = parse_params(content(generators=[{"name": "swap", "max_parent_energy_above_hull": 0.2}]))
    assert params.discovery.generators[0].max_parent_energy_above_hull == 0.2


@pytest.mark.usefixtures("shipped")
def test_a_round_with_two_generators(start, world, params):
    sections = parse_params(content(generators=[{"name": "swap"}, {"name": "substitution"}])).discovery.generators
    both = params.model_copy(update={"discovery": params.discovery.model_copy(update={"generators": sections})})
    result = run_round("round_0", start, world, both, world.label)
    assert set(result.candidates["generator"]) == {"swap", "substitution"}
    alone = run_round("round_0", start, world, params, world.label)
    substitutions = result.candidates.filter(pl.col("generator") == "substitution")
    assert substitutions["decorated_prototype"].is_in(alone.candidates["decorated_prototype"].implode()).mean() > 0.9
