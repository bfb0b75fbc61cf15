"""Labels are kept exactly, under a key that changes with everything that changes a label."""

import sqlite3
import threading
from dataclasses import replace

import numpy as np
import pytest
from fake_oracle import FakeOracle, cube

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles import store
from lodestone.oracles.base import Label
from lodestone.oracles.store import LabelStore, default_path, label_key, label_keys


@pytest.fixture
def oracle(tmp_path):
    return FakeOracle(tmp_path / "journal")


def fill(path, oracle, count=1):
    with LabelStore(path) as store:
        for number in range(1, count + 1):
            store.put(label_key(oracle, cube(number)), oracle, next(oracle.label([cube(number)]))[1])


def test_labels_survive_exactly(tmp_path, oracle):
    relaxed = Crystal(np.random.default_rng(0).random((3, 3)), [6, 92], [[0.1, 1 / 3, -0.2], [0, 0, 1 / 7]])
    label = Label("ok", -1 / 3, relaxed, 7, 0.25)
    with LabelStore(tmp_path / "new" / "labels.sqlite") as store:
        store.put("a", oracle, label)
        store.put("b", oracle, Label("exploded", None, None, 2, 0.1))
    with LabelStore(tmp_path / "new" / "labels.sqlite") as store:
        stored = store.get("a")
        assert replace(stored, crystal=relaxed) == label
        assert np.array_equal(stored.crystal.lattice, relaxed.lattice)
        assert np.array_equal(stored.crystal.frac_coords, relaxed.frac_coords)
        assert stored.crystal.atomic_numbers.tolist() == [6, 92]
        assert store.get("b") == Label("exploded", None, None, 2, 0.1)
        assert store.get("c") is None
        assert len(store) == 2


@pytest.mark.parametrize("other", [{"fmax": 0.01}, {"max_steps": 7}, {"name": "fake-2"}], ids=str)
def test_key_depends_on_name_and_settings(tmp_path, oracle, other):
    assert label_key(FakeOracle(tmp_path / "journal", **other), cube(11)) != label_key(oracle, cube(11))


def test_key_depends_on_nothing_that_changes_no_label(tmp_path, oracle):
    other = FakeOracle(tmp_path / "elsewhere", max_seconds=7, queue="long", together=True)
    assert label_key(other, cube(11)) == label_key(oracle, cube(11))


def test_key_depends_on_the_crystal(oracle):
    key = label_key(oracle, cube(11))
    assert label_key(oracle, cube(11, 3.001)) != key
    assert label_key(oracle, cube(12)) != key


def test_keys_of_many_crystals_are_those_of_each_and_describe_the_oracle_once(oracle, monkeypatch):
    crystals = [cube(number) for number in (11, 12, 11)]
    alone = [label_key(oracle, crystal) for crystal in crystals]
    descriptions, identity = [], oracle.identity
    monkeypatch.setattr(oracle, "identity", lambda: descriptions.append(1) or identity())
    assert label_keys(oracle, crystals) == alone
    assert descriptions == [1]
    assert label_keys(oracle, []) == []


@pytest.mark.parametrize(("installed", "same"), [("2.4.1", True), ("2.4.1+cu126", True), ("2.4.2", False)])
def test_key_depends_on_the_versions_of_the_packages(tmp_path, monkeypatch, installed, same):
    """Not on the build: a label of another processor differs in the last digits only."""
    monkeypatch.setattr("lodestone.oracles.base.version", lambda package: "2.4.1")
    key = label_key(FakeOracle(tmp_path / "journal"), cube(11))
    monkeypatch.setattr("lodestone.oracles.base.version", lambda package: installed)
    assert (label_key(FakeOracle(tmp_path / "journal"), cube(11)) == key) is same


