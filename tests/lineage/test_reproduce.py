"""A campaign that comes out the same says so; one that does not names the first file that differs."""

import json
import subprocess
import sys

import pytest

from lodestone.cli.main import main
from lodestone.errors import LodestoneError
from lodestone.lineage.reproduce import Difference, differences, reproduce
from lodestone.tracking.lock import stages_of
from lodestone.tracking.revision import code_of

DVC = """
stages:
  draw:
    cmd: python draw.py
    deps: [draw.py]
    outs: [numbers.txt]
  add:
    cmd: python add.py
    deps: [add.py, numbers.txt]
    outs: [sum.txt]
  publish:
    cmd: python publish.py
    deps: [publish.py, sum.txt]
    outs: [lock.txt]
"""
DRAW = "import pathlib\npathlib.Path('numbers.txt').write_text('1 2 3')\n"
ADD = "import pathlib\npathlib.Path('sum.txt').write_text(str(sum(map(int, open('numbers.txt').read().split()))))\n"
PUBLISH = "import shutil\nshutil.copy('dvc.lock', 'lock.txt')\n"


def stage(outs: dict, deps: dict | None = None) -> dict:
    return {"cmd": "", "deps": deps or {}, "outs": outs}


def test_the_first_difference_is_that_of_the_first_stage_that_ran():
    before = {"b": stage({"y": "1"}, {"x": "1"}), "a": stage({"x": "1"}), "gone": stage({"z": "1"})}
    after = {"a": stage({"x": "2"}), "b": stage({"y": "2", "new": "3"}, {"x": "2"})}
    assert [(one.stage, one.kind, one.path, one.before, one.after) for one in differences(before, after)] == [
        ("a", "outs", "x", "1", "2"),
        ("b", "deps", "x", "1", "2"),
        ("b", "outs", "y", "1", "2"),
        ("b", "outs", "new", None, "3"),
        ("gone", "outs", "z", "1", None),
    ]
    assert not list(differences(before, before))


@pytest.mark.parametrize(
    ("lineage", "problem"),
    [
        ({"code": None, "stages": {"a": {}}}, "the commit of this model is not recorded"),
        ({"code": {"commit": "0", "clean": True}, "stages": None}, r"hashes of dvc\.lock"),
        (
            {"code": {"commit": "0", "clean": False, "changed": ["params.yaml"]}, "stages": {"a": {}}},
            r"params\.yaml had",
        ),
        (
            {"code": {"commit": "0", "clean": True, "folder": "campaigns/a/"}, "stages": {"a": {}}},
            "campaigns/a/, which",
        ),
    ],
)
def test_what_cannot_be_reproduced_says_why(tmp_path, lineage, problem):
    with pytest.raises(LodestoneError, match=problem):
        reproduce(lineage, tmp_path, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def git(folder, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True)


def dvc(folder, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A repository whose stages have run, and the lineage of what they made."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "first"
    root.mkdir()
    git(root, "init", "--quiet")
    dvc(root, "init", "--quiet")
    for name, text in {"dvc.yaml": DVC, "draw.py": DRAW, "add.py": ADD, "publish.py": PUBLISH}.items():
        (root / name).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "all")
    dvc(root, "repro", "--quiet")
    return root, {"code": code_of(root), "stages": stages_of(root / "lock.txt")}


@pytest.mark.slow
def test_stages_run_again_give_the_same_hashes_or_the_first_that_differs(ran, tmp_path):
    root, lineage = ran
    assert list(lineage["stages"]) == ["draw", "add"]  # in `dvc.lock` while the stage after them runs
    assert reproduce(lineage, root, tmp_path / "again") == []
    assert (tmp_path / "again" / "sum.txt").read_text() == "6"
    other = json.loads(json.dumps(lineage))
    was = other["stages"]["add"]["outs"]["sum.txt"]
    other["stages"]["add"]["outs"]["sum.txt"] = "0"
    assert reproduce(other, root, tmp_path / "third") == [Difference("add", "outs", "sum.txt", "0", was)]
    with pytest.raises(LodestoneError, match="cannot be checked out"):
        reproduce(lineage, root, tmp_path / "third")


@pytest.mark.slow
def test_a_stage_that_fails_is_no_match(ran, tmp_path):
    root, lineage = ran
    (root / "add.py").write_text("raise SystemExit(1)\n")
    git(root, "commit", "--quiet", "--all", "--message", "broken")
    with pytest.raises(LodestoneError, match=r"a stage failed in .*; finished: draw"):
        reproduce({**lineage, "code": code_of(root)}, root, tmp_path / "again")


@pytest.mark.slow
def test_the_command_ends_with_what_it_has_seen(ran, tmp_path, monkeypatch, capsys):
    root, lineage = ran
    lineage = json.loads(json.dumps({**lineage, "packages": {"numpy": "0.0.1"}}))
    monkeypatch.setattr("lodestone.tracking.lineage.model_lineage", lambda _, __: lineage)
    monkeypatch.chdir(root)
    codes = []
    for folder in ("same", "other"):
        with pytest.raises(SystemExit) as ended:
            main(["reproduce", "champion", "--folder", str(tmp_path / folder)])
        codes.append(ended.value.code)
        lineage["stages"]["draw"]["outs"]["numbers.txt"] = "0"
    printed = capsys.readouterr()
    assert codes == [0, 1]
    assert "The same: all files of 2 stages" in printed.out
    assert "1 files differ. The first: draw: output numbers.txt: 0 before" in printed.out
    assert "numpy was 0.0.1" in printed.err
