"""A whole round on a Dask cluster, whose worker is killed in the middle: its tables are those of this machine."""

import signal
import threading
from functools import partial
from pathlib import Path

import pytest
from world import BASELINE, BUDGET, World

from dask_tasks import choose_dask, dask_pids, dask_workers, kill_when, leave_dask_pid
from lodestone.config.sections import OracleParams
from lodestone.discovery.round import run_round
from lodestone.ensemble.pieces import predict_in_pieces
from lodestone.oracles.base import Oracle
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore


class Settings(OracleParams):
    name: str = "world"
    fmax: float = 0.05
    max_steps: int = 100


class WorldOracle(Oracle):
    """The truth of the world; one worker of a Dask cluster stays with the first crystal that it is given."""

    settings: Settings
    packages = ("numpy",)
    caveat = "Energies are made up."

    def __init__(self, world: World, held: Path) -> None:
        super().__init__(Settings())
        self.world, self.held = world, held

    def label(self, crystals):
        if chosen_is_first(self.held.with_name("claim")):
            leave_dask_pid(self.held)
            signal.pause()
        yield from enumerate(self.world.label(crystals))


def chosen_is_first(claim: Path) -> bool:
    """Whether nobody else has claimed this; on this machine everybody is too late."""
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.mark.slow
def test_a_killed_dask_worker_changes_no_table(start, world, params, tmp_path, monkeypatch):
    monkeypatch.setattr(predict_in_pieces, "__kwdefaults__", {"piece": 64})
    oracle, killed = WorldOracle(World(world.hull, world.references), tmp_path / "held"), []

    def result(name):
        with LabelStore(tmp_path / name) as store:
            label = partial(label_all, oracle, store=store, title=name)
            return run_round("round_0", start, world, params, label), len(store)

    def kill_in_mid_round():
        with LabelStore(tmp_path / "there") as reader:
            kill_when(lambda: len(reader) >= BUDGET // 2, oracle.held, killed)

    (tmp_path / "claim").touch()
    here, n_here = result("here")
    (tmp_path / "claim").unlink()
    with dask_workers() as cluster:
        choose_dask(monkeypatch, cluster.scheduler_address)
        before, killer = dask_pids(cluster), threading.Thread(target=kill_in_mid_round)
        killer.start()
        there, n_there = result("there")
        killer.join()
    assert set(killed) < before
    assert n_here == n_there == BUDGET + BASELINE
    assert there.candidates.equals(here.candidates)
    assert there.verifications.equals(here.verifications)
    assert there.state.crystals.drop("created_at").equals(here.state.crystals.drop("created_at"))
    assert there.metrics == here.metrics
