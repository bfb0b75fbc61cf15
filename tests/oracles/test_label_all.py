"""No crystal is ever paid for twice, and none is lost that was paid for."""

from dataclasses import replace

import pytest
from fake_oracle import FakeOracle, cube

from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore


@pytest.fixture
def oracle(tmp_path):
    return FakeOracle(tmp_path / "journal")


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.sqlite") as store:
        yield store


def test_each_crystal_once_in_the_order_given(oracle, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "2")
    crystals = [cube(z, edge=z / 10) for z in (40, 30, 40, 50, 30)]
    labels = label_all(oracle, crystals, store, "test")
    assert [label.energy_per_atom for label in labels] == [-4.0, -3.0, -4.0, -5.0, -3.0]
    assert [int(label.crystal.atomic_numbers[0]) for label in labels] == [40, 30, 40, 50, 30]
    assert oracle.asked() == [30, 40, 50]
    more = label_all(oracle, [cube(60), *crystals], store, "test")
    assert [label.energy_per_atom for label in more[1:]] == [label.energy_per_atom for label in labels]
    assert oracle.asked() == [30, 40, 50, 60]


def test_known_crystals_start_no_process(oracle, store, monkeypatch):
    crystals = [cube(30)]
    label_all(oracle, crystals, store, "test")
    monkeypatch.setattr("lodestone.runtime.parallel.ProcessPoolExecutor", None)
    assert label_all(oracle, crystals, store, "test")[0].ok
    assert label_all(oracle, [], store, "test") == []


def test_a_fault_in_the_middle_loses_no_label(oracle, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")  # so that crystals are labelled in the order given
    crystals = [cube(number) for number in (1, 2, 3, 4, 5)]
    with pytest.raises(ArithmeticError, match="no energy for 4"):
        label_all(replace(oracle, fails_on=4), crystals, store, "test")
    with LabelStore(store.path) as other:  # on disk, not in this connection only
        assert len(other) == 3
    assert all(label.ok for label in label_all(oracle, crystals, store, "test"))
    assert [oracle.asked().count(number) for number in (1, 2, 3, 4)] == [1, 1, 1, 1]


def test_labels_are_stored_as_they_arrive(oracle, store, monkeypatch):
    arrived = []

    def one_by_one(label, tasks):
        for key, crystal in tasks.items():
            arrived.append(len(store))
            yield key, label(crystal)

    monkeypatch.setattr("lodestone.oracles.pool.process_all", one_by_one)
    label_all(oracle, [cube(1), cube(2), cube(3)], store, "test")
    assert arrived == [0, 1, 2]


def test_other_settings_are_asked_anew(oracle, store, monkeypatch):
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    label_all(oracle, [cube(1)], store, "test")
    label_all(replace(oracle, settings=replace(oracle.settings, fmax=0.01)), [cube(1)], store, "test")
    assert oracle.asked() == [1, 1]
    assert len(store) == 2
