"""From a table of crystals to an ensemble with a card: resumed where it was stopped, honest about its data."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from lodestone.cli.main import main
from lodestone.ensemble.ensemble import load_ensemble
from lodestone.errors import LodestoneError
from lodestone.prediction.model import load
from lodestone.prediction.scale import Scale
from lodestone.pretraining.data import read_training_table
from lodestone.pretraining.errors_by_chemistry import KINDS, errors_by_chemistry
from lodestone.pretraining.settings import DEFAULT_SETTINGS, load_settings

TINY = {"width": 8, "layers": 1, "members": 2, "epochs": 2, "batch_size": 32}


def settings_file(folder: Path, **changes) -> Path:
    content = yaml.safe_load(DEFAULT_SETTINGS.read_text())
    content["views"] = {name: view | TINY for name, view in content["views"].items()}
    content["data"] |= {"label_method": "chgnet-0.3.0", "correction_scheme": "none", "published": {"CGCNN": "cgcnn_ef"}}
    content["split"] = {"by": "formula", "validation": 0.2, "test": 0.2}
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


@pytest.fixture(scope="module")
def table(known, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "crystals.parquet"
    published = (pl.col("formation_energy_per_atom") + 0.05).alias("cgcnn_ef")
    kept = ("material_id", "formula_pretty", "chemsys", "lattice", "atomic_numbers", "frac_coords")
    known.select(*kept, "formation_energy_per_atom", "energy_above_hull", published).write_parquet(path)
    return path


def test_the_settings_that_ship_are_valid_and_name_the_source():
    settings = load_settings()
    assert set(settings.views) == {"composition", "structure"}
    assert all(view.members >= 4 for view in settings.views.values())
    assert "Materials Project" in settings.data.attribution
    assert settings.split.by == "chemsys"


def test_faults_in_the_settings_are_named(tmp_path):
    with pytest.raises(LodestoneError, match="views"):
        load_settings(settings_file(tmp_path, views={}))
    with pytest.raises(LodestoneError, match="sead"):
        load_settings(settings_file(tmp_path, sead=1))


def test_the_held_out_crystals_are_the_same_whatever_the_limit(table, tmp_path):
    whole, part = (
        read_training_table(table, load_settings(settings_file(tmp_path, limit=limit)), tmp_path / str(limit))
        for limit in (None, 40)
    )
    assert whole.filter(pl.col("split") != "train").equals(part.filter(pl.col("split") != "train"))
    compounds = part.filter(pl.col("split") == "train", pl.col("chemsys").str.contains("-", literal=True))
    assert len(compounds) == 40
    assert set(compounds["material_id"]) <= set(whole.filter(pl.col("split") == "train")["material_id"])


def test_a_table_without_energies_is_refused(table, tmp_path):
    path = tmp_path / "silent.parquet"
    distances = pl.when(pl.int_range(pl.len()) > 0).then("energy_above_hull")
    pl.read_parquet(table).with_columns(distances.alias("energy_above_hull")).write_parquet(path)
    with pytest.raises(LodestoneError, match="has no energy_above_hull"):
        read_training_table(path, load_settings(settings_file(tmp_path)), tmp_path / "work")


def test_kinds_of_chemistry_exclude_each_other():
    first = list(KINDS)[:6]
    for elements in ({"Na", "O", "S"}, {"Na", "Cl"}, {"Ga", "As"}, {"Ti", "C"}, {"Cu", "Zn"}, {"Zn", "S", "F"}):
        assert sum(KINDS[kind](elements) for kind in first) == 1, elements


def test_errors_are_those_of_the_rows():
    predictions = pl.DataFrame(
        {
            "material_id": ["a", "b", "c"],
            "split": ["test", "test", "validation"],
            "input_structure": ["relaxed"] * 3,
            "formation_energy_per_atom": [-1.0, -2.0, 0.0],
            "formation_energy_per_atom_pred": [-1.1, -2.3, 9.0],
            "formation_energy_per_atom_lower": [-1.2, -2.2, 0.0],
            "formation_energy_per_atom_upper": [-0.9, -1.9, 0.0],
        }
    ).with_columns(formation_energy_per_atom_lower=pl.Series([-1.2, -2.2, 0.0]))
    crystals = pl.DataFrame({"material_id": ["a", "b"], "chemsys": ["Cl-Na", "Na-O"], "cgcnn_ef": [-1.0, -2.5]})
    every, *kinds = errors_by_chemistry(predictions, crystals, {"CGCNN": "cgcnn_ef", "absent": "none_ef"})
    assert every.n == 2
    assert every.mae[0] == pytest.approx(0.2)
    assert every.coverage["hits"] == 2
    assert every.published == {"CGCNN": pytest.approx(0.25)}
    assert {one.kind: one.n for one in kinds} == {"oxides": 1, "halides without either": 1, "two elements": 2}


@pytest.mark.slow
def test_the_command_makes_an_ensemble_that_predicts_and_resumes(table, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LODESTONE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    out, settings = tmp_path / "out", settings_file(tmp_path)
    command = ["pretrain", str(table), "--out", str(out), "--settings", str(settings)]
    with pytest.raises(SystemExit, match="0"):
        main(command)
    card = capsys.readouterr().out
    assert "| all |" in card
    assert "CGCNN" in card
    assert "CC-BY 4.0" in card
    assert (out / "MODEL_CARD.md").read_text() in card
    errors = json.loads((out / "errors.json").read_text())
    assert errors["relaxed"][0]["published"]["CGCNN"] == pytest.approx(0.05)

    model = load(out)
    assert model.scale == Scale("chgnet-0.3.0", "none")
    row = model.predict("NaCl").row(0, named=True)
    assert row["formation_energy_per_atom_lower"] < row["formation_energy_per_atom_upper"]
    ensemble = load_ensemble(out)
    assert ensemble.judges_formulas

    before = {path: path.read_bytes() for path in (out / "models").rglob("*.safetensors")}
    times = {path: path.stat().st_mtime_ns for path in (out / "work" / "models").rglob("*.safetensors")}
    with pytest.raises(SystemExit, match="0"):
        main(command)
    assert {path: path.read_bytes() for path in before} == before
    assert {path: path.stat().st_mtime_ns for path in times} == times  # nothing was trained again


def test_no_single_crystal_can_be_read_from_what_is_kept_of_latent_vectors():
    import numpy as np

    from lodestone.pretraining.pretrain import _centers

    vectors = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    centers = _centers(vectors, 0)
    assert 100 < len(centers) <= 500
    assert not {row.tobytes() for row in centers} & {row.tobytes() for row in vectors}
