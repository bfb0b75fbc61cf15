"""Whatever the README and its pages tell people to type, open or believe holds; campaigns come in `end_to_end`."""

import os
import re
import shlex
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest

import readme
from finished_campaign import write_finished_campaign
from lodestone.config.load import load_params
from readme import BY_ITSELF, IN_A_CAMPAIGN, NOT_RUN, README, ROOT

BENCHMARKS = {command for command in NOT_RUN if command.startswith("python benchmarks/")}
HELP = """
import runpy, sys
for script in sys.argv[1:]:
    sys.argv, sys.path[0] = [script, "--help"], "benchmarks"
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        assert not ended.code, f"{script} ends with {ended.code}"
    else:
        raise AssertionError(f"{script} reads no command line")
"""
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")],
    key=str,
)


def run(command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    own = {"PATH": path, "PYTHONPATH": str(ROOT / "pipeline")}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=kept | own, capture_output=True, text=True, check=False
    )


def test_every_command_has_a_rule_and_every_rule_a_command():
    assert set(readme.commands()) == NOT_RUN | BY_ITSELF | set(IN_A_CAMPAIGN)


@pytest.mark.parametrize("command", sorted(NOT_RUN - BENCHMARKS))
def test_what_takes_long_exists(command):
    make = command.startswith("make ")
    outcome = run(command.replace("make ", "make --dry-run ") if make else f"{command} --help")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip() if make else outcome.stdout.startswith("usage: ")


def test_benchmarks_exist_and_read_their_command_lines():
    """In one process, as each would import torch for seconds."""
    scripts = [command.removeprefix("python ") for command in sorted(BENCHMARKS)]
    outcome = run(f"python -c {shlex.quote(HELP)} {shlex.join(scripts)}")
    assert outcome.returncode == 0, outcome.stderr
    assert re.findall(r"^usage: (\S+)", outcome.stdout, re.MULTILINE) == [Path(script).name for script in scripts]


def test_activating_the_environment_finds_its_commands(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True)
    outcome = run("source .venv/bin/activate && command -v python", tmp_path)
    assert outcome.stdout.strip() == str(tmp_path / ".venv" / "bin" / "python"), outcome.stderr


@pytest.mark.parametrize("campaign", sorted((ROOT / "campaigns").glob("*.yaml")), ids=lambda path: path.stem)
def test_campaigns_are_valid(campaign):
    assert load_params(campaign).rounds


@pytest.mark.slow
def test_python_blocks_run_in_a_finished_campaign(tmp_path, monkeypatch, capsys):
    write_finished_campaign(tmp_path, rounds=3)
    monkeypatch.chdir(tmp_path)
    blocks = readme.code_blocks("python")
    assert blocks
    for number, block in enumerate(blocks):
        exec(compile(block, f"README.md, python block {number}", "exec"), {})
    assert "eV/atom" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    wrong = []
    for path, anchor in readme.links(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            wrong.append(path)
        elif anchor and target.suffix == ".md" and anchor not in readme.anchors(target):
            wrong.append(f"{path}#{anchor}")
    assert not wrong


def test_the_index_and_the_how_to_pages_know_each_other():
    index = ROOT / "docs" / "how-to" / "README.md"
    listed = {(index.parent / path).name for path, _ in readme.links(index)}
    assert {path.name for path in index.parent.glob("add-*.md")} <= listed


def test_what_the_readme_says_of_the_reference_set_is_true():
    table, text = pl.read_parquet(ROOT / "reference" / "crystals.parquet", columns=["chemsys"]), README.read_text()
    systems = set(table["chemsys"])
    elements = sorted({element for system in systems for element in system.split("-")})
    pairs = ["-".join(pair) for pair in combinations(elements, 2)]
    empty = sum(pair not in systems for pair in pairs)
    assert f"{len(table):,} crystals of the reference set" in text
    assert f"and {len(elements)} elements" in text
    assert f"{empty} of the {len(pairs):,} pairs of elements" in text
