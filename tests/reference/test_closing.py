"""The closing loop in a world of four elements: it closes, goes on after a kill, and always does the same."""

import json
from dataclasses import replace
from functools import partial

import polars as pl
import pytest
from fake_potential import FakePotential, energy_of

from lodestone.crystals.compositions import atomic_fractions
from lodestone.errors import LodestoneError
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore
from lodestone.reference import planning
from lodestone.reference.build import initial_crystal, labelled_rows, with_formation_energy
from lodestone.reference.closing import SCREENED, Ends, close, is_closed, relax
from lodestone.reference.decorations import element_decorations
from lodestone.reference.enumeration import formula_of
from lodestone.reference.ledger import KEY, TRIED, Ledger, decorations_of, plan_of
from lodestone.reference.ledger_files import load_ledger, tried_file, write_ledger
from lodestone.reference.planning import Planner
from lodestone.reference.prototypes import all_prototypes, load_prototypes
from lodestone.reference.screening import Screened
from lodestone.reference.selection import Limits
from lodestone.stability.hull import ConvexHull
from lodestone.stability.references import elemental_references, formation_energies

WORLD = ("Cl", "Mg", "Na", "O")
ORACLE = FakePotential()
VOLUME = 15.0  # Å3/atom


class Clairvoyant(Planner):
    """A planner whose networks are never wrong."""

    def screen(self, ledger, decorations):
        prototypes, items = all_prototypes(), list(decorations(ledger))
        crystals = [prototypes[label].decorate(elements) for label, elements in items]
        crystals = [crystal.scaled_to(VOLUME * len(crystal)) for crystal in crystals]
        fractions = atomic_fractions([crystal.atomic_numbers for crystal in crystals])
        references = elemental_references(ledger.table)
        energies = formation_energies(fractions, pl.Series(map(energy_of, crystals)).to_numpy(), references)
        rows = {
            "aflow_prototype": [label for label, _ in items],
            "decoration": ["-".join(elements) for _, elements in items],
            "formula": [str(formula_of(prototypes[label], elements)) for label, elements in items],
            "chemsys": ["-".join(sorted(elements)) for _, elements in items],
            "volume": [crystal.volume for crystal in crystals],
            "energy_above_hull_pred": energies - ConvexHull.of(ledger.table).hull_energies(fractions),
        }
        return Screened(pl.DataFrame(rows), len(items), 0)


