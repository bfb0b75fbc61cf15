"""An environment is repaired when its folder was moved or copied; `make shell` opens one that is activated."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ("Makefile", "requirements.lock", "requirements-cuda.lock", "pyproject.toml")
# Makes an environment whose Python does nothing but say what it was called with, and a command as pip writes them.
FAKE = """#!/bin/bash
case "$*" in
-c*) exit 0 ;;
"-m venv "*) mkdir -p "$3/bin"; printf '#!/bin/bash\\necho ran: "$@" >> calls\\n' > "$3/bin/python"
  chmod +x "$3/bin/python"; test -e "$3/bin/dvc" || printf '#!%s/bin/python\\n' "$PWD/$3" > "$3/bin/dvc"
  echo 'PS1=; export ACTIVE=yes' > "$3/bin/activate" ;;
esac
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "old"
    folder.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    (tmp_path / "python").write_text(FAKE)
    (tmp_path / "python").chmod(0o755)
    make(folder, "install")
    return folder


def make(folder: Path, *arguments: str, text: str = "") -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", f"PYTHON={folder.parent / 'python'}", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True, input=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def installations(folder: Path) -> int:
    return sum(call.endswith("--no-build-isolation -e .") for call in calls(folder))


def test_what_is_installed_is_not_installed_again(folder):
    make(folder, "install")
    make(folder, "discover")
    assert installations(folder) == 1
    assert calls(folder)[-1] == "ran: -m lodestone discover"


@pytest.mark.parametrize("target", ["install", "discover"])
def test_a_moved_folder_repairs_its_environment(folder, target):
    moved = folder.rename(folder.with_name("new"))
    assert (moved / ".venv/bin/dvc").read_text() == f"#!{folder}/.venv/bin/python\n"
    make(moved, target)
    assert installations(moved) == 2
    assert (moved / ".venv/bin/dvc").read_text() == f"#!{moved}/.venv/bin/python\n"
    make(moved, target)
    assert installations(moved) == 2


def test_a_copied_folder_gets_an_environment_of_its_own(folder):
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    make(copy, "install")
    make(folder, "install")
    assert (installations(copy), installations(folder)) == (2, 1)


def test_the_shell_is_activated_and_does_not_look_started_by_make(folder):
    said = make(folder, "shell", text="echo active=$ACTIVE level=$MAKELEVEL.\nexit\n")
    assert "active=yes level=." in said
