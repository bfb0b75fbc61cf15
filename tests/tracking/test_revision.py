"""The commit that a campaign is tagged with is the code that made it, or says that it is not."""

import subprocess

import pytest

from lodestone.tracking.revision import git_tags


@pytest.fixture
def repository(tmp_path):
    for name in ("params.yaml", "dvc.lock"):
        (tmp_path / name).write_text("a: 1\n")
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "module.py").write_text("")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *name, *command], cwd=tmp_path, check=True)
    return tmp_path


def commit(folder) -> str:
    return git_tags(folder)["mlflow.source.git.commit"]


def test_a_clean_tree_and_one_with_new_results_are_the_commit(repository):
    clean = commit(repository)
    assert len(clean) == 40
    (repository / "dvc.lock").write_text("b: 2\n")
    (repository / "notes.txt").write_text("")
    assert commit(repository) == clean


@pytest.mark.parametrize("path", ["params.yaml", "pipeline/module.py", "pipeline/new.py"])
def test_a_tree_with_other_code_or_parameters_is_dirty(repository, path):
    clean = commit(repository)
    (repository / path).write_text("b = 2\n")
    assert commit(repository) == f"{clean}-dirty"


def test_outside_of_git_there_is_no_commit(tmp_path):
    assert git_tags(tmp_path) == {}
