"""A round of a campaign that has chosen three candidates and waits for their labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml
from chosen import KIND, REFERENCES, ROOT, candidates

from lodestone.cli.main import main
from lodestone.schemas import Candidates, References
from lodestone.tables.files import write_table
from lodestone.tables.layout import Layout


@pytest.fixture(scope="session")
def round_that_waits(tmp_path_factory) -> Path:
    """Its parameters and tables, which are validated once."""
    folder = tmp_path_factory.mktemp("round")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["snapshot"] = {"source": "file", "path": "runs", **KIND}
    params |= {"label": {"scale": "source"}, "oracle": {"name": "external", **KIND}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    references = pl.DataFrame(
        {"element": list(REFERENCES), "energy_per_atom": list(REFERENCES.values()), "material_id": list(REFERENCES)}
    )
    write_table(references, folder / Layout().references, References, sort_by="element")
    write_table(candidates(), folder / Layout().round("round_0").candidates, Candidates, sort_by="material_id")
    return folder


@pytest.fixture
def waiting(round_that_waits, tmp_path, monkeypatch) -> Path:
    """Folder of the campaign, which is the working directory."""
    shutil.copytree(round_that_waits, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LODESTONE_LABELS", str(tmp_path / "labels.sqlite"))
    return tmp_path


@pytest.fixture
def call(capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command of `lodestone`: exit code, output and messages."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run
