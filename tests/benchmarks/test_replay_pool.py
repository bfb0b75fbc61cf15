"""The pool of the benchmark: nothing of it is known, and a replay takes it."""

from argparse import Namespace

import polars as pl
import pytest

from lodestone.replay.tables import read_known, read_pool
from replay_pool import make_tables


@pytest.mark.slow
def test_a_pool_of_the_materials_project_can_be_replayed(shared_data, tmp_path):
    asked = Namespace(data=shared_data, out=tmp_path, known=2000, pool=60, held_out=0.1, prevalence=0.1, max_sites=6)
    known_path, pool_path = make_tables(asked)
    known = read_known(known_path)
    pool = read_pool(pool_path, known)
    assert len(known) == 2000
    assert 1 <= (~pool.stable).sum() <= 54
    assert pool.n_stable > 6
    rows = pl.read_parquet(pool_path).sort("material_id")
    assert rows["initial_structure"].n_unique() == len(rows)
    assert (rows["initial_structure"] != rows["structure"]).all()
    assert pool.stable.tolist() == (rows["energy_above_hull_known"] <= 0).to_list()
    before = pool_path.read_bytes()
    assert make_tables(asked) == (known_path, pool_path)
    assert pool_path.read_bytes() == before
