"""A snapshot on its own scale: its energies make the hull, and others are refused."""

from pathlib import Path

import polars as pl
import pytest
from test_labelling import snapshot

from lodestone.config.load import load_params
from lodestone.curation.source_scale import keep_labels, source_references
from lodestone.errors import LodestoneError
from lodestone.oracles.external import ExternalOracle, ExternalParams
from lodestone.oracles.registry import make_oracle
from lodestone.schemas import Labelled, References, Rejections

METHOD, SCHEME = "dft-pbe", "some"
ENERGIES = {"na": -1.0, "cl": -2.0, "salt": -4.0}


def oracle(method: str = METHOD, scheme: str = SCHEME) -> ExternalOracle:
    return ExternalOracle(ExternalParams(name="external", label_method=method, correction_scheme=scheme))


def table(*, names: str = "na cl salt", **energies: float | None) -> pl.DataFrame:
    rows = snapshot(METHOD, names=names)
    totals = [(ENERGIES | energies)[name] for name in rows["material_id"]]
    return rows.with_columns(pl.Series("energy_per_atom", totals, dtype=pl.Float64))


def test_energies_stay_and_make_references_and_hull():
    done = keep_labels(table(), oracle(), {})
    Labelled.validate(done.crystals)
    References.validate(done.references)
    Rejections.validate(done.rejections)
    rows = {row["material_id"]: row for row in done.crystals.iter_rows(named=True)}
    assert {name: row["energy_per_atom"] for name, row in rows.items()} == ENERGIES
    assert rows["salt"]["formation_energy_per_atom"] == pytest.approx(-2.5)
    assert rows["salt"]["source_formation_energy_per_atom"] == -2.0  # as the source gave it, for comparison
    assert {row["energy_above_hull"] for row in rows.values()} == {0.0}
    assert done.references.rows() == [("Cl", -2.0, "cl"), ("Na", -1.0, "na")]
    assert done.metrics["n_labelled"] == done.metrics["n_stable"] == 3
    assert len(done.rejections) == 0


@pytest.mark.parametrize(
    ("verifier", "message"),
    [
        (oracle("dft-r2scan"), r"the oracle gives dft-r2scan \(some\) and the snapshot dft-pbe \(some\)"),
        (oracle(scheme="MP2020"), r"the oracle gives dft-pbe \(MP2020\) and the snapshot dft-pbe \(some\)"),
    ],
)
def test_energies_of_another_kind_are_refused(verifier, message):
    with pytest.raises(LodestoneError, match=message):
        keep_labels(table(), verifier, {})


def test_a_potential_is_refused_beside_dft():
    chgnet = make_oracle(load_params(Path(__file__).parents[2] / "params.yaml").oracle)
    with pytest.raises(LodestoneError, match=r"the oracle gives chgnet-0\.3\.0 and the snapshot dft-pbe"):
        keep_labels(table(), chgnet, {})
    own = table().with_columns(label_method=pl.lit("chgnet-0.3.0"))
    assert len(keep_labels(own, chgnet, {}).crystals) == 3


def test_formation_energies_alone_are_refused():
    with pytest.raises(LodestoneError, match=r"1 of 3 crystals have no energy_per_atom \(the first: salt\)"):
        keep_labels(table(salt=None), oracle(), {})


def test_an_element_without_a_reference_is_named():
    with pytest.raises(LodestoneError, match="no elemental reference energy for Cl"):
        keep_labels(table(names="na salt"), oracle(), {})


def known_reference(energy: float, name: str | None) -> dict:
    return {"energy_per_atom": energy, "material_id": name}


def test_references_come_from_what_is_stated_then_the_snapshot_then_its_file():
    file = {"Cl": known_reference(-2.5, "mp-1"), "Na": known_reference(-9.0, "mp-2"), "K": known_reference(-7.0, None)}
    references = source_references(table(names="na salt"), file)
    assert references.rows() == [("Cl", -2.5, "mp-1"), ("Na", -1.0, "na")]  # K is in no crystal
    stated = source_references(table(), {"Na": known_reference(-1.5, None)})
    assert stated.rows() == [("Cl", -2.0, "cl"), ("Na", -1.5, "stated")]
    done = keep_labels(table(), oracle(), {"elemental_references": {"Na": known_reference(-1.5, None)}})
    salt = done.crystals.filter(pl.col("material_id") == "salt")
    assert salt["formation_energy_per_atom"].item() == pytest.approx(-2.25)
