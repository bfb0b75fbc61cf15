"""The builder of the reference set: it resumes, tries twice where the volume was too small, counts what it drops."""

import json

import polars as pl
import pytest
from fake_chgnet import FakeCHGNet

from lodestone.errors import LodestoneError
from lodestone.oracles.store import LabelStore
from lodestone.reference import build
from lodestone.reference.decorations import compound_decorations, element_decorations, salt_decorations
from lodestone.reference.elements import element_crystals
from lodestone.reference.prototypes import ELEMENTS, load_prototypes

pytestmark = pytest.mark.slow


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """One character per crystal that the oracle was asked about."""
    monkeypatch.setattr(build, "ORACLE", FakeCHGNet())
    monkeypatch.setenv("FAKE_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    return tmp_path / "journal"


def test_an_interrupted_build_goes_on(journal, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_LIMIT", "3")
    with LabelStore(tmp_path / "labels.sqlite") as store, pytest.raises(LodestoneError, match="interrupted"):
        build.build(store, limit=5)
    assert len(journal.read_text()) == 3
    monkeypatch.delenv("FAKE_LIMIT")
    with LabelStore(tmp_path / "labels.sqlite") as store:
        reference = build.build(store, limit=5)
        assert len(journal.read_text()) == 5
        again = build.build(store, limit=5)
    assert len(journal.read_text()) == 5
    assert reference.decorations == 5
    assert reference.table.equals(again.table)


def test_a_second_start_and_the_counts(journal, tmp_path, monkeypatch):
    """The first four decorations, of silver and aluminum, all count as exploded at the first unrelaxed structure."""
    prototypes = load_prototypes()
    chosen = element_decorations(prototypes)[:4]
    volumes = [c.volume / len(c) for c in (build.initial_crystal(prototypes[p], x) for p, x in chosen)]
    monkeypatch.setenv("FAKE_DENSE", str(1.5 * max(volumes)))  # the second start, from twice the volume, is above it
    with LabelStore(tmp_path / "labels.sqlite") as store:
        reference = build.build(store, limit=4)
    assert len(journal.read_text()) == 8
    assert reference.table["start_scale"].unique().to_list() == [2.0]
    assert len(reference.table) + sum(reference.rejected.values()) == 4
    build.write_reference(reference, tmp_path / "crystals.parquet")
    facts = json.loads(pl.read_parquet_metadata(tmp_path / "crystals.parquet")["lodestone"])
    assert facts["kept"] == len(reference.table)
    assert facts["rejected"] == reference.rejected
    assert facts["seed"] == build.REFERENCE_SEED
    first = (tmp_path / "crystals.parquet").read_bytes()
    build.write_reference(reference, tmp_path / "crystals.parquet")
    assert (tmp_path / "crystals.parquet").read_bytes() == first


def test_decorations_are_seeded_sensible_and_all_different():
    prototypes = {label: p for label, p in load_prototypes().items() if label.startswith(("AB_c", "AB3_h", "A_c"))}
    drawn = compound_decorations(prototypes, {2: 6}, seed=1)
    assert set(drawn) == set(compound_decorations(dict(reversed(prototypes.items())), {2: 6}, seed=1))
    assert drawn != compound_decorations(prototypes, {2: 6}, seed=2)
    assert len(set(drawn)) == len(drawn)
    assert all(len(set(elements)) == 2 for _, elements in drawn)
    assert {element for _, elements in drawn for element in elements} <= set(ELEMENTS)


def test_every_salt_is_tried_with_the_ions_in_their_places():
    prototypes = load_prototypes()
    salts = salt_decorations(prototypes)
    assert len(set(salts)) == len(salts)
    formulas = {
        (label, prototypes[label].decorate(elements).to_pymatgen().reduced_formula) for label, elements in salts
    }
    assert len(formulas) == len(salts)  # no crystal twice with its ions exchanged
    fluorite, rock_salt = "AB2_cF12_225_a_c", "AB_cF8_225_a_b"
    assert {(rock_salt, "NaCl"), (rock_salt, "MgO"), (fluorite, "CaF2"), (fluorite, "Na2O")} <= formulas
    assert (fluorite, "CaO2") not in formulas


@pytest.mark.parametrize(("symbol", "fewest"), [("Na", 3), ("O", 3), ("Sn", 5), ("U", 3)])
def test_every_element_has_crystals_to_choose_a_reference_from(symbol, fewest):
    found = element_crystals([symbol])
    assert len(found) >= fewest
    assert all(set(crystal.species) == {symbol} for crystal in found.values())
    assert all(name.endswith(f"-{symbol}") for name in found)
