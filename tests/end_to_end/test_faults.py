"""What goes wrong ends in one clear message and an exit code, without a traceback or half-written files."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tiny_campaign import BUDGET, DISCOVER, Campaign, Outcome

pytestmark = pytest.mark.end_to_end

# Runs its arguments after the first with that folder on a disk of 8 kB; tells what is left on it, which then is gone.
ON_A_FULL_DISK = """
mkdir -p "$1" && mount -t tmpfs -o size=8k tmpfs "$1" || exit 77
folder=$1; shift; "$@"; code=$?
find "$folder" -type f -printf 'left: %p\\n'; exit $code
"""


def assert_refused(outcome: Outcome, problem: str, remedy: str) -> None:
    assert outcome.code != 0
    lines = outcome.err.splitlines()
    (start,) = (number for number, line in enumerate(lines) if line.startswith("error: "))
    assert problem in lines[start]
    assert lines[start + 1].startswith("  -> ")
    assert remedy in lines[start + 1]
    assert "Traceback" not in outcome.out + outcome.err


def _stage(name: str, *arguments: str) -> list[str]:
    return [sys.executable, f"stages/{name}.py", *arguments]


@pytest.fixture(scope="module")
def fresh(template, tmp_path_factory) -> Campaign:
    """A campaign that has not begun; nothing that is tried here lets it begin."""
    return template.copy(tmp_path_factory.mktemp("fresh") / "campaign")


@pytest.fixture(scope="module")
def finished(straight, tmp_path_factory) -> Campaign:
    """A finished campaign to do damage to; every test leaves it as it was."""
    return straight.campaign.copy(tmp_path_factory.mktemp("finished") / "campaign")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda params: params["structure"].update(epoch=3), "structure.epoch: unknown parameter"),
        (lambda params: params["rounds"]["round_0"].update(next="round_7"), "nobody names 'round_1' as next"),
        (lambda params: params["rounds"]["round_1"].update(next="round_0"), "the chain is a cycle"),
        (lambda params: params.update(rounds={0: {"next": 1, "budget": 4}}), "rounds.0"),
    ],
    ids=["unknown parameter", "gap in the chain", "cycle in the chain", "numbers as names of rounds"],
)
def test_wrong_parameters(fresh, change, problem):
    text = (fresh.folder / "params.yaml").read_text()
    fresh.edit(change)
    assert_refused(fresh.discover(), problem, "docs/parameters.md")
    (fresh.folder / "params.yaml").write_text(text)
    assert fresh.files() == {}
    assert not (fresh.folder / "dvc.lock").exists()


def test_missing_crystals(finished):
    before, path = finished.files(), finished.folder / "reference" / "crystals.parquet"
    path.rename(path.with_suffix(".away"))
    assert_refused(finished.discover(), "snapshot.path: reference/crystals.parquet does not exist", "correct the path")
    path.with_suffix(".away").rename(path)
    assert finished.files() == before


def test_truncated_crystals(fresh):
    path = fresh.folder / "reference" / "crystals.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert_refused(fresh.discover(), "reference/crystals.parquet is no readable parquet file", "truncated")
    path.write_bytes(content)
    assert fresh.files() == {}


def test_nothing_is_near_the_hull_and_the_way_back(finished):
    """Then the baseline is verified all the same, and the campaign has its report."""
    before, text = _results(finished), (finished.folder / "params.yaml").read_text()
    finished.edit(lambda params: params["discovery"].update(threshold=-5.0))
    outcome = finished.discover()
    assert outcome.code == 0, outcome.err
    assert outcome.ran[0] == "active_learning@round_0"
    rates = json.loads((finished.folder / "metrics" / "campaign.json").read_text())["hit_rate"].values()
    assert [(rate["model"]["n"], rate["random"]["n"]) for rate in rates] == [(0, BUDGET["random_baseline"])] * 2
    (finished.folder / "params.yaml").write_text(text)
    repaired = finished.discover()
    assert repaired.code == 0, repaired.err
    assert repaired.ran == [], "DVC should have taken everything from its cache"
    assert _results(finished) == before


def _results(campaign: Campaign) -> dict[str, bytes]:
    """What the stages before publication have written; MLflow keeps every run."""
    return {name: content for name, content in campaign.files().items() if name.startswith(("data", "reports"))}


def test_killed_while_dvc_wrote_its_lock_file(finished):
    before, path = finished.files(), finished.folder / "dvc.lock"
    text = path.read_text()
    path.write_text(text[: text.index("outs:", len(text) // 2) + len("outs:")])
    outcome = finished.discover()
    assert outcome.code == 0, outcome.err
    assert "the last run was killed while it wrote dvc.lock" in outcome.err
    assert outcome.ran == []
    assert path.read_text() == text
    assert finished.files() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a small disk can be made by anybody on Linux only")
@pytest.mark.parametrize(
    ("campaign", "folder", "command", "problem"),
    [
        ("fresh", "data/snapshot", DISCOVER, "data/snapshot/crystals.parquet cannot be written"),
        ("finished", "data/rounds/round_0/models", _stage("train", "composition", "round_0"), "the disk is full"),
        ("finished", "data/rounds/round_2", _stage("active_learning", "round_1", "round_2"), "data/rounds/round_2"),
        ("finished", "reports", _stage("report"), "reports/"),
    ],
    ids=["snapshot", "train", "active_learning", "report"],
)
def test_full_disk(campaign, folder, command, problem, request):
    campaign = request.getfixturevalue(campaign)
    before = campaign.files()
    outcome = campaign.run(*_own_mounts(), "sh", "-c", ON_A_FULL_DISK, "sh", folder, *command)
    if outcome.code == 77:
        pytest.skip(f"no small disk can be mounted here: {outcome.err}")
    assert_refused(outcome, problem, "free some disk space")
    left = [line for line in outcome.out.splitlines() if line.startswith("left: ")]
    assert not [line for line in left if line.endswith(".tmp")]
    assert campaign.files() == before


def _own_mounts() -> list[str]:
    """Prefix of a command that sees mounts of its own, which end with it."""
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        allowed = subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("no mounts of one's own are allowed here (unshare --user --mount)")
    return command
