"""`dvc.yaml` for other folders, from the one of the repository: nothing changes but where things lie."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lodestone.errors import LodestoneError
from lodestone.workspace.template import (
    IGNORED_BY_DVC,
    IGNORED_BY_GIT,
    VERSION_FILE,
    for_folder_below,
    for_installed_code,
    template_folder,
)

ROOT = Path(__file__).parents[2]
DVC = (ROOT / "dvc.yaml").read_text()


def stages_of(text: str) -> dict[str, Any]:
    """Definitions of the stages, those within `foreach` included."""
    return {name: stage.get("do", stage) for name, stage in yaml.safe_load(text)["stages"].items()}


def test_stages_depend_on_the_version_where_there_is_no_code():
    before, after = stages_of(DVC), stages_of(for_installed_code(DVC))
    assert before.keys() == after.keys()
    for name, stage in after.items():
        assert stage["deps"].count(str(VERSION_FILE)) == 1, name
        ours = [dep for dep in before[name]["deps"] if not dep.startswith("pipeline/")]
        assert [dep for dep in stage["deps"] if dep != str(VERSION_FILE)] == ours
        assert {**stage, "deps": []} == {**before[name], "deps": []}


@pytest.mark.parametrize("text", [DVC, for_installed_code(DVC)], ids=["checkout", "installed"])
def test_a_folder_below_reads_the_inputs_above_and_has_results_of_its_own(text):
    before, after = stages_of(text), stages_of(for_folder_below(text, "../.."))
    for name, stage in after.items():
        script, *arguments = stage["cmd"].removeprefix("python ").split()
        assert (ROOT / "campaigns" / "mine" / script).resolve().is_file()
        assert before[name]["cmd"].endswith(" ".join(arguments))
        for dep, was in zip(stage["deps"], before[name]["deps"], strict=True):
            own = was.startswith(("data/", "metrics/", "reports/", "snapshot.version", "$"))
            assert dep == (was if own else f"../../{was}")
        assert {**stage, "deps": [], "cmd": ""} == {**before[name], "deps": [], "cmd": ""}


def test_what_git_and_dvc_ignore_is_what_they_ignore_here():
    assert (ROOT / ".dvcignore").read_text() == IGNORED_BY_DVC
    assert set(IGNORED_BY_GIT.split()) <= set((ROOT / ".gitignore").read_text().split())


def test_the_template_is_in_the_package_or_in_the_checkout(tmp_path):
    assert template_folder() == ROOT
    package = tmp_path / "site" / "lodestone"
    with pytest.raises(LodestoneError, match="installed without its template"):
        template_folder(package)
    (package / "template" / "stages").mkdir(parents=True)
    (package / "template" / "dvc.yaml").touch()
    assert template_folder(package) == package / "template"
