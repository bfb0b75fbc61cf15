"""The wheel alone, without a clone: a folder is made, and campaigns run in it, one of them in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from tiny_campaign import FOREIGN, ROOT, SETTINGS, shrink, tracked_files

pytestmark = pytest.mark.end_to_end

BUILT_FROM = ("LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py", "params.yaml", "dvc.yaml")
BUILT_FROM += ("pipeline", "reference", "snapshot.version", "stages")
FIRST_STAGES = ("discover", "validate")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What the packages are built from, in a folder of its own."""
    folder = tmp_path_factory.mktemp("source")
    for name in tracked_files(*BUILT_FROM):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def installed(source, tmp_path_factory):
    """The folder that the wheel was installed into; nothing else of ours can be imported from it."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    wheels = str(folder / "wheels")
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, str(source)], check=True)
    wheel = next((folder / "wheels").glob("*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def run(command: tuple[str, ...], folder: Path, site: Path) -> str:
    """What `lodestone` of the installed package prints in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment = kept | SETTINGS | {"PYTHONPATH": str(site), "DVC_SITE_CACHE_DIR": str(site / "dvc")}
    line = [sys.executable, "-m", "lodestone", *command]
    told = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def _write_tiny(source: Path, target: Path, **snapshot: object) -> None:
    content = yaml.safe_load(source.read_text())
    shrink(content, rounds=1)
    content["snapshot"] |= snapshot
    target.write_text(yaml.safe_dump(content))


def test_the_wheel_runs_campaigns_without_a_clone(installed, tmp_path):
    assert "cd mine" in run(("init", "mine"), tmp_path, installed)
    folder = tmp_path / "mine"
    _write_tiny(folder / "params.yaml", folder / "params.yaml")
    assert "Running stage 'snapshot'" in run(FIRST_STAGES, folder, installed)
    assert (folder / "data" / "validated" / "crystals.parquet").is_file()
    assert "Everything is up to date" in run(FIRST_STAGES, folder, installed)

    lock = (folder / "dvc.lock").read_bytes()
    _write_tiny(folder / "params.yaml", folder / "other.yaml", filters={"elements": ["Na", "Cl", "K"]})
    assert "Running stage 'validate'" in run((*FIRST_STAGES, "--params", "other.yaml"), folder, installed)
    assert (folder / "other" / "data" / "validated" / "crystals.parquet").is_file()
    assert (folder / "dvc.lock").read_bytes() == lock

    module = installed / "lodestone" / "snapshot" / "take.py"  # as an update of the package would
    module.write_text(module.read_text() + "# changed\n")
    assert "Running stage 'snapshot'" in run(FIRST_STAGES, folder, installed)


def test_the_wheel_predicts_a_crystal_without_a_campaign(installed, tmp_path):
    (tmp_path / "POSCAR").write_text(
        "rock salt\n5.69\n0 0.5 0.5\n0.5 0 0.5\n0.5 0.5 0\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
    )
    answered = json.loads(run(("predict", "POSCAR", "MgO", "--json"), tmp_path, installed))
    assert [row["formula_pretty"] for row in answered["predictions"]] == ["NaCl", "MgO"]
    assert answered["model"]["label_method"] == "dft-pbe"
    assert all(-4 < row["formation_energy_per_atom_pred"] < -1 for row in answered["predictions"])
    assert [path.name for path in tmp_path.iterdir()] == ["POSCAR"]  # nothing is left behind


def test_the_sdist_holds_what_the_wheel_is_built_from(source, tmp_path):
    code = f"from setuptools import build_meta; print(build_meta.build_sdist({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "params.yaml", "dvc.yaml", "snapshot.version", "stages/train.py"} <= names
    assert "reference/crystals.parquet" in names
