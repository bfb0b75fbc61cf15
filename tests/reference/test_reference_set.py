"""The reference set that ships: large enough, described, physical, and what the code of this repository makes."""

import json
import math
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.encoding import decode, describe
from lodestone.oracles.pool import label_all
from lodestone.oracles.sanity import distance_ratio
from lodestone.oracles.store import LabelStore
from lodestone.reference.build import ORACLE, initial_crystal
from lodestone.reference.prototypes import all_prototypes
from lodestone.stability.references import elemental_references, formation_energies

FILE = Path(__file__).parents[2] / "reference" / "crystals.parquet"
SAMPLE_SEED = 5
TOLERANCE = 0.002  # eV/atom


@pytest.fixture(scope="module")
def table():
    return pl.read_parquet(FILE)


@pytest.fixture(scope="module")
def facts():
    return json.loads(pl.read_parquet_metadata(FILE)["lodestone"])


def elements_of(table):
    return set(table["chemsys"].str.split("-").explode())


def test_size(table):
    assert len(table) >= 12_000
    assert len(elements_of(table)) >= 60
    assert table["aflow_prototype"].n_unique() >= 60
    assert table["prototype"].n_unique() >= 60
    assert FILE.stat().st_size <= 4_000_000


def test_metadata(table, facts):
    assert re.fullmatch(r"\d+\.\d+.*", facts["versions"]["chgnet"])
    assert facts["versions"].keys() >= {"chgnet", "torch", "ase", "pymatgen"}
    assert facts["settings"] == ORACLE.label_settings()
    assert facts["label_method"] == ORACLE.name
    assert isinstance(facts["seed"], int)
    assert "not DFT" in facts["note"]
    assert facts["kept"] == len(table)
    assert facts["kept"] + sum(facts["rejected"].values()) == facts["decorations"]


def test_rows_are_unique_and_sorted(table):
    assert table["material_id"].is_sorted()
    assert table["material_id"].n_unique() == len(table)
    assert table.select("formula_pretty", "decorated_prototype").is_unique().all()
    assert sum(table.null_count().row(0)) == 0


def test_energies_are_relative_to_the_lowest_crystals_of_the_elements(table):
    energies = table["formation_energy_per_atom"]
    assert energies.is_finite().all()
    assert table["energy_per_atom"].is_finite().all()
    elements = table.filter(~pl.col("chemsys").str.contains("-"))
    lowest = elements.group_by("chemsys").agg(pl.col("formation_energy_per_atom").min())
    assert set(lowest["chemsys"]) == elements_of(table)
    assert lowest["formation_energy_per_atom"].abs().max() < 1e-12
    fractions = atomic_fractions(table["atomic_numbers"].to_list())
    again = formation_energies(fractions, table["energy_per_atom"].to_numpy(), elemental_references(table))
    assert energies.to_numpy() == pytest.approx(again, abs=0.51e-5)  # five digits


def test_crystals_are_physical_and_labelled_by_what_they_are(table):
    sample = table.sample(150, seed=SAMPLE_SEED)
    crystals = decode(sample)
    derived = describe(crystals)
    assert derived.equals(sample.select(derived.columns))
    assert min(map(distance_ratio, crystals)) >= 0.5
    assert all(2 < crystal.volume / len(crystal) < 150 for crystal in crystals)


@pytest.mark.slow
def test_ten_random_rows_can_be_made_again(table, tmp_path):
    """Crystals of any size, from prototype and elements to relaxed energy, on all cores."""
    rows = table[np.random.default_rng(SAMPLE_SEED).choice(len(table), 10, replace=False)]
    prototypes = all_prototypes()
    starts = [
        initial_crystal(prototypes[label], tuple(elements.split("-")), scale)
        for label, elements, scale in rows.select("aflow_prototype", "decoration", "start_scale").iter_rows()
    ]
    with LabelStore(tmp_path / "labels.sqlite") as store:
        labels = label_all(ORACLE, starts, store, "ten crystals of the reference set")
    energies = [math.nan if label.energy_per_atom is None else label.energy_per_atom for label in labels]
    assert energies == pytest.approx(rows["energy_per_atom"].to_list(), abs=TOLERANCE)
