"""The stage `label` as a script, by each oracle that only the parameters have to name."""

import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from test_ase_calculator import EMT

from dask_tasks import choose_dask, dask_workers
from lodestone.config.load import load_params
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode, describe
from lodestone.oracles.registry import make_oracle
from lodestone.schemas import Labelled, Validated
from lodestone.tables.files import read_json, read_table, write_table
from lodestone.tables.layout import Layout

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
ALLOYS = {"cu": [29] * 4, "au": [79] * 4, "cuau": [79, 79, 29, 29], "cu3au": [79, 29, 29, 29]}
R2SCAN = {name: value for name, value in EMT.items() if name.startswith(("fmax", "max_", "min_distance"))}
R2SCAN |= {"name": "chgnet-r2scan", "fmax": 0.1}
SECTIONS = {
    "ase": EMT,
    "chgnet-r2scan": R2SCAN,
    "diep": R2SCAN | {"name": "diep"},
    "sevennet": R2SCAN | {"name": "sevennet", "model": "SevenNet-0"},
    "sevennet-r2scan": R2SCAN | {"name": "sevennet", "model": "SevenNet-MF-0", "modality": "R2SCAN"},
    "chain": {"name": "chain", "relax": EMT, "judge": R2SCAN, "max_seconds": 600},
}


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """Copper, gold and two alloys as a source gives them, in a folder of their own."""
    crystals = [Crystal(3.9 * np.eye(3), numbers, FCC) for numbers in ALLOYS.values()]
    nothing = {name: pl.lit(None, dtype=pl.Float64) for name in Validated.to_schema().columns if "energy" in name}
    table = describe(crystals).with_columns(
        pl.Series("material_id", list(ALLOYS)),
        **nothing | {"formation_energy_per_atom": pl.lit(0.0), "created_at": pl.lit(None, dtype=pl.String)},
        label_method=pl.lit("dft-pbe"),
        correction_scheme=pl.lit("none"),
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LODESTONE_LABELS", str(tmp_path / "labels.sqlite"))
    monkeypatch.setattr("lodestone.reference.elements.element_crystals", lambda _: {})  # two minutes of relaxations
    monkeypatch.setattr("sys.argv", [str(ROOT / "stages" / "label.py")])
    write_table(table, Layout().validated, Validated, sort_by="material_id")
    return Layout()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_campaign_labels_its_snapshot_by_it(layout, name):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(content | {"oracle": SECTIONS[name]}))
    runpy.run_path(str(ROOT / "stages" / "label.py"), run_name="__main__")
    oracle = make_oracle(load_params().oracle)
    assert read_json(layout.oracle) == oracle.facts()
    labels = read_table(layout.labelled, Labelled)
    rows = labels.filter(pl.col("origin") == "snapshot")
    assert set(rows["material_id"]) == set(ALLOYS)
    energies = [label.energy_per_atom for _, label in sorted(oracle.static().label(decode(rows)))]
    assert rows["energy_per_atom"].to_list() == pytest.approx(energies, abs=1e-4)
    assert labels.filter(pl.col("chemsys") == "Au-Cu")["formation_energy_per_atom"].min() < 0


@pytest.mark.parametrize("name", ["ase", "chgnet-r2scan"])
def test_the_tables_are_the_same_on_a_dask_cluster(layout, monkeypatch, name):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(content | {"oracle": SECTIONS[name]}))
    tables = []
    with dask_workers(2) as cluster:
        for address in (None, cluster.scheduler_address):
            if address:
                choose_dask(monkeypatch, address)
                monkeypatch.setenv("LODESTONE_LABELS", "other.sqlite")
            runpy.run_path(str(ROOT / "stages" / "label.py"), run_name="__main__")
            tables.append((layout.labelled.read_bytes(), layout.references.read_bytes()))
    assert tables[0] == tables[1]