def test_a_store_of_before_the_versions_still_opens(tmp_path, oracle):
    path = tmp_path / "labels.sqlite"
    old = sqlite3.connect(path)
    with old:
        old.execute(
            "CREATE TABLE labels (key TEXT PRIMARY KEY, oracle TEXT NOT NULL, settings TEXT NOT NULL, "
            "status TEXT NOT NULL, energy_per_atom REAL, crystal TEXT, n_steps INTEGER NOT NULL, seconds REAL NOT NULL)"
        )
        old.execute("INSERT INTO labels VALUES ('old', 'fake-1', '{}', 'exploded', NULL, NULL, 7, 0.5)")
    old.close()
    fill(path, oracle, 2)
    fill(path, oracle, 2)
    with LabelStore(path) as store:
        assert len(store) == 3
        assert store.get("old") == Label("exploded", None, None, 7, 0.5)
        assert store.get(label_key(oracle, cube(2))).ok


def test_default_path(monkeypatch):
    monkeypatch.delenv("LODESTONE_LABELS", raising=False)
    assert str(default_path()) == ".lodestone/labels.sqlite"
    monkeypatch.setenv("LODESTONE_LABELS", "/elsewhere/x.sqlite")
    assert str(default_path()) == "/elsewhere/x.sqlite"


def test_two_that_begin_with_a_file_wait_for_each_other(tmp_path):
    """Sqlite says at once that the file is locked where one writes to it before it has a write-ahead log."""
    first = sqlite3.connect(tmp_path / "labels", check_same_thread=False, isolation_level=None)
    first.execute("BEGIN IMMEDIATE")
    first.execute("CREATE TABLE other (x)")
    timer = threading.Timer(0.2, first.execute, ("COMMIT",))
    timer.start()
    with LabelStore(tmp_path / "labels") as second:
        assert not first.in_transaction
        assert len(second) == 0
    timer.join()
    first.close()


def test_a_file_that_stays_locked_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_PATIENCE", 0.05)
    first = sqlite3.connect(tmp_path / "labels", isolation_level=None)
    first.execute("BEGIN IMMEDIATE")
    first.execute("CREATE TABLE other (x)")
    with pytest.raises(LodestoneError, match="database is locked"):
        LabelStore(tmp_path / "labels")
    first.close()


def test_file_that_is_no_database(tmp_path):
    (tmp_path / "labels.sqlite").write_text("not a database, " * 500)
    with pytest.raises(LodestoneError, match=r"labels\.sqlite cannot be opened: file is not a database") as refused:
        LabelStore(tmp_path / "labels.sqlite")
    assert "LODESTONE_LABELS" in refused.value.remedy
    assert "deleted without harm" in refused.value.remedy
    assert "costs time only" in refused.value.remedy


def test_file_damaged_inside(tmp_path, oracle):
    path = tmp_path / "labels.sqlite"
    fill(path, oracle, 50)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))  # the first page is the header
    with LabelStore(path) as store, pytest.raises(LodestoneError, match=r"labels\.sqlite is damaged") as damaged:
        store.get(label_key(oracle, cube(7)))
    assert "deleted without harm" in damaged.value.remedy


def test_row_that_is_no_crystal(tmp_path, oracle):
    path = tmp_path / "labels.sqlite"
    fill(path, oracle)
    with LabelStore(path) as store:
        with store._connection:
            store._connection.execute("UPDATE labels SET crystal = '[1, 2'")
        with pytest.raises(LodestoneError, match="damaged"):
            store.get(label_key(oracle, cube(1)))


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LodestoneError, match="cannot be opened") as refused:
        LabelStore(tmp_path / "file" / "labels.sqlite")
    assert "permissions" in refused.value.remedy


def test_full_disk_keeps_what_was_stored(tmp_path, oracle):
    path = tmp_path / "labels.sqlite"
    fill(path, oracle, 3)
    large = Crystal(np.eye(3), [6] * 5000, np.random.default_rng(0).random((5000, 3)))
    with LabelStore(path) as store:
        store._connection.execute("PRAGMA max_page_count = 5")  # sqlite then reports what it reports on a full disk
        with pytest.raises(LodestoneError, match="cannot be written: database or disk is full") as full:
            store.put("large", oracle, Label("ok", -1.0, large, 1, 0.1))
        assert "free some disk space" in full.value.remedy
    with LabelStore(path) as store:
        assert len(store) == 3
        assert store.get("large") is None
