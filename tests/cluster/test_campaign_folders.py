"""A campaign with parameters of its own: its candidates and labels are found from the root and from its folder."""

import shutil

import pytest
from chosen import ROOT

from lodestone.oracles.store import LabelStore
from lodestone.tables.layout import Layout


@pytest.fixture
def mine(waiting, monkeypatch):
    """Root with the parameter file, whose campaign has chosen candidates; stores where they are by default."""
    for store in ("LABELS", "DOWNLOADS", "CHECKPOINTS"):
        monkeypatch.setenv(f"LODESTONE_{store}", "")  # so that it is put back, whatever a command sets
        monkeypatch.delenv(f"LODESTONE_{store}")
    shutil.copy(ROOT / "dvc.yaml", waiting)
    (waiting / "campaigns").mkdir()
    (waiting / "params.yaml").rename(waiting / "campaigns" / "mine.yaml")
    shutil.copy(ROOT / "params.yaml", waiting)
    files = Layout(waiting / "campaigns" / "mine" / "data").round("round_0")
    (waiting / "one.csv").write_text("material_id,energy_per_atom\nround_0-mno,-8.0\n")
    (waiting / "two.csv").write_text("material_id,energy_per_atom\nround_0-nacl,-3.0\n")
    return waiting, files


def test_a_campaign_of_its_own_is_served_from_the_root_and_from_its_folder(mine, call, monkeypatch):
    root, files = mine
    params = ("--params", "campaigns/mine.yaml")
    assert call("candidates", *params, "--round", "round_0", "--out", "jobs")[0] == 1  # makes the folder
    shutil.move(root / "data", files.folder.parents[2])
    monkeypatch.chdir(root)
    assert call("candidates", *params, "--round", "round_0", "--out", "jobs")[0] == 0
    assert len(list((root / "jobs").glob("*/POSCAR"))) == 3
    monkeypatch.chdir(root)
    assert call("labels", "import", *params, "one.csv")[0] == 0
    monkeypatch.delenv("LODESTONE_LABELS")  # as in another shell
    monkeypatch.chdir(root / "campaigns" / "mine")
    assert "1 labels imported; 1 candidates still wait." in call("labels", "import", "../../two.csv")[1]
    with LabelStore(root / ".lodestone" / "labels.sqlite") as store:
        assert len(store) == 2
    assert not (root / "campaigns" / "mine" / ".lodestone").exists()
