"""The branch of a request: content names it, nobody's working tree moves, and every refusal is one message."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lodestone.errors import LodestoneError
from lodestone.retraining.branch import branch_name, has_changed, open_request, push_branch, start_of

GH = """#!{python}
import json, pathlib, sys
with pathlib.Path({calls!r}).open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[2] == "list":
    print({known!r})
elif {fails}:
    sys.exit("GraphQL: GitHub Actions is not permitted to create pull requests")
else:
    print("https://example.org/pull/7")
"""


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    """As on a runner: git knows nobody."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A clone in which a retraining has written its files, and somebody is at work on another one."""
    clone = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", "repository.git")
    git(tmp_path, "clone", "--quiet", "repository.git", "clone")
    git(clone, "checkout", "--quiet", "-B", "main")
    (clone / "dvc.lock").write_text("old\n")
    (clone / "notes.txt").write_text("mine\n")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "Begin")
    git(clone, "push", "--quiet", "origin", "main")
    (clone / "dvc.lock").write_text("new\n")
    (clone / "snapshot.version").write_text("source: file\nversion: 2\n")
    (clone / "notes.txt").write_text("not finished\n")
    return clone


def listening(folder: Path, monkeypatch, *, known: str = "[]", fails: bool = False) -> Path:
    """A gh in the path that keeps what it hears."""
    calls, program = folder.parent / "calls.jsonl", folder.parent / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(GH.format(python=sys.executable, calls=str(calls), known=known, fails=fails))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return calls


def test_the_branch_holds_the_two_files_and_nothing_else_moves(folder):
    commit, before = start_of(folder), git(folder, "status", "--porcelain")
    assert has_changed(commit, folder)
    name, is_new = push_branch(commit, "Retraining: promoted\n\nfile: 2", folder)
    assert (name, is_new) == (branch_name(folder), True)
    remote = folder.parent / "repository.git"
    assert git(remote, "diff", "--name-only", "main", name).split() == ["dvc.lock", "snapshot.version"]
    assert git(remote, "show", f"{name}:dvc.lock") == "new"
    assert git(remote, "log", "-1", "--format=%s|%an|%P", name) == f"Retraining: promoted|lodestone retrain|{commit}"
    assert git(folder, "status", "--porcelain") == before
    assert (start_of(folder), git(folder, "branch", "--format=%(refname:short)")) == (commit, "main")


def test_equal_results_are_one_branch(folder):
    first, _ = push_branch(start_of(folder), "one", folder)
    assert push_branch(start_of(folder), "two", folder) == (first, False)
    (folder / "dvc.lock").write_text("newer\n")
    second, is_new = push_branch(start_of(folder), "three", folder)
    assert is_new
    assert second != first


def test_nothing_has_changed_where_the_files_are_those_of_the_commit(folder):
    git(folder, "checkout", "--quiet", "dvc.lock")
    (folder / "snapshot.version").unlink()
    assert not has_changed(start_of(folder), folder)


def test_without_a_remote_it_is_a_branch_here(folder):
    git(folder, "remote", "remove", "origin")
    name, is_new = push_branch(start_of(folder), "one", folder)
    assert is_new
    assert git(folder, "show", f"{name}:dvc.lock") == "new"
    assert push_branch(start_of(folder), "one", folder) == (name, False)


def test_a_remote_that_is_away_is_told_without_its_password(folder):
    git(folder, "remote", "set-url", "origin", "http://me:secret@127.0.0.1:9/repository.git")
    with pytest.raises(LodestoneError, match="`git ls-remote --heads origin` failed") as fault:
        push_branch(start_of(folder), "one", folder)
    assert "secret" not in str(fault.value)
    assert "that you may push there" in fault.value.remedy


def test_outside_of_git_it_is_refused(tmp_path):
    with pytest.raises(LodestoneError, match=r"git rev-parse(.|\n)*first commit"):
        start_of(tmp_path)


def test_gh_gets_arguments_and_no_shell(folder, monkeypatch):
    calls = listening(folder, monkeypatch)
    title = "Retraining: $(touch here); 'refused' \"again\""
    assert open_request("retraining/1", title, folder / "body.md", folder) == "https://example.org/pull/7"
    _, created = (json.loads(line) for line in calls.read_text().splitlines())
    options = ["--head", "retraining/1", "--base", "main", "--title", title, "--body-file", str(folder / "body.md")]
    assert created == ["pr", "create", *options]
    assert not (folder / "here").exists()


def test_a_request_that_is_there_is_not_opened_again(folder, monkeypatch):
    calls = listening(folder, monkeypatch, known='[{"url": "https://example.org/pull/3"}]')
    assert open_request("retraining/1", "title", folder / "body.md", folder) == "https://example.org/pull/3"
    assert len(calls.read_text().splitlines()) == 1


def test_a_request_that_may_not_be_opened_is_told(folder, monkeypatch):
    listening(folder, monkeypatch, fails=True)
    with pytest.raises(LodestoneError, match="not permitted to create pull requests") as fault:
        open_request("retraining/1", "title", folder / "body.md", folder)
    assert "the branch is pushed" in fault.value.remedy


def test_without_gh_there_is_no_request(folder, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert open_request("retraining/1", "title", folder / "body.md", folder) is None
