"""The oracle that reveals: what its tables say, of initial and relaxed structures, and of nothing else."""

import numpy as np
import polars as pl
import pytest

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.json_text import from_json, to_json
from lodestone.errors import LodestoneError

SALT = Crystal(5.7 * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
ROWS = {
    "material_id": ["a", "b"],
    "formation_energy_per_atom": [-2.1, -1.7],
    "structure": [to_json(SALT), to_json(SALT.with_elements({11: 19}))],
    "initial_structure": [to_json(SALT.scaled_to(200)), to_json(SALT.with_elements({11: 19}).scaled_to(210))],
}


@pytest.fixture
def path(tmp_path):
    pl.DataFrame(ROWS).write_parquet(tmp_path / "pool.parquet")
    return tmp_path / "pool.parquet"


def oracle_of(*paths):
    tables = [str(path) for path in paths]
    return ORACLES.make("replay", ORACLES.settings("replay", {"name": "replay", "tables": tables}))


def test_it_reveals_the_energy_and_the_relaxed_structure(path):
    initial = [from_json(text) for text in ROWS["initial_structure"]]
    labels = dict(oracle_of(path).label([initial[1], initial[0]]))
    assert [labels[index].energy_per_atom for index in (0, 1)] == [-1.7, -2.1]
    assert labels[1].crystal.digest() == SALT.digest()


def test_it_knows_a_relaxed_structure_too_and_refuses_any_other(path):
    labels = dict(oracle_of(path).label([SALT, SALT.scaled_to(201)]))
    assert (labels[0].status, labels[0].energy_per_atom) == ("ok", -2.1)
    assert labels[1].status.startswith("unknown: ")


def test_a_table_of_relaxed_structures_will_do(tmp_path):
    pl.DataFrame(ROWS).drop("initial_structure").write_parquet(tmp_path / "known.parquet")
    assert dict(oracle_of(tmp_path / "known.parquet").label([SALT]))[0].energy_per_atom == -2.1


def test_a_label_depends_on_what_the_tables_hold_and_not_on_where_they_lie(path, tmp_path):
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(path.read_bytes())
    assert oracle_of(copy).identity() == oracle_of(path).identity()
    pl.DataFrame(ROWS | {"formation_energy_per_atom": [-2.2, -1.7]}).write_parquet(copy)
    assert oracle_of(copy).identity() != oracle_of(path).identity()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"formation_energy_per_atom": [None, -1.7]}, r"pool.parquet: a: a label that is ok needs a finite energy"),
        ({"structure": ["{}", ROWS["structure"][1]]}, "a: 'species' is missing"),
        ({"initial_structure": [ROWS["initial_structure"][0]] * 2}, "one structure has the energies"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(path, change, told):
    pl.DataFrame(ROWS | change).write_parquet(path)
    with pytest.raises(LodestoneError, match=told):
        list(oracle_of(path).label([SALT]))


def test_a_table_without_energies_is_refused(path):
    pl.DataFrame(ROWS).drop("formation_energy_per_atom").write_parquet(path)
    with pytest.raises(LodestoneError, match="lacks formation_energy_per_atom"):
        list(oracle_of(path).label([SALT]))
