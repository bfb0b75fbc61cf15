"""From the snapshot to the split, every processor writes the same bytes.

All outputs of the stages are compared, as `dvc.lock` would: by their hashes. The other processors are acted by this one
(see `kernels.py`), so what is shown is that no choice of kernel decides a bit.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from kernels import PROCESSORS, can_be_emulated
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar
from snapshot_rows import structure
from structure_sets import energies_csv, write_folder

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.snapshot.structures import parse_structure
from lodestone.tables.files import read_table

ROOT = Path(__file__).parents[2]
STAGES = ["snapshot", "validate", "label", "split"]

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not can_be_emulated(), reason="other processors can be acted on x86-64 only"),
]


def hashes(folder: Path, stages: list[str], variables: dict[str, str]) -> dict[str, str]:
    """What some stages write in a folder on an emulated processor."""
    script = Path(__file__).with_name("run_stages.py")
    command = [sys.executable, str(script), str(ROOT / "stages"), *stages]
    environment = {"PYTHONPATH": str(ROOT / "pipeline"), "LODESTONE_LABELS": str(folder / "labels.sqlite")}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])  # workers may have printed before


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The default campaign: hashes of the processor as it is."""
    return hashes(campaign(tmp_path_factory.mktemp("reference")), STAGES, {})


def campaign(folder: Path, **snapshot: object) -> Path:
    """A folder with the parameters of the default campaign and the crystals that it starts from."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["snapshot"] |= snapshot
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "reference").symlink_to(ROOT / "reference")
    return folder


def others() -> list[str]:
    return [name for name, variables in PROCESSORS.items() if variables]


@pytest.mark.parametrize("processor", others())
def test_the_default_campaign_starts_from_the_same_bytes(reference, tmp_path, processor):
    found = hashes(campaign(tmp_path), STAGES, PROCESSORS[processor])
    assert "data/rounds/round_0/crystals.parquet" in reference
    assert found == reference


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Structure files whose coordinates must be computed: CIF with symmetry, and POSCAR in Cartesian coordinates."""
    table = read_table(ROOT / "reference" / "crystals.parquet").filter(nsites=6).head(24)
    elements = {symbol for system in table["chemsys"] for symbol in system.split("-")}
    found: dict[str, Crystal] = dict(zip(table["material_id"], decode(table), strict=True))
    found |= {f"element-{symbol}": parse_structure(structure([symbol])) for symbol in sorted(elements)}
    draw = np.random.default_rng(0)
    energies = [{"material_id": name, "energy_per_atom": -4 + float(draw.normal())} for name in found]
    texts: dict[str, str | bytes] = {"energies.csv": energies_csv(energies)}
    for index, (name, crystal) in enumerate(found.items()):
        texts |= {f"{name}.cif": cif(crystal)} if index % 2 else {f"{name}.vasp": poscar(crystal)}
    return write_folder(tmp_path_factory.mktemp("files"), texts)


def cif(crystal: Crystal) -> str:
    """With angles that are no multiples of 30 degrees, so that there is something to compute."""
    sheared = replace(crystal, lattice=crystal.lattice + 0.1 * np.roll(crystal.lattice, 1, axis=0))
    return str(CifWriter(sheared.to_pymatgen(), symprec=0.01))


def poscar(crystal: Crystal) -> str:
    return Poscar(crystal.to_pymatgen()).get_str(direct=False, significant_figures=9)


def test_files_become_the_same_snapshot(files, tmp_path):
    source = {"source": "file", "path": str(files), "label_method": "pbe", "correction_scheme": "none"}
    found = {}
    for processor, variables in PROCESSORS.items():
        folder = tmp_path / processor.replace(" ", "_")
        folder.mkdir()
        found[processor] = hashes(campaign(folder, **source), ["snapshot", "validate"], variables)
    assert len(found["this one"]) == 5
    assert {processor for processor, told in found.items() if told != found["this one"]} == set()
