"""Competing phases without structures, and an oracle whose energies are brought to the scale of the hull."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from world import ELEMENTS

from lodestone.curation.difference import Difference
from lodestone.discovery.round import choose_candidates, verify_choice
from lodestone.discovery.state import Choice
from lodestone.schemas import Phases, Verifications
from lodestone.tables.files import validated


def one_phase(found, energy):
    return pl.DataFrame(
        {
            "material_id": ["phase-1"],
            "formula_pretty": [found["formula_pretty"]],
            "chemsys": [found["chemsys"]],
            "formation_energy_per_atom": [energy],
        },
        schema=dict(Phases.empty().schema),
    )


@pytest.fixture(scope="module")
def again(start, world, params, first):
    """Verifies the choice of the first round anew, from another state or with a difference."""

    def _again(state=start, difference=None):
        difference = difference or Difference()
        return verify_choice("round_0", state, Choice(first.candidates, {}), params, world.label, difference=difference)

    return _again


def test_a_discovery_must_lie_below_a_phase_of_its_formula(start, first, again, tmp_path):
    found = first.verifications.filter("is_stable").sort("energy_above_hull").row(0, named=True)
    energy = found["formation_energy_per_atom"]
    lower, higher = (replace(start, phases=one_phase(found, energy + gap)) for gap in (-0.01, 0.01))
    verdicts = {}
    for name, state in {"lower": lower, "higher": higher}.items():
        result = again(state)
        table = validated(result.verifications, Verifications, tmp_path)
        verdicts[name] = table.filter(pl.col("material_id") == found["material_id"]).row(0, named=True)
        assert result.state.phases.equals(state.phases)  # the next round has them, too
    assert not verdicts["lower"]["is_stable"]
    assert verdicts["lower"]["energy_above_hull"] == pytest.approx(0.01)
    assert verdicts["lower"]["decomposition"] == f"1.00 {found['formula_pretty']}"
    assert verdicts["higher"]["is_stable"]
    assert verdicts["higher"]["energy_above_hull"] == pytest.approx(-0.01)
    assert verdicts["lower"]["n_competing_phases"] >= found["n_competing_phases"]


def test_known_crystals_lie_above_a_hull_that_phases_lower(start, first, again):
    found = first.verifications.filter("is_new").row(0, named=True)
    phases = one_phase(found, found["formation_energy_per_atom"] - 1.0)
    after = again(replace(start, phases=phases)).state.crystals
    own = after.filter(pl.col("material_id") == found["material_id"])["energy_above_hull"][0]
    assert own == pytest.approx(1.0)


def test_a_difference_moves_verdicts_and_widens_predictions(start, world, params, first, again):
    offsets, errors = dict.fromkeys(ELEMENTS, 0.05), {"all": {"n": 30, "mae": 0.2, "bias": 0.0, "std": 0.2}}
    difference = Difference(kind="learned", offsets=offsets, errors=errors)
    moved = again(difference=difference)
    columns = ["material_id", "formation_energy_per_atom"]
    both = first.verifications.select(columns).join(moved.verifications.select(columns), on="material_id").drop_nulls()
    risen = (both["formation_energy_per_atom_right"] - both["formation_energy_per_atom"]).to_list()
    assert risen == pytest.approx([0.05] * len(risen))
    assert len(risen) > 20
    count = moved.metrics["n_discovered"]
    assert 0.5 * count < moved.metrics["n_discovered_expected"] < 0.9 * count  # a depth of 0.1 is half an error
    assert "n_discovered_expected" not in first.metrics
    wide = choose_candidates("round_0", start, world, params, difference).candidates
    before = first.candidates
    assert wide["formation_energy_per_atom_std"].to_numpy() == pytest.approx(
        np.hypot(before["formation_energy_per_atom_std"].to_numpy(), 0.2)
    )
    sure = before["stability_probability"].to_numpy() > 0.9
    assert sure.any()
    assert (wide["stability_probability"].to_numpy() < before["stability_probability"].to_numpy())[sure].all()
