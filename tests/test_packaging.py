"""The lock file, the package's declarations and the Makefile agree with each other and with the code."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIBRARY = [Requirement(text) for text in PROJECT["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"]]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_lock_pins_everything_that_is_declared_within_its_range():
    pins = locked()
    for requirement in LIBRARY + DEVELOPMENT:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"requirements.lock lacks {requirement.name}: run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version} of requirements.lock"


def test_every_import_is_declared():
    imported = set()
    for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    theirs = imported - set(sys.stdlib_module_names) - {"lodestone"}
    owners = packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in LIBRARY}
    undeclared = {
        name for name in theirs if not declared & {canonicalize_name(owner) for owner in owners.get(name, [])}
    }
    assert not undeclared, f"pyproject.toml declares no dependency for {sorted(undeclared)}"


def test_make_help_lists_every_target_that_people_call():
    told = make("help").stdout
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"discover", "test", "check", "bench", "reference", "ui", "docs", "clean"} <= set(targets)
    for target in targets:
        assert f"make {target} " in told


@pytest.mark.parametrize("python", ["", "/bin/false", "/no/such/python"])
def test_make_refuses_a_missing_or_old_python(python, tmp_path):
    """With an environment folder of its own, so that the real one is not touched."""
    told = make("install", f"PYTHON={python}", f"VENV={tmp_path / 'env'}")
    assert told.returncode != 0
    assert "Python 3.11 or newer" in told.stderr
    assert not (tmp_path / "env").exists()


def test_installation_compiles_what_compiles(tmp_path, monkeypatch):
    """The command of the Makefile, in an environment of two files, one of them no Python of today."""
    environment, python = tmp_path / "env", tmp_path / "env" / "bin" / "python"
    lines = make("--dry-run", "install", f"VENV={environment}").stdout.splitlines()
    (command,) = (line for line in lines if "compileall" in line)
    for folder in (python.parent, environment / "lib", tmp_path / "pipeline"):
        folder.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (environment / "lib" / "good.py").write_text("x = 1\n")
    (environment / "lib" / "bad.py").write_text("print 1\n")
    (tmp_path / "pipeline" / "ours.py").write_text("y = 2\n")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name.split(".")[0] for path in tmp_path.rglob("*.pyc")) == ["good", "ours"]


@pytest.mark.parametrize("path", [ROOT / ".ci" / "run", *WORKFLOWS], ids=lambda path: path.name)
def test_automation_calls_targets_that_exist(path):
    text = path.read_text()
    if path.suffix == ".yml":
        jobs = yaml.safe_load(text)["jobs"].values()
        text = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    called = re.findall(r"^\s*make ([a-z]+)", text, re.MULTILINE)
    assert called
    for target in called:
        assert make("--dry-run", target).returncode == 0, f"{path.name} calls `make {target}`"
