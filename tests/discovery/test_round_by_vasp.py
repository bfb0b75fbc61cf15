"""A round whose candidates a program in the place of VASP relaxes; what has been computed is never computed again."""

from functools import partial

import pytest
from vasp_world import let_workers_know, make_world
from world import ELEMENTS

from lodestone.config.registry import ORACLES
from lodestone.config.rounds import RoundParams
from lodestone.discovery.round import run_round
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore

SETTINGS = {"name": "vasp", "max_volume_change": 2.0, "min_distance_ratio": 0.5}
CHOSEN = 4


@pytest.mark.slow
def test_a_round_is_verified_by_vasp_and_another_one_reads_its_runs(start, world, params, tmp_path, monkeypatch):
    lab = make_world(tmp_path, monkeypatch, ELEMENTS)
    let_workers_know(monkeypatch)
    oracle = ORACLES.make("vasp", ORACLES.settings("vasp", SETTINGS))
    rounds = {"round_0": RoundParams(next="after", budget=CHOSEN - 1, random_baseline=1)}
    short = params.model_copy(update={"rounds": rounds})

    def verifications(name):
        with LabelStore(tmp_path / name) as store:
            label = partial(label_all, oracle, store=store, title=name)
            return run_round("round_0", start, world, short, label).verifications

    first = verifications("first.sqlite")
    assert len(first) == len(first.filter(status="ok")) == CHOSEN
    assert len(lab.starts()) == 2 * CHOSEN
    monkeypatch.delenv("LODESTONE_VASP")
    assert verifications("second.sqlite").equals(first)
    assert len(lab.starts()) == 2 * CHOSEN
