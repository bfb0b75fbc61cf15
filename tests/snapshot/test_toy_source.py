"""One new file is a new source: that of `docs/how-to`, put where the how-to says, used through the stages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lodestone.schemas import Snapshot
from lodestone.tables.files import read_json, read_table
from lodestone.tables.layout import Layout

ROOT = Path(__file__).parents[2]
TOY = ROOT / "docs" / "how-to" / "toy_source.py"
CUBES = "# a comment\nna 4.2 0.0 Na\ncl 4.0 0.0 Cl\n\nsalt 3.5 -2.0 Na Cl\nworse 3.9 -1.5 Na Cl\n"


@pytest.fixture
def campaign(tmp_path):
    """A folder of its own; returns a function that runs a command of it."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=ignored)
    (tmp_path / "cubes.txt").write_text(CUBES)

    def run(*command: str, **snapshot: object) -> subprocess.CompletedProcess[str]:
        content = yaml.safe_load((ROOT / "params.yaml").read_text())
        content["snapshot"] = {"source": "cubes", "path": "cubes.txt", **snapshot}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
        paths = os.pathsep.join(str(tmp_path / name) for name in ("pipeline", "site"))
        environment = os.environ | {"PYTHONPATH": paths}
        command = (sys.executable, *command)
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def _put(folder: Path, where: str) -> None:
    """The toy source where the how-to says that it may lie."""
    if where == "a file among the others":
        shutil.copy(TOY, folder / "pipeline" / "lodestone" / "snapshot" / "sources" / "cubes.py")
    else:
        _install(folder / "site")


def _install(site: Path) -> None:
    """What pip leaves of a package that declares the entry point of the how-to."""
    (site / "toys-1.0.dist-info").mkdir(parents=True)
    (site / "toys-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (site / "toys-1.0.dist-info" / "entry_points.txt").write_text("[lodestone.sources]\ncubes = toys.cubes\n")
    (site / "toys").mkdir()
    (site / "toys" / "__init__.py").touch()
    shutil.copy(TOY, site / "toys" / "cubes.py")


@pytest.mark.parametrize("where", ["a file among the others", "a package of somebody else"])
def test_the_toy_source_gives_a_valid_snapshot(campaign, tmp_path, where):
    _put(tmp_path, where)
    told = campaign("stages/snapshot.py", expansion=1.1, filters={"max_sites": 2})
    assert told.returncode == 0, told.stderr
    table = read_table(tmp_path / Layout().snapshot, Snapshot)
    found = {row["material_id"]: row for row in table.iter_rows(named=True)}
    assert [found[name]["formula_pretty"] for name in ("na", "cl", "salt", "worse")] == ["Na", "Cl2", "NaCl", "NaCl"]
    assert found["worse"]["energy_above_hull"] == pytest.approx(0.5)
    assert found["na"]["lattice"][0] == pytest.approx(1.1 * 4.2)
    provenance = read_json(tmp_path / Layout().provenance)
    assert (provenance["source"], provenance["expansion"]) == ("cubes", 1.1)


def test_its_settings_are_checked_as_those_of_any_other(campaign, tmp_path):
    check = ("-m", "lodestone", "check")
    assert "there is no source 'cubes'; there are: file, " in campaign(*check).stderr
    _put(tmp_path, "a file among the others")
    assert "snapshot.expansion: Input should be greater than 0" in campaign(*check, expansion=-1).stderr
    told = campaign(*check, label_method="dft-pbe").stderr
    assert "snapshot: source: cubes does not read label_method; it reads expansion, filters, path, source" in told
