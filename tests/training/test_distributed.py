"""Several processes by a standard launcher train what one trains."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lodestone.config.load import load_params
from lodestone.models.weights import load_view
from lodestone.runtime.seeds import child_seed
from lodestone.schemas import Crystals
from lodestone.tables.files import write_json, write_table
from lodestone.tables.layout import Layout
from lodestone.training.distributed import Ranks
from lodestone.training.train import train_view
from waiting import HANG

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def campaign(tmp_path, known, tiny):
    """Folder of a campaign before its first training: 46 crystals in batches of 9, the last of which has one row."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["structure"] = tiny["structure"].model_dump()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    files = Layout(tmp_path / "data").round("round_0")
    parts = known.partition_by("split", as_dict=True)
    crystals = parts[("train",)].head(46).vstack(parts[("validation",)].head(9)).vstack(parts[("test",)])
    write_table(crystals, files.crystals, Crystals, sort_by="material_id")
    write_json({"round": None}, files.warm_start / "origin.json")
    return tmp_path, crystals


def test_two_ranks_train_what_one_process_trains(campaign, monkeypatch):
    folder, crystals = campaign
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    told = subprocess.run(
        [*launcher, ROOT / "stages" / "train.py", "structure", "round_0"],
        cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=HANG,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    together = load_view(Layout(folder / "data").round("round_0").models("structure"))

    monkeypatch.setenv("LODESTONE_WORKERS", "1")
    params = load_params(folder / "params.yaml")
    alone = train_view(
        "structure", params.view("structure"), crystals, None, child_seed(params.seed, "round_0", "structure")
    )
    assert len(together.members) == 2
    for mine, theirs in zip(together.members, alone.saved.members, strict=True):
        for name in theirs.keys() - {name for name in theirs if name.endswith("gate.bias")}:  # idle in a softmax
            assert mine[name] == pytest.approx(theirs[name], abs=1e-4), name
    assert not list((folder / "checkpoints").rglob("*.safetensors"))


def test_shares_are_the_whole_batch_each_row_once():
    rows = torch.arange(7)
    for size in (1, 2, 3, 9):
        shares = [Ranks(rank, size).share(rows) for rank in range(size)]
        assert sorted(torch.cat(shares).tolist()) == rows.tolist()
        assert np.ptp([len(share) for share in shares]) <= 1
