"""Labels from a Dask cluster are those of this machine: a killed worker loses none, and none is stored twice."""

import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_oracle import ALWAYS, FakeOracle, cube

from dask_tasks import choose_dask, dask_pids, dask_workers, kill_when, leave_dask_pid
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore

pytestmark = pytest.mark.slow
HELD = 9
CRYSTALS = [cube(number, edge=2 + number / 10) for number in range(1, 31)]


class SlowOracle(FakeOracle):
    """Stays with one crystal when it sees it for the first time, and leaves the number of its Dask worker."""

    def label(self, crystals):
        time.sleep(0.05)
        held = self.journal.with_name("held")
        if crystals[0].atomic_numbers[0] == HELD and not held.exists():
            leave_dask_pid(held)
            list(super().label(crystals))
            signal.pause()
        yield from super().label(crystals)


def rows(path: Path) -> list[tuple]:
    with sqlite3.connect(path) as connection:
        columns = "key, oracle, settings, versions, status, energy_per_atom, crystal, n_steps"
        return sorted(connection.execute(f"SELECT {columns} FROM labels"))


def facts(labels) -> list[tuple]:
    return [
        (label.status, label.energy_per_atom, label.n_steps, label.crystal and label.crystal.digest())
        for label in labels
    ]


class CountingStore(LabelStore):
    """Knows how often each label was stored."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.puts: Counter[str] = Counter()

    def put(self, key, oracle, label):
        self.puts[key] += 1
        super().put(key, oracle, label)


def kill_in_mid_round(held: Path, store: Path, killed: list[int]) -> None:
    with LabelStore(store) as reader:
        kill_when(lambda: len(reader) >= HELD + 3, held, killed)


def test_a_dask_worker_killed_in_mid_round_loses_no_label_and_none_is_stored_twice(tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    here = FakeOracle(tmp_path / "here" / "journal")
    with LabelStore(tmp_path / "here" / "labels.sqlite") as store:
        expected = facts(label_all(here, CRYSTALS, store, "test"))

    there, killed = SlowOracle(tmp_path / "there" / "journal"), []
    with dask_workers() as cluster, CountingStore(tmp_path / "there" / "labels.sqlite") as store:
        choose_dask(monkeypatch, cluster.scheduler_address)
        before = dask_pids(cluster)
        killer = threading.Thread(target=kill_in_mid_round, args=(tmp_path / "there" / "held", store.path, killed))
        killer.start()
        labels = label_all(there, CRYSTALS, store, "test")
        killer.join()
        assert set(killed) < before, "a Dask worker was killed, not a process of ours"

    assert facts(labels) == expected
    assert rows(tmp_path / "there" / "labels.sqlite") == rows(tmp_path / "here" / "labels.sqlite")
    assert set(store.puts.values()) == {1}
    assert len(store.puts) == len(CRYSTALS)
    assert there.asked() == sorted([*range(1, 31), HELD]), "only what the dead worker was at was begun anew"
    assert len({line.split()[1] for line in there.lines()}) >= 3


@pytest.fixture(scope="module")
def cluster():
    with dask_workers() as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("faults", "settings"),
    [
        ({2: ("die", 1), 4: ("memory", 1), 6: ("key", ALWAYS)}, {}),
        ({2: ("die", 1), 6: ("assertion", ALWAYS)}, {"several": 2}),
        ({3: ("hang", ALWAYS)}, {"max_seconds": 0.2}),
    ],
)
def test_faults_give_the_labels_of_this_machine(tmp_path, monkeypatch, cluster, faults, settings):
    """Time limits too, although Dask runs tasks in threads, which signals do not reach."""
    found = []
    for name, address in (("here", None), ("there", cluster.scheduler_address)):
        if address:
            choose_dask(monkeypatch, address)
        (tmp_path / name).mkdir()
        oracle = FakeOracle(tmp_path / name / "journal", faults=faults, **settings)
        with LabelStore(tmp_path / name / "labels.sqlite") as store:
            found.append(facts(label_all(oracle, CRYSTALS[:8], store, "test")))
    assert found[0] == found[1]
    assert rows(tmp_path / "here" / "labels.sqlite") == rows(tmp_path / "there" / "labels.sqlite")
    assert {label[0] for label in found[0]} > {"ok"}
