from pathlib import Path

import polars as pl
import pytest
import torch

from lodestone.config.load import load_params
from lodestone.crystals.encoding import decode
from lodestone.models.registry import make_network

ROOT = Path(__file__).parents[2]
VIEWS = ("composition", "structure")


@pytest.fixture(scope="session")
def reference() -> pl.DataFrame:
    return pl.read_parquet(ROOT / "reference" / "crystals.parquet").sort("material_id")


@pytest.fixture(scope="session")
def crystals(reference):
    """By identifier: single-atom cells, the most and the least symmetric crystals, and some at random."""
    kinds = [
        reference.filter(pl.col("nsites") == 1).head(3),
        reference.filter((pl.col("spacegroup_number") >= 221) & (pl.col("nsites") > 1)).sample(8, seed=1),
        reference.filter(pl.col("spacegroup_number").is_between(143, 194)).sample(6, seed=2),
        reference.filter(pl.col("spacegroup_number") <= 2).sample(4, seed=3),
        reference.sample(8, seed=4),
    ]
    rows = pl.concat(kinds).unique("material_id").sort("material_id")
    return dict(zip(rows["material_id"], decode(rows), strict=True))


@pytest.fixture(scope="session")
def params():
    return {view: load_params(ROOT / "params.yaml").view(view) for view in VIEWS}


@pytest.fixture(scope="session")
def networks(params):
    """Networks of the size of the default campaign, untrained, with weights so large that geometry counts."""
    made = {}
    for view in VIEWS:
        torch.manual_seed(5)
        made[view] = make_network(view, params[view]).eval()
        for linear in made[view].modules():
            if isinstance(linear, torch.nn.Linear):
                linear.weight.data *= 3
    return made
