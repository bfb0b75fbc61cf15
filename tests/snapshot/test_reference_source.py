"""Source `reference`: the shipped table with hull distances and its own metadata."""

import json

import polars as pl
import pytest
from snapshot_rows import structure

from lodestone.config.sections import Filters
from lodestone.crystals.encoding import describe
from lodestone.errors import LodestoneError
from lodestone.schemas import Snapshot
from lodestone.snapshot.sources.reference import ReferenceParams
from lodestone.snapshot.structures import parse_structure
from lodestone.snapshot.take import take_snapshot
from lodestone.tables.files import validated, write_table
from lodestone.tables.layout import REFERENCE_FILE

SPECIES = (["Na"], ["Cl"], ["Na", "Cl"], ["Na", "Cl", "Cl", "Cl"])


@pytest.fixture
def reference(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = describe([parse_structure(structure(species)) for species in SPECIES]).with_columns(
        pl.Series("material_id", ["lode-a-Na", "lode-a-Cl", "lode-b-NaCl", "lode-c-NaCl3"]),
        pl.Series("energy_per_atom", [-1.0, -1.5, -3.25, -2.0]),
        pl.Series("formation_energy_per_atom", [0.0, 0.0, -2.0, -0.6]),
        pl.lit("chgnet-0.3.0").alias("label_method"),
        pl.lit("A1").alias("aflow_prototype"),
        pl.lit("Na").alias("decoration"),
    )
    write_table(table, REFERENCE_FILE, metadata={"lodestone": json.dumps({"seed": 1, "label_method": "chgnet-0.3.0"})})
    return table


def test_reference_has_hull_distances_and_says_that_its_labels_are_no_dft(reference):
    params = ReferenceParams(source="reference")
    table, rejections, provenance = take_snapshot(params, seed=1)
    assert validated(table, Snapshot, REFERENCE_FILE).equals(table)
    assert rejections.is_empty()
    # NaCl3 lies above the line from NaCl (-2.0 at half Cl) to Cl, which is at -1.0 at three quarters.
    distances = dict(table.select("material_id", "energy_above_hull").iter_rows())
    assert distances == pytest.approx({"lode-a-Na": 0, "lode-a-Cl": 0, "lode-b-NaCl": 0, "lode-c-NaCl3": 0.4})
    assert provenance["label_method"] == "chgnet-0.3.0"
    assert provenance["correction_scheme"] == "MP2020 (learned)"
    assert provenance["reference"] == {"seed": 1, "label_method": "chgnet-0.3.0"}
    assert provenance["file"] == "crystals.parquet"


def test_filters_apply_to_the_reference(reference):
    params = ReferenceParams(source="reference", filters=Filters(max_energy_above_hull=0.1, min_sites=2))
    assert take_snapshot(params, seed=1)[0]["material_id"].to_list() == ["lode-b-NaCl"]


def test_the_reference_is_read_from_its_path(reference, tmp_path):
    """Not from where the repository keeps it, whatever the parameters say."""
    REFERENCE_FILE.rename(tmp_path / "mine.parquet")
    params = ReferenceParams(source="reference", path=tmp_path / "mine.parquet")
    assert len(take_snapshot(params, seed=1)[0]) == len(SPECIES)


def test_any_other_table_is_no_reference(reference, tmp_path):
    """Its energies would be taken for CHGNet's."""
    write_table(reference, tmp_path / "dft.parquet")
    params = ReferenceParams(source="reference", path=tmp_path / "dft.parquet")
    with pytest.raises(LodestoneError, match=r"dft\.parquet is no reference snapshot(.|\n)*source: file"):
        take_snapshot(params, seed=1)


def test_a_missing_reference_names_file_and_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LodestoneError, match=r"reference/crystals\.parquet does not exist(.|\n)*make reference"):
        take_snapshot(ReferenceParams(source="reference"), seed=1)
