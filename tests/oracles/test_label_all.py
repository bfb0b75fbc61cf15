"""No crystal is ever paid for twice, none is lost that was paid for, and no fault of the machine is a verdict."""

import signal

import pytest
from fake_oracle import ALWAYS, FakeOracle, cube

from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import label_one
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore
from lodestone.runtime.parallel import Outcome

CALLS = [{}, {"together": True}, {"several": 2}]


@pytest.fixture
def oracle(tmp_path):
    return FakeOracle(tmp_path / "journal")


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.sqlite") as store:
        yield store


def statuses(oracle, store, *numbers):
    return [label.status for label in label_all(oracle, [cube(number) for number in numbers], store, "test")]


def test_each_crystal_once_in_the_order_given(oracle, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    crystals = [cube(z, edge=z / 10) for z in (40, 30, 40, 50, 30)]
    labels = label_all(oracle, crystals, store, "test")
    assert [label.energy_per_atom for label in labels] == [-4.0, -3.0, -4.0, -5.0, -3.0]
    assert [int(label.crystal.atomic_numbers[0]) for label in labels] == [40, 30, 40, 50, 30]
    assert all(label.seconds > 0 for label in labels)
    assert oracle.asked() == [30, 40, 50]
    more = label_all(oracle, [cube(60), *crystals], store, "test")
    assert [label.energy_per_atom for label in more[1:]] == [label.energy_per_atom for label in labels]
    assert oracle.asked() == [30, 40, 50, 60]


def test_known_crystals_start_no_process(oracle, store, monkeypatch):
    crystals = [cube(30)]
    label_all(oracle, crystals, store, "test")
    monkeypatch.setattr("lodestone.runtime.parallel.Worker", None)
    assert label_all(oracle, crystals, store, "test")[0].ok
    assert label_all(oracle, [], store, "test") == []


def test_a_broken_installation_stops_the_campaign_and_loses_no_label(tmp_path, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")  # so that crystals are labelled in the order given
    oracle = FakeOracle(tmp_path / "journal", faults={4: ("installation", 1)})
    with pytest.raises(LodestoneError, match="the license has expired"):
        statuses(oracle, store, 1, 2, 3, 4, 5)
    with LabelStore(store.path) as other:  # on disk, not in this connection only
        assert len(other) == 3
    assert statuses(oracle, store, 1, 2, 3, 4, 5) == ["ok"] * 5
    assert [oracle.asked().count(number) for number in (1, 2, 3)] == [1, 1, 1]


def test_labels_are_stored_as_they_arrive(oracle, store, monkeypatch):
    arrived = []

    def one_by_one(label, tasks, modules):
        for key, crystal in tasks.items():
            arrived.append(len(store))
            yield Outcome(key, label(crystal))

    monkeypatch.setattr("lodestone.oracles.pool.run_each", one_by_one)
    statuses(oracle, store, 1, 2, 3)
    assert arrived == [0, 1, 2]


def test_other_settings_are_asked_anew(tmp_path, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    for fmax in (0.05, 0.01):
        statuses(FakeOracle(tmp_path / "journal", fmax=fmax), store, 1)
    assert FakeOracle(tmp_path / "journal").asked() == [1, 1]
    assert len(store) == 2


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("assertion", "failed: AssertionError: "),
        ("key", "failed: KeyError: 'no such atom'"),
        ("arithmetic", "failed: ArithmeticError: no energy"),
    ],
)
@pytest.mark.parametrize("calls", CALLS)
def test_an_unforeseen_fault_is_a_verdict_with_its_reason(tmp_path, store, monkeypatch, fault, status, calls):
    """It stops nobody, and as it would come again at each run, it is stored."""
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    oracle = FakeOracle(tmp_path / "journal", faults={2: (fault, ALWAYS)}, **calls)
    assert statuses(oracle, store, 1, 2, 3) == ["ok", status, "ok"]
    n_asked = len(oracle.asked())
    assert statuses(oracle, store, 1, 2, 3) == ["ok", status, "ok"]
    assert len(oracle.asked()) == n_asked


@pytest.mark.parametrize("calls", CALLS)
def test_memory_that_was_short_once_is_enough_alone(tmp_path, store, monkeypatch, calls):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    oracle = FakeOracle(tmp_path / "journal", faults={2: ("memory", 1)}, **calls)
    assert statuses(oracle, store, 1, 2, 3) == ["ok"] * 3
    assert len(store) == 3
    assert oracle.asked().count(2) == 2


def test_memory_that_is_short_alone_too_is_no_verdict(tmp_path, store, monkeypatch, capsys):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    oracle = FakeOracle(tmp_path / "journal", faults={2: ("memory", 2)})
    assert statuses(oracle, store, 1, 2, 3) == ["ok", "out_of_memory", "ok"]
    assert len(store) == 2
    assert (
        "no label for lack of memory or time, or because a cell is too large: 1 out_of_memory"
        in capsys.readouterr().err
    )
    assert statuses(oracle, store, 1, 2, 3) == ["ok"] * 3, "asked again, with more memory"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_worker_costs_its_crystal_another_try_and_the_others_nothing(tmp_path, store, monkeypatch, workers):
    monkeypatch.setenv("LODESTONE_WORKERS", workers)
    oracle = FakeOracle(tmp_path / "journal", faults={2: ("die", 1)})
    assert statuses(oracle, store, 1, 2, 3, 4, 5) == ["ok"] * 5
    assert len(store) == 5
    assert oracle.asked().count(2) == 2


def test_a_crystal_that_kills_its_worker_alone_too_is_named_and_not_stored(tmp_path, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    oracle = FakeOracle(tmp_path / "journal", faults={2: ("die", ALWAYS)})
    assert statuses(oracle, store, 1, 2, 3) == ["ok", "worker_died", "ok"]
    assert len(store) == 2
    assert oracle.asked() == [1, 2, 2, 3]


def test_workers_that_keep_dying_stop_the_campaign(tmp_path, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    oracle = FakeOracle(tmp_path / "journal", faults=dict.fromkeys(range(1, 9), ("die", ALWAYS)))
    with pytest.raises(LodestoneError, match="a worker process died"):
        statuses(oracle, store, *range(1, 9))
    assert oracle.asked() == [1, 2, 3]


@pytest.mark.parametrize("together", [False, True])
def test_a_crystal_that_takes_too_long_is_refused_and_not_stored(tmp_path, store, monkeypatch, together):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    oracle = FakeOracle(tmp_path / "journal", faults={2: ("hang", ALWAYS)}, together=together, max_seconds=0.2)
    assert statuses(oracle, store, 2) == ["timed_out"]
    assert len(store) == 0
    longer = FakeOracle(tmp_path / "journal", max_seconds=1000)
    assert statuses(longer, store, 2) == ["ok"]


def test_the_time_limit_ends_with_the_crystal(tmp_path):
    before = signal.getsignal(signal.SIGALRM)
    assert label_one(FakeOracle(tmp_path / "journal", max_seconds=1000), cube(1)).ok
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_oracle_may_label_all_in_one_process(tmp_path, store, monkeypatch):
    oracle = FakeOracle(tmp_path / "journal", together=True)
    monkeypatch.setattr("lodestone.runtime.parallel.Worker", None)
    assert statuses(oracle, store, 3, 1, 2) == ["ok"] * 3
    assert [line.split()[2] for line in oracle.lines()] == ["3"] * 3  # crystals in the call
    assert len(store) == 3


def test_an_oracle_may_label_several_in_each_call_of_a_process(tmp_path, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    oracle = FakeOracle(tmp_path / "journal", several=2)
    assert statuses(oracle, store, 3, 1, 2, 5, 4) == ["ok"] * 5
    assert sorted(line.split()[2] for line in oracle.lines()) == ["1", "2", "2", "2", "2"]  # crystals in the call
    assert len({line.split()[1] for line in oracle.lines()}) == 2
    assert len(store) == 5


def test_a_killed_worker_costs_its_neighbors_another_try(tmp_path, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    oracle = FakeOracle(tmp_path / "journal", faults={2: ("die", 1)}, several=3)
    assert statuses(oracle, store, 1, 2, 3, 4, 5) == ["ok"] * 5
    assert len(store) == 5
    assert [oracle.asked().count(number) for number in (1, 2, 3, 4, 5)] == [2, 2, 1, 1, 1]


class Careless(FakeOracle):
    """Labels the first crystal twice, the last one under an index that there is not, and stops."""

    def label(self, crystals):
        [(_, label), *_] = super().label(crystals)
        yield from ((0, label), (0, label), (-1, label))


def test_careless_indices_give_no_crystal_the_label_of_another(tmp_path, store):
    oracle = Careless(tmp_path / "journal", together=True)
    labels = label_all(oracle, [cube(1, edge=2.0), cube(2, edge=3.0)], store, "test")
    assert [label.energy_per_atom for label in labels] == [-2.0, -3.0]


def test_a_crystal_that_an_oracle_leaves_out_has_failed(tmp_path):
    class Silent(FakeOracle):
        def label(self, crystals):
            return iter(())

    assert label_one(Silent(tmp_path / "journal"), cube(1)).status == "failed: the oracle gave no label"