PLANNER = Clairvoyant(views={}, elements=WORLD, largest_cell=3, limits=Limits(batch=15, margin=0.2, per_formula=3))


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A reference set of sodium and chlorine, and a journal of what is relaxed."""
    monkeypatch.setenv("FAKE_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    start(tmp_path / "crystals.parquet")
    return tmp_path / "crystals.parquet"


def start(path):
    items = element_decorations(load_prototypes(), ("Na", "Cl"))
    rows, labels = relax(plan_of(items, [1.0] * len(items)), lambda crystals: [x for _, x in ORACLE.label(crystals)])
    new = labelled_rows(decorations_of(rows), rows["start_scale"].to_list(), labels, ORACLE.name)
    write_ledger(Ledger(with_formation_energy(new), pl.DataFrame(schema=TRIED), (), 7), path, ORACLE)
    (path.parent / "journal").unlink()


def run(path, store, **ends):
    label = partial(label_all, ORACLE, store=store, title="relaxing")
    return close(path, ORACLE, label, PLANNER, ends=Ends(until=0.3, **ends), piece=10)


def run_anew(path, name="labels.sqlite", **ends):
    with LabelStore(path.with_name(name)) as store:
        return run(path, store, **ends)


def digests(path):
    return path.with_name("journal").read_text().splitlines()


def facts(path):
    return json.loads(pl.read_parquet_metadata(path)["lodestone"])


def test_the_loop_closes(path):
    ledger, why = run_anew(path)
    assert why == "closed"
    assert is_closed(ledger, 0.3)
    kinds = [one["kind"] for one in ledger.passes]
    assert kinds[:3] == ["elements", "pairs", SCREENED]
    assert set(kinds[2:]) == {SCREENED}
    assert all(one["relaxed"] == one["planned"] for one in ledger.passes)
    assert ledger.passes[-1]["near"] < 0.3 * ledger.passes[-1]["planned"]
    assert ledger.elements == WORLD
    assert ledger.planned.is_empty()
    again, why = run_anew(path)
    assert why == "closed"
    assert again.table.equals(ledger.table)


def test_pairs_are_tried_in_the_common_stoichiometries_before_what_networks_put_lowest(path):
    planner = replace(PLANNER, pairs=True)
    with LabelStore(path.with_name("labels.sqlite")) as store:
        label = partial(label_all, ORACLE, store=store, title="relaxing")
        ledger, why = close(path, ORACLE, label, planner, ends=Ends(until=0.3))
    kinds = [one["kind"] for one in ledger.passes]
    assert why == "closed"
    assert kinds[:3] == ["elements", "pairs", "stoichiometries"]
    assert kinds.index(SCREENED) > 3
    assert kinds[-1] == SCREENED


def test_only_the_named_structure_types_are_tried(path):
    fluorite, before = "AB2_cF12_225_a_c", run_anew(path)[0]
    limits = Limits(batch=15, margin=5.0, per_formula=9, per_system=9)
    kind, plan = replace(PLANNER, prototypes=frozenset({fluorite}), limits=limits)(before)
    assert kind == "prototypes"
    assert set(plan["aflow_prototype"]) == {fluorite}
    assert not set(plan.select(list(KEY)).iter_rows()) & before.keys


def test_networks_that_exist_judge_in_place_of_new_ones(monkeypatch):
    given, judges = object(), []
    monkeypatch.setattr(planning, "train_ensemble", lambda *_: pytest.fail("trained"))
    monkeypatch.setattr(planning, "screen", lambda *arguments: judges.append(arguments[2]))
    table = pl.DataFrame({"chemsys": ["Na"], "formula_pretty": ["Na"]})
    monkeypatch.setattr(planning.ConvexHull, "of", lambda _: None)
    ledger = Ledger(table, pl.DataFrame(schema=TRIED), (), 7)
    Planner(views={}, ensemble=given).screen(ledger, lambda _: [])
    assert judges == [given]


def test_the_files_hold_what_is_known_and_what_was_refused(path):
    ledger, _ = run_anew(path)
    table, tried = pl.read_parquet(path), pl.read_parquet(tried_file(path))
    assert table.equals(ledger.table)
    assert table["material_id"].is_sorted()
    assert table.select("formula_pretty", "decorated_prototype").is_unique().all()
    assert table.join(tried, on=KEY, how="semi").is_empty()
    assert {"not_converged", "relaxed_to_a_duplicate"} <= set(tried["status"])
    said = facts(path)
    assert said["kept"] + sum(said["rejected"].values()) == said["decorations"]
    assert said["label_method"] == "fake-potential"
    lowest = (
        table.filter(~pl.col("chemsys").str.contains("-"))
        .group_by("chemsys")
        .agg(pl.col("formation_energy_per_atom").min())
    )
    assert lowest["formation_energy_per_atom"].abs().max() == 0


def test_nothing_is_relaxed_twice(path):
    ledger, _ = run_anew(path)
    relaxed = digests(path)
    assert len(set(relaxed)) == len(relaxed)
    assert sum(one["relaxed"] for one in ledger.passes) >= len(relaxed)


@pytest.mark.parametrize("limit", [7, 33])
def test_a_killed_loop_goes_on_to_the_same_end(path, tmp_path, monkeypatch, limit):
    other = tmp_path / "other" / "crystals.parquet"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    tried_file(other).write_bytes(tried_file(path).read_bytes())
    whole, _ = run_anew(other, "other.sqlite")
    path.with_name("journal").unlink()
    monkeypatch.setenv("FAKE_LIMIT", str(limit))
    with pytest.raises(LodestoneError, match="interrupted"):
        run_anew(path)
    monkeypatch.delenv("FAKE_LIMIT")
    assert len(digests(path)) == limit
    resumed, why = run_anew(path)
    assert why == "closed"
    assert len(set(digests(path))) == len(digests(path))
    assert resumed.table.equals(whole.table)
    assert resumed.passes == whole.passes
    assert path.read_bytes() == other.read_bytes()


def test_another_machine_goes_on_from_the_files_alone(path):
    """Its label store is empty; the plan of the pass that was left in the middle is in the file."""
    ledger, why = run_anew(path, limit=40)
    assert why == "limit"
    assert len(ledger.planned) > 0
    before = digests(path)
    assert len(before) <= 45  # some start twice
    after, why = run_anew(path, "empty.sqlite", limit=20)
    assert why == "limit"
    assert set(digests(path)[len(before) :]).isdisjoint(before)
    assert ledger.planned.head(20).select(KEY).rows() == [
        row for row in ledger.planned.select(KEY).rows() if row not in set(after.planned.select(KEY).rows())
    ]


def test_two_runs_write_the_same_bytes(path):
    first = path.read_bytes(), tried_file(path).read_bytes()
    run_anew(path)
    once = path.read_bytes(), tried_file(path).read_bytes()
    path.write_bytes(first[0])
    tried_file(path).write_bytes(first[1])
    run_anew(path, "again.sqlite")
    assert (path.read_bytes(), tried_file(path).read_bytes()) == once


def test_the_time_is_over_before_anything_is_relaxed(path):
    ledger, why = run_anew(path, hours=1e-9)
    assert why == "hours"
    assert len(ledger.planned) == ledger.passes[-1]["planned"] > 0
    assert not path.with_name("journal").exists()
    assert load_ledger(path, ORACLE).planned.equals(ledger.planned)


def test_exploded_crystals_start_again_from_twice_the_volume(path, monkeypatch):
    densest = 12.0  # Å3/atom
    monkeypatch.setenv("FAKE_DENSE", str(densest))
    ledger, _ = run_anew(path, limit=15)
    new = ledger.table.filter(~pl.col("chemsys").is_in(["Na", "Cl"]))
    assert set(new["start_scale"]) == {1.0, 2.0}
    for row in new.filter(pl.col("start_scale") == 2).iter_rows(named=True):
        prototype = all_prototypes()[row["aflow_prototype"]]
        crystal = initial_crystal(prototype, tuple(row["decoration"].split("-")), 2.0)
        assert crystal.volume / 2 < densest * len(crystal) <= crystal.volume


def test_labels_of_another_oracle_are_refused(path):
    class Other(FakePotential):
        name = "other"

    with pytest.raises(LodestoneError, match="labels of two kinds do not mix"):
        load_ledger(path, Other())
