"""The lock file, the package's declarations and the Makefile agree with each other and with the code."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lodestone

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LIBRARY = [Requirement(text) for text in PROJECT["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"]]
EXTRAS = [
    Requirement(text) for extra, texts in PROJECT["optional-dependencies"].items() if extra != "dev" for text in texts
]
FROM_SOURCE = PROJECT["optional-dependencies"]["gpaw"]  # needs a compiler, which `make install` does not ask for
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def blocks(name: str) -> list[str]:
    """The entries of a lock file, each with its lines of hashes."""
    return re.findall(r"^[^\s#].*\n(?: .*\n)*", (ROOT / name).read_text(), re.MULTILINE)


def pinned(block: str) -> Requirement:
    return Requirement(block.partition("--hash")[0].replace("\\", "").strip())


def locked() -> dict[str, str]:
    requirements = map(pinned, blocks("requirements.lock"))
    return {canonicalize_name(found.name): str(found.specifier).removeprefix("==") for found in requirements}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_lock_pins_everything_that_is_declared_within_its_range():
    pins = locked()
    for text in FROM_SOURCE:
        assert canonicalize_name(Requirement(text).name) not in pins
    for requirement in LIBRARY + DEVELOPMENT + EXTRAS:
        if str(requirement) in map(str, map(Requirement, FROM_SOURCE)):
            continue
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"requirements.lock lacks {requirement.name}: run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version} of requirements.lock"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-cuda.lock"])
def test_every_file_of_every_package_is_locked_by_its_hash(name):
    found = blocks(name)
    assert found
    for block in found:
        assert re.fullmatch(r"\S+==[^\s]+( ; [^\n]*)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n", block), block
    assert "--no-deps --require-hashes" in make("--dry-run", "--always-make", "install").stdout


def test_the_cpu_build_of_torch_needs_nothing_of_the_cuda_build():
    """Else it would fetch gigabytes for nothing; and on macOS there is no such package."""
    of_cuda = {pinned(block).name for block in blocks("requirements-cuda.lock")}
    assert of_cuda
    assert not of_cuda & locked().keys()
    for block in blocks("requirements-cuda.lock"):
        marker = pinned(block).marker
        assert marker is not None
        assert marker.evaluate({"sys_platform": "linux", "platform_machine": "x86_64"})
        assert not marker.evaluate({"sys_platform": "darwin"})


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
    declared = {canonicalize_name(requirement.name) for requirement in LIBRARY + EXTRAS}
    undeclared = {
        name for name in theirs if not declared & {canonicalize_name(owner) for owner in owners.get(name, [name])}
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


@pytest.mark.slow
def test_a_package_whose_hash_does_not_fit_is_not_installed(tmp_path):
    """By the Makefile, from a folder of wheels in place of the index."""
    with zipfile.ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    (tmp_path / "requirements.lock").write_text(f"tiny==1.0 \\\n    --hash=sha256:{64 * '0'}\n")
    for name in ("requirements-cuda.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PIP_"))}
    command = ["make", "-f", str(ROOT / "Makefile"), "install", "VENV=env", f"PYTHON={sys.executable}"]
    environment = kept | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode != 0
    for words in ("DO NOT MATCH THE HASHES", "tiny==1.0", f"Expected sha256 {64 * '0'}"):
        assert words in told.stderr
    assert not (tmp_path / "env" / ".installed").exists()


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
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name.split(".")[0] for path in tmp_path.rglob("*.pyc")) == ["good", "ours"]


@pytest.mark.parametrize("path", [ROOT / ".ci" / "run", *WORKFLOWS], ids=lambda path: path.name)
def test_automation_calls_targets_that_exist(path):
    text = path.read_text()
    if path.suffix == ".yml":
        jobs = yaml.safe_load(text)["jobs"].values()
        text = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    called = re.findall(r"^\s*make ([a-z-]+)", text, re.MULTILINE)
    assert called or "make" not in text
    for target in called:
        assert make("--dry-run", target).returncode == 0, f"{path.name} calls `make {target}`"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pin_actions_and_ask_for_little(path):
    text, content = path.read_text(), yaml.safe_load(path.read_text())
    uses = re.findall(r"uses: *(.*)", text)
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), f"{action}: pin the commit"
    assert content["permissions"] == {"contents": "read"}
    writing = [name for name, job in content["jobs"].items() if "write" in str(job.get("permissions"))]
    assert writing == {"release.yml": ["publish"], "retrain.yml": ["retrain"]}.get(path.name, [])
    for name in writing:  # runs nothing of the repository, or nothing that somebody only proposes
        runs_ours = any("checkout" in step.get("uses", "") for step in content["jobs"][name]["steps"])
        assert not runs_ours or not [event for event in content[True] if event.startswith("pull_request")]
    checkouts = [s for job in content["jobs"].values() for s in job["steps"] if "/checkout@" in s.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_workflows_pass_actionlint():
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed; it is no package of the lock file")
    outcome = subprocess.run([program, *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_one_action_has_one_pin():
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: *([^@\s]+)@(.*)", path.read_text()):
            pins.setdefault(action, set()).add(pin)
    assert {action: several for action, several in pins.items() if len(several) > 1} == {}


def test_no_second_index_is_searched_for_all_packages():
    """Who can upload a name to the second index could otherwise replace any package of ours."""
    for path in [*WORKFLOWS, ROOT / ".ci" / "run", ROOT / "Makefile", ROOT / "requirements.lock"]:
        assert not re.search(r"extra.index.url", path.read_text(), re.IGNORECASE), path.name


def test_torch_alone_comes_from_its_index():
    outcome = make("--dry-run", "--always-make", "install", "TORCH_INDEX=https://example.org/whl").stdout
    (line,) = [line for line in outcome.replace("\\\n", " ").splitlines() if "--index-url" in line]
    assert "--no-deps" in line
    expression = re.search(r"\$\((sed .*?)\)$", line.strip())
    assert expression, line
    chosen = subprocess.run(expression[1], shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert chosen.strip() == f"torch=={locked()['torch']}"


def test_a_wheel_of_torch_on_this_machine_comes_before_that_of_the_index():
    """Among files whose hashes are locked pip prefers those of the index: on Linux the CUDA build."""
    lines = make("--dry-run", "--always-make", "install").stdout.replace("\\\n", " ").splitlines()
    (local,) = [number for number, line in enumerate(lines) if "--no-index" in line]
    (rest,) = [number for number, line in enumerate(lines) if "-r requirements.lock" in line]
    assert local < rest
    extracted = lines[local].split("|")[0]
    chosen = subprocess.run(extracted, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (block,) = [block for block in blocks("requirements.lock") if pinned(block).name == "torch"]
    assert chosen == block


def test_the_matrix_covers_what_the_package_says_it_runs_on():
    matrix = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["fast"]["strategy"][
        "matrix"
    ]
    declared = [text.rsplit(" ", 1)[1] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert matrix["python"] == declared
    assert min(declared, key=lambda text: int(text.split(".")[1])) == PROJECT["requires-python"].removeprefix(">=")


def test_lowest_versions_are_those_declared():
    outcome = ci_script("lowest.py")
    lowest = dict(line.split("==") for line in outcome.stdout.split())
    assert len(lowest) == len(LIBRARY)
    for requirement in LIBRARY:
        assert requirement.specifier.contains(lowest[requirement.name])


def test_a_release_has_the_text_of_its_version_and_no_other():
    outcome = ci_script("release_notes.py", f"v{lodestone.__version__}")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip()
    assert "## [" not in outcome.stdout
    assert ci_script("release_notes.py", "v99.0.0").returncode != 0


def test_hooks_run_the_tools_of_the_lock_file():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"], "another repository would bring versions of its own"
    commands = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks[0]["hooks"]}
    assert commands == {"ruff", "codespell", "mypy", "lint-imports"}


def test_words_are_spelled_correctly():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    command = [str(Path(sys.executable).with_name("codespell")), *filter(lambda name: (ROOT / name).is_file(), files)]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def ci_script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / name), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
