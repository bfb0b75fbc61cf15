"""What a store tells about a registered ensemble is what its campaign was made of."""

import json
import shutil
import subprocess

import pytest
import yaml

from lodestone.cli.main import main
from lodestone.errors import LodestoneError
from lodestone.lineage.text import UNKNOWN, model_text
from lodestone.tables.files import read_table
from lodestone.tables.layout import Layout
from lodestone.tracking.evidence import EVIDENCE
from lodestone.tracking.lineage import model_lineage, names_model
from lodestone.tracking.lock import stages_of
from lodestone.tracking.promotions import promote
from lodestone.tracking.store import publish

LOCK = {
    "schema": "2.0",
    "stages": {
        "split": {
            "cmd": "python stages/split.py",
            "deps": [{"path": "params.yaml", "hash": "md5", "md5": "1f"}],
            "outs": [{"path": "data/rounds/round_0", "hash": "md5", "md5": "2a.dir", "nfiles": 3}],
        },
        "publish": {"cmd": "python stages/publish.py", "outs": [{"path": "metrics/tracking.json", "md5": "3b"}]},
    },
}


@pytest.fixture(scope="module")
def traced(tmp_path_factory, shared_campaign, shared_params, empty_store):
    """A campaign in a repository with a `dvc.lock`, published once."""
    root = tmp_path_factory.mktemp("traced") / "campaign"
    shutil.copytree(shared_campaign, root, ignore=shutil.ignore_patterns("mlruns", "mlflow.db"))
    (root / "dvc.lock").write_text(yaml.safe_dump(LOCK, sort_keys=False))
    (root / "params.yaml").write_text("seed: 1\n")
    for command in (["init", "--quiet"], ["add", "params.yaml"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=root, check=True)
    (root / "params.yaml").write_text("seed: 2\n")
    shutil.copy(empty_store, root / "mlflow.db")
    publish(root, shared_params)
    promote(root, 2, "it is newer")
    return root


@pytest.mark.slow
def test_everything_that_a_model_was_made_of_is_there(traced):
    facts = model_lineage(traced, "champion")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=traced, capture_output=True, text=True, check=True)
    assert facts["code"] == {"commit": head.stdout.strip(), "clean": False, "changed": ["params.yaml"], "folder": ""}
    assert (facts["model"]["version"], facts["model"]["round"], facts["model"]["aliases"]) == (
        2,
        "round_1",
        ["champion"],
    )
    assert facts["stages"] == {
        "split": {
            "cmd": "python stages/split.py",
            "deps": {"params.yaml": "1f"},
            "outs": {"data/rounds/round_0": "2a.dir"},
        }
    }
    assert facts["parameters"]["composition.width"] == "4"
    assert facts["snapshot"] == {"content_hash": "abc"}
    assert facts["oracle"]["settings"] == {"fmax": 0.1}
    assert {"python", "torch", "dvc", "lodestone"} <= set(facts["packages"])
    assert [one["outcome"] for one in facts["decisions"]] == ["by hand"]
    assert list(facts["rounds"]) == ["round_0", "round_1"]


@pytest.mark.slow
def test_hull_and_test_set_are_those_of_the_round(traced):
    facts = model_lineage(traced, "models:/lodestone-ensemble/2")
    crystals = read_table(Layout(traced / "data").round("round_1").crystals)
    assert facts["hull"]["known"] == len(crystals)
    assert facts["hull"]["phases"] == int((crystals["energy_above_hull"] <= 0).sum())
    assert facts["test_set"]["n"] == int((crystals["split"] == "test").sum())
    assert model_lineage(traced, "1")["hull"]["known"] < facts["hull"]["known"]


@pytest.mark.slow
def test_the_command_prints_text_and_json(traced, monkeypatch, capsys):
    monkeypatch.chdir(traced)
    printed = []
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["lineage", "2", *more])
        assert ended.value.code == 0
        printed.append(capsys.readouterr().out)
    text, content = printed[0], json.loads(printed[1])
    assert content == model_lineage(traced, "champion")
    assert f"commit {content['code']['commit']}, not clean: params.yaml" in text
    assert "1 stages, 1 outputs" in text
    assert "champion, chosen by hand, instead of version 1" in text
    assert UNKNOWN not in text


@pytest.mark.slow
def test_what_was_not_recorded_is_said(traced, monkeypatch):
    monkeypatch.setattr("lodestone.tracking.lineage.EVIDENCE", f"no-{EVIDENCE}")
    facts = model_lineage(traced, "2")
    assert facts["stages"] is None
    assert facts["code"]["clean"] is False
    assert model_text(facts).count(UNKNOWN) == 4


@pytest.mark.slow
def test_an_unknown_version_names_those_that_are_there(traced):
    with pytest.raises(LodestoneError, match=r"(?s)no version or alias '7'.*: 1, 2"):
        model_lineage(traced, "models:/lodestone-ensemble/7")


def test_without_a_store_nothing_is_created(tmp_path):
    with pytest.raises(LodestoneError, match="lodestone publish"):
        model_lineage(tmp_path, "champion")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "is_model"), [("7", True), ("previous", True), ("models:/a@b", True), ("mp-7", False)]
)
def test_models_and_crystals_are_told_apart(text, is_model):
    assert names_model(text) is is_model


def test_a_damaged_lock_is_named(tmp_path):
    (tmp_path / "dvc.lock").write_text("stages: [1]")
    with pytest.raises(LodestoneError, match=r"dvc\.lock cannot be read"):
        stages_of(tmp_path / "dvc.lock")
